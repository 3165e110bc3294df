package server

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// steering is a client of the admin API. A call that fails ends the test.
type steering struct {
	t       testing.TB
	api     *client.Client
	control *client.ClockControl // of the server's clock, or a run's
}

// ofRun returns a steering of a clock for the run alone.
func (s steering) ofRun(id string) steering {
	s.control = s.api.RunClock(id)
	return s
}

func steer(t testing.TB, base string) steering {
	t.Helper()
	api, err := client.New(base, client.WithHTTPClient(newClient(t)))
	succeeded(t, api, err)
	return steering{t, api, api.ServerClock()}
}

func succeeded[T any](t testing.TB, v T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (s steering) run(id string) client.Run {
	s.t.Helper()
	run, err := s.api.Run(s.t.Context(), id)
	return succeeded(s.t, run, err)
}

func (s steering) settled(id string) client.Run {
	s.t.Helper()
	run, err := s.api.AwaitSettled(s.t.Context(), id)
	return succeeded(s.t, run, err)
}

// waiting returns once n requests of the run wait.
func (s steering) waiting(id string, n int) client.Run {
	s.t.Helper()
	run, err := s.api.AwaitWaiting(s.t.Context(), id, n)
	return succeeded(s.t, run, err)
}

// held returns once n requests are in the hold. It ends the test if there are more.
func (s steering) held(name string, n int) {
	s.t.Helper()
	hold, err := s.api.Hold(s.t.Context(), name)
	if n > 0 {
		hold, err = s.api.AwaitHeld(s.t.Context(), name, n)
	}
	if succeeded(s.t, hold, err).Waiting != n {
		s.t.Fatalf("hold %s has %d requests, want %d", name, hold.Waiting, n)
	}
}

func (s steering) release(name string) int {
	s.t.Helper()
	n, err := s.api.Release(s.t.Context(), name)
	return succeeded(s.t, n, err)
}

func (s steering) clock() client.Clock {
	s.t.Helper()
	state, err := s.control.State(s.t.Context())
	return succeeded(s.t, state, err)
}

func (s steering) freeze() {
	s.t.Helper()
	_, err := s.control.Freeze(s.t.Context())
	succeeded(s.t, 0, err)
}

// timed returns once n requests wait for a time on the clock.
func (s steering) timed(n int) client.Clock {
	s.t.Helper()
	state, err := s.control.Await(s.t.Context(), n)
	return succeeded(s.t, state, err)
}

func (s steering) advance(d time.Duration) client.Clock {
	s.t.Helper()
	state, err := s.control.Advance(s.t.Context(), d)
	return succeeded(s.t, state, err)
}

// answered is a reply with its body.
type answered struct {
	status int
	header http.Header
	text   string
	err    error
}

// ask sends n requests concurrently. The replies come in the order in which they are
// read. The end of the test cancels the rest.
func ask(t testing.TB, client *http.Client, n int, url string) <-chan answered {
	t.Helper()
	return askUntil(t, t.Context(), client, n, url)
}

// askUntil is ask with a client that leaves when ctx is done.
func askUntil(t testing.TB, ctx context.Context, client *http.Client, n int, url string) <-chan answered {
	t.Helper()
	replies := make(chan answered, n)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { replies <- fetch(ctx, client, url) })
	}
	t.Cleanup(wg.Wait)
	return replies
}

func fetch(ctx context.Context, client *http.Client, url string) answered {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answered{err: err}
	}
	reply, err := client.Do(req)
	if err != nil {
		return answered{err: err}
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return answered{reply.StatusCode, reply.Header, string(text), err}
}

// next returns the next reply. It ends the test if there is none within
// [wiretest.Timeout].
func next(t testing.TB, replies <-chan answered) answered {
	t.Helper()
	select {
	case a := <-replies:
		return succeeded(t, a, a.err)
	case <-time.After(wiretest.Timeout):
		t.Fatalf("no reply within %v", wiretest.Timeout)
		return answered{}
	}
}

// wantAll ends the test unless the next n replies have the status and contain want.
func wantAll(t testing.TB, replies <-chan answered, n, status int, want string) {
	t.Helper()
	for i := range n {
		if got := next(t, replies); got.status != status || !strings.Contains(got.text, want) {
			t.Fatalf("reply %d of %d: got %d %s, want %d that says %s", i+1, n, got.status, got.text, status, want)
		}
	}
}

// wantProblem fails the test unless the reply is a problem document of type want.
func wantProblem(t testing.TB, call string, reply *http.Response, text string, want problem.Type) {
	t.Helper()
	var p problem.Problem
	if err := json.Unmarshal([]byte(text), &p); err != nil || reply.Header.Get("Content-Type") != problem.ContentType {
		t.Errorf("%s: got %d %s %.300q, want a problem document", call, reply.StatusCode,
			reply.Header.Get("Content-Type"), text)
	}
	if status := want.Info().Status; reply.StatusCode != status || p.Status != status || p.Type != want {
		t.Errorf("%s: got %d %s %s, want %d %s", call, reply.StatusCode, p.Type, p.Detail, status, want.Name())
	}
}

// frozen starts a server with a frozen clock.
func frozen(t testing.TB, config Config) (base string, s steering) {
	t.Helper()
	_, base, _ = start(t, config, io.Discard)
	s = steer(t, base)
	s.freeze()
	return base, s
}
