package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"

	"flash.test/demo-api/internal/upstream"
)

// event is an event of a race, with the fields of all kinds.
type event struct {
	kind string
	id   string

	Lane    string          `json:"lane"`
	Run     string          `json:"run"`
	Title   string          `json:"title"`
	Calls   int             `json:"calls"`
	Ideal   float64         `json:"ideal_ms"`
	Curl    string          `json:"curl"`
	Call    string          `json:"call"`
	At      float64         `json:"at_ms"`
	Status  int             `json:"status"`
	Total   float64         `json:"total_ms"`
	Sum     float64         `json:"sum_ms"`
	Peak    int             `json:"peak_in_flight"`
	SeenBy  string          `json:"seen_by"`
	Answer  json.RawMessage `json:"answer"`
	Problem problem.Problem `json:"problem"`
	Speedup float64         `json:"speedup"`
}

// stream is the event stream of a race.
type stream struct {
	*http.Response
	lines *bufio.Scanner
	leave context.CancelFunc
}

// watch starts a race. The run IDs of its lanes start with id.
func (d demo) watch(t testing.TB, query, id string) *stream {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	t.Cleanup(leave)
	req, err := http.NewRequestWithContext(ctx, "GET", d.URL+"/race/events?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Run-Id", id)
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if mediaType := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || mediaType != "text/event-stream" {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("GET /race/events?%s = %d, %s %s, want an event stream", query, resp.StatusCode, mediaType, text)
	}
	return &stream{resp, bufio.NewScanner(resp.Body), leave}
}

// next returns the next event. It reports whether there is one.
func (s *stream) next(t testing.TB) (event, bool) {
	t.Helper()
	var e event
	for s.lines.Scan() {
		field, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				t.Fatalf("event %s: %q: %v", e.kind, value, err)
			}
		case "":
			return e, true
		default:
			t.Fatalf("the stream has the line %q", s.lines.Text())
		}
	}
	return event{}, false
}

// rest returns the remaining events.
func (s *stream) rest(t testing.TB) []event {
	t.Helper()
	var all []event
	for e, ok := s.next(t); ok; e, ok = s.next(t) {
		all = append(all, e)
	}
	return all
}

// of returns the events of one kind and lane.
func of(all []event, kind, lane string) []event {
	var some []event
	for _, e := range all {
		if e.kind == kind && e.Lane == lane {
			some = append(some, e)
		}
	}
	return some
}

// only returns the single event of one kind and lane.
func only(t testing.TB, all []event, kind, lane string) event {
	t.Helper()
	some := of(all, kind, lane)
	if len(some) != 1 {
		t.Fatalf("%d events %s of lane %q, want one, in %+v", len(some), kind, lane, all)
	}
	return some[0]
}

// Both lanes run at the same time, one with one call in flight, the other with all.
func TestRace(t *testing.T) {
	srv := delaytest.NewServer(t)
	srv.Clock().Freeze()
	d := start(t, options(), srv.URL, time.Minute)
	race := d.watch(t, "calls=3&delay=1s&db=&limit=", "race-7")
	for _, waiting := range []int{1 + 3, 1, 1} {
		srv.Clock().Await(waiting)
		srv.Clock().Advance(time.Second)
	}
	all := race.rest(t)
	seq, conc := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")

	delaytest.AssertSequential(t, srv.Run("race-7-sequential"))
	delaytest.AssertConcurrent(t, srv.Run("race-7-concurrent"), 3)
	for _, tc := range []struct {
		total event
		peak  int
		path  string
	}{{seq, 1, "/get_data"}, {conc, 3, "/async_get_data"}} {
		run := srv.Run("race-7-" + tc.total.Lane).Settled()
		if tc.total.Peak != tc.peak || run.PeakInFlight != tc.peak || tc.total.SeenBy != "delay-server" {
			t.Errorf("%s: peak %d by %s, %d in the journal; want %d by delay-server",
				tc.total.Lane, tc.total.Peak, tc.total.SeenBy, run.PeakInFlight, tc.peak)
		}
		if string(tc.total.Answer) != `{"r1":200,"r2":200,"r3":200}` {
			t.Errorf("%s: answer %s", tc.total.Lane, tc.total.Answer)
		}
		lane := only(t, all, "lane", tc.total.Lane)
		curl, runID := "curl '"+d.URL+tc.path+"?calls=3&delay=1s'", "race-7-"+tc.total.Lane
		if lane.Curl != curl || lane.Calls != 3 || lane.Run != runID {
			t.Errorf("%s: got %+v, want run %s, 3 calls, %s", tc.total.Lane, lane, runID, curl)
		}
	}
	if all[0].kind != "lane" || all[1].kind != "lane" || all[len(all)-1].kind != "done" {
		t.Errorf("got %+v, want both lanes first and done last", all)
	}
	if all[0].id != "race-7" || race.Header.Get("X-Run-Id") != "race-7" {
		t.Errorf("id %q, X-Run-Id %q, want race-7 of both", all[0].id, race.Header.Get("X-Run-Id"))
	}
}

// The times of the events are consistent. On a busy machine, it tries up to three times
// for a concurrent lane that is faster.
func TestRaceFigures(t *testing.T) {
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	for range 3 {
		if seq, conc := raceFigures(t, d); conc < seq {
			return
		}
	}
	t.Error("the concurrent lane took as long as the sequential lane, in each of 3 races")
}

// raceFigures checks a race, and returns the total times of its lanes in milliseconds.
func raceFigures(t *testing.T, d demo) (sequential, concurrent float64) {
	t.Helper()
	const calls, wait, precision = 5, 40.0, 0.01 // ms
	all := d.watch(t, "calls=5&delay=40", "figures").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		total := only(t, all, "total", lane)
		begins, ends := of(all, "begin", lane), of(all, "end", lane)
		if len(begins) != calls || len(ends) != calls {
			t.Fatalf("%s: %d begins, %d ends, want %d of each", lane, len(begins), len(ends), calls)
		}
		begun := map[string]float64{}
		for _, b := range begins {
			begun[b.Call] = b.At
		}
		sum, last := 0.0, 0.0
		for _, e := range ends {
			from, known := begun[e.Call]
			if delete(begun, e.Call); !known || e.At-from < wait-precision || e.Status != 200 {
				t.Errorf("%s: %s from %v to %v, status %d, want %v ms or more, 200",
					lane, e.Call, from, e.At, e.Status, wait)
			}
			sum += e.At - from
			last = max(last, e.At)
		}
		if total.Sum < calls*wait || total.Sum < sum-2*calls*precision || total.Total < last {
			t.Errorf("%s: total %v ms, sum %v ms; its calls end at %v ms, their sum is %v ms",
				lane, total.Total, total.Sum, last, sum)
		}
	}
	seq, conc := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
	if seq.Total < seq.Sum || seq.Sum < calls*wait || conc.Total < wait {
		t.Errorf("sequential: total %v, sum %v; concurrent: total %v, sum %v; want the sum, and the slowest",
			seq.Total, seq.Sum, conc.Total, conc.Sum)
	}
	if got, want := only(t, all, "done", "").Speedup, seq.Total/conc.Total; math.Abs(got-want) > 0.002 {
		t.Errorf("speed-up: got %v, want %.3f", got, want)
	}
	return seq.Total, conc.Total
}

// The events of a call are in order and before the total of its lane.
func TestRaceEventOrder(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	all := d.watch(t, "calls=200", "order").rest(t)
	state := map[string]string{} // of a lane, or of a call of it
	for _, e := range all {
		name, previous := e.Lane, map[string]string{"lane": "", "begin": "", "end": "begin", "total": "lane"}[e.kind]
		if e.Call != "" {
			name += " " + e.Call
			if state[e.Lane] != "lane" {
				t.Errorf("%s of %s while its lane is at %q", e.kind, name, state[e.Lane])
			}
		}
		if e.kind != "done" && state[name] != previous {
			t.Errorf("%s of %s after %q, want after %q", e.kind, name, state[name], previous)
		}
		state[name] = e.kind
	}
	for name, last := range state {
		if last != "end" && last != "total" && last != "done" {
			t.Errorf("the last event of %q is %q", name, last)
		}
	}
	if len(all) != 2+2*2*200+2+1 {
		t.Errorf("%d events, want 2 lanes, 200 begins and ends in each, 2 totals, done", len(all))
	}
}

func TestRaceWithoutCalls(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	all := d.watch(t, "calls=0", "nothing").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		got := only(t, all, "total", lane)
		if string(got.Answer) != `"ok"` || got.Peak != 0 || got.SeenBy != "demo-api" {
			t.Errorf("%s: got %+v, want ok, peak 0 by demo-api", lane, got)
		}
	}
	if got := only(t, all, "done", ""); got.Speedup != 0 {
		t.Errorf("speed-up %v, want none", got.Speedup)
	}
}

// Without the journal of delay-server, demo-api counts the calls in flight.
func TestPeakInFlight(t *testing.T) {
	secret := func(c *server.Config) { c.AdminToken = "secret" }
	off := func(c *server.Config) { c.Admin = false }
	for _, tc := range []struct {
		name, query   string
		srv           *delaytest.Server // nil for url
		url           string
		token, seenBy string
		concurrent    int
	}{
		{"the right token", "calls=3&delay=20", delaytest.NewServer(t, secret), "", "secret", "delay-server", 3},
		{"a wrong token", "calls=3&delay=20", delaytest.NewServer(t, secret), "", "guess", "demo-api", 3},
		{"no token", "calls=3&delay=20", delaytest.NewServer(t, secret), "", "", "demo-api", 3},
		{"a query", "calls=3&delay=20&db=500", delaytest.NewServer(t), "", "", "demo-api", 3}, // see ADMIN=false
		{"another server", "calls=3", nil, newFake(t, respondTogether(3)).URL, "", "demo-api", 3},
		{"a limit", "calls=4&limit=2", nil, newFake(t, respondTogether(2)).URL, "", "demo-api", 2},
		// No test can freeze its clock. The delay is longer than a busy machine stalls.
		{"ADMIN=false", "calls=3&delay=500", nil, delaytest.NewServer(t, off).URL, "", "demo-api", 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.srv != nil {
				tc.srv.Clock().Freeze()
				tc.url = tc.srv.URL
			}
			client := upstream.New(tc.url, time.Minute, 10)
			client.Token = tc.token
			t.Cleanup(client.Close)
			d := startWith(t, options(), client, database(t, time.Minute))
			race := d.watch(t, tc.query, "peak")
			var all []event
			if tc.srv != nil {
				for len(of(all, "begin", "concurrent")) < tc.concurrent {
					e, ok := race.next(t)
					if !ok {
						t.Fatalf("got %+v, want %d calls at once", all, tc.concurrent)
					}
					all = append(all, e)
				}
				waiting := 1 + tc.concurrent
				if strings.Contains(tc.query, "db") {
					waiting--
				}
				tc.srv.Clock().Await(waiting)
				tc.srv.Clock().Unfreeze()
			}
			all = append(all, race.rest(t)...)
			seq, conc := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
			if seq.Peak != 1 || conc.Peak != tc.concurrent {
				t.Errorf("peaks %d and %d, want 1 and %d", seq.Peak, conc.Peak, tc.concurrent)
			}
			if seq.SeenBy != tc.seenBy || conc.SeenBy != tc.seenBy {
				t.Errorf("peaks by %s and %s, want by %s", seq.SeenBy, conc.SeenBy, tc.seenBy)
			}
		})
	}
}

func TestRaceWithAQuery(t *testing.T) {
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	all := d.watch(t, "calls=2&delay=80&db=40", "db").rest(t)
	seq, conc := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
	const body = `{"r1":200,"db":200}`
	if seq.Total < 120 || conc.Total < 80 || string(seq.Answer) != body || string(conc.Answer) != body {
		t.Errorf("got %v ms, %s and %v ms, %s; want 120 ms or more, 80 or more",
			seq.Total, seq.Answer, conc.Total, conc.Answer)
	}
	if last := of(all, "end", "sequential")[1]; last.Call != "db" || last.Status != 200 {
		t.Errorf("the last call: got %+v, want db, 200", last)
	}
}

// The problem of a lane is the problem of its endpoint.
func TestFailedRace(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	all := d.watch(t, "calls=3", "fails").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		got := only(t, all, "failed", lane)
		if got.Problem.Type != problem.CallFailed || got.Problem.Call == "" {
			t.Errorf("%s: got %+v, want %s with a call", lane, got.Problem, problem.CallFailed)
		}
		for _, e := range of(all, "end", lane) {
			if e.Status != 0 {
				t.Errorf("%s: %s ended with status %d, want none", lane, e.Call, e.Status)
			}
		}
	}
	if got := only(t, all, "done", ""); got.Speedup != 0 {
		t.Errorf("speed-up %v, want none", got.Speedup)
	}
}

func TestRaceWithUnreachableDatabase(t *testing.T) {
	client := upstream.New(delaytest.NewServer(t).URL, time.Minute, 10)
	t.Cleanup(client.Close)
	all := startWith(t, options(), client, unreachableDatabase{}).watch(t, "calls=2&db=5", "no-db").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		for _, e := range of(all, "end", lane) {
			if e.Call == "db" && e.Status != 0 {
				t.Errorf("%s: db ended with status %d, want none", lane, e.Status)
			}
		}
		if got := only(t, all, "failed", lane).Problem; got.Type != problem.CallFailed || got.Call != "db" {
			t.Errorf("%s: got %+v, want %s with the call db", lane, got, problem.CallFailed)
		}
	}
}

func TestBadRace(t *testing.T) {
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		want        problem.Type
	}{
		{"an invalid value", "calls=1001&delay=1", problem.InvalidParameter},
		{"a conflict", "calls=0&db=5", problem.ConflictingParameters},
		{"empty, and given twice", "calls=&calls=", problem.RepeatedParameter},
		{"a misspelled name, empty", "cals=", problem.UnknownParameter},
		{"malformed", "calls=%zz", problem.MalformedQuery},
	} {
		t.Run(tc.name, func(t *testing.T) { d.get(t, "/race/events?"+tc.query).problem(t, tc.want) })
	}
	long := map[string]string{"X-Run-Id": strings.Repeat("x", 190)} // 201 with the suffix of a lane
	d.send(t, "GET", "/race/events", long, nil).problem(t, problem.InvalidHeader)
	d.send(t, "HEAD", "/race/events", nil, nil)
	if n := s.received().started; n != 0 {
		t.Errorf("%d calls were made, want none", n)
	}
}

// An EventSource that reconnects sends the last ID. It stops after a 204.
func TestReconnectIsRejected(t *testing.T) {
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, path := range []string{"/race/events?calls=3", "/sweep/events?calls=1"} {
		for _, id := range []string{"race-7", ""} {
			got := d.send(t, "GET", path, map[string]string{"Last-Event-ID": id}, nil)
			if got.StatusCode != http.StatusNoContent || got.body != "" {
				t.Errorf("GET %s with Last-Event-ID %q: got %d %s, want 204", path, id, got.StatusCode, got.body)
			}
		}
	}
	if n := s.received().started; n != 0 {
		t.Errorf("%d calls were made, want none", n)
	}
}

// Each stream has the events of its own race.
func TestFiftyRaces(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	var readers sync.WaitGroup
	for n := range 50 {
		id, calls := fmt.Sprintf("race-%d", n), 1+n%7
		race := d.watch(t, fmt.Sprintf("calls=%d&delay=100", calls), id)
		readers.Go(func() {
			all := race.rest(t)
			for _, lane := range []string{"sequential", "concurrent"} {
				if got := only(t, all, "lane", lane); got.Run != id+"-"+lane {
					t.Errorf("%s has the run %s", id, got.Run)
				}
				if got := len(of(all, "end", lane)); got != calls {
					t.Errorf("%s: %s: %d calls ended, want %d", id, lane, got, calls)
				}
			}
			if len(all) != 2+2*2*calls+2+1 {
				t.Errorf("%s: %d events of a race of %d calls", id, len(all), calls)
			}
		})
	}
	readers.Wait()
	for n := range 50 {
		for _, lane := range []string{"sequential", "concurrent"} {
			run := srv.Run(fmt.Sprintf("race-%d-%s", n, lane)).Settled()
			if run.Requests != 1+n%7 {
				t.Errorf("run %s: %d requests, want %d", run.ID, run.Requests, 1+n%7)
			}
		}
	}
}

// The calls of a race are cancelled when its client leaves.
func TestClientThatLeavesARace(t *testing.T) {
	srv := delaytest.NewServer(t)
	srv.Clock().Freeze()
	d := start(t, options(), srv.URL, time.Minute)
	race := d.watch(t, "calls=20&delay=1s", "leaver")
	srv.Clock().Await(21)
	race.leave()
	for lane, want := range map[string]int{"sequential": 1, "concurrent": 20} {
		run := srv.Run("leaver-" + lane).Settled()
		if run.Requests != want {
			t.Errorf("%s: %d requests, want %d", lane, run.Requests, want)
		}
		for _, wait := range run.Waits {
			if wait.Outcome != "client_closed" {
				t.Errorf("%s: a call's outcome is %q, want client_closed", lane, wait.Outcome)
			}
		}
	}
	d.Close()
	if log := d.log.String(); log != "" {
		t.Errorf("log: got %q, want none", log)
	}
}

func TestMaxInFlight(t *testing.T) {
	o := options()
	o.MaxCalls, o.MaxInFlight = 10, 12
	srv := delaytest.NewServer(t)
	srv.Clock().Freeze()
	d := start(t, o, srv.URL, time.Minute)
	ten := sendRun(t, d, "/async_get_data?calls=10&delay=1s", "ten")
	srv.Clock().Await(10)
	eleventh := sendRun(t, d, "/get_data?calls=5&delay=1s", "eleventh") // one at a time
	srv.Clock().Await(11)
	for _, tc := range []struct {
		name, path string
		needed     int
	}{
		{"two at once", "/async_get_data?calls=2", 2},
		{"two by their limit", "/async_get_data?calls=5&limit=2", 2},
		{"a race of one", "/race/events?calls=1", 2},
		{"a race of ten", "/race/events?calls=10", 11},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, tc.path)
			p := got.problem(t, problem.TooManyCalls)
			want := fmt.Sprintf("too many calls in flight (MAX_IN_FLIGHT=12); this request needs %d", tc.needed)
			if after := got.Header.Get("Retry-After"); p.Detail != want || after != "1" {
				t.Errorf("GET %s: Retry-After %q, %s\nwant 1, %s", tc.path, after, p.Detail, want)
			}
		})
	}
	for _, path := range []string{
		"/get_data?calls=0", "/async_get_data?calls=0", "/get_data?calls=3&delay=0", "/readyz",
	} {
		if got := d.get(t, path); got.StatusCode != 200 {
			t.Errorf("with one call free: GET %s = %d %s, want 200", path, got.StatusCode, got.body)
		}
	}
	srv.Clock().Unfreeze()
	srv.Clock().Scale(0.01)
	for range 2 {
		select {
		case got := <-ten:
			ten = nil
			if got.StatusCode != 200 {
				t.Errorf("ten calls: %d %s", got.StatusCode, got.body)
			}
		case got := <-eleventh:
			eleventh = nil
			if got.StatusCode != 200 {
				t.Errorf("the eleventh call: %d %s", got.StatusCode, got.body)
			}
		}
	}
	wiretest.Eventually(t, "all calls have ended", func() bool {
		return d.get(t, "/async_get_data?calls=10&delay=0").StatusCode == 200
	})
	for range 2 { // a race returns its calls
		only(t, d.watch(t, "calls=10&delay=0", "after").rest(t), "done", "")
	}
}

func TestShutdownEndsARace(t *testing.T) {
	o := options()
	o.HTTP.ShutdownTimeout = 0
	s := newFake(t, hang)
	d := serve(t, o, s.URL)
	got := sendAsync(t.Context(), t, transport(t, false), d.url+"/race/events?calls=3", nil)
	wiretest.Eventually(t, "the calls start", func() bool { return s.received().started == 4 })
	d.stop()
	r := <-got
	if r.err != nil || strings.Count(r.reply.body, `"problem":{"type":"/problems/shutting-down"`) != 2 {
		t.Errorf("got %+v, %v, want both lanes to fail with %s", r.reply.body, r.err, problem.ShuttingDown)
	}
}

// The calls of both lanes ask for the same delays, by a seed if only delay-server can
// draw them.
func TestRaceRequests(t *testing.T) {
	var mu sync.Mutex
	targets := map[string][]string{} // by run
	s := newFake(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		run := r.Header.Get("X-Run-Id")
		targets[run] = append(targets[run], r.URL.RequestURI())
	})
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct {
		name, query, form string
		different         int
	}{
		{"a distribution", "calls=20&delay=lognormal:10s,20s", `^/delay/[\d.]+/$`, 20},
		{"a seed", "calls=20&delay=lognormal:10s,20s&seed=7", `^/delay/[\d.]+/$`, 20},
		{"a recording", "calls=20&delay=recorded:shop", `^/delay/recorded:shop/\?seed=\d+$`, 20},
		{"a fixed delay", "calls=20&delay=5ms", `^/delay/5ms/$`, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clear(targets)
			d.watch(t, tc.query, "r").rest(t)
			seq, conc := targets["r-sequential"], targets["r-concurrent"]
			slices.Sort(seq)
			slices.Sort(conc)
			if len(seq) != 20 || !slices.Equal(seq, conc) {
				t.Fatalf("the calls of the lanes are\n%q\n%q\nwant the same 20", seq, conc)
			}
			form := regexp.MustCompile(tc.form)
			if different := len(slices.Compact(seq)); different != tc.different || !form.MatchString(seq[0]) {
				t.Errorf("got %q, want %d different ones of the form %s", seq, tc.different, form)
			}
		})
	}
}

// A random delay is the same in both lanes.
func TestRaceWithRandomDelays(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	d.watch(t, "calls=10&delay=uniform:1ms,40ms", "same").rest(t)
	waits := func(lane string) []time.Duration {
		var asked []time.Duration
		for _, r := range srv.Run("same-" + lane).Settled().Waits {
			asked = append(asked, r.Asked)
		}
		slices.Sort(asked)
		return asked
	}
	if seq, conc := waits("sequential"), waits("concurrent"); len(seq) != 10 || !slices.Equal(seq, conc) {
		t.Errorf("asked waits: got\n%v\n%v\nwant the same ten", seq, conc)
	}
}

func TestLaneTitles(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for query, want := range map[string]string{
		"calls=20": "All at once", "calls=20&limit=10": "Ten at once", "calls=3&limit=3": "All at once",
	} {
		all := d.watch(t, query+"&delay=0", "r").rest(t)
		if got := only(t, all, "lane", "sequential").Title; got != "One after another" {
			t.Errorf("%s: the sequential lane is %q, want One after another", query, got)
		}
		if got := only(t, all, "lane", "concurrent").Title; got != want {
			t.Errorf("%s: the concurrent lane is %q, want %s", query, got, want)
		}
		if page := d.get(t, "/?"+query).body; !strings.Contains(page, `<h2 id="concurrent-title">`+want+"</h2>") {
			t.Errorf("GET /?%s: the title of the second lane is not %s", query, want)
		}
	}
}
