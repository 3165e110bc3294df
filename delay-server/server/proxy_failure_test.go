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

// readProblem decodes a problem document.
func readProblem(t testing.TB, reply *http.Response, body string) problem.Problem {
	t.Helper()
	var p problem.Problem
	err := json.Unmarshal([]byte(body), &p)
	if err != nil || reply.Header.Get("Content-Type") != problem.ContentType || p.Status != reply.StatusCode {
		t.Fatalf("got %d %q, want a problem document", reply.StatusCode, body)
	}
	return p
}

func TestProxyTargetNotAllowed(t *testing.T) {
	var requests atomic.Int32
	host := startUpstream(t, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	port := host[strings.LastIndex(host, ":"):]
	const (
		notListed = problem.TargetNotAllowed
		notPublic = problem.UpstreamNotAllowed
	)
	for _, tc := range []struct {
		name, hosts, target string
		want                problem.Type
	}{
		{"none (default)", "none", "api.internal:8080/a", notListed},
		{"other name", "example.com", "api.internal", notListed},
		{"other address", "127.0.0.2", host, notListed},
		{"address outside the range", "10.0.0.0/8", host, notListed},
		{"loopback, any name allowed", "*", host, notPublic},
		{"loopback in IPv6", "*", "http://[::1]" + port, notPublic},
		{"loopback mapped into IPv6", "*", "http://[::ffff:127.0.0.1]" + port, notPublic},
		{"unspecified address", "*", "0.0.0.0" + port, notPublic},
		{"cloud metadata", "*", "169.254.169.254/latest/meta-data", notPublic},
		{"name of loopback, listed without its address", "localhost", "localhost" + port, notPublic},
		{"script", "*", "javascript:alert(1)", problem.InvalidTarget},
		{"user information", "*", "user@" + host, problem.InvalidTarget},
		{"line break", "*", host + "/%0d%0aA:b", problem.InvalidTarget},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = []string{tc.hosts}
			_, base, _ := start(t, config, io.Discard)
			reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+tc.target, nil)
			if p := readProblem(t, reply, body); p.Type != tc.want {
				t.Errorf("PROXY_HOSTS=%s, %s: got %s: %s, want %s", tc.hosts, tc.target, p.Type, p.Detail, tc.want)
			}
		})
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("upstream got %d requests, want none", n)
	}
}

func TestProxyHostsAllow(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "here") })
	port := host[strings.LastIndex(host, ":"):]
	for _, tc := range []struct{ name, hosts, target string }{
		{"address", "127.0.0.1", host},
		{"address in a range", "127.0.0.0/8", host},
		{"address mapped into IPv6", "127.0.0.1", "http://[::ffff:127.0.0.1]" + port},
		{"name and its address", "localhost,127.0.0.1", "LOCALHOST" + port},
		{"any name, and the address", "*,127.0.0.1", "localhost" + port},
		{"percent-encoded URL", "127.0.0.1", "http%3A%2F%2F" + host + "%2Fa%3Fb%3Dc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = strings.Split(tc.hosts, ",")
			_, base, _ := start(t, config, io.Discard)
			reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+tc.target, nil)
			if reply.StatusCode != 200 || body != "here" {
				t.Errorf("PROXY_HOSTS=%s, %s: got %d %s, want 200", tc.hosts, tc.target, reply.StatusCode, body)
			}
		})
	}
}

func TestProxyErrors(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	silent := func(conn net.Conn) { defer conn.Close(); <-done }
	closed := wiretest.Serve(t, func(conn net.Conn) { conn.Close() })

	var log logbook
	_, patient, _ := start(t, proxyConfig(), &log)
	config := proxyConfig()
	config.ProxyTimeout = 300 * time.Millisecond
	_, impatient, _ := start(t, config, &log)
	for _, tc := range []struct {
		name, target string
		body         io.Reader
		want         problem.Type
	}{
		{"closed port", wiretest.ClosedAddr(t), nil, problem.UpstreamFailed},
		{"upstream closes the connection", closed, nil, problem.UpstreamFailed},
		{"other protocol", wiretest.Serve(t, func(conn net.Conn) {
			fmt.Fprint(conn, "SSH-2.0-x\r\n\r\n")
			conn.Close()
		}), nil, problem.UpstreamFailed},
		{"unrequested switch of protocols", wiretest.Serve(t, func(conn net.Conn) {
			fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			conn.Close()
		}), nil, problem.UpstreamFailed},
		{"no TLS", "https://" + closed, nil, problem.UpstreamFailed},
		{"no reply", wiretest.Serve(t, silent), nil, problem.UpstreamTimeout},
		{"no TLS handshake", "https://" + wiretest.Serve(t, silent), nil, problem.UpstreamTimeout},
		{"body is not read", wiretest.Serve(t, silent), io.LimitReader(zeros{}, 1<<30), problem.UpstreamTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method, base := "GET", patient
			if tc.body != nil {
				method = "POST"
			}
			if tc.want == problem.UpstreamTimeout {
				base = impatient
			}
			reply, body := do(t, newClient(t), method, base+"/delay/5/proxy/"+tc.target, tc.body)
			p := readProblem(t, reply, body)
			if p.Type != tc.want {
				t.Errorf("got %s: %s, want %s", p.Type, p.Detail, tc.want)
			}
			for _, noise := range []string{"dial", "tcp", "EOF", "net/http", "read "} {
				if strings.Contains(p.Detail, noise) {
					t.Errorf("want no %q in the detail, got %q", noise, p.Detail)
				}
			}
			if _, waited := timing(t, reply); waited < 5*time.Millisecond {
				t.Errorf("waited %v, want at least 5ms", waited)
			}
		})
	}
	if !strings.Contains(log.String(), "connection refused") {
		t.Errorf("want connection refused in the log, got:\n%s", log.String())
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestProxyTruncatedReply(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	srv, base, _ := start(t, proxyConfig(), io.Discard)
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			reply, err := newClient(t).Get(base + "/delay/0/proxy/" + host)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			if body, err := io.ReadAll(reply.Body); err == nil || string(body) != "half" {
				t.Errorf("got %q, error %v, want %q and an error", body, err, "half")
			}
			wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })
		})
	}
}

func TestShutdownAbortsProxiedRequest(t *testing.T) {
	received := make(chan struct{})
	host := startUpstream(t, func(_ http.ResponseWriter, r *http.Request) {
		close(received)
		<-r.Context().Done()
	})
	config := proxyConfig()
	config.ShutdownTimeout = 50 * time.Millisecond
	_, base, stop := start(t, config, io.Discard)
	go func() { <-received; stop() }()
	reply, body := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+host, nil)
	if p := readProblem(t, reply, body); p.Type != problem.ShuttingDown {
		t.Errorf("got %s: %s, want %s", p.Type, p.Detail, problem.ShuttingDown)
	}
}

func TestProxyHostsValidation(t *testing.T) {
	for _, tc := range []struct {
		name, setting string
		ok            bool
	}{
		{"none", "none", true},
		{"any", "*", true},
		{"any name, and an address", "*,10.1.2.3", true},
		{"names", "api,api2,API.example.com,*.example.org,a_b.example", true},
		{"addresses", "10.1.2.3,::1,::ffff:10.0.0.1", true},
		{"ranges", "10.0.0.0/8,fd00::/8,0.0.0.0/0", true},
		{"none with others", "none,example.com", false},
		{"URL", "http://example.com", false},
		{"port", "example.com:80", false},
		{"address with a port", "10.1.2.3:80", false},
		{"address with a number too large", "10.0.0.300", false},
		{"incomplete address", "127.1", false},
		{"range too long", "10.0.0.0/33", false},
		{"range mapped into IPv6", "::ffff:10.0.0.0/104", false},
		{"wildcard in the middle", "api.*.example", false},
		{"empty", "", false},
		{"blank", "example.com, example.org", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.ProxyHosts = strings.Split(tc.setting, ",")
			err := config.Validate()
			if tc.ok != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), "PROXY_HOSTS: ") {
				t.Errorf("PROXY_HOSTS=%q: got error %v, want valid %v", tc.setting, err, tc.ok)
			}
		})
	}
}

func TestShutdownClosesUpstreamConnections(t *testing.T) {
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
	_, base, stop := start(t, proxyConfig(), io.Discard)
	for range 3 {
		do(t, newClient(t), "GET", base+"/delay/0/proxy/"+upstream.Listener.Addr().String(), nil)
	}
	if n := open.Load(); n != 1 {
		t.Errorf("got %d connections for three sequential requests, want one", n)
	}
	stop()
	wiretest.Eventually(t, "no connection is open", func() bool { return open.Load() == 0 })
}
