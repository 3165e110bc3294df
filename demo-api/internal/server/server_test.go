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
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/delay-server/kit/problem"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options are the defaults, with limits that a test can reach.
func options() server.Options {
	return server.Options{
		Calls: 2, MaxCalls: 1000, Delay: "0", MaxDelay: 10 * time.Minute, MaxInFlight: 10_000,
		ReadTimeout: 5 * time.Second, IdleTimeout: time.Minute, ShutdownTimeout: 5 * time.Second,
		UpstreamURL: "http://delay-server.example",
	}
}

// slow is a fake delay-server that counts. Each request is answered by answer,
// which is told how many requests have come, this one included.
type slow struct {
	*httptest.Server
	answer func(n int, w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	have seen
}

// seen is what a slow server has seen.
type seen struct {
	come, over  int
	left        int             // whose client had gone when they were over
	runs, paths map[string]bool // X-Run-Id, path
}

func newSlow(t testing.TB, answer func(n int, w http.ResponseWriter, r *http.Request)) *slow {
	s := &slow{answer: answer, have: seen{runs: map[string]bool{}, paths: map[string]bool{}}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := s.begin(r)
	defer s.end(r)
	s.answer(n, w, r)
}

func (s *slow) begin(r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have.come++
	s.have.runs[r.Header.Get("X-Run-Id")] = true
	s.have.paths[r.URL.Path] = true
	return s.have.come
}

func (s *slow) end(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have.over++
	if r.Context().Err() != nil {
		s.have.left++
	}
}

// seen returns a copy of what s has seen.
func (s *slow) seen() seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.have
	have.runs, have.paths = maps.Clone(have.runs), maps.Clone(have.paths)
	return have
}

// answered waits d, or until the client leaves, and answers 200.
func answered(d time.Duration) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, `{"status":200}`)
		case <-r.Context().Done():
		}
	}
}

// hang waits until the client leaves.
func hang(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// logged is a log that a test can read while it is written.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// demo is a demo-api on a free port.
type demo struct {
	*httptest.Server
	log *logged
}

// start runs demo-api in front of the slow service at url. Each call may take timeout.
func start(t testing.TB, o server.Options, url string, timeout time.Duration) demo {
	t.Helper()
	client := upstream.New(url, timeout, o.MaxCalls)
	t.Cleanup(client.Close)
	return startWith(t, o, client, database(t, timeout))
}

// database returns an SQLite database. Each query may take timeout.
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
	d := demo{log: new(logged)}
	d.Server = httptest.NewServer(server.New(o, u, db, slog.New(slog.NewTextHandler(d.log, nil))).Handler())
	t.Cleanup(d.Close)
	return d
}

// reply is an answer whose body has been read.
type reply struct {
	*http.Response
	body string
	took time.Duration
}

// send makes a request of d. The client follows no redirects.
func (d demo) send(t testing.TB, method, path string, header map[string]string, body io.Reader) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	begin := time.Now()
	resp, err := d.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %.100s: %v", method, path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %.100s: read the body: %v", method, path, err)
	}
	return reply{resp, line(text), time.Since(begin)}
}

// line returns a body without the newline that ends it: TestAnswersEndTheirLine
// is the test of that.
func line(body []byte) string { return strings.TrimSuffix(string(body), "\n") }

func (d demo) get(t testing.TB, path string) reply {
	t.Helper()
	return d.send(t, http.MethodGet, path, nil, nil)
}

// problem returns the problem document that r is, and checks that it is one of status.
func (r reply) problem(t testing.TB, status int) problem.Problem {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("got %s %q, want a problem document: %v", r.Status, r.body, err)
	}
	if r.StatusCode != status || p.Status != status || r.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("got %s, Content-Type %s, %+v; want a problem of %d", r.Status, r.Header.Get("Content-Type"), p, status)
	}
	return p
}
