package server_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"

	"flash.test/demo-api/internal/upstream"
)

func TestQueryReplacesTheLastCall(t *testing.T) {
	for _, tc := range []struct {
		name, query, body string
		calls             int // that delay-server sees
	}{
		{"the tutorial's", "?db=5", `{"r1":200,"db":200}`, 1},
		{"the query alone", "?calls=1&db=5", `{"db":200}`, 0},
		{"of many", "?calls=11&db=5ms", `{"r1":200,"r2":200,"r3":200,"r4":200,"r5":200,"r6":200,"r7":200,"r8":200,"r9":200,"r10":200,"db":200}`, 10},
		{"of no time", "?db=0", `{"r1":200,"db":200}`, 1},
		{"drawn from a distribution", "?db=uniform:1ms,5ms", `{"r1":200,"db":200}`, 1},
		{"with a limit", "?calls=3&db=5&limit=1", `{"r1":200,"r2":200,"db":200}`, 2},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				s := newSlow(t, answered(0))
				d := start(t, options(), s.URL, time.Minute)
				got := d.get(t, endpoint+tc.query)
				if got.StatusCode != 200 || got.body != tc.body {
					t.Errorf("GET %s%s = %d %s\nwant 200 %s", endpoint, tc.query, got.StatusCode, got.body, tc.body)
				}
				if n := s.seen().come; n != tc.calls {
					t.Errorf("GET %s%s: delay-server was asked %d times, want %d", endpoint, tc.query, n, tc.calls)
				}
				if timing := got.Header.Get("Server-Timing"); !regexp.MustCompile(`^total;dur=[0-9.]+, (r[0-9]+;dur=[0-9.]+, )*db;dur=[0-9.]+$`).MatchString(timing) {
					t.Errorf("GET %s%s: Server-Timing %q, want total, the calls and db", endpoint, tc.query, timing)
				}
			})
		}
	}
}

// The tutorial's fourth step, in its own figures: a call of 1 s and a query of
// half a second are 1.5 s in turn and 1 s at once.
func TestSumAndSlowestWithAQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes 2.5 s")
	}
	const call, query = time.Second, 500 * time.Millisecond
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	sequential := d.get(t, "/get_data?delay=1000&db=500")
	concurrent := d.get(t, "/async_get_data?delay=1000&db=500")
	for _, got := range []reply{sequential, concurrent} {
		if got.StatusCode != 200 || got.body != `{"r1":200,"db":200}` {
			t.Fatalf("got %d %s", got.StatusCode, got.body)
		}
	}
	if sequential.took < call+query {
		t.Errorf("in turn: %v, want the sum, %v, or more", sequential.took, call+query)
	}
	if concurrent.took < call {
		t.Errorf("at once: %v, want the slowest, %v, or more", concurrent.took, call)
	}
	if ratio := concurrent.took.Seconds() / sequential.took.Seconds(); ratio > 0.9 {
		t.Errorf("at once/in turn: %v/%v = %.2f, want about 2/3, at most 0.9", concurrent.took, sequential.took, ratio)
	}
}

// queries is a Database that tells of each query and waits until it is let go.
type queries struct {
	asked chan time.Duration
	let   chan struct{}
}

func newQueries() queries { return queries{make(chan time.Duration), make(chan struct{})} }

func (q queries) Query(ctx context.Context, wait time.Duration) error {
	select {
	case q.asked <- wait:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-q.let:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// On a clock that the test moves on: in turn the query is asked when the call
// has been answered, at once while it waits.
func TestWhenTheQueryIsMade(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		asked      func(*testing.T, *delaytest.Server, queries) time.Duration
	}{
		{"in turn", "/get_data?delay=1s&db=500", func(t *testing.T, srv *delaytest.Server, q queries) time.Duration {
			srv.Clock().Await(1)
			select {
			case <-q.asked:
				t.Error("the query is made while the call waits")
			default:
			}
			srv.Clock().Advance(time.Second)
			return <-q.asked
		}},
		{"at once", "/async_get_data?delay=1s&db=500", func(_ *testing.T, srv *delaytest.Server, q queries) time.Duration {
			srv.Clock().Await(1)
			wait := <-q.asked
			srv.Clock().Advance(time.Second)
			return wait
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := delaytest.NewServer(t)
			srv.Clock().Freeze()
			client := upstream.New(srv.URL, time.Minute, 1)
			t.Cleanup(client.Close)
			q := newQueries()
			d := startWith(t, options(), client, q)
			answer := asked(t, d, tc.path, "lesson")
			if wait := tc.asked(t, srv, q); wait != 500*time.Millisecond {
				t.Errorf("the query is one of %v, want 500ms", wait)
			}
			close(q.let)
			if got := <-answer; got.StatusCode != 200 || got.body != `{"r1":200,"db":200}` {
				t.Errorf("GET %s = %d %s", tc.path, got.StatusCode, got.body)
			}
		})
	}
}

// What is above MAX_DELAY is drawn again, and in the end cut.
func TestQueryIsWithinMaxDelay(t *testing.T) {
	o := options()
	o.MaxDelay = 10 * time.Millisecond
	client := upstream.New(newSlow(t, answered(0)).URL, time.Minute, 1)
	t.Cleanup(client.Close)
	q := newQueries()
	close(q.let)
	d := startWith(t, o, client, q)
	for query, most := range map[string]time.Duration{
		"uniform:10ms,1h":       10 * time.Millisecond, // as good as never within
		"weighted:1ms:50,1h:50": 10 * time.Millisecond,
		"7ms":                   7 * time.Millisecond,
	} {
		answer := asked(t, d, "/get_data?db="+query, "run")
		if wait := <-q.asked; wait > most || wait < min(most, time.Millisecond) {
			t.Errorf("db=%s: a query of %v, want 1ms to %v", query, wait, most)
		}
		if got := <-answer; got.StatusCode != 200 {
			t.Errorf("db=%s: got %d %s", query, got.StatusCode, got.body)
		}
	}
}

// down is a Database that nobody serves.
type down struct{}

func (down) Query(context.Context, time.Duration) error {
	return &upstream.Error{Who: "database", Kind: upstream.ErrUnreachable, Reason: "db.example:5432: connection refused", Cause: errors.New("dial")}
}

func TestFailedQuery(t *testing.T) {
	client := upstream.New(newSlow(t, answered(0)).URL, time.Minute, 1)
	t.Cleanup(client.Close)
	d := startWith(t, options(), client, down{})
	slow := startWith(t, options(), client, database(t, 50*time.Millisecond))
	for _, tc := range []struct {
		name   string
		demo   demo
		query  string
		status int
		detail string
	}{
		{"the database is down", d, "?db=5", 502, "call db: database cannot be reached: db.example:5432: connection refused"},
		{"the query takes longer than TIMEOUT", slow, "?db=1m", 504, "call db: database is too slow: no answer from SQLite in this process within 50ms (TIMEOUT)"},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				if p := tc.demo.get(t, endpoint+tc.query).problem(t, tc.status); p.Call != "db" || p.Detail != tc.detail {
					t.Errorf("GET %s%s: call %q, detail %s\nwant call db, detail %s", endpoint, tc.query, p.Call, p.Detail, tc.detail)
				}
				if log := tc.demo.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cause=") {
					t.Errorf("log: got %q, want a warning with the cause", log)
				}
				if got := tc.demo.get(t, endpoint); got.StatusCode != 200 || got.body != `{"r1":200,"r2":200}` {
					t.Errorf("GET %s, without a query = %d %s, want 200: calls are unaffected", endpoint, got.StatusCode, got.body)
				}
			})
		}
	}
}

func TestLeavingClientEndsTheQuery(t *testing.T) {
	for _, path := range []string{"/get_data?calls=1&db=1m", "/async_get_data?db=1m"} {
		client := upstream.New(newSlow(t, answered(0)).URL, time.Minute, 1)
		q := newQueries()
		d := startWith(t, options(), client, q)
		ctx, leave := context.WithCancel(t.Context())
		gone := ask(ctx, t, transport(t, false), d.URL+path, http.NoBody)
		<-q.asked
		leave()
		if got := <-gone; !errors.Is(got.err, context.Canceled) {
			t.Errorf("GET %s: the client got %+v, want context.Canceled", path, got)
		}
		d.Close() // returns when the request has ended
		client.Close()
	}
}

// The difference to BenchmarkThrough is what a query costs above a call.
func BenchmarkQuery(b *testing.B) {
	d := start(b, options(), newFast(b).URL, time.Minute)
	for b.Loop() {
		d.get(b, "/get_data?calls=1&db=0")
	}
}
