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
	"flash.test/delay-server/kit/problem"

	"flash.test/demo-api/internal/upstream"
)

func TestQueryReplacesTheLastCall(t *testing.T) {
	for _, tc := range []struct {
		name, query, body string
		calls             int // to delay-server
	}{
		{"two calls", "?db=5", `{"r1":200,"db":200}`, 1},
		{"only the query", "?calls=1&db=5", `{"db":200}`, 0},
		{"eleven calls", "?calls=11&db=5ms",
			`{"r1":200,"r2":200,"r3":200,"r4":200,"r5":200,"r6":200,` +
				`"r7":200,"r8":200,"r9":200,"r10":200,"db":200}`, 10},
		{"a query of 0", "?db=0", `{"r1":200,"db":200}`, 1},
		{"a random query", "?db=uniform:1ms,5ms", `{"r1":200,"db":200}`, 1},
		{"with a limit", "?calls=3&db=5&limit=1", `{"r1":200,"r2":200,"db":200}`, 2},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				s := newFake(t, respondAfter(0))
				d := start(t, options(), s.URL, time.Minute)
				got := d.get(t, endpoint+tc.query)
				if got.StatusCode != 200 || got.body != tc.body {
					t.Errorf("GET %s%s = %d %s\nwant 200 %s", endpoint, tc.query, got.StatusCode, got.body, tc.body)
				}
				if n := s.received().started; n != tc.calls {
					t.Errorf("GET %s%s: %d calls to delay-server, want %d", endpoint, tc.query, n, tc.calls)
				}
				const call = `;dur=[0-9.]+;start=[0-9.]+`
				want := regexp.MustCompile(`^total;dur=[0-9.]+, (r[0-9]+` + call + `, )*db` + call + `$`)
				if timing := got.Header.Get("Server-Timing"); !want.MatchString(timing) {
					t.Errorf("GET %s%s: Server-Timing %q, want total, the calls and db", endpoint, tc.query, timing)
				}
			})
		}
	}
}

// The fourth step of the tutorial: a call of 1 s and a query of half a second take
// 1.5 s one after another and 1 s all at once.
func TestSumAndSlowestWithAQuery(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: takes 2.5 s")
	}
	const call, query = time.Second, 500 * time.Millisecond
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	for range 3 { // a busy machine may stall
		sequential := d.get(t, "/get_data?delay=1000&db=500")
		concurrent := d.get(t, "/async_get_data?delay=1000&db=500")
		for _, got := range []reply{sequential, concurrent} {
			if got.StatusCode != 200 || got.body != `{"r1":200,"db":200}` {
				t.Fatalf("got %d %s", got.StatusCode, got.body)
			}
		}
		if sequential.took < call+query {
			t.Errorf("sequential: %v, want the sum, %v, or more", sequential.took, call+query)
		}
		if concurrent.took < call {
			t.Errorf("concurrent: %v, want the slowest, %v, or more", concurrent.took, call)
		}
		ratio := concurrent.took.Seconds() / sequential.took.Seconds()
		if ratio <= 0.9 {
			return
		}
		t.Logf("concurrent/sequential: %v/%v = %.2f", concurrent.took, sequential.took, ratio)
	}
	t.Error("concurrent/sequential: want about 2/3, got more than 0.9 in each of 3 tries")
}

// manualDatabase is a Database whose queries end when the test says so.
type manualDatabase struct {
	started chan time.Duration // receives the duration of each query
	release chan struct{}      // closed to end all queries
}

func newManualDatabase() manualDatabase {
	return manualDatabase{make(chan time.Duration), make(chan struct{})}
}

func (db manualDatabase) Query(ctx context.Context, wait time.Duration) error {
	select {
	case db.started <- wait:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-db.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// The sequential query starts after the call, the concurrent query during it.
func TestWhenTheQueryIsMade(t *testing.T) {
	for _, tc := range []struct {
		name, path string
		sequential bool
	}{
		{"sequential", "/get_data?delay=1s&db=500", true},
		{"concurrent", "/async_get_data?delay=1s&db=500", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := delaytest.NewServer(t)
			srv.Clock().Freeze()
			client := upstream.New(srv.URL, time.Minute, 1)
			t.Cleanup(client.Close)
			db := newManualDatabase()
			d := startWith(t, options(), client, db)
			response := sendRun(t, d, tc.path, "lesson")
			srv.Clock().Await(1)
			if tc.sequential {
				select {
				case <-db.started:
					t.Error("the query started during the call")
				default:
				}
				srv.Clock().Advance(time.Second)
			}
			if wait := <-db.started; wait != 500*time.Millisecond {
				t.Errorf("the query takes %v, want 500ms", wait)
			}
			if !tc.sequential {
				srv.Clock().Advance(time.Second)
			}
			close(db.release)
			if got := <-response; got.StatusCode != 200 || got.body != `{"r1":200,"db":200}` {
				t.Errorf("GET %s = %d %s", tc.path, got.StatusCode, got.body)
			}
		})
	}
}

// A random query is never longer than MAX_DELAY.
func TestQueryIsWithinMaxDelay(t *testing.T) {
	o := options()
	o.MaxDelay = 10 * time.Millisecond
	client := upstream.New(newFake(t, respondAfter(0)).URL, time.Minute, 1)
	t.Cleanup(client.Close)
	db := newManualDatabase()
	close(db.release)
	d := startWith(t, o, client, db)
	for query, max := range map[string]time.Duration{
		"uniform:10ms,1h":       10 * time.Millisecond, // almost never within MaxDelay
		"weighted:1ms:50,1h:50": 10 * time.Millisecond,
		"7ms":                   7 * time.Millisecond,
	} {
		response := sendRun(t, d, "/get_data?db="+query, "run")
		if wait := <-db.started; wait > max || wait < min(max, time.Millisecond) {
			t.Errorf("db=%s: a query of %v, want 1ms to %v", query, wait, max)
		}
		if got := <-response; got.StatusCode != 200 {
			t.Errorf("db=%s: got %d %s", query, got.StatusCode, got.body)
		}
	}
}

// unreachableDatabase is a Database whose queries fail.
type unreachableDatabase struct{}

func (unreachableDatabase) Query(context.Context, time.Duration) error {
	return &upstream.Error{
		Service: "database", Kind: upstream.ErrUnreachable,
		Reason: "db.example:5432: connection refused", Cause: errors.New("dial"),
	}
}

func TestFailedQuery(t *testing.T) {
	client := upstream.New(newFake(t, respondAfter(0)).URL, time.Minute, 1)
	t.Cleanup(client.Close)
	d := startWith(t, options(), client, unreachableDatabase{})
	impatient := startWith(t, options(), client, database(t, 50*time.Millisecond))
	for _, tc := range []struct {
		name   string
		demo   demo
		query  string
		want   problem.Type
		detail string
	}{
		{"the database is unreachable", d, "?db=5", problem.CallFailed,
			"call db: database cannot be reached: db.example:5432: connection refused"},
		{"the query takes longer than TIMEOUT", impatient, "?db=1m", problem.CallTimeout,
			"call db: database timed out: no response from SQLite in this process within 50ms (TIMEOUT)"},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				p := tc.demo.get(t, endpoint+tc.query).problem(t, tc.want)
				if p.Call != "db" || p.Detail != tc.detail {
					t.Errorf("GET %s%s: call %q, detail %s\nwant call db, detail %s",
						endpoint, tc.query, p.Call, p.Detail, tc.detail)
				}
				log := tc.demo.log.String()
				if !strings.Contains(log, "level=WARN") || !strings.Contains(log, "cause=") {
					t.Errorf("log: got %q, want a warning with the cause", log)
				}
				if got := tc.demo.get(t, endpoint); got.StatusCode != 200 || got.body != `{"r1":200,"r2":200}` {
					t.Errorf("without a query: GET %s = %d %s, want 200", endpoint, got.StatusCode, got.body)
				}
			})
		}
	}
}

func TestClientThatLeavesCancelsTheQuery(t *testing.T) {
	for _, path := range []string{"/get_data?calls=1&db=1m", "/async_get_data?db=1m"} {
		client := upstream.New(newFake(t, respondAfter(0)).URL, time.Minute, 1)
		db := newManualDatabase()
		d := startWith(t, options(), client, db)
		ctx, leave := context.WithCancel(t.Context())
		got := sendAsync(ctx, t, transport(t, false), d.URL+path, http.NoBody)
		<-db.started
		leave()
		if got := <-got; !errors.Is(got.err, context.Canceled) {
			t.Errorf("GET %s: the client got %+v, want context.Canceled", path, got)
		}
		d.Close() // returns when the request has ended
		client.Close()
	}
}

// BenchmarkQuery minus BenchmarkThrough is the extra cost of a query.
func BenchmarkQuery(b *testing.B) {
	d := start(b, options(), newFast(b).URL, time.Minute)
	for b.Loop() {
		d.get(b, "/get_data?calls=1&db=0")
	}
}
