package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// failure reads a problem document.
func failure(t testing.TB, reply *http.Response, body string) problem.Problem {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || reply.Header.Get("Content-Type") != problem.ContentType || p.Status != reply.StatusCode {
		t.Fatalf("%d %q: no problem document", reply.StatusCode, body)
	}
	return p
}

func TestProxyRefuses(t *testing.T) {
	var asked atomic.Int32
	host := startUpstream(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	port := host[strings.LastIndex(host, ":"):]
	const notListed, notPublic = "this server's PROXY_HOSTS does not allow", "neither public nor listed in this server's PROXY_HOSTS"
	for _, tc := range []struct {
		name, hosts, target string
		status              int
		want                string
	}{
		{"none, the default", "none", "api.internal:8080/a", 403, `accepted: the hosts that it lists, as the setting PROXY_HOSTS="api.internal" would this one`},
		{"another name", "example.com", "api.internal", 403, notListed},
		{"another address", "127.0.0.2", host, 403, notListed},
		{"address within the range of another", "10.0.0.0/8", host, 403, notListed},
		{"loopback, though any name is allowed", "*", host, 403, notPublic},
		{"loopback in IPv6", "*", "http://[::1]" + port, 403, notPublic},
		{"loopback mapped into IPv6", "*", "http://[::ffff:127.0.0.1]" + port, 403, notPublic},
		{"unspecified address", "*", "0.0.0.0" + port, 403, notPublic},
		{"metadata of a cloud", "*", "169.254.169.254/latest/meta-data", 403, notPublic},
		{"name of loopback, listed as a name alone", "localhost", "localhost" + port, 403, notPublic},
		{"script", "*", "javascript:alert(1)", 400, "another scheme"},
		{"scheme-relative", "*", "//" + host, 400, "names no host"},
		{"user information", "*", "user@" + host, 400, "user information"},
		{"backslash", "*", "example.com%5C@" + host, 400, "backslash"},
		{"line break", "*", host + "/%0d%0aA:b", 400, "control character"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = []string{tc.hosts}
			_, base, _ := start(t, config, io.Discard)
			reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+tc.target, nil)
			if p := failure(t, reply, body); p.Status != tc.status || !strings.Contains(p.Detail, tc.want) || !strings.HasPrefix(p.Detail, "proxy target ") {
				t.Errorf("PROXY_HOSTS=%s, %s: got %d %q, want %d and %q", tc.hosts, tc.target, p.Status, p.Detail, tc.status, tc.want)
			}
		})
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("the upstream was asked %d times", n)
	}
}

func TestProxyHostsAllow(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })
	port := host[strings.LastIndex(host, ":"):]
	for _, tc := range []struct{ name, hosts, target string }{
		{"address", "127.0.0.1", host},
		{"one of a range", "127.0.0.0/8", host},
		{"address mapped into IPv6", "127.0.0.1", "http://[::ffff:127.0.0.1]" + port},
		{"name, and its address", "localhost,127.0.0.1", "LOCALHOST" + port},
		{"any, and its address", "*,127.0.0.1", "localhost" + port},
		{"encoded as a whole", "127.0.0.1", "http%3A%2F%2F" + host + "%2Fa%3Fb%3Dc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = strings.Split(tc.hosts, ",")
			_, base, _ := start(t, config, io.Discard)
			if reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+tc.target, nil); reply.StatusCode != 200 || body != "here" {
				t.Errorf("PROXY_HOSTS=%s, %s: got %d %s, want 200", tc.hosts, tc.target, reply.StatusCode, body)
			}
		})
	}
}

func TestProxySaysWhatFailed(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	silent := func(conn net.Conn) { defer conn.Close(); <-done }
	closed := wiretest.Serve(t, func(conn net.Conn) { conn.Close() })

	config := proxying()
	config.ProxyTimeout = 300 * time.Millisecond
	var log logbook
	_, base, _ := start(t, config, &log)
	for _, tc := range []struct {
		name, target string
		body         io.Reader
		status       int
		want         string
	}{
		{"nothing listens", wiretest.ClosedAddr(t), nil, 502, "refuses connections: nothing listens at that port"},
		{"hangs up", closed, nil, 502, "broke off the connection, or replied what is no HTTP"},
		{"speaks another protocol", wiretest.Serve(t, func(conn net.Conn) { fmt.Fprint(conn, "SSH-2.0-x\r\n\r\n"); conn.Close() }), nil, 502, "replied what is no HTTP"},
		{"switches protocols unasked", wiretest.Serve(t, func(conn net.Conn) {
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			conn.Close()
		}), nil, 502, "replied what is no HTTP"},
		{"no TLS", "https://" + closed, nil, 502, "broke off"},
		{"never replies", wiretest.Serve(t, silent), nil, 504, "did not take the request and begin its reply within 300ms, this server's PROXY_TIMEOUT"},
		{"never shakes hands", "https://" + wiretest.Serve(t, silent), nil, 504, "within 300ms, this server's PROXY_TIMEOUT"},
		{"never takes the body", wiretest.Serve(t, silent), io.LimitReader(zeros{}, 1<<30), 504, "did not take the request and begin its reply within 300ms"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method := "GET"
			if tc.body != nil {
				method = "POST"
			}
			reply, body := do(t, newClient(t), method, base+"/delay/5/proxy/"+tc.target, tc.body)
			p := failure(t, reply, body)
			if p.Status != tc.status || !strings.Contains(p.Detail, tc.want) {
				t.Errorf("got %d %q, want %d and %q", p.Status, p.Detail, tc.status, tc.want)
			}
			for _, noise := range []string{"dial", "tcp", "EOF", "net/http", "read "} {
				if strings.Contains(p.Detail, noise) {
					t.Errorf("the client is told of %q: %q", noise, p.Detail)
				}
			}
			if _, waited := timing(t, reply); waited < 5*time.Millisecond {
				t.Errorf("waited %v, want 5ms or more", waited)
			}
		})
	}
	if !strings.Contains(log.String(), "connection refused") {
		t.Error("the log does not say connection refused")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestAReplyThatBreaksOffBreaksOff(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	srv, base, _ := start(t, proxying(), io.Discard)
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			reply, err := newClient(t).Get(base + "/delay/0/proxy/" + host)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			if body, err := io.ReadAll(reply.Body); err == nil || string(body) != "half" {
				t.Errorf("got %q, %v, want half and an error", body, err)
			}
			wiretest.Eventually(t, "none waits", func() bool { return srv.journal.Waiting() == 0 })
		})
	}
}

func TestShutdownCutsARequestToAnUpstream(t *testing.T) {
	began := make(chan struct{})
	host := startUpstream(t, func(_ http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() })
	config := proxying()
	config.ShutdownTimeout = 50 * time.Millisecond
	_, base, stop := start(t, config, io.Discard)
	go func() { <-began; stop() }()
	if reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+host, nil); reply.StatusCode != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("got %d %s, want 503", reply.StatusCode, body)
	}
}

func TestProxyHostsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name, setting string
		ok            bool
	}{
		{"none", "none", true},
		{"any", "*", true},
		{"any, and an address", "*,10.1.2.3", true},
		{"names", "api,api2,API.example.com,*.example.org,a_b.example", true},
		{"addresses", "10.1.2.3,::1,::ffff:10.0.0.1", true},
		{"ranges", "10.0.0.0/8,fd00::/8,0.0.0.0/0", true},
		{"none among others", "none,example.com", false},
		{"URL", "http://example.com", false},
		{"port", "example.com:80", false},
		{"address with a port", "10.1.2.3:80", false},
		{"address with a part too large", "10.0.0.300", false},
		{"address with a part left out", "127.1", false},
		{"range too long", "10.0.0.0/33", false},
		{"range mapped into IPv6", "::ffff:10.0.0.0/104", false},
		{"wildcard within", "api.*.example", false},
		{"empty", "", false},
		{"blank", "example.com, example.org", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = strings.Split(tc.setting, ",")
			if err := config.Validate(); tc.ok != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), "PROXY_HOSTS: ") {
				t.Errorf("PROXY_HOSTS=%q: %v, want accepted %v", tc.setting, err, tc.ok)
			}
		})
	}
}

func TestShutdownClosesTheConnectionsToUpstreams(t *testing.T) {
	var open atomic.Int32
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	upstream.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	upstream.Start()
	defer upstream.Close()
	_, base, stop := start(t, proxying(), io.Discard)
	for range 3 {
		do(t, newClient(t), "GET", base+"/delay/0/proxy/"+upstream.Listener.Addr().String(), nil)
	}
	if n := open.Load(); n != 1 {
		t.Errorf("%d connections for three requests, one after the other, want one that is kept", n)
	}
	stop()
	wiretest.Eventually(t, "no connection is open", func() bool { return open.Load() == 0 })
}
