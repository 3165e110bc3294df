package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"

	"flash.test/delay-server/kit/wiretest"
)

// sweepEvent is an event of a sweep.
type sweepEvent struct{ name, data string }

// sweepEvents returns the events of a sweep.
func sweepEvents(t testing.TB, got reply) (all []sweepEvent) {
	t.Helper()
	if mediaType := got.Header.Get("Content-Type"); got.StatusCode != 200 || mediaType != "text/event-stream" {
		t.Fatalf("got %s, %s, %s; want 200, text/event-stream", got.Status, mediaType, got.body)
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(got.body, "\n\n"), "\n\n") {
		_, block, _ = strings.Cut("\n"+block, "\nevent: ") // after an ID
		name, data, ok := strings.Cut(block, "\ndata: ")
		if !ok {
			t.Fatalf("the stream has the event %q", block)
		}
		all = append(all, sweepEvent{name, data})
	}
	return all
}

// names returns the names of events.
func names(all []sweepEvent) string {
	var names []string
	for _, e := range all {
		names = append(names, e.name)
	}
	return strings.Join(names, " ")
}

// point is the data of an event point.
type point struct {
	Calls      int      `json:"calls"`
	Sequential *float64 `json:"sequential_ms"`
	Expected   *float64 `json:"expected_ms"`
	Concurrent float64  `json:"concurrent_ms"`
	Speedup    *float64 `json:"speedup"`
	Rate       float64  `json:"calls_per_second"`
	Knee       bool     `json:"knee"`
}

func decode[T any](t testing.TB, e sweepEvent) (data T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(e.data))
	d.DisallowUnknownFields()
	if err := d.Decode(&data); err != nil {
		t.Fatalf("event %s: %s: %v", e.name, e.data, err)
	}
	return data
}

type sweepStart struct {
	Calls  []int   `json:"calls"`
	Run    string  `json:"run"`
	Budget float64 `json:"budget_ms"`
}

// On a busy machine, it tries up to three times for the eight calls to overlap.
func TestSweep(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	for i := range 3 {
		id := fmt.Sprintf("sweep-%d", i)
		speedup := sweepOfThree(t, d, id)
		run := srv.Run(id).Settled()
		if run.Requests != 2*(1+2+8) || run.PeakInFlight > 8 {
			t.Errorf("delay-server received %d requests, %d at once; want 22, at most 8",
				run.Requests, run.PeakInFlight)
		}
		if speedup >= 2 && run.PeakInFlight == 8 {
			return
		}
		t.Logf("8 calls at once, %d of them in flight, were %.1f times as fast as one after another",
			run.PeakInFlight, speedup)
	}
	t.Error("8 calls at once were less than twice as fast, or not all in flight, in each of 3 sweeps")
}

// sweepOfThree checks a sweep of 1, 2 and 8 calls. It returns the speed-up of 8 calls.
func sweepOfThree(t *testing.T, d demo, id string) (speedup float64) {
	t.Helper()
	const wait = 100.0 // ms
	got := d.send(t, "GET", "/sweep/events?calls=1,2,8&delay=100&_=17", map[string]string{"X-Run-Id": id}, nil)
	all := sweepEvents(t, got)
	if names(all) != "sweep point point point done" || !strings.HasPrefix(got.body, "id: "+id+"\n") {
		t.Fatalf("the stream is\n%s\nwant the events sweep, three points, done", got.body)
	}
	if got.Header.Get("X-Run-Id") != id || got.Header.Get("X-Ignored-Parameters") != "_" {
		t.Errorf("headers %v, want the run and the ignored parameter", got.Header)
	}
	b := decode[sweepStart](t, all[0])
	if !slices.Equal(b.Calls, []int{1, 2, 8}) || b.Run != id || b.Budget != 10_000 {
		t.Errorf("the first event is %+v, want 1, 2 and 8 calls of the run %s, a budget of 10s", b, id)
	}
	for i, calls := range []int{1, 2, 8} {
		p := decode[point](t, all[1+i])
		if p.Calls != calls || p.Sequential == nil || p.Expected != nil {
			t.Errorf("point %d: %s; want %d calls, both times measured", i, all[1+i].data, calls)
			continue
		}
		if *p.Sequential < wait*float64(calls) || p.Concurrent < wait {
			t.Errorf("point %d: %s; want at least the waits", i, all[1+i].data)
		}
		if want := *p.Sequential / p.Concurrent; p.Speedup == nil || *p.Speedup < want-0.01 || *p.Speedup > want+0.01 {
			t.Errorf("point %d: %s; want a speed-up of %.3f", i, all[1+i].data, want)
		}
		if want := float64(calls) / p.Concurrent * 1000; p.Rate < want-0.1 || p.Rate > want+0.1 {
			t.Errorf("point %d: %s; want %.3f calls a second", i, all[1+i].data, want)
		}
	}
	if last := decode[point](t, all[3]); last.Speedup != nil {
		speedup = *last.Speedup
	}
	return speedup
}

// A thousand sequential calls would take 20s: they are not made.
func TestSweepOverBudget(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	got := d.send(t, "GET", "/sweep/events?calls=1,1000&delay=20&limit=100", map[string]string{"X-Run-Id": "wide"}, nil)
	all := sweepEvents(t, got)
	last := decode[point](t, all[2])
	if last.Sequential != nil || last.Speedup != nil || last.Expected == nil || *last.Expected < 20_000 {
		t.Errorf("1000 calls of 20 ms: %s; want an estimate of 20 s or more", all[2].data)
	}
	first := decode[point](t, all[1])
	if first.Knee || first.Expected != nil {
		t.Errorf("one call: %s; want no knee and no estimate", all[1].data)
	}
	if isKnee := last.Concurrent > 1.5*first.Concurrent; last.Concurrent < 10*20 || last.Knee != isKnee {
		t.Errorf("1000 calls of 20 ms, 100 at once: %s; want 200 ms or more, a knee: %v", all[2].data, isKnee)
	}
	if run := srv.Run("wide").Settled(); run.Requests != 2+1000 || run.PeakInFlight > 100 {
		t.Errorf("delay-server received %d requests, %d at once; want 1002, at most 100",
			run.Requests, run.PeakInFlight)
	}
}

func TestFailedSweep(t *testing.T) {
	for _, tc := range []struct {
		name    string
		respond respondFunc
		detail  string
	}{
		{"an error status", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 2 {
				w.WriteHeader(503)
			}
		}, "call r1: got status 503 Service Unavailable"},
		{"no response", respondThenClose(2), "call r1: delay-server cannot be reached"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := start(t, options(), newFake(t, tc.respond).URL, time.Minute)
			all := sweepEvents(t, d.get(t, "/sweep/events?calls=1,2,3"))
			if names(all) != "sweep point failed" {
				t.Fatalf("the events are %v, want sweep, point, failed", all)
			}
			failed := decode[struct {
				Calls   int             `json:"calls"`
				Problem problem.Problem `json:"problem"`
			}](t, all[2])
			p := failed.Problem
			isCallFailed := p.Type == problem.CallFailed && p.Call == "r1" && strings.Contains(p.Detail, tc.detail)
			if failed.Calls != 2 || !isCallFailed {
				t.Errorf("got %s; want 2 calls, %s, %s", all[2].data, problem.CallFailed, tc.detail)
			}
		})
	}
}

func TestClientThatLeavesASweep(t *testing.T) {
	s := newFake(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n > 3 { // the second of three sequential calls
			hang(n, w, r)
		}
	})
	d := start(t, options(), s.URL, time.Minute)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, "GET", d.URL+"/sweep/events?calls=1,3", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := d.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan() && lines.Text() != "event: point"; {
	}
	wiretest.Eventually(t, "the hanging call starts", func() bool { return s.received().started == 4 })
	leave()
	wiretest.Eventually(t, "the call is cancelled", func() bool { return s.received().cancelled == 1 })
	if got := s.received(); got.started != 4 || got.ended != 4 {
		t.Errorf("%d calls started, %d ended; want 4 and none after the client left", got.started, got.ended)
	}
}

func TestSweepMaxInFlight(t *testing.T) {
	o := options()
	o.MaxInFlight = 10
	d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
	d.get(t, "/sweep/events?calls=1,11").problem(t, problem.TooManyCalls)
	for _, query := range []string{"calls=1,10", "calls=1,50&limit=10"} {
		if got := d.get(t, "/sweep/events?"+query); got.StatusCode != 200 {
			t.Errorf("GET /sweep/events?%s = %s %s, want 200", query, got.Status, got.body)
		}
	}
}

func TestBadSweep(t *testing.T) {
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		want        problem.Type
		detail      string // "" if another package tests the text
	}{
		{"invalid calls", "calls=4,2", problem.InvalidParameter, `calls "4,2" is invalid: 2 after 4`},
		{"repeated calls", "calls=1&calls=2", problem.RepeatedParameter, ""},
		{"an invalid delay", "delay=soon", problem.InvalidParameter, ""},
		{"an invalid limit", "limit=0", problem.InvalidParameter, ""},
		{"a misspelled name", "call=3", problem.UnknownParameter, ""},
		{"a bad escape", "calls=%zz", problem.MalformedQuery, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := d.get(t, "/sweep/events?"+tc.query).problem(t, tc.want)
			if !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("GET /sweep/events?%s: %s\nwant … %s …", tc.query, p.Detail, tc.detail)
			}
			page := d.get(t, "/sweep?"+tc.query)
			if page.StatusCode != 400 || strings.Count(page.body, `class="bad"`) != 1 {
				t.Errorf("GET /sweep?%s = %s, want 400 with one error", tc.query, page.Status)
			}
		})
	}
	if n := s.received().started; n != 0 {
		t.Errorf("%d calls were made, want none", n)
	}
}

// Empty fields of the form have the defaults.
func TestSweepDefaults(t *testing.T) {
	o := options()
	o.MaxCalls = 3
	d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
	for _, query := range []string{"", "?calls=&delay=&limit="} {
		all := sweepEvents(t, d.get(t, "/sweep/events"+query))
		if b := decode[sweepStart](t, all[0]); !slices.Equal(b.Calls, []int{1, 2, 3}) {
			t.Errorf("GET /sweep/events%s measures %v calls, want 1, 2, 3", query, b.Calls)
		}
	}
	if got := d.send(t, "HEAD", "/sweep/events", nil, nil); got.StatusCode != 405 {
		t.Errorf("HEAD /sweep/events = %s, want 405", got.Status)
	}
}

func TestSweepPage(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	for _, tc := range []struct {
		name, query string
		status      int
		want        []string
	}{
		{"the defaults", "", 200, []string{
			`value="1,…,1000"`, `value="100ms"`, `src="/assets/sweep.js"`, `href="/assets/sweep.css"`,
			"demo-api sweep --calls 1,2,4,…,1000",
		}},
		{"all fields", "?calls=1,5&delay=2s&limit=7", 200, []string{`value="1,5"`, `value="2s"`, `value="7"`}},
		{"an invalid field", "?calls=5,1&delay=2s", 400, []string{
			`value="5,1"`, `aria-invalid="true"`, `1 after 5 is invalid`, `value="2s"`,
		}},
		{"a misspelled name", "?dealy=2s", 400, []string{`role="alert"`, "did you mean &#34;delay&#34;?"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, "/sweep"+tc.query)
			if got.StatusCode != tc.status {
				t.Errorf("GET /sweep%s = %s, want %d", tc.query, got.Status, tc.status)
			}
			for _, want := range tc.want {
				if !strings.Contains(got.body, want) {
					t.Errorf("GET /sweep%s: no %s in it", tc.query, want)
				}
			}
		})
	}
}
