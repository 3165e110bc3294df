package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
	delayserver "flash.test/delay-server/server"

	"flash.test/demo-api/internal/upstream"
)

// event is one of a race's, with the fields of all kinds.
type event struct {
	kind string
	id   string

	Lane    string          `json:"lane"`
	Run     string          `json:"run"`
	Title   string          `json:"title"`
	Calls   int             `json:"calls"`
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

// stream is a race that is being watched.
type stream struct {
	*http.Response
	lines *bufio.Scanner
	leave context.CancelFunc
}

// watch opens the event stream of a race whose runs begin with id.
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
	if typ := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || typ != "text/event-stream" {
		text, _ := io.ReadAll(resp.Body)
		t.Fatalf("GET /race/events?%s = %d, %s %s, want 200, text/event-stream", query, resp.StatusCode, typ, text)
	}
	return &stream{resp, bufio.NewScanner(resp.Body), leave}
}

// next returns the next event, or false at the stream's end.
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

// rest returns the events to the end of the stream.
func (s *stream) rest(t testing.TB) []event {
	t.Helper()
	var all []event
	for e, ok := s.next(t); ok; e, ok = s.next(t) {
		all = append(all, e)
	}
	return all
}

// of returns the events of a kind of a lane.
func of(all []event, kind, lane string) []event {
	var some []event
	for _, e := range all {
		if e.kind == kind && e.Lane == lane {
			some = append(some, e)
		}
	}
	return some
}

// only returns the one event of a kind of a lane.
func only(t testing.TB, all []event, kind, lane string) event {
	t.Helper()
	some := of(all, kind, lane)
	if len(some) != 1 {
		t.Fatalf("%d events %s of lane %q, want one, in %+v", len(some), kind, lane, all)
	}
	return some[0]
}

// On a clock that the test moves on: both lanes at the same time, one call in
// flight in one, all in the other.
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
	turn, once := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")

	delaytest.AssertSequential(t, srv.Run("race-7-sequential"))
	delaytest.AssertConcurrent(t, srv.Run("race-7-concurrent"), 3)
	for _, tc := range []struct {
		total event
		peak  int
		path  string
	}{{turn, 1, "/get_data"}, {once, 3, "/async_get_data"}} {
		run := srv.Run("race-7-" + tc.total.Lane).Settled()
		if tc.total.Peak != tc.peak || run.PeakInFlight != tc.peak || tc.total.SeenBy != "delay-server" {
			t.Errorf("%s: peak %d, seen by %s, in the journal %d, want %d of delay-server", tc.total.Lane, tc.total.Peak, tc.total.SeenBy, run.PeakInFlight, tc.peak)
		}
		if string(tc.total.Answer) != `{"r1":200,"r2":200,"r3":200}` {
			t.Errorf("%s: answer %s", tc.total.Lane, tc.total.Answer)
		}
		lane := only(t, all, "lane", tc.total.Lane)
		if want := "curl '" + d.URL + tc.path + "?calls=3&delay=1s'"; lane.Curl != want || lane.Calls != 3 || lane.Run != "race-7-"+tc.total.Lane {
			t.Errorf("%s: got %+v, want run race-7-%s, 3 calls, %s", tc.total.Lane, lane, tc.total.Lane, want)
		}
	}
	if all[0].kind != "lane" || all[1].kind != "lane" || all[len(all)-1].kind != "done" {
		t.Errorf("got %+v, want both lanes first and done last", all)
	}
	if all[0].id != "race-7" || race.Header.Get("X-Run-Id") != "race-7" {
		t.Errorf("id %q, X-Run-Id %q, want race-7 of both", all[0].id, race.Header.Get("X-Run-Id"))
	}
}

// Times that were measured agree with each other.
func TestRaceFigures(t *testing.T) {
	const calls, wait, cut = 5, 40.0, 0.01 // ms
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
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
			if delete(begun, e.Call); !known || e.At-from < wait-cut || e.Status != 200 {
				t.Errorf("%s: %s from %v to %v, status %d, want %v ms or more, 200", lane, e.Call, from, e.At, e.Status, wait)
			}
			sum += e.At - from
			last = max(last, e.At)
		}
		if total.Sum < calls*wait || total.Sum < sum-2*calls*cut || total.Total < last {
			t.Errorf("%s: total %v ms, sum %v ms; its calls end at %v ms and sum to %v ms", lane, total.Total, total.Sum, last, sum)
		}
	}
	turn, once := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
	if turn.Total < turn.Sum || turn.Sum < calls*wait || once.Total < wait || once.Total >= turn.Total {
		t.Errorf("sequential: total %v, sum %v; concurrent: total %v, sum %v; want the sum, and the slowest", turn.Total, turn.Sum, once.Total, once.Sum)
	}
	if got, want := only(t, all, "done", "").Speedup, turn.Total/once.Total; math.Abs(got-want) > 0.002 {
		t.Errorf("speed-up: got %v, want %.3f", got, want)
	}
}

// A call's events come in their order, and those of a lane before its total.
func TestRaceOrder(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	all := d.watch(t, "calls=200", "order").rest(t)
	state := map[string]string{} // of a lane, or of a call of it
	for _, e := range all {
		name, after := e.Lane, map[string]string{"lane": "", "begin": "", "end": "begin", "total": "lane"}[e.kind]
		if e.Call != "" {
			name += " " + e.Call
			if state[e.Lane] != "lane" {
				t.Errorf("%s of %s when its lane is at %q", e.kind, name, state[e.Lane])
			}
		}
		if e.kind != "done" && state[name] != after {
			t.Errorf("%s of %s after %q, want after %q", e.kind, name, state[name], after)
		}
		state[name] = e.kind
	}
	for name, last := range state {
		if last != "end" && last != "total" && last != "done" {
			t.Errorf("the last of %q is %q", name, last)
		}
	}
	if len(all) != 2+2*2*200+2+1 {
		t.Errorf("%d events, want 2 lanes, 200 begins and ends in each, 2 totals, done", len(all))
	}
}

func TestRaceOfNothing(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	all := d.watch(t, "calls=0", "nothing").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		if got := only(t, all, "total", lane); string(got.Answer) != `"ok"` || got.Peak != 0 || got.SeenBy != "demo-api" {
			t.Errorf("%s: got %+v, want ok, peak 0 by demo-api", lane, got)
		}
	}
	if got := only(t, all, "done", ""); got.Speedup != 0 {
		t.Errorf("speed-up %v, want none: there was nothing to call", got.Speedup)
	}
}

// Whoever else is called, or does not tell its journal: demo-api's own count.
func TestPeakWithoutAJournal(t *testing.T) {
	secret := func(c *delayserver.Config) { c.AdminToken = "secret" }
	off := func(c *delayserver.Config) { c.Admin = false }
	for _, tc := range []struct {
		name, query, url, token, seenBy string
		once                            int
	}{
		{"the token of delay-server", "calls=3", delaytest.NewServer(t, secret).URL, "secret", "delay-server", 3},
		{"another token", "calls=3", delaytest.NewServer(t, secret).URL, "guess", "demo-api", 3},
		{"no token", "calls=3", delaytest.NewServer(t, secret).URL, "", "demo-api", 3},
		{"ADMIN=false", "calls=3", delaytest.NewServer(t, off).URL, "", "demo-api", 3},
		{"no delay-server", "calls=3", newSlow(t, answered(20*time.Millisecond)).URL, "", "demo-api", 3},
		{"a limit", "calls=4&limit=2", newSlow(t, answered(20*time.Millisecond)).URL, "", "demo-api", 2},
		{"a query, which delay-server does not see", "calls=3&db=20", delaytest.NewServer(t).URL, "", "demo-api", 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client := upstream.New(tc.url, time.Minute, 10)
			client.Token = tc.token
			t.Cleanup(client.Close)
			all := startWith(t, options(), client, database(t, time.Minute)).watch(t, tc.query+"&delay=20", "peak").rest(t)
			turn, once := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
			if turn.Peak != 1 || once.Peak != tc.once || turn.SeenBy != tc.seenBy || once.SeenBy != tc.seenBy {
				t.Errorf("peaks %d by %s and %d by %s, want 1 and %d by %s", turn.Peak, turn.SeenBy, once.Peak, once.SeenBy, tc.once, tc.seenBy)
			}
		})
	}
}

func TestRaceWithAQuery(t *testing.T) {
	d := start(t, options(), delaytest.NewServer(t).URL, time.Minute)
	all := d.watch(t, "calls=2&delay=80&db=40", "db").rest(t)
	turn, once := only(t, all, "total", "sequential"), only(t, all, "total", "concurrent")
	if turn.Total < 120 || once.Total < 80 || string(turn.Answer) != `{"r1":200,"db":200}` || string(once.Answer) != `{"r1":200,"db":200}` {
		t.Errorf("got %v ms, %s and %v ms, %s; want 120 ms or more, 80 or more", turn.Total, turn.Answer, once.Total, once.Answer)
	}
	if last := of(all, "end", "sequential")[1]; last.Call != "db" || last.Status != 200 {
		t.Errorf("the last call: got %+v, want db, 200", last)
	}
}

// A lane that fails says why, as its endpoint would, and leaves the other alone.
func TestRaceThatFails(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	all := d.watch(t, "calls=3", "fails").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		got := only(t, all, "failed", lane)
		if got.Problem.Status != 502 || got.Problem.Call == "" || !strings.Contains(got.Problem.Detail, "connection refused") {
			t.Errorf("%s: got %+v, want a problem of 502 that names the call", lane, got.Problem)
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

type noDatabase struct{}

func (noDatabase) Query(context.Context, time.Duration) error {
	return &upstream.Error{Who: "database", Kind: upstream.ErrUnreachable, Reason: "gone"}
}

func TestRaceWithoutItsDatabase(t *testing.T) {
	client := upstream.New(delaytest.NewServer(t).URL, time.Minute, 10)
	t.Cleanup(client.Close)
	all := startWith(t, options(), client, noDatabase{}).watch(t, "calls=2&db=5", "no-db").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		for _, e := range of(all, "end", lane) {
			if e.Call == "db" && e.Status != 0 {
				t.Errorf("%s: db ended with status %d, want none", lane, e.Status)
			}
		}
		if got := only(t, all, "failed", lane).Problem; got.Status != 502 || got.Call != "db" {
			t.Errorf("%s: got %+v, want a problem of 502 that names db", lane, got)
		}
	}
}

func TestBadRaces(t *testing.T) {
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, query, detail string }{
		{"calls: too many", "calls=1001", "accepted: a whole number from 0 to 1000"},
		{"calls: a word", "calls=many&delay=1", `calls "many" is not accepted`},
		{"delay: no form", "delay=soon", `delay "soon"`},
		{"delay: too long", "delay=11m", "accepted: up to 10m0s"},
		{"db: no form", "db=soon", `db "soon"`},
		{"db: without a call", "calls=0&db=5", "calls is 0"},
		{"limit: none at once", "limit=0", `limit "0" is not accepted`},
		{"empty, and given twice", "calls=&calls=", "given 2 times"},
		{"a misspelt name, empty", "cals=", "did you mean \"calls\"?"},
		{"malformed", "calls=%zz", "use name=value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if p := d.get(t, "/race/events?"+tc.query).problem(t, 400); !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("GET /race/events?%s: %s, want … %s …", tc.query, p.Detail, tc.detail)
			}
		})
	}
	long := map[string]string{"X-Run-Id": strings.Repeat("x", 190)}
	if p := d.send(t, "GET", "/race/events", long, nil).problem(t, 400); !strings.Contains(p.Detail, "1 to 189 visible") {
		t.Errorf("X-Run-Id of 190 bytes, which a lane would make 201: %s", p.Detail)
	}
	d.send(t, "HEAD", "/race/events", nil, nil)
	if n := s.seen().come; n != 0 {
		t.Errorf("delay-server was asked %d times, want never", n)
	}
}

// An EventSource that was cut connects again with the id that it saw.
func TestRaceIsNotResumed(t *testing.T) {
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, id := range []string{"race-7", ""} {
		got := d.send(t, "GET", "/race/events?calls=3", map[string]string{"Last-Event-ID": id}, nil)
		if got.StatusCode != http.StatusNoContent || got.body != "" {
			t.Errorf("Last-Event-ID %q: got %d %s, want 204, which ends it", id, got.StatusCode, got.body)
		}
	}
	if n := s.seen().come; n != 0 {
		t.Errorf("delay-server was asked %d times, want never", n)
	}
}

// Each of fifty viewers sees its own race and no other.
func TestFiftyViewers(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	var viewers sync.WaitGroup
	for n := range 50 {
		id, calls := fmt.Sprintf("viewer-%d", n), 1+n%7
		race := d.watch(t, fmt.Sprintf("calls=%d&delay=100", calls), id)
		viewers.Go(func() {
			all := race.rest(t)
			for _, lane := range []string{"sequential", "concurrent"} {
				if got := only(t, all, "lane", lane); got.Run != id+"-"+lane {
					t.Errorf("%s sees the run %s", id, got.Run)
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
	viewers.Wait()
	for n := range 50 {
		for _, lane := range []string{"sequential", "concurrent"} {
			run := srv.Run(fmt.Sprintf("viewer-%d-%s", n, lane)).Settled()
			if run.Requests != 1+n%7 {
				t.Errorf("run %s: %d requests, want %d", run.ID, run.Requests, 1+n%7)
			}
		}
	}
}

// All calls of a viewer who leaves end, as delay-server sees them leave.
func TestViewerWhoLeaves(t *testing.T) {
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
	ten := asked(t, d, "/async_get_data?calls=10&delay=1s", "ten")
	srv.Clock().Await(10)
	eleventh := asked(t, d, "/get_data?calls=5&delay=1s", "eleventh") // in turn: one at once
	srv.Clock().Await(11)
	for _, tc := range []struct{ name, path, detail string }{
		{"two at once", "/async_get_data?calls=2", "up to 2 calls at once, and 11 of the 12 that this server makes (MAX_IN_FLIGHT) are taken"},
		{"two by their limit", "/async_get_data?calls=5&limit=2", "up to 2 calls"},
		{"a race of one", "/race/events?calls=1", "up to 2 calls"},
		{"a race of ten", "/race/events?calls=10", "up to 11 calls"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, tc.path)
			if p := got.problem(t, 503); !strings.Contains(p.Detail, tc.detail) || got.Header.Get("Retry-After") != "1" {
				t.Errorf("GET %s: Retry-After %q, %s, want 1, … %s …", tc.path, got.Header.Get("Retry-After"), p.Detail, tc.detail)
			}
		})
	}
	for path, want := range map[string]int{"/get_data?calls=0": 200, "/async_get_data?calls=0": 200, "/get_data?calls=3&delay=0": 200} {
		if got := d.get(t, path); got.StatusCode != want {
			t.Errorf("GET %s = %d %s, want %d: there is room for one", path, got.StatusCode, got.body, want)
		}
	}
	srv.Clock().Unfreeze()
	srv.Clock().Scale(0.01)
	for range 2 {
		select {
		case got := <-ten:
			ten = nil
			if got.StatusCode != 200 {
				t.Errorf("ten at once: %d %s", got.StatusCode, got.body)
			}
		case got := <-eleventh:
			eleventh = nil
			if got.StatusCode != 200 {
				t.Errorf("in turn: %d %s", got.StatusCode, got.body)
			}
		}
	}
	wiretest.Eventually(t, "all have left", func() bool { return d.get(t, "/async_get_data?calls=10&delay=0").StatusCode == 200 })
	for range 2 { // the second where the first was
		only(t, d.watch(t, "calls=10&delay=0", "after").rest(t), "done", "")
	}
}

// A shutdown tells the lanes, as it tells other requests.
func TestShutdownEndsARace(t *testing.T) {
	o := options()
	o.ShutdownTimeout = 0
	s := newSlow(t, hang)
	d := serve(t, o, s.URL)
	got := ask(t.Context(), t, transport(t, false), d.url+"/race/events?calls=3", nil)
	wiretest.Eventually(t, "the calls come", func() bool { return s.seen().come == 4 })
	d.stop()
	reply := <-got
	if reply.err != nil || strings.Count(reply.reply.body, "event: failed\n") != 2 || !strings.Contains(reply.reply.body, `"status":503`) {
		t.Errorf("got %+v, %v, want both lanes to fail with 503", reply.reply.body, reply.err)
	}
}

// Both lanes wait for the same samples, call by call: what differs is the way.
func TestRaceDrawsOnce(t *testing.T) {
	var mu sync.Mutex
	asked := map[string][]string{} // queries by lane
	s := newSlow(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		run := r.Header.Get("X-Run-Id")
		asked[run] = append(asked[run], r.URL.RawQuery)
	})
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		drawn       bool
	}{
		{"a distribution", "calls=20&delay=lognormal:1,2", true},
		{"random", "calls=20&delay=random", true},
		{"a fixed delay has nothing to draw", "calls=20&delay=5", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clear(asked)
			d.watch(t, tc.query, "r").rest(t)
			turn, once := asked["r-sequential"], asked["r-concurrent"]
			slices.Sort(turn)
			slices.Sort(once)
			if len(turn) != 20 || !slices.Equal(turn, once) {
				t.Fatalf("the lanes asked for\n%q\n%q\nwant the same 20", turn, once)
			}
			if different := len(slices.Compact(turn)); tc.drawn && different != 20 || !tc.drawn && turn[0] != "" {
				t.Errorf("asked for %q, want %d seeds", turn, map[bool]int{true: 20}[tc.drawn])
			}
		})
	}
}

// The server that draws is delay-server: the same call takes as long in both lanes.
func TestRaceTakesAsLongInBothLanes(t *testing.T) {
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
	if turn, once := waits("sequential"), waits("concurrent"); len(turn) != 10 || !slices.Equal(turn, once) {
		t.Errorf("asked waits: got\n%v\n%v\nwant the same ten", turn, once)
	}
}

func TestRaceNamesItsLanes(t *testing.T) {
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	for query, want := range map[string]string{"calls=20": "All at once", "calls=20&limit=10": "Ten at once", "calls=3&limit=3": "All at once"} {
		all := d.watch(t, query+"&delay=0", "r").rest(t)
		if turn, once := only(t, all, "lane", "sequential"), only(t, all, "lane", "concurrent"); turn.Title != "One after another" || once.Title != want {
			t.Errorf("%s: the lanes are called %q and %q, want One after another and %s", query, turn.Title, once.Title, want)
		}
		if page := d.get(t, "/?"+query).body; !strings.Contains(page, `<h2 id="once-title">`+want+"</h2>") {
			t.Errorf("GET /?%s does not call the second lane %s", query, want)
		}
	}
}
