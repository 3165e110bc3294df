package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// told is an event of a sweep: its name, and its data as it came.
type told struct{ name, data string }

// swept reads the whole stream of a sweep.
func swept(t testing.TB, got reply) (all []told) {
	t.Helper()
	if typ := got.Header.Get("Content-Type"); got.StatusCode != 200 || typ != "text/event-stream" {
		t.Fatalf("got %s, %s, %s; want 200, text/event-stream", got.Status, typ, got.body)
	}
	for block := range strings.SplitSeq(strings.TrimSuffix(got.body, "\n\n"), "\n\n") {
		_, block, _ = strings.Cut("\n"+block, "\nevent: ") // behind an id
		name, data, ok := strings.Cut(block, "\ndata: ")
		if !ok {
			t.Fatalf("the stream has the event %q", block)
		}
		all = append(all, told{name, data})
	}
	return all
}

// names returns what the events are.
func names(all []told) string {
	var names []string
	for _, e := range all {
		names = append(names, e.name)
	}
	return strings.Join(names, " ")
}

// point is what the event of that name says.
type point struct {
	Calls      int      `json:"calls"`
	Sequential *float64 `json:"sequential_ms"`
	Expected   *float64 `json:"expected_ms"`
	Concurrent float64  `json:"concurrent_ms"`
	Speedup    *float64 `json:"speedup"`
	Rate       float64  `json:"calls_per_second"`
	Knee       bool     `json:"knee"`
}

func read[T any](t testing.TB, e told) (data T) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(e.data))
	d.DisallowUnknownFields()
	if err := d.Decode(&data); err != nil {
		t.Fatalf("event %s: %s: %v", e.name, e.data, err)
	}
	return data
}

type beginning struct {
	Calls  []int   `json:"calls"`
	Run    string  `json:"run"`
	Budget float64 `json:"budget_ms"`
}

func TestSweep(t *testing.T) {
	const wait = 40.0 // ms
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	got := d.send(t, "GET", "/sweep/events?calls=1,2,8&delay=40&_=17", map[string]string{"X-Run-Id": "sweep-7"}, nil)
	all := swept(t, got)
	if names(all) != "sweep point point point done" || !strings.HasPrefix(got.body, "id: sweep-7\n") {
		t.Fatalf("the stream is\n%s\nwant the events sweep, three times point, done", got.body)
	}
	if got.Header.Get("X-Run-Id") != "sweep-7" || got.Header.Get("X-Ignored-Parameters") != "_" {
		t.Errorf("headers %v, want the run and what was ignored", got.Header)
	}
	if b := read[beginning](t, all[0]); !slices.Equal(b.Calls, []int{1, 2, 8}) || b.Run != "sweep-7" || b.Budget != 10_000 {
		t.Errorf("it begins with %+v, want 1, 2 and 8 calls of the run sweep-7, 10s for one measurement", b)
	}
	for i, calls := range []int{1, 2, 8} {
		p := read[point](t, all[1+i])
		if p.Calls != calls || p.Sequential == nil || *p.Sequential < wait*float64(calls) || p.Concurrent < wait || p.Expected != nil {
			t.Errorf("point %d: %s; want %d calls, each way measured, no less than the waits", i, all[1+i].data, calls)
			continue
		}
		if want := *p.Sequential / p.Concurrent; p.Speedup == nil || *p.Speedup < want-0.01 || *p.Speedup > want+0.01 {
			t.Errorf("point %d: %s; want a speed-up of %.3f", i, all[1+i].data, want)
		}
		if want := float64(calls) / p.Concurrent * 1000; p.Rate < want-0.1 || p.Rate > want+0.1 {
			t.Errorf("point %d: %s; want %.3f calls a second", i, all[1+i].data, want)
		}
	}
	if last := read[point](t, all[3]); *last.Speedup < 2 {
		t.Errorf("8 calls at once are %.1f times as fast as one after another, want nearly 8", *last.Speedup)
	}
	if run := srv.Run("sweep-7").Settled(); run.Requests != 2*(1+2+8) || run.PeakInFlight != 8 {
		t.Errorf("delay-server saw %d requests, %d at once; want 22, 8", run.Requests, run.PeakInFlight)
	}
}

// A thousand calls in turn would take 20s: they are neither made nor measured.
func TestSweepBeyondTheBudget(t *testing.T) {
	srv := delaytest.NewServer(t)
	d := start(t, options(), srv.URL, time.Minute)
	got := d.send(t, "GET", "/sweep/events?calls=1,1000&delay=20&limit=100", map[string]string{"X-Run-Id": "wide"}, nil)
	all := swept(t, got)
	last := read[point](t, all[2])
	if last.Sequential != nil || last.Speedup != nil || last.Expected == nil || *last.Expected < 20_000 || last.Concurrent < 10*20 || !last.Knee {
		t.Errorf("1000 calls of 20 ms, 100 at once: %s; want no time in turn, one expected, 200 ms or more at once, a knee", all[2].data)
	}
	if first := read[point](t, all[1]); first.Knee || first.Expected != nil {
		t.Errorf("one call: %s; want no knee, and nothing expected that is measured", all[1].data)
	}
	if run := srv.Run("wide").Settled(); run.Requests != 2+1000 || run.PeakInFlight > 100 {
		t.Errorf("delay-server saw %d requests, %d at once; want 1002, 100 at most", run.Requests, run.PeakInFlight)
	}
}

func TestSweepFails(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer func(n int, w http.ResponseWriter, r *http.Request)
		status int
		says   string
	}{
		{"an answer that says no", func(n int, w http.ResponseWriter, _ *http.Request) {
			if n > 2 {
				w.WriteHeader(503)
			}
		}, 502, "call r1: answered 503 Service Unavailable, which is no measurement"},
		{"no answer", func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n > 2 {
				panic(http.ErrAbortHandler)
			}
		}, 502, "call r1: delay-server cannot be reached"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := start(t, options(), newSlow(t, tc.answer).URL, time.Minute)
			all := swept(t, d.get(t, "/sweep/events?calls=1,2,3"))
			if names(all) != "sweep point failed" {
				t.Fatalf("the events are %v, want sweep, point, failed", all)
			}
			failed := read[struct {
				Calls   int             `json:"calls"`
				Problem problem.Problem `json:"problem"`
			}](t, all[2])
			if failed.Calls != 2 || failed.Problem.Status != tc.status || failed.Problem.Call != "r1" || !strings.Contains(failed.Problem.Detail, tc.says) {
				t.Errorf("it failed with %s; want 2 calls, a problem of %d, %s", all[2].data, tc.status, tc.says)
			}
		})
	}
}

func TestLeavingViewerEndsASweep(t *testing.T) {
	s := newSlow(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n > 3 { // one in turn, one at once, the first of three in turn
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
	wiretest.Eventually(t, "the call that hangs comes", func() bool { return s.seen().come == 4 })
	leave()
	wiretest.Eventually(t, "the call is cancelled", func() bool { return s.seen().left == 1 })
	if got := s.seen(); got.come != 4 || got.over != 4 {
		t.Errorf("delay-server saw %d calls, %d over; want 4 and none made after the viewer left", got.come, got.over)
	}
}

// A sweep is not run twice in silence, by a browser that lost the first.
func TestSweepIsNotResumed(t *testing.T) {
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	got := d.send(t, "GET", "/sweep/events?calls=1", map[string]string{"Last-Event-ID": "x"}, nil)
	if got.StatusCode != 204 || s.seen().come != 0 {
		t.Errorf("with Last-Event-ID: %s, %d calls made; want 204 and none", got.Status, s.seen().come)
	}
}

func TestSweepTakesRoom(t *testing.T) {
	o := options()
	o.MaxInFlight = 10
	d := start(t, o, newSlow(t, answered(0)).URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		status      int
	}{
		{"as many as there is room for", "calls=1,10", 200},
		{"one too many", "calls=1,11", 503},
		{"fewer at once", "calls=1,50&limit=10", 200},
	} {
		got := d.get(t, "/sweep/events?"+tc.query)
		if got.StatusCode != tc.status {
			t.Errorf("%s: GET /sweep/events?%s = %s %s, want %d", tc.name, tc.query, got.Status, got.body, tc.status)
		}
		if tc.status == 503 && (got.Header.Get("Retry-After") == "" || !strings.Contains(got.problem(t, 503).Detail, "MAX_IN_FLIGHT")) {
			t.Errorf("%s: %s, Retry-After %q; want it to name MAX_IN_FLIGHT", tc.name, got.body, got.Header.Get("Retry-After"))
		}
	}
}

func TestBadSweeps(t *testing.T) {
	many := make([]string, 1000)
	for i := range many {
		many[i] = fmt.Sprint(i + 1)
	}
	const numbers = "accepted: up to 100 ascending numbers from 1 to 1000"
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, query, read, accepted string }{
		{"calls: none", "calls=0", `calls "0": "0" is no such number`, numbers},
		{"calls: a word", "calls=1,abc", `"abc" is no such number`, numbers},
		{"calls: above MAX_CALLS", "calls=1001", `"1001" is no such number`, numbers},
		{"calls: descending", "calls=4,2", "2 comes after 4", numbers},
		{"calls: blank", "calls=%20", `calls " "`, numbers},
		{"calls: a thousand", "calls=" + strings.Join(many, ","), "(3892 bytes): these are more than 100", numbers},
		{"calls: twice", "calls=1&calls=2", "calls is given 2 times", "give it once"},
		{"delay: a word", "delay=soon", `delay "soon"`, "accepted: milliseconds"},
		{"delay: too long", "delay=11m", `delay "11m" is too long`, "accepted: up to 10m0s"},
		{"delay: negative", "delay=-1", `delay "-1" is negative`, "accepted: milliseconds"},
		{"limit: none", "limit=0", `limit "0"`, "accepted: a whole number from 1"},
		{"a near miss", "call=3", `"call"`, "did you mean \"calls\"?"},
		{"a bad escape", "calls=%zz", `query "calls=%zz"`, "use name=value"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := d.get(t, "/sweep/events?"+tc.query).problem(t, 400)
			if !strings.Contains(p.Detail, tc.read) || !strings.Contains(p.Detail, tc.accepted) || len(p.Detail) > 400 {
				t.Errorf("GET /sweep/events?%.100s: %s\nwant it to say %s … %s, in 400 bytes", tc.query, p.Detail, tc.read, tc.accepted)
			}
			page := d.get(t, "/sweep?"+tc.query)
			if page.StatusCode != 400 || strings.Count(page.body, `class="bad"`) != 1 {
				t.Errorf("GET /sweep?%.100s = %s, want 400 and what is wrong, once", tc.query, page.Status)
			}
		})
	}
	if n := s.seen().come; n != 0 {
		t.Errorf("delay-server was asked %d times for bad requests, want never", n)
	}
}

// What a form leaves empty is not given.
func TestSweepDefaults(t *testing.T) {
	o := options()
	o.MaxCalls = 3
	d := start(t, o, newSlow(t, answered(0)).URL, time.Minute)
	for _, query := range []string{"", "?calls=&delay=&limit="} {
		all := swept(t, d.get(t, "/sweep/events"+query))
		if b := read[beginning](t, all[0]); !slices.Equal(b.Calls, []int{1, 2, 3}) {
			t.Errorf("GET /sweep/events%s measures %v calls, want 1, 2, 3", query, b.Calls)
		}
	}
	if got := d.send(t, "HEAD", "/sweep/events", nil, nil); got.StatusCode != 405 {
		t.Errorf("HEAD /sweep/events = %s, want 405: it would measure", got.Status)
	}
}

func TestSweepPage(t *testing.T) {
	d := start(t, options(), "http://"+wiretest.ClosedAddr(t), time.Minute)
	for _, tc := range []struct {
		name, query string
		status      int
		has         []string
	}{
		{"as it is", "", 200, []string{`value="1,…,1000"`, `value="100ms"`, `src="/assets/sweep.js"`, `href="/assets/sweep.css"`, "demo-api sweep --calls 1,2,4,…,1000"}},
		{"as its URL says", "?calls=1,5&delay=2s&limit=7", 200, []string{`value="1,5"`, `value="2s"`, `value="7"`}},
		{"a field that is wrong", "?calls=5,1&delay=2s", 400, []string{`value="5,1"`, `aria-invalid="true"`, `1 comes after 5`, `value="2s"`}},
		{"a name that is wrong", "?dealy=2s", 400, []string{`role="alert"`, "did you mean &#34;delay&#34;?"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, "/sweep"+tc.query)
			if got.StatusCode != tc.status {
				t.Errorf("GET /sweep%s = %s, want %d", tc.query, got.Status, tc.status)
			}
			for _, want := range tc.has {
				if !strings.Contains(got.body, want) {
					t.Errorf("GET /sweep%s: no %s in it", tc.query, want)
				}
			}
			if policy := got.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
				t.Errorf("Content-Security-Policy: %s", policy)
			}
		})
	}
	const script = `"><script>alert(1)</script>`
	for _, name := range []string{"calls", "delay", "limit", script} {
		if got := d.get(t, "/sweep?"+url.Values{name: {script}}.Encode()); strings.Contains(got.body, "<script>") {
			t.Errorf("GET /sweep with a script in %s: it is in the page, unescaped", name)
		}
	}
	for _, asset := range []string{"sweep.js", "sweep.css"} {
		if got := d.get(t, "/assets/"+asset); got.StatusCode != 200 || got.body == "" {
			t.Errorf("GET /assets/%s = %s, %d bytes", asset, got.Status, len(got.body))
		}
	}
}
