package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start starts a server on a free port of loopback that stops when the test ends. It
// returns the server, its URL, and a function that shuts it down.
func start(t testing.TB, config Config, log io.Writer) (srv *Server, base string, stop func()) {
	t.Helper()
	return startOn(t, config, log, net.ListenConfig{})
}

// startOn is like start with a listener that listen opens.
func startOn(t testing.TB, config Config, log io.Writer, listen net.ListenConfig) (
	srv *Server, base string, stop func(),
) {
	t.Helper()
	srv, err := New(config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(ctx, ln); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return srv, "http://" + ln.Addr().String(), stop
}

// awaitTimed returns once n requests wait for a time on the server's clock. Unlike
// steering.timed, it needs no listener.
func awaitTimed(t testing.TB, srv *Server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	if state, err := srv.engine.Clock.AwaitWaiting(ctx, n); err != nil {
		t.Fatalf("%d requests wait for a time, want %d", state.Waiting, n)
	}
}

// drain calls stop in another goroutine, and returns when the server drains: then it has
// closed an idle connection.
func drain(t testing.TB, base string, stop func(), running *sync.WaitGroup) {
	t.Helper()
	idle := wiretest.Dial(t, base)
	idle.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	idle.Receive(http.MethodGet)
	running.Go(stop)
	if rest, err := io.ReadAll(idle); len(rest) > 0 || err != nil {
		t.Errorf("an idle connection: got %q, %v, want its end", rest, err)
	}
}

// advance moves the server's frozen clock. Unlike steering.advance, it needs no listener.
func advance(t testing.TB, srv *Server, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	if err := srv.engine.Clock.Advance(ctx, d); err != nil {
		t.Fatal(err)
	}
}

// bothWays runs a test with and without event loops, which behave the same.
func bothWays(t *testing.T, test func(t *testing.T, config Config)) {
	t.Helper()
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprintf("EVENT_LOOP=%t", on), func(t *testing.T) {
			test(t, eventLoop(DefaultConfig(), on))
		})
	}
}

// eventLoop returns config with the event loops on or off.
func eventLoop(config Config, on bool) Config {
	config.EventLoop = on
	return config
}

// newClient returns a client with its own connections that follows no redirects.
func newClient(t testing.TB) *http.Client {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 10_000}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends a request and reads the whole reply.
func do(t testing.TB, client *http.Client, method, url string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %.80s: %v", method, url, err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatalf("%s %.80s: %v", method, url, err)
	}
	return reply, string(text)
}

func compat() Config {
	c := DefaultConfig()
	c.FlashCompat = true
	return c
}

// contract is the format of testdata/flash-contract.json, recorded replies of Flash.
type contract struct {
	Cases []struct {
		Method, Path      string
		Status            int
		ContentType       string `json:"content_type"`
		ContentTypePrefix string `json:"content_type_prefix"`
		Body              string
		BodyMatches       string `json:"body_matches"`
		Location          string
		Allow             string
		MinMilliseconds   float64 `json:"min_ms"`
		Only              string
	}
	Headers map[string]string `json:"headers_on_every_delay_reply"`
}

func TestContract(t *testing.T) {
	text, err := os.ReadFile("testdata/flash-contract.json")
	if err != nil {
		t.Fatal(err)
	}
	var flash contract
	if err := json.Unmarshal(text, &flash); err != nil {
		t.Fatal(err)
	}
	if len(flash.Cases) < 44 {
		t.Fatalf("the contract has %d cases, want all 44", len(flash.Cases))
	}
	for _, mode := range []string{"default", "FLASH_COMPAT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			bothWays(t, func(t *testing.T, config Config) { testContract(t, flash, mode, config) })
		})
	}
}

// testContract checks that a server in this mode answers like Flash.
func testContract(t *testing.T, flash contract, mode string, config Config) {
	config.FlashCompat = mode == "FLASH_COMPAT"
	_, base, _ := start(t, config, io.Discard)
	fast, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := fast.engine.Clock.Scale(clock.MinScale); err != nil {
		t.Fatal(err)
	}
	for _, tc := range flash.Cases {
		if tc.Only != "" && tc.Only != mode {
			continue
		}
		t.Run(tc.Method+" "+tc.Path, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			var reply *http.Response
			var body string
			if strings.Contains(tc.Path, "random") { // would take up to 9 s
				rec := httptest.NewRecorder()
				fast.Handler().ServeHTTP(rec, httptest.NewRequest(tc.Method, tc.Path, nil))
				reply, body = rec.Result(), rec.Body.String()
			} else {
				reply, body = do(t, newClient(t), tc.Method, base+tc.Path, nil)
			}
			took := time.Since(begin)
			contentType := reply.Header.Get("Content-Type")
			if reply.StatusCode != tc.Status {
				t.Errorf("status: got %d, want %d", reply.StatusCode, tc.Status)
			}
			if tc.ContentType != "" && contentType != tc.ContentType ||
				!strings.HasPrefix(contentType, tc.ContentTypePrefix) {
				t.Errorf("content type: got %q, want %q", contentType, tc.ContentType+tc.ContentTypePrefix)
			}
			if tc.Body != "" && body != tc.Body || !regexp.MustCompile(tc.BodyMatches).MatchString(body) {
				t.Errorf("body: got %s, want %s", body, tc.Body+tc.BodyMatches)
			}
			if got := reply.Header.Get("Location"); got != tc.Location {
				t.Errorf("location: got %q, want %q", got, tc.Location)
			}
			if got := reply.Header.Get("Allow"); tc.Allow != "" && got != tc.Allow {
				t.Errorf("Allow: got %q, want %q", got, tc.Allow)
			}
			if minTime := time.Duration(tc.MinMilliseconds * float64(time.Millisecond)); took < minTime {
				t.Errorf("answered after %v, want at least %v", took, minTime)
			}
			for name, want := range flash.Headers {
				if got := reply.Header.Get(name); strings.HasPrefix(tc.Path, "/delay/") && got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
			if reply.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("want no Access-Control-Allow-Credentials with a wildcard origin")
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	config := DefaultConfig()
	config.RedirectHosts = []string{"example.com"}
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	large := func() io.Reader { return strings.NewReader(strings.Repeat("x", 10_000_000)) }
	for _, tc := range []struct {
		name, method, path string
		body               io.Reader
		want               problem.Type
	}{
		{"word", "GET", "/delay/abc", nil, problem.InvalidDelay},
		{"negative", "GET", "/delay/-5", nil, problem.InvalidDelay},
		{"not a number", "GET", "/delay/NaN", nil, problem.InvalidDelay},
		{"exponent", "GET", "/delay/1e300", nil, problem.InvalidDelay},
		{"hexadecimal", "GET", "/delay/0x10", nil, problem.InvalidDelay},
		{"blank", "GET", "/delay/%20", nil, problem.InvalidDelay},
		{"above int64", "GET", "/delay/99999999999999999999", nil, problem.InvalidDelay},
		{"above MAX_DELAY", "GET", "/delay/600001", nil, problem.InvalidDelay},
		{"escaped slash", "GET", "/delay/1%2F2", nil, problem.InvalidDelay},
		{"invalid target", "GET", "/delay/0/url/javascript:alert(1)", nil, problem.InvalidTarget},
		{"target not allowed", "GET", "/delay/0/url/evil.example", nil, problem.TargetNotAllowed},
		{"misspelled parameter", "GET", "/delay/0?rum=1", nil, problem.UnknownParameter},
		{"20 KB URL", "GET", "/delay/" + strings.Repeat("1", 20_000), nil, problem.URLTooLong},
		{"10 MB body", "POST", "/delay/0", large(), problem.BodyTooLarge},
		{"10 MB clock command", "POST", "/admin/clock", large(), problem.BodyTooLarge},
		{"10 MB body in chunks", "POST", "/delay/0", unsized{large()}, problem.BodyTooLarge},
		{"unknown path", "GET", "/nothing", nil, problem.NotFound},
		{"no delay", "GET", "/delay", nil, problem.NotFound},
		{"unknown asset", "GET", "/assets/..%2fserver.go", nil, problem.NotFound},
		{"unknown method", "BREW", "/healthz", nil, problem.MethodNotAllowed},
		{"TRACE", "TRACE", "/delay/0", nil, problem.MethodNotAllowed},
		{"method of another endpoint", "POST", "/healthz", nil, problem.MethodNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, body := do(t, client, tc.method, base+tc.path, tc.body)
			if p := readProblem(t, reply, body); p.Type != tc.want || p.Status != tc.want.Info().Status {
				t.Errorf("%s %.60s: got %d %s %q, want %s", tc.method, tc.path, p.Status, p.Type, p.Detail, tc.want)
			}
			if len(body) > 1000 {
				t.Errorf("got a body of %d bytes, want at most 1000", len(body))
			}
		})
	}
}

func TestFlashCompatErrors(t *testing.T) {
	const flashError = `Delay value should be valid number(in milliseconds) or "random"`
	_, base, _ := start(t, compat(), io.Discard)
	client := newClient(t)
	for _, delay := range []string{"abc", "-5", "NaN", "1e300", "0x10", "%20", "99999999999999999999", "11m"} {
		for _, tail := range []string{"", "/", "/url/example.com"} {
			reply, body := do(t, client, "GET", base+"/delay/"+delay+tail, nil)
			contentType := reply.Header.Get("Content-Type")
			if reply.StatusCode != 500 || body != flashError || contentType != "text/html; charset=utf-8" {
				t.Errorf("GET /delay/%s%s: got %d %s %q, want Flash's 500",
					delay, tail, reply.StatusCode, contentType, body)
			}
		}
	}
	if reply, _ := do(t, client, "POST", base+"/nothing", nil); reply.StatusCode != 404 {
		t.Errorf("POST /nothing: got %d, want 404: Flash redirects only GET", reply.StatusCode)
	}
}

func TestPagesAndProbes(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	for _, tc := range []struct{ path, contentType, want string }{
		{"/", "text/html; charset=UTF-8", "curl -iN " + base + "/delay/1000"},
		{"/doc", "text/html; charset=UTF-8", "MAX_DELAY"},
		{"/assets/style.css", "text/css; charset=utf-8", "--wait"},
		{"/assets/landing.js", "text/javascript; charset=utf-8", "fetch"},
		{"/assets/icon.svg", "image/svg+xml", "<svg"},
		{"/healthz", "text/plain; charset=UTF-8", "ok"},
		{"/readyz", "text/plain; charset=UTF-8", "ready"},
		{"/version", "application/json", `"go":"go1.`},
		{"/metrics", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "delay_server_waiting 0"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			reply, body := do(t, client, "GET", base+tc.path, nil)
			contentType := reply.Header.Get("Content-Type")
			if reply.StatusCode != 200 || contentType != tc.contentType || !strings.Contains(body, tc.want) {
				t.Errorf("GET %s: got %d %q, want 200 %q with %q; body:\n%.500s",
					tc.path, reply.StatusCode, contentType, tc.contentType, tc.want, body)
			}
			if reply, body := do(t, client, "HEAD", base+tc.path, nil); reply.StatusCode != 200 || body != "" {
				t.Errorf("HEAD %s: got %d with %d bytes of body, want 200 without body",
					tc.path, reply.StatusCode, len(body))
			}
		})
	}
}

func TestPanic(t *testing.T) {
	var log strings.Builder
	srv, err := New(DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	srv.engine.Clock = nil // the next wait panics
	rec := httptest.NewRecorder()
	srv.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/delay/0", nil))
	p := readProblem(t, rec.Result(), rec.Body.String())
	if p.Type != problem.Internal || strings.Contains(p.Detail, "nil pointer") {
		t.Errorf("got %s: %s, want %s without the panic's text", p.Type, p.Detail, problem.Internal)
	}
	if !strings.Contains(log.String(), "nil pointer") {
		t.Errorf("want nil pointer in the log, got %s", log.String())
	}
}

func TestCORS(t *testing.T) {
	for _, tc := range []struct{ name, setting, origin, want string }{
		{"any, no Origin", "*", "", "*"},
		{"any", "*", "https://a.example", "*"},
		{"named", "https://a.example", "https://a.example", "https://a.example"},
		{"not named", "https://a.example", "https://b.example", ""},
		{"none", "none", "https://a.example", ""},
		{"origin \"none\"", "none", "none", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.CORSOrigins = []string{tc.setting}
			srv, err := New(config, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			for _, method := range []string{"GET", "OPTIONS"} {
				req := httptest.NewRequest(method, "/delay/0", nil)
				req.Header.Set("Origin", tc.origin)
				rec := httptest.NewRecorder()
				srv.Handler().ServeHTTP(rec, req)
				if got := rec.Header().Get("Access-Control-Allow-Origin"); got != tc.want {
					t.Errorf("CORS_ORIGINS=%s, %s from %q: got %q, want %q",
						tc.setting, method, tc.origin, got, tc.want)
				}
			}
		})
	}
}
