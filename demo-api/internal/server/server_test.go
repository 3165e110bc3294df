package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options returns the defaults, with limits that a test can reach.
func options() server.Options {
	return server.Options{
		Calls: 2, MaxCalls: 1000, Delay: "0", MaxDelay: 10 * time.Minute, MaxInFlight: 10_000,
		HTTP: httpkit.Config{
			ReadTimeout: 5 * time.Second, IdleTimeout: time.Minute, ShutdownTimeout: 5 * time.Second,
		},
		UpstreamURL: "http://delay-server.example",
	}
}

// respondFunc handles the nth request to a fakeDelayServer.
type respondFunc func(n int, w http.ResponseWriter, r *http.Request)

// fakeDelayServer is a delay-server that counts its requests.
type fakeDelayServer struct {
	*httptest.Server
	respond respondFunc

	mu    sync.Mutex
	stats stats
}

// stats are the requests that a fakeDelayServer has received.
type stats struct {
	started, ended int
	cancelled      int             // ended after the client had left
	runs, paths    map[string]bool // X-Run-Id, path
}

func newFake(t testing.TB, respond respondFunc) *fakeDelayServer {
	s := &fakeDelayServer{respond: respond, stats: stats{runs: map[string]bool{}, paths: map[string]bool{}}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *fakeDelayServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.begin(r)
	defer s.end(r)
	s.respond(n, w, r)
}

func (s *fakeDelayServer) begin(r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.started++
	s.stats.runs[r.Header.Get("X-Run-Id")] = true
	s.stats.paths[r.URL.Path] = true
	return s.stats.started
}

func (s *fakeDelayServer) end(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.ended++
	if r.Context().Err() != nil {
		s.stats.cancelled++
	}
}

// received returns a copy of the stats.
func (s *fakeDelayServer) received() stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.runs, st.paths = maps.Clone(st.runs), maps.Clone(st.paths)
	return st
}

// respondAfter waits d, or until the client leaves, and responds with 200.
func respondAfter(d time.Duration) respondFunc {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, `{"status":200}`)
		case <-r.Context().Done():
		}
	}
}

// respondTogether responds to the first n calls of a concurrent lane once all n have
// arrived, and to other calls at once.
func respondTogether(n int64) respondFunc {
	var arrived atomic.Int64
	all := make(chan struct{})
	return func(_ int, _ http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.Header.Get("X-Run-Id"), "-concurrent") {
			return
		}
		if arrived.Add(1) == n {
			close(all)
		}
		select {
		case <-all:
		case <-r.Context().Done():
		}
	}
}

// hang waits until the client leaves.
func hang(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// logBuffer is a log that a test can read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// demo is a demo-api on a free port.
type demo struct {
	*httptest.Server
	log *logBuffer
}

// start runs demo-api with the delay-server at url and a timeout for each call.
func start(t testing.TB, o server.Options, url string, timeout time.Duration) demo {
	t.Helper()
	client := upstream.New(url, timeout, o.MaxCalls)
	t.Cleanup(client.Close)
	return startWith(t, o, client, database(t, timeout))
}

// database returns an SQLite database with a timeout for each query.
func database(t testing.TB, timeout time.Duration) *upstream.Database {
	t.Helper()
	d, err := upstream.OpenDatabase("", timeout, 100)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func startWith(t testing.TB, o server.Options, u server.Upstream, db server.Database) demo {
	t.Helper()
	d := demo{log: new(logBuffer)}
	d.Server = httptest.NewServer(server.New(o, u, db, slog.New(slog.NewTextHandler(d.log, nil))).Handler())
	t.Cleanup(d.Close)
	return d
}

// reply is a response whose body has been read.
type reply struct {
	*http.Response
	body string
	took time.Duration
}

// send makes a request to d. It follows no redirects.
func (d demo) send(t testing.TB, method, path string, header map[string]string, body io.Reader) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	req.Host = req.Header.Get("Host") // "" for the host of the URL
	start := time.Now()
	resp, err := d.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %.100s: read the body: %v", method, path, err)
	}
	return reply{resp, line(text), time.Since(start)}
}

// line returns a body without its final newline, which TestResponsesEndWithNewline
// tests.
func line(body []byte) string { return strings.TrimSuffix(string(body), "\n") }

func (d demo) get(t testing.TB, path string) reply {
	t.Helper()
	return d.send(t, http.MethodGet, path, nil, nil)
}

// problem returns the problem document in r, and checks its type.
func (r reply) problem(t testing.TB, want problem.Type) problem.Problem {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("got %s %q, want a problem document: %v", r.Status, r.body, err)
	}
	mediaType := r.Header.Get("Content-Type")
	if p.Type != want || r.StatusCode != want.Info().Status || mediaType != problem.ContentType {
		t.Errorf("got %s, Content-Type %s, %+v; want %s", r.Status, mediaType, p, want)
	}
	return p
}
