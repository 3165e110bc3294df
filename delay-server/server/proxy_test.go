package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// proxyConfig allows upstreams on 127.0.0.1.
func proxyConfig() Config {
	c := DefaultConfig()
	c.ProxyHosts = []string{"127.0.0.1"}
	return c
}

// startUpstream serves handler on 127.0.0.1 and returns host:port.
func startUpstream(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	upstream := httptest.NewServer(handler)
	t.Cleanup(upstream.Close)
	return upstream.Listener.Addr().String()
}

// clients has a constructor for each HTTP version without TLS.
var clients = map[string]func(testing.TB) *http.Client{"HTTP/1.1": newClient, "HTTP/2": newH2CClient}

// unsized hides the length of a body, so that net/http sends it in chunks.
type unsized struct{ io.Reader }

func TestProxyForwardsRequest(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("upstream: read body: %v", err)
		}
		w.Header().Set("X-Request", fmt.Sprintf("%s %s %s", r.Method, r.Host, r.RequestURI))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%x", sha256.Sum256(body))
	})
	_, base, _ := start(t, proxyConfig(), io.Discard)
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	for name, newClient := range clients {
		for _, tc := range []struct {
			name, method string
			body         []byte
			unsized      bool
		}{
			{"GET", "GET", nil, false},
			{"HEAD", "HEAD", nil, false},
			{"DELETE", "DELETE", nil, false},
			{"POST without a body", "POST", nil, false},
			{"POST, buffered", "POST", []byte("a body"), false},
			{"POST in chunks", "POST", []byte("a body"), true},
			{"PATCH of 16 MB", "PATCH", large, false},
			{"PUT of 16 MB in chunks", "PUT", large, true},
		} {
			t.Run(name+" "+tc.name, func(t *testing.T) {
				client := newClient(t)
				var body io.Reader
				if tc.body != nil {
					body = bytes.NewReader(tc.body)
				}
				if tc.unsized {
					body = unsized{body}
				}
				const uri = "/a%20b%2Fc/?x=1;y&delay=%41&run=5"
				begin := time.Now()
				reply, text := do(t, client, tc.method, base+"/delay/20/proxy/http://"+host+uri, body)
				took := time.Since(begin)
				want := fmt.Sprintf("%x", sha256.Sum256(tc.body))
				if tc.method == "HEAD" {
					want = ""
				}
				if reply.StatusCode != 418 || text != want {
					t.Errorf("got %d %q, want 418 %q", reply.StatusCode, text, want)
				}
				if got, want := reply.Header.Get("X-Request"), tc.method+" "+host+" "+uri; got != want {
					t.Errorf("upstream got %q, want %q", got, want)
				}
				asked, waited := timing(t, reply)
				if asked != 20*time.Millisecond || waited < asked || took < waited {
					t.Errorf("asked %v, waited %v, took %v; want 20ms = asked ≤ waited ≤ took", asked, waited, took)
				}
			})
		}
	}
}

func TestProxyHeaders(t *testing.T) {
	config := proxyConfig()
	config.CORSOrigins = []string{"https://page.example"}
	received := make(chan http.Header, 1)
	host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		received <- r.Header.Clone()
		h := w.Header()
		h["Content-Type"] = nil
		for name, value := range map[string]string{
			"X-Reply": "kept", "Server-Timing": "db;dur=5", "Vary": "Accept",
			"Connection": "X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic",
			"Set-Cookie": "a=b", "Strict-Transport-Security": "max-age=1", "Clear-Site-Data": `"*"`,
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true",
			"X-Content-Type-Options": "sniff",
		} {
			h.Set(name, value)
		}
		fmt.Fprint(w, "<html>")
	})
	_, base, _ := start(t, config, io.Discard)
	req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/delay/0/proxy/"+host, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"Authorization": "Bearer token", "X-Request": "kept", "Traceparent": "kept",
		"Connection": "X-Hop, X-Real-Ip", "X-Hop": "1", "Keep-Alive": "timeout=5",
		"Proxy-Authorization": "Basic x", "Upgrade": "h2c", "Cookie": "a=b", "Forwarded": "for=1.2.3.4",
		"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Port": "80", "X-Real-Ip": "1.2.3.4",
		"Origin": "https://page.example",
	} {
		req.Header.Set(name, value)
	}
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()

	upstream := <-received
	for name, want := range map[string]string{
		"Authorization": "Bearer token", "X-Request": "kept", "Traceparent": "kept",
		"Accept-Encoding": "gzip", // set by net/http's client
		"X-Hop":           "", "Keep-Alive": "", "Proxy-Authorization": "", "Upgrade": "", "Connection": "",
		"Cookie": "", "Forwarded": "", "X-Forwarded-For": "", "X-Forwarded-Host": "", "X-Forwarded-Port": "",
		"X-Real-Ip": "", "Via": "",
	} {
		if got := strings.Join(upstream[name], " | "); got != want {
			t.Errorf("upstream got %s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"X-Reply": "kept", "Vary": "Origin | Accept", "Content-Type": "",
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox",
		"X-Hop": "", "Keep-Alive": "", "Proxy-Authenticate": "",
		"Set-Cookie": "", "Strict-Transport-Security": "", "Clear-Site-Data": "",
		"Access-Control-Allow-Origin": "https://page.example", "Access-Control-Allow-Credentials": "",
	} {
		if got := strings.Join(reply.Header[name], " | "); got != want {
			t.Errorf("client got %s: %q, want %q", name, got, want)
		}
	}
	got := reply.Header["Server-Timing"]
	if len(got) != 2 || !strings.HasPrefix(got[0], "asked;") || got[1] != "db;dur=5" {
		t.Errorf("client got Server-Timing %q, want this server's, then the upstream's", got)
	}
}

func TestProxyDoesNotFollowRedirects(t *testing.T) {
	var requests atomic.Int32
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Location", "../elsewhere?x=1")
		w.WriteHeader(http.StatusFound)
	})
	_, base, _ := start(t, proxyConfig(), io.Discard)
	reply, _ := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+host+"/a/b", nil)
	got, want := reply.Header.Get("Location"), "http://"+host+"/elsewhere?x=1"
	if n := requests.Load(); reply.StatusCode != 302 || got != want || n != 1 {
		t.Errorf("got %d %q after %d requests, want 302 %q after one", reply.StatusCode, got, n, want)
	}
}

func TestProxyForwardsInformationalReplies(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "the reply")
	})
	_, base, _ := start(t, proxyConfig(), io.Discard)
	hints := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints && h.Get("Link") != "" {
				hints++
			}
			return nil
		},
	})
	req, _ := http.NewRequestWithContext(ctx, "GET", base+"/delay/0/proxy/"+host, nil)
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	if hints != 1 || reply.StatusCode != 418 || string(body) != "the reply" {
		t.Errorf("got %d early hints, then %d %q; want one, then 418 and the reply", hints, reply.StatusCode, body)
	}
	timing(t, reply)
	if got := reply.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin: got %q, want *", got)
	}
}

// TestProxyToItself forwards a request through the same server 20 times.
func TestProxyToItself(t *testing.T) {
	_, base, _ := start(t, proxyConfig(), io.Discard)
	hop := "/delay/1/proxy/" + strings.TrimPrefix(base, "http://")
	reply, body := do(t, newClient(t), "GET", base+strings.Repeat(hop, 20)+"/delay/1", nil)
	if want := `{"status":200,"message":"Mock response from Flash","delay":"1 ms"}`; body != want {
		t.Errorf("got %d %s, want %s", reply.StatusCode, body, want)
	}
	if n := len(reply.Header["Server-Timing"]); n != 21 {
		t.Errorf("got %d Server-Timing headers, want 21", n)
	}
}

// BenchmarkProxy measures the upstream directly and through the server.
func BenchmarkProxy(b *testing.B) {
	host := startUpstream(b, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the reply") })
	_, base, _ := start(b, proxyConfig(), io.Discard)
	client := newClient(b)
	for _, bc := range []struct{ name, url string }{
		{"direct", "http://" + host},
		{"proxied", base + "/delay/0/proxy/" + host},
	} {
		b.Run(bc.name, func(b *testing.B) {
			for b.Loop() {
				do(b, client, "GET", bc.url, nil)
			}
		})
	}
}

// TestProxied205HasNoContent checks a 205 that the upstream sends with a body.
func TestProxied205HasNoContent(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusResetContent)
		_, _ = io.WriteString(w, "content")
	})
	_, base, _ := start(t, proxyConfig(), io.Discard)
	for protocol, connect := range clients {
		reply, body := do(t, connect(t), "GET", base+"/delay/0/proxy/"+host, nil)
		length := reply.Header.Get("Content-Length")
		if reply.StatusCode != 205 || body != "" || length != "0" {
			t.Errorf("%s: got %d %q, Content-Length %q, want 205, no body, 0", protocol, reply.StatusCode, body, length)
		}
	}
}
