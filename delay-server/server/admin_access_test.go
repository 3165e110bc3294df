package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
)

// newServer returns a server without a log.
func newServer(t testing.TB, config Config) *Server {
	t.Helper()
	srv, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return srv
}

// accesses are settings that decide who may use the admin API, and their effects.
var accesses = []struct {
	name, host, token string
	adminHosts        []string
	writeNeeds        string // "" for no token, "random", or ADMIN_TOKEN
	readNeeds         string
	anyHost           bool // in Host
}{
	{name: "loopback", host: "127.0.0.1"},
	{name: "loopback of IPv6", host: "::1"},
	{name: "loopback in brackets", host: "[::1]"},
	{name: "another loopback address", host: "127.1.2.3"},
	{name: "IPv4 within IPv6", host: "::ffff:127.0.0.1"},
	{name: "localhost", host: "LocalHost"},
	{name: "loopback, none", host: "127.0.0.1", token: "none"},
	{name: "loopback, a token", host: "127.0.0.1", token: "s3cret", writeNeeds: "s3cret", readNeeds: "s3cret",
		anyHost: true},
	{name: "all addresses", host: "0.0.0.0", writeNeeds: "random"},
	{name: "all addresses, IPv6", host: "::", writeNeeds: "random"},
	{name: "all addresses, by no address", host: "", writeNeeds: "random"},
	{name: "an address of the network", host: "192.0.2.1", writeNeeds: "random"},
	{name: "a name that may resolve to any address", host: "localhost.example", writeNeeds: "random"},
	{name: "all addresses, none", host: "0.0.0.0", token: "none"},
	{name: "all addresses, a token", host: "0.0.0.0", token: "s3cret", writeNeeds: "s3cret", readNeeds: "s3cret",
		anyHost: true},
	{name: "all addresses, ADMIN_HOSTS", host: "0.0.0.0", adminHosts: []string{"listed.example", "*.Below.example"},
		writeNeeds: "random"},
	{name: "loopback, ADMIN_HOSTS", host: "127.0.0.1", adminHosts: []string{"listed.example", "*.Below.example"}},
	{name: "all addresses, any of ADMIN_HOSTS", host: "0.0.0.0", adminHosts: []string{"*"}, writeNeeds: "random",
		anyHost: true},
}

// hostHeaders are Host headers by kind: "address or name" is always allowed, "listed" is
// in the ADMIN_HOSTS of accesses.
var hostHeaders = map[string]string{
	"127.0.0.1:3000": "address or name", "127.0.0.1": "address or name", "10.0.0.1:3000": "address or name",
	"0.0.0.0":    "address or name",
	"[::1]:3000": "address or name", "[::1]": "address or name", "[fe80::1]:3000": "address or name",
	"[::ffff:10.0.0.1]": "address or name",
	"localhost:3000":    "address or name", "LOCALHOST": "address or name", "localhost.:3000": "address or name",
	"localhost:":        "address or name",
	"delay-server:3000": "address or name", "delay_server": "address or name", "none": "address or name",
	"Build7.": "address or name",

	"listed.example:3000": "listed", "LISTED.example": "listed", "listed.example.": "listed",
	"a.below.example": "listed", "a.b.below.example:80": "listed",

	"evil.example:3000": "foreign", "evil.example": "foreign", "evil.example.": "foreign", "below.example": "foreign",
	"notlisted.example":           "foreign",
	"listed.example.evil.example": "foreign", "a.below.example.evil.example": "foreign",
	"127.0.0.1.evil.example": "foreign", "evil.localhost": "foreign", "localhost.evil.example": "foreign",
	"localhost..": "foreign", ".": "foreign", "": "foreign",
	"127.1": "foreign", "0x7f.1": "foreign", "256.0.0.1": "foreign", "127.0.0.1.nip.io": "foreign",
	"löcalhost": "foreign",

	"::1": "malformed", "[fe80::1%25eth0]": "malformed", // clients leave the zone out
	"[::1": "malformed", "[evil.example]": "malformed", "localhost:x": "malformed", "localhost:3000:3000": "malformed",
	"localhost@evil.example": "malformed", "evil.example@localhost": "malformed", "localhost/": "malformed",
	"evil%2Eexample":         "malformed",
	"localhost#evil.example": "malformed", "localhost?evil.example": "malformed",
	"localhost, evil.example": "malformed", "local host": "malformed",
}

// TestAdminAccess makes each call of the admin API with each of accesses, each Host, with
// and without the token, and as web pages do.
func TestAdminAccess(t *testing.T) {
	for _, access := range accesses {
		t.Run(access.name, func(t *testing.T) {
			config := DefaultConfig()
			config.Host, config.AdminToken = access.host, access.token
			if access.adminHosts != nil {
				config.AdminHosts = access.adminHosts
			}
			srv, err := New(config, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			token := srv.AdminToken()
			if access.writeNeeds != "random" && token != access.writeNeeds || access.writeNeeds == "random" &&
				len(token) < 26 {
				t.Fatalf("AdminToken() = %q, want %q", token, access.writeNeeds)
			}
			check := func(c adminCall, host, authorization string, page map[string]string, want int) {
				t.Helper()
				req := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
				req.Host = host
				req.Header.Set("X-Forwarded-Host", "localhost") // has no effect
				if authorization != "" {
					req.Header.Set("Authorization", authorization)
				}
				for name, value := range page {
					req.Header.Set(name, value)
				}
				challenge := ""
				if want == 401 {
					challenge = `Bearer realm="delay-server admin API"`
				}
				rec := httptest.NewRecorder()
				srv.Handler().ServeHTTP(rec, req)
				if got := rec.Header().Get("WWW-Authenticate"); rec.Code != want || got != challenge {
					t.Errorf("%s %s, Host: %s, Authorization: %s, %v: got %d %s, WWW-Authenticate %q; want %d, %q",
						c.method, c.target, host, authorization, page, rec.Code, rec.Body, got, want, challenge)
				}
				if token != "" && strings.Contains(rec.Body.String(), token) {
					t.Errorf("%s %s: the answer has the token: %s", c.method, c.target, rec.Body)
				}
			}
			for host, kind := range hostHeaders {
				for _, c := range adminCalls[:3] { // GET, HEAD, DELETE
					want := c.status
					if kind == "malformed" && token != "s3cret" || kind == "foreign" && !access.anyHost ||
						kind == "listed" && !access.anyHost && access.adminHosts == nil {
						want = 403
					}
					check(c, host, "Bearer "+token, nil, want)
				}
			}
			for _, c := range adminCalls {
				write, needs := c.method != "GET" && c.method != "HEAD", access.readNeeds
				if write {
					needs = access.writeNeeds
				}
				for _, authorization := range []string{"", "Bearer wrong", "Bearer " + token} {
					want := c.status
					if needs != "" && authorization != "Bearer "+token {
						want = 401
					}
					check(c, "localhost:3000", authorization, nil, want)
					check(c, "localhost:3000", authorization, map[string]string{"Origin": "http://localhost:3000",
						"Sec-Fetch-Site": "same-origin"}, want)
					check(c, "localhost:3000", authorization, map[string]string{"Sec-Fetch-Site": "cross-site"}, 403)
					check(c, "localhost:3000", authorization, map[string]string{"Origin": "http://evil.example"}, 403)
				}
			}
		})
	}
}

// TestAuthorization follows RFC 6750.
func TestAuthorization(t *testing.T) {
	config := DefaultConfig()
	config.AdminToken = "s3cret"
	for _, tc := range []struct {
		name, header string
		ok           bool
	}{
		{"right", "Bearer s3cret", true},
		{"another case of the scheme", "bearer s3cret", true},
		{"wrong", "Bearer s3creT", false},
		{"a prefix of it", "Bearer s3cre", false},
		{"a longer one", "Bearer s3cret1", false},
		{"empty", "Bearer ", false},
		{"the scheme alone", "Bearer", false},
		{"no scheme", "s3cret", false},
		{"another scheme", "Basic s3cret", false},
		{"two spaces", "Bearer  s3cret", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, c := range adminCalls {
				rec := call(t, config, c.method, c.target, c.body, "", map[string]string{"Authorization": tc.header})
				if (rec.Code == 401) == tc.ok {
					t.Errorf("%s %s, Authorization: %s: got %d, want it allowed: %v", c.method, c.target, tc.header,
						rec.Code, tc.ok)
				}
			}
		})
	}
}

// Other endpoints need no token, allow any Host, and do not show the token.
func TestOtherEndpointsNeedNoToken(t *testing.T) {
	config := DefaultConfig()
	config.AdminToken = "s3cret"
	beyond := DefaultConfig()
	beyond.Host = "0.0.0.0"
	for _, config := range []Config{config, beyond} {
		for _, path := range []string{"/", "/doc", "/version", "/delay/0", "/metrics", "/openapi.yaml", "/readyz"} {
			if rec := call(t, config, "GET", path, "", "evil.example", nil); rec.Code != 200 ||
				strings.Contains(rec.Body.String(), "s3cret") {
				t.Errorf("GET %s: got %d, want 200 without the token", path, rec.Code)
			}
		}
	}
}

func TestTokensAreRandom(t *testing.T) {
	config := DefaultConfig()
	config.Host = "0.0.0.0"
	seen := map[string]bool{}
	for range 3 {
		seen[newServer(t, config).AdminToken()] = true
	}
	if len(seen) != 3 || seen[""] {
		t.Errorf("three starts have %d tokens, want 3", len(seen))
	}
	config.Admin = false
	if got := newServer(t, config).AdminToken(); got != "" {
		t.Errorf("ADMIN=false: token %q, want none", got)
	}
}

// TestAdminAccessOverTheWire uses HTTP/1.1, HTTP/2 and TLS, through the event loops and
// through net/http.
func TestAdminAccessOverTheWire(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.Host, config.AdminHosts = "0.0.0.0", []string{"flash.siwalik.in"}
		srv, plain, secure, _ := serveTLS(t, config, io.Discard)
		token := srv.AdminToken()
		for name, way := range map[string]struct {
			base   string
			client *http.Client
		}{
			"HTTP/1.1":          {plain, newClient(t)},
			"HTTP/2":            {plain, newH2CClient(t)},
			"HTTP/1.1 with TLS": {secure, newTLSClient(t, plain, (*http.Protocols).SetHTTP1)},
			"HTTP/2 with TLS":   {secure, newTLSClient(t, plain, (*http.Protocols).SetHTTP2)},
		} {
			for _, tc := range []struct {
				method, host, token string
				want                int
			}{
				{"GET", "", "", 200},
				{"DELETE", "", "", 401},
				{"DELETE", "", "wrong", 401},
				{"DELETE", "", token, 204},
				{"GET", "evil.example", "", 403},
				{"DELETE", "evil.example", token, 403},
				{"GET", "localhost.", "", 200},
			} {
				t.Run(fmt.Sprintf("%s %s %q %d", name, tc.method, tc.host, tc.want), func(t *testing.T) {
					req, err := http.NewRequestWithContext(t.Context(), tc.method, way.base+"/admin/runs", nil)
					if err != nil {
						t.Fatal(err)
					}
					req.Host = tc.host
					if tc.token != "" {
						req.Header.Set("Authorization", "Bearer "+tc.token)
					}
					reply, err := way.client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					reply.Body.Close()
					if want := strings.Contains(name, "HTTP/2"); reply.StatusCode != tc.want ||
						(reply.ProtoMajor == 2) != want {
						t.Errorf("%s, Host: %s, token %q: got %s %d, want %d", tc.method, tc.host, tc.token,
							reply.Proto, reply.StatusCode, tc.want)
					}
				})
			}
		}
	})
}

// TestAdminAccessOfRawRequests sends requests that a client of net/http cannot.
func TestAdminAccessOfRawRequests(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		config.Host = "0.0.0.0"
		_, base, _ := start(t, config, io.Discard)
		for _, tc := range []struct {
			name, request string
			want          string
		}{
			{"HTTP/1.0 without a host", "GET /admin/clock HTTP/1.0\r\n\r\n", "403"},
			{"HTTP/1.0 with one", "GET /admin/clock HTTP/1.0\r\nHost: localhost\r\n\r\n", "200"},
			{"an empty host", "GET /admin/clock HTTP/1.1\r\nHost:\r\n\r\n", "403"},
			{"an absolute URL with a foreign host",
				"GET http://evil.example/admin/clock HTTP/1.1\r\nHost: localhost\r\n\r\n", "403"},
			{"user information", "GET /admin/clock HTTP/1.1\r\nHost: evil.example@localhost\r\n\r\n", "400"},
			{"two hosts", "GET /admin/clock HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", "400"},
			{"a write after a wait in the event loops",
				"GET /delay/0 HTTP/1.1\r\nHost: localhost\r\n\r\n" +
					"DELETE /admin/runs HTTP/1.1\r\nHost: localhost\r\n\r\n", "401"},
			{"an escaped path", "DELETE /%61dmin/runs HTTP/1.1\r\nHost: localhost\r\n\r\n", "401|404|405"},
		} {
			t.Run(tc.name, func(t *testing.T) {
				if got := lastStatus(t, base, tc.request); !strings.Contains(tc.want, got) {
					t.Errorf("%q: got status %s, want %s", tc.request, got, tc.want)
				}
			})
		}
	})
}

// lastStatus sends raw requests and returns the status of the last reply.
func lastStatus(t *testing.T, base, requests string) (status string) {
	t.Helper()
	conn := wiretest.Dial(t, base)
	conn.Send(requests)
	for range strings.Count(requests, "\r\n\r\n") {
		reply, _ := conn.Receive("GET")
		status = strconv.Itoa(reply.StatusCode)
	}
	return status
}
