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

// proxying is the setting that allows the upstreams of tests.
func proxying() Config {
	c := DefaultConfig()
	c.ProxyHosts = []string{"127.0.0.1"}
	return c
}

// startUpstream serves handler on a port of 127.0.0.1 until the test ends and
// returns host:port.
func startUpstream(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	upstream := httptest.NewServer(handler)
	t.Cleanup(upstream.Close)
	return upstream.Listener.Addr().String()
}

// clients are the two ways to speak to the server without TLS.
var clients = map[string]func(testing.TB) *http.Client{"HTTP/1.1": newClient, "HTTP/2": newH2CClient}

// unsized hides a body's length from net/http, which sends it in chunks.
type unsized struct{ io.Reader }

func TestProxyPassesTheRequestOnAfterTheWait(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("the upstream reads the body: %v", err)
		}
		w.Header().Set("X-Asked", fmt.Sprintf("%s %s %s", r.Method, r.Host, r.RequestURI))
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%x", sha256.Sum256(body))
	})
	_, base, _ := start(t, proxying(), io.Discard)
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
			{"POST that is kept", "POST", []byte("a body"), false},
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
				if got, want := reply.Header.Get("X-Asked"), tc.method+" "+host+" "+uri; got != want {
					t.Errorf("the upstream was asked %q, want %q", got, want)
				}
				asked, waited := timing(t, reply)
				if asked != 20*time.Millisecond || waited < asked || took < waited {
					t.Errorf("asked %v, waited %v, seen %v: want asked 20ms ≤ waited ≤ seen", asked, waited, took)
				}
			})
		}
	}
}

func TestProxyHeaders(t *testing.T) {
	config := proxying()
	config.CORSOrigins = []string{"https://page.example"}
	seen := make(chan http.Header, 1)
	host := startUpstream(t, func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Clone()
		h := w.Header()
		h["Content-Type"] = nil
		for name, value := range map[string]string{
			"X-Reply": "kept", "Server-Timing": "db;dur=5", "Vary": "Accept",
			"Connection": "X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic",
			"Set-Cookie": "a=b", "Strict-Transport-Security": "max-age=1", "Clear-Site-Data": `"*"`,
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "X-Content-Type-Options": "sniff",
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
		"Connection": "X-Hop, X-Real-Ip", "X-Hop": "1", "Keep-Alive": "timeout=5", "Proxy-Authorization": "Basic x", "Upgrade": "h2c",
		"Cookie": "a=b", "Forwarded": "for=1.2.3.4", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Port": "80", "X-Real-Ip": "1.2.3.4",
		"Origin": "https://page.example",
	} {
		req.Header.Set(name, value)
	}
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()

	there := <-seen
	for name, want := range map[string]string{
		"Authorization": "Bearer token", "X-Request": "kept", "Traceparent": "kept", "Accept-Encoding": "gzip", // the client's own
		"X-Hop": "", "Keep-Alive": "", "Proxy-Authorization": "", "Upgrade": "", "Connection": "",
		"Cookie": "", "Forwarded": "", "X-Forwarded-For": "", "X-Forwarded-Host": "", "X-Forwarded-Port": "", "X-Real-Ip": "", "Via": "",
	} {
		if got := strings.Join(there[name], " | "); got != want {
			t.Errorf("the upstream got %s: %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"X-Reply": "kept", "Vary": "Origin | Accept", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Content-Type": "",
		"X-Hop": "", "Keep-Alive": "", "Proxy-Authenticate": "",
		"Set-Cookie": "", "Strict-Transport-Security": "", "Clear-Site-Data": "",
		"Access-Control-Allow-Origin": "https://page.example", "Access-Control-Allow-Credentials": "",
	} {
		if got := strings.Join(reply.Header[name], " | "); got != want {
			t.Errorf("the client got %s: %q, want %q", name, got, want)
		}
	}
	if got := reply.Header["Server-Timing"]; len(got) != 2 || !strings.HasPrefix(got[0], "asked;") || got[1] != "db;dur=5" {
		t.Errorf("the client got Server-Timing: %q, want this server's, then the upstream's", got)
	}
}

func TestProxyPassesRedirectsBack(t *testing.T) {
	var asked atomic.Int32
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Location", "../elsewhere?x=1")
		w.WriteHeader(http.StatusFound)
	})
	_, base, _ := start(t, proxying(), io.Discard)
	reply, _ := do(t, newClient(t), "GET", base+"/delay/0/proxy/"+host+"/a/b", nil)
	if got, want := reply.Header.Get("Location"), "http://"+host+"/elsewhere?x=1"; reply.StatusCode != 302 || got != want || asked.Load() != 1 {
		t.Errorf("got %d %q after %d requests, want 302 %q after one", reply.StatusCode, got, asked.Load(), want)
	}
}

func TestProxyPassesInformationalRepliesBack(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, "the reply")
	})
	_, base, _ := start(t, proxying(), io.Discard)
	hints := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code == http.StatusEarlyHints && h.Get("Link") != "" {
			hints++
		}
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, "GET", base+"/delay/0/proxy/"+host, nil)
	reply, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, _ := io.ReadAll(reply.Body)
	if hints != 1 || reply.StatusCode != 418 || string(body) != "the reply" {
		t.Errorf("got %d early hints, then %d %q, want one, then 418 and the reply", hints, reply.StatusCode, body)
	}
	timing(t, reply)
	if got := reply.Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("Access-Control-Allow-Origin: got %q, want *", got)
	}
}

// Each hop takes its part of the URL off: a server that may ask itself answers.
func TestAServerThatAsksItself(t *testing.T) {
	_, base, _ := start(t, proxying(), io.Discard)
	hop := "/delay/1/proxy/" + strings.TrimPrefix(base, "http://")
	reply, body := do(t, newClient(t), "GET", base+strings.Repeat(hop, 20)+"/delay/1", nil)
	if want := `{"status":200,"message":"Mock response from Flash","delay":"1 ms"}`; body != want {
		t.Errorf("got %d %s, want %s", reply.StatusCode, body, want)
	}
	if n := len(reply.Header["Server-Timing"]); n != 21 {
		t.Errorf("%d servers say how long they waited, want 21", n)
	}
}

// In pairs: the upstream asked directly, and through us.
func BenchmarkProxy(b *testing.B) {
	host := startUpstream(b, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the reply") })
	_, base, _ := start(b, proxying(), io.Discard)
	client := newClient(b)
	for _, way := range []struct{ name, url string }{{"direct", "http://" + host}, {"through us", base + "/delay/0/proxy/" + host}} {
		b.Run(way.name, func(b *testing.B) {
			for b.Loop() {
				do(b, client, "GET", way.url, nil)
			}
		})
	}
}

// A 205 has no content, whatever the target sends with it.
func TestAProxied205HasNoContent(t *testing.T) {
	host := startUpstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusResetContent)
		_, _ = io.WriteString(w, "content")
	})
	_, base, _ := start(t, proxying(), io.Discard)
	for protocol, connect := range clients {
		reply, body := do(t, connect(t), "GET", base+"/delay/0/proxy/"+host, nil)
		if reply.StatusCode != 205 || body != "" || reply.Header.Get("Content-Length") != "0" {
			t.Errorf("%s: got %d %q, length %q, want 205, nothing, 0", protocol, reply.StatusCode, body, reply.Header.Get("Content-Length"))
		}
	}
}
