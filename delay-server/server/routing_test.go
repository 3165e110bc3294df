package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"flash.test/delay-server/internal/cors"
	"flash.test/delay-server/kit/wiretest"
)

// sortedMethods returns the methods of an Allow header, sorted.
func sortedMethods(header string) []string {
	all := strings.Split(header, ", ")
	slices.Sort(all)
	return all
}

func TestMethods(t *testing.T) {
	config, _ := withScenario(t, `routes:
  - {path: "/any/{x}"}
  - {method: GET, path: /got}
  - {method: OPTIONS, path: /asked}
`)
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			upstream := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Method", r.Method)
			})
			config := config
			config.ProxyHosts = []string{"127.0.0.1"}
			_, base, _ := start(t, config, io.Discard)
			client := newClient(t)
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			for _, path := range []string{
				"/delay/0", "/delay/0/", "/delay/0/url/a.example", "/delay/0/proxy/" + upstream,
				"/drip?duration=0&delay=0", "/sse?interval=0", "/status/200", "/bytes/1",
				"/barrier/b?parties=1", "/hold/h?timeout=1ms", "/any/1",
			} {
				for _, method := range []string{
					"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE",
					"QUERY", "LINK", "PROPFIND", "REPORT", "BREW", "get", "M-SEARCH", "echo_route_not_found",
				} {
					reply, body := do(t, client, method, base+path, nil)
					want := 200
					if strings.HasPrefix(path, "/hold/") {
						want = 504
					}
					if reply.StatusCode != want && reply.StatusCode != 302 {
						t.Errorf("%s %s: got %d %s, want %d", method, path, reply.StatusCode, body, want)
					}
					if got := reply.Header.Get("X-Method"); strings.Contains(path, "/proxy/") && got != method {
						t.Errorf("%s %s: upstream got method %q", method, path, got)
					}
				}
				reply, _ := do(t, client, "OPTIONS", base+path, nil)
				if allow := reply.Header.Get("Allow"); reply.StatusCode != 204 || allow != cors.AnyMethod {
					t.Errorf("OPTIONS %s: got %d, Allow %q, want 204, %q",
						path, reply.StatusCode, allow, cors.AnyMethod)
				}
				reply, _ = do(t, client, "TRACE", base+path, nil)
				if allow := reply.Header.Get("Allow"); reply.StatusCode != 405 || allow != cors.AnyMethod {
					t.Errorf("TRACE %s: got %d, Allow %q, want 405, %q", path, reply.StatusCode, allow, cors.AnyMethod)
				}
			}
			for path, methods := range map[string]string{
				"/got":         "GET, HEAD, OPTIONS",
				"/doc":         "GET, HEAD, OPTIONS",
				"/metrics":     "GET, HEAD, OPTIONS",
				"/admin/clock": "GET, HEAD, OPTIONS, POST",
				"/asked":       "OPTIONS",
			} {
				for _, method := range []string{"OPTIONS", "QUERY", "TRACE", "PUT", "get"} {
					if method == "OPTIONS" && path == "/asked" {
						continue // answered by the scenario
					}
					reply, body := do(t, client, method, base+path, nil)
					want := 405
					if method == "OPTIONS" {
						want = 204
					}
					got := sortedMethods(reply.Header.Get("Allow"))
					if reply.StatusCode != want || strings.Join(got, ", ") != methods {
						t.Errorf("%s %s: got %d %s, Allow %q, want %d, %s",
							method, path, reply.StatusCode, body, got, want, methods)
					}
				}
			}
		})
	}
}

// TestConnect sends CONNECT requests, which net/http's client cannot.
func TestConnect(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		for _, target := range []string{"/delay/1", "/delay/1/", "example.com:80", "/doc"} {
			conn := wiretest.Dial(t, base)
			fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n", target)
			reply, body := conn.Receive("GET")
			if reply.StatusCode != 405 || reply.Header.Get("Allow") == "" {
				t.Errorf("CONNECT %s: got %d %s, Allow %q, want 405",
					target, reply.StatusCode, body, reply.Header.Get("Allow"))
			}
		}
	})
}

func TestPreflightAllowsRequestedMethod(t *testing.T) {
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{
		"":      cors.AnyMethod,
		"PUT":   cors.AnyMethod,
		"QUERY": cors.AnyMethod + ", QUERY",
		"TRACE": cors.AnyMethod,
		"a b":   cors.AnyMethod,
	} {
		r := httptest.NewRequest("OPTIONS", "/delay/1000", nil)
		r.Header.Set("Access-Control-Request-Method", method)
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, r)
		got, allow := rec.Header().Get("Access-Control-Allow-Methods"), rec.Header().Get("Allow")
		if got != want || allow != cors.AnyMethod {
			t.Errorf("preflight for %q: got %q, Allow %q, want %q, %q", method, got, allow, want, cors.AnyMethod)
		}
	}
}

// TestInvalidMethod checks methods that net/http accepts over HTTP/2.
func TestInvalidMethod(t *testing.T) {
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET /delay/0", "<script>", "é", "G\x00"} {
		r := httptest.NewRequest("GET", "/delay/0", nil)
		r.Method, r.ProtoMajor = method, 2
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, r)
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), "/problems/invalid-method") {
			t.Errorf("%q: got %d %s, want 400", method, rec.Code, rec.Body)
		}
	}
}

func TestPercentEncodedPaths(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		scenario, _ := withScenario(t, "routes: [{path: '/shop/{x}/é'}, {path: /%66ile}]")
		configWithScenario := config
		configWithScenario.Scenario = scenario.Scenario
		for _, config := range []Config{config, configWithScenario} {
			_, base, _ := start(t, config, io.Discard)
			client := newClient(t)
			for _, tc := range []struct {
				path   string
				status int
			}{
				{"/%64elay/1", 200},
				{"/%64%65%6C%61%79/%31%2E5/", 200},
				{"/delay/0/%75rl/a.example", 302},
				{"/%73tatus/%32%300", 200},
				{"/d%6Fc", 200},
				{"/assets/styl%65.css", 200},
				{"/openapi%2Eyaml", 200},
				{"/%61dmin/clock", 200},
				{"/admin/%72uns", 200},
				{"/%68ealthz", 200},
				{"/delay/1%2F", 400},
				{"/delay%2F1", 404},
				{"/%2564elay/1", 404},
				{"/%2Fdelay/1", 404},
				{"/admin%2Fclock", 404},
				{"/sho%70/1/%C3%A9", 404},
				{"/file", 404},
			} {
				want := tc.status
				if config.Scenario != "" && (strings.HasPrefix(tc.path, "/sho") || tc.path == "/file") {
					want = 200
				}
				if reply, body := do(t, client, "GET", base+tc.path, nil); reply.StatusCode != want {
					t.Errorf("GET %s: got %d %.200s, want %d", tc.path, reply.StatusCode, body, want)
				}
			}
		}
	})
}
