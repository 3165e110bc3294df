package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/wiretest"
)

// TestPagesShowHostOfRequest requests the pages with several Host headers: each page
// shows its own.
func TestPagesShowHostOfRequest(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	address := strings.TrimPrefix(base, "http://")
	const placeholders = httpkit.BaseURL + httpkit.Host + httpkit.Hostname + httpkit.NewRun
	for _, tc := range []struct{ name, host, want string }{
		{"name", "delay.example.com", "http://delay.example.com/delay/"},
		{"port", "127.0.0.1:8080", "http://127.0.0.1:8080/delay/"},
		{"IPv6 address", "[::1]:8080", "http://[::1]:8080/delay/"},
		{"HTML metacharacters", "a&b'c", "http://a&amp;b&#39;c/delay/"},
		{"long", strings.Repeat("a.", 4000) + "b", "http://" + strings.Repeat("a.", 4000) + "b/delay/"},
		{"first again", "delay.example.com", "http://delay.example.com/delay/"},
	} {
		for _, path := range []string{"/", "/doc"} {
			t.Run(tc.name+" "+path, func(t *testing.T) {
				conn := wiretest.Dial(t, base)
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, tc.host)
				reply, body := conn.Receive("GET")
				if reply.Header.Get("Content-Length") != strconv.Itoa(len(body)) {
					t.Errorf("GET %s: %d bytes, Content-Length %q", path, len(body), reply.Header.Get("Content-Length"))
				}
				if !strings.Contains(body, tc.want) || strings.ContainsAny(body, placeholders) {
					t.Errorf("GET %s, Host %.40s: want %.60q in the page, without placeholders", path, tc.host, tc.want)
				}
				if tc.host != address && strings.Contains(body, address) {
					t.Errorf("GET %s, Host %.40s: the page shows %s", path, tc.host, address)
				}
			})
		}
	}
}

func TestEachPageHasNewRun(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	_, first := do(t, newClient(t), "GET", base+"/doc", nil)
	_, second := do(t, newClient(t), "GET", base+"/doc", nil)
	if first == second {
		t.Error("GET /doc twice: got the same run")
	}
}

// discard is an http.ResponseWriter that discards the reply.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// TestPagesAreNotCopied bounds the memory of a reply that the client does not read.
func TestPagesAreNotCopied(t *testing.T) {
	srv, err := New(DefaultConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	handler := srv.Handler()
	for _, path := range []string{"/doc", "/openapi.yaml"} {
		t.Run(path, func(t *testing.T) {
			request := httptest.NewRequest("GET", path, nil)
			full := httptest.NewRecorder()
			handler.ServeHTTP(full, request)
			var before, after runtime.MemStats
			const answers = 100
			runtime.ReadMemStats(&before)
			for range answers {
				handler.ServeHTTP(discard{http.Header{}}, request)
			}
			runtime.ReadMemStats(&after)
			if got := int(after.TotalAlloc-before.TotalAlloc) / answers; got > full.Body.Len()/4 {
				t.Errorf("GET %s: %d bytes allocated for %d bytes of reply, want at most a quarter",
					path, got, full.Body.Len())
			}
		})
	}
}

func TestPagesLinkToDemoAPI(t *testing.T) {
	for url, want := range map[string]string{
		"":                         "",
		"http://localhost:0":       "",
		"http://localhost:5001":    `<a href="http://localhost:5001" data-local>demo-api</a>`,
		"https://demo.example.com": `<a href="https://demo.example.com">demo-api</a>`,
	} {
		config := DefaultConfig()
		config.DemoAPIURL = url
		_, base, _ := start(t, config, io.Discard)
		for _, path := range []string{"/", "/doc", "/live", "/board"} {
			_, body := do(t, newClient(t), "GET", base+path, nil)
			if !strings.Contains(body, want) || want == "" && strings.Contains(body, ">demo-api</a>") {
				t.Errorf("DEMO_API_URL=%s: GET %s: want %q in the page", url, path, want)
			}
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10m", 10*time.Minute + 20*time.Second: "10m20s", 10 * time.Second: "10s", 0: "0s",
		time.Hour: "1h", 2*time.Hour + 10*time.Minute: "2h10m", time.Hour + 10*time.Second: "1h0m10s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
}
