package flow_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

const s = time.Second

func TestAnswers(t *testing.T) {
	big := strings.Repeat("x", 32<<10+1)
	set := func(change func(a *answer.Answer)) *plan.Plan {
		return with(planOf(0, "hello"), func(p *plan.Plan) { change(&p.Answer) })
	}
	truncated := func(body answer.Body) *plan.Plan {
		return set(func(a *answer.Answer) { a.Body, a.Fault = body, answer.Truncate })
	}
	for _, tc := range []struct {
		name, method string
		plan         *plan.Plan
		want         string
	}{
		{"no wait", "GET", planOf(0, "hello"), `begin 200 of 5; send "hello", the last; done`},
		{"a wait", "GET", planOf(s, "hello"), `wait until 1s; begin 200 of 5; send "hello", the last; done`},
		{"HEAD", "HEAD", planOf(s, "hello"), `wait until 1s; begin 200 of 5; send "", the last; done`},
		{"HEAD of no known length", "HEAD", set(func(a *answer.Answer) { a.Body = parts(false, 0, s) }),
			`begin 200 of no length; send "", the last; done`},
		{"HEAD of parts", "HEAD", set(func(a *answer.Answer) { a.Body = parts(true, 0, s) }),
			`begin 200 of 2; send "", the last; done`},
		{"an empty body", "GET", planOf(0, ""), `begin 200 of 0; send "", the last; done`},
		{"204", "GET", set(func(a *answer.Answer) { a.Status, a.Body = 204, answer.Body{} }),
			`begin 204 of 0; send "", the last; done`},
		{"304", "GET", set(func(a *answer.Answer) { a.Status = 304 }), `begin 304 of 5; send "", the last; done`},
		{"304 of no known length", "GET", set(func(a *answer.Answer) { a.Status, a.Body = 304, parts(false, 0) }),
			`begin 304 of no length; send "", the last; done`},
		{"in blocks", "GET", planOf(0, big), `begin 200; send 32768 bytes; send "x", the last; done`},
		{"padding", "GET", set(func(a *answer.Answer) { a.Body = answer.Padding(40_000) }),
			`begin 200; send 32768 bytes; send 7232 bytes, the last; done`},
		{"parts due together", "GET", set(func(a *answer.Answer) { a.Body = parts(true, 0, 0, s, s) }),
			`begin 200 of 4; send "a"; send "b"; wait until 1s; send "c"; send "d", the last; done`},
		{"of no known length", "GET", set(func(a *answer.Answer) { a.Body = parts(false, s, 2*s) }),
			`begin 200 in chunks; wait until 1s; send "a"; wait until 2s; send "b"; send "", the last; done`},
		{"parts count from the headers", "GET", with(planOf(3*s, ""),
			func(p *plan.Plan) { p.Answer.Body = parts(true, s) }),
			`wait until 3s; begin 200 of 1; wait until 4s; send "a", the last; done`},
		{"delayed", "GET", set(func(a *answer.Answer) { a.Body = a.Body.Delayed(s) }),
			`begin 200 of 5; wait until 1s; send "hello", the last; done`},
		{"truncate", "GET", set(func(a *answer.Answer) { a.Fault = answer.Truncate }),
			`begin 200 of 5; send "he"; fault truncate`},
		{"truncate in parts, in time", "GET", truncated(parts(true, 0, s, 2*s, 3*s)),
			`begin 200 of 4; send "a"; wait until 1s; send "b"; fault truncate`},
		{"truncate of one byte", "GET", truncated(answer.Body{Whole: []byte("x")}),
			`begin 200 of 1; send ""; fault truncate`},
		{"truncate of no known length", "GET", truncated(parts(false, 0, s)),
			`begin 200 in chunks; send "a"; wait until 1s; send "b"; send ""; fault truncate`},
		{"truncate of nothing", "GET", truncated(answer.Body{}),
			`begin 200 of 0; send "", the last; done`},
		{"truncate of HEAD", "HEAD", set(func(a *answer.Answer) { a.Fault = answer.Truncate }),
			`begin 200 of 5; send "", the last; done`},
		{"reset", "GET", with(planOf(s, "hello"), func(p *plan.Plan) { p.Answer.Fault = answer.Reset }),
			`wait until 1s; fault reset`},
		{"empty", "GET", set(func(a *answer.Answer) { a.Fault = answer.Empty }), `fault empty`},
		{"garbage", "HEAD", set(func(a *answer.Answer) { a.Fault = answer.Garbage }), `fault garbage`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEngine(t, 1)
			o := e.beginAs(flow.Request{Method: tc.method}, tc.plan)
			e.advance(10 * s)
			o.want(tc.want)
			e.wantIdle(1)
			want := journal.Answered
			if strings.Contains(tc.want, "fault") {
				want = journal.Faulted
			}
			if w := e.ended[0]; w.Outcome != want || w.Waited != tc.plan.Wait || w.Asked != tc.plan.Wait {
				t.Errorf("the journal saw %+v, want %s after %v", w, want, tc.plan.Wait)
			}
			if o.flow.Running() || o.done != (want == journal.Answered) {
				t.Errorf("running %v, done %v", o.flow.Running(), o.done)
			}
		})
	}
}

func TestHeadAndTiming(t *testing.T) {
	e := newEngine(t, 9)
	e.Origin = ours
	p := with(planOf(2*s, "a"), func(p *plan.Plan) {
		p.Pool, p.Cut = &gate.PoolSpec{Name: "a", Workers: 1, Queue: -1}, true
		p.Hold = &gate.HoldSpec{Name: "a", Timeout: time.Minute}
		p.Template.Ignored = []string{"x"}
	})
	first := e.begin(with(planOf(4*s, ""), func(first *plan.Plan) { first.Pool = p.Pool }))
	o := e.beginAs(flow.Request{Method: "GET", Path: "/a%20b", Planned: plan.Planned{Run: "r"}, Origin: "http://a"}, p)
	e.advance(4 * s)
	first.want("wait until 4s", "begin 200 of 0", `send "", the last`, "done")
	e.wake()
	e.advance(3 * s)
	if n, err := e.Holds.Release(gate.NameOf("", "a"), gate.Choice{}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	e.wake()
	e.advance(2 * s)
	o.want("wait", "wait until 1m4s", "wait until 9s", "begin 200 of 1", `send "a", the last`, "done")
	timing := answer.Timing{Asked: 2 * s, Queued: 4 * s, Held: 3 * s, Waited: 5 * s, Real: o.timing.Real, Cut: true}
	if o.timing != timing || timing.Real < 0 {
		t.Errorf("timing %+v, want %+v", o.timing, timing)
	}
	h := o.header()
	if h.Get("Access-Control-Allow-Origin") != "http://a" || h.Get("X-Content-Type-Options") != "nosniff" ||
		h.Get("Content-Type") != answer.Text {
		t.Errorf("header %v", h)
	}
	e.wantIdle(2)
	w := e.ended[1]
	if w.Run != "r" || w.Path != "/a b" || w.Queued != 4*s || w.Held != 3*s || w.Waited != 5*s ||
		w.Outcome != journal.Answered {
		t.Errorf("the journal saw %+v", w)
	}
}

// The cached head for an origin is not used for another.
func TestHeadsByOrigin(t *testing.T) {
	e := newEngine(t, 9)
	e.Origin = ours
	p := planOf(0, "a")
	for _, tc := range []struct{ origin, want string }{
		{"http://a", "http://a"}, {"http://b", "http://b"}, {"", ""}, {"http://a", "http://a"}, {"https://c", ""},
	} {
		o := e.beginAs(flow.Request{Method: "GET", Origin: tc.origin}, p)
		if got := o.header().Get("Access-Control-Allow-Origin"); got != tc.want {
			t.Errorf("origin %q gets %q, want %q", tc.origin, got, tc.want)
		}
	}
	e.Origin = nil
	o := e.beginAs(flow.Request{Method: "GET", Origin: "http://a"}, planOf(0, ""))
	if got := o.header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("without Engine.Origin, an origin gets %q", got)
	}
}

// Each error is answered once and recorded once.
func TestErrors(t *testing.T) {
	pool := func(workers, queue int) func(*plan.Plan) {
		return func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "a", Workers: workers, Queue: queue} }
	}
	barrier := func(parties int) func(*plan.Plan) {
		return func(p *plan.Plan) { p.Barrier = &gate.BarrierSpec{Name: "a", Parties: parties, Timeout: 5 * s} }
	}
	hold := func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a", Timeout: 5 * s} }
	limiter := gate.NewRateLimits().Limiter(1, gate.Rate{Requests: 1, Window: 10 * s, Burst: 1})
	limit := func(p *plan.Plan) { p.Limit = limiter }
	for _, tc := range []struct {
		name          string
		before, plan  func(*plan.Plan) // before is nil for none
		then          func(e *engine)
		want, retry   string
		outcome       journal.Outcome
		waited, other time.Duration // wait of the request, and until the one before ends
	}{
		{"the rate limit", limit, limit, nil, "begin 429; send rate-limited, the last; done", "10", journal.Refused, 0,
			7 * s},
		{"a full pool", pool(1, 0), pool(1, 0), nil, "begin 503; send pool-full, the last; done", "7", journal.Refused,
			0, 7 * s},
		{"another pool size", pool(1, 0), pool(2, 0), nil, "begin 409; send pool-mismatch, the last; done", "",
			journal.Refused, 0, 7 * s},
		{"another number of parties", barrier(3), barrier(2), nil, "begin 409; send barrier-mismatch, the last; done",
			"", journal.Refused, 0, 5 * s},
		{"a barrier timeout", nil, barrier(2), func(e *engine) { e.advance(5 * s) },
			"wait until 5s; begin 504; send barrier-timeout, the last; done", "", journal.TimedOut, 5 * s, 0},
		{"a hold timeout", nil, hold, func(e *engine) { e.advance(5 * s) },
			"wait until 5s; begin 504; send hold-timeout, the last; done", "", journal.TimedOut, 5 * s, 0},
		{"a failed hold", nil, hold, func(e *engine) {
			e.advance(2 * s)
			_, _ = e.Holds.Fail(gate.NameOf("", "a"))
			e.wake()
		}, "wait until 5s; begin 503; send hold-failed, the last; done", "1", journal.Failed, 2 * s, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e, ended := newEngine(t, 2), 1
			if tc.before != nil {
				e.begin(with(planOf(7*s, ""), tc.before))
				ended++
			}
			o := e.begin(with(planOf(7*s, "a"), tc.plan))
			if tc.then != nil {
				tc.then(e)
			}
			o.want(tc.want)
			if got := o.header().Get("Retry-After"); got != tc.retry {
				t.Errorf("Retry-After is %q, want %q", got, tc.retry)
			}
			if len(e.ended) != 1 || e.ended[0].Outcome != tc.outcome || e.ended[0].Waited != tc.waited ||
				e.ended[0].Held != tc.waited {
				t.Errorf("the journal saw %+v, want %s after %v", e.ended, tc.outcome, tc.waited)
			}
			e.advance(tc.other)
			e.wantIdle(ended)
		})
	}
}

// A request that times out breaks the barrier for the others.
func TestBrokenBarrier(t *testing.T) {
	e := newEngine(t, 9)
	stand := func(p *plan.Plan) { p.Barrier = &gate.BarrierSpec{Name: "a", Parties: 3, Timeout: 5 * s} }
	e.begin(with(planOf(0, ""), stand))
	e.advance(s)
	other := e.begin(with(planOf(0, ""), stand))
	e.advance(4 * s)
	e.wake()
	other.want("wait until 6s", "begin 504", "send barrier-broken, the last", "done")
	if want := []journal.Outcome{journal.TimedOut, journal.Failed}; !slices.Equal(e.outcomes(), want) {
		t.Errorf("the journal saw %v, want %v", e.outcomes(), want)
	}
	e.wantIdle(2)
}

// A ticket that is freed at the time of its timeout passes.
func TestFreedAtTheTimeout(t *testing.T) {
	for name, set := range map[string]func(*plan.Plan){
		"barrier": func(p *plan.Plan) { p.Barrier = &gate.BarrierSpec{Name: "a", Parties: 2, Timeout: s} },
		"hold":    func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a", Timeout: s} },
	} {
		e := newEngine(t, 9)
		o := e.begin(with(planOf(s, "a"), set))
		o.due = time.Time{} // resumed below
		e.advance(s)
		if name == "hold" {
			_, _ = e.Holds.Release(gate.NameOf("", "a"), gate.Choice{})
		} else {
			e.begin(with(planOf(s, "b"), set)).want("wait until 2s")
		}
		o.flow.Resume(true)
		o.flow.Resume(false)
		o.want("wait until 1s", "wait until 2s")
		e.advance(s)
		if !o.done {
			t.Errorf("%s: got %q", name, o.log)
		}
		e.wantIdle(len(e.outs))
	}
}

// A request keeps its worker at a barrier, and gives it back before the last byte.
func TestPoolAndBarrier(t *testing.T) {
	e := newEngine(t, 9)
	p := with(planOf(s, "a"), func(p *plan.Plan) {
		p.Pool = &gate.PoolSpec{Name: "a", Workers: 2, Queue: -1}
		p.Barrier = &gate.BarrierSpec{Name: "a", Parties: 2, Timeout: 9 * s}
	})
	var o [4]*output
	for i := range o {
		o[i] = e.begin(p)
	}
	o[0].want("wait until 9s")
	o[1].want("wait until 1s") // the barrier is complete
	o[2].want("wait")
	e.advance(s) // before o[0] is woken
	e.wake()
	o[0].want("wait until 9s", "wait until 2s")
	o[2].want("wait", "wait until 10s")
	e.advance(s)
	e.wake()
	e.advance(s)
	o[2].want("wait", "wait until 10s", "wait until 3s", "begin 200 of 1", `send "a", the last`, "done")
	o[3].want("wait", "wait until 3s", "begin 200 of 1", `send "a", the last`, "done")
	e.wantIdle(4)
	for i, w := range e.ended {
		if w.Outcome != journal.Answered {
			t.Errorf("request %d: outcome %s", i, w.Outcome)
		}
	}
}

// state is a state of a flow.
type state struct {
	name  string
	begun bool // the response has begun
	sent  bool // the output has all of it
	ended int  // number of ended waits in the journal
	reach func(e *engine) *output
}

// states returns the states in which a flow waits. In each, another request has the
// worker of pool b.
func states() []state {
	hold := func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a", Timeout: time.Minute} }
	pool := func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "b", Workers: 1, Queue: -1} }
	worker := func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "a", Workers: 1, Queue: 0} }
	body := func(p *plan.Plan) { p.Answer.Body = parts(true, 0, s, 2*s) }
	refusing := func(e *engine, n int, p *plan.Plan) *output {
		o := &output{engine: e, refuses: nth(n)}
		e.outs = append(e.outs, o)
		o.begin(flow.Request{Method: "GET", Planned: plan.Planned{Run: "r"}}, p)
		return o
	}
	return []state{
		{"queued", false, false, 0, func(e *engine) *output { return e.begin(with(planOf(s, "a"), pool)) }},
		{"queued and freed", false, false, 0, func(e *engine) *output {
			o := e.begin(with(planOf(s, "a"), pool))
			e.outs[0].cancel(flow.ErrClientGone)
			e.ended = nil
			e.outs[0].over = false
			e.outs[0].begin(flow.Request{Method: "GET"}, with(planOf(time.Hour, ""), pool)) // queued after it
			return o
		}},
		{"held in a hold", false, false, 0, func(e *engine) *output {
			return e.begin(with(with(planOf(s, "a"), hold), worker))
		}},
		{"held and released", false, false, 0, func(e *engine) *output {
			o := e.begin(with(with(planOf(s, "a"), hold), worker))
			_, _ = e.Holds.Release(gate.NameOf("", "a"), gate.Choice{})
			return o
		}},
		{"held at a barrier", false, false, 0, func(e *engine) *output {
			return e.begin(with(planOf(s, "a"), func(p *plan.Plan) {
				p.Barrier = &gate.BarrierSpec{Name: "a", Parties: 2, Timeout: time.Minute}
			}))
		}},
		{"waiting", false, false, 0, func(e *engine) *output { return e.begin(with(planOf(s, "a"), worker)) }},
		{"sleeping", true, false, 0, func(e *engine) *output {
			return e.begin(with(with(planOf(0, ""), body), worker))
		}},
		{"blocked", true, false, 0, func(e *engine) *output {
			return refusing(e, 1, with(with(planOf(0, ""), body), worker))
		}},
		{"sent", true, true, 0, func(e *engine) *output { return refusing(e, 1, with(planOf(0, "a"), worker)) }},
		{"sent, an error", true, true, 1, func(e *engine) *output {
			e.Barriers.Enter(&gate.Ticket{}, gate.BarrierSpec{Name: "c", Parties: 3})
			return refusing(e, 1, with(planOf(0, "a"), func(p *plan.Plan) {
				p.Barrier = &gate.BarrierSpec{Name: "c", Parties: 2}
			}))
		}},
	}
}

// A cancelled flow gives back what it has, once.
func TestCancelInEachState(t *testing.T) {
	internal := errors.New("internal")
	for _, st := range states() {
		for _, cause := range []struct {
			err     error
			outcome journal.Outcome
			begin   string // of the answer, "" for none
			problem string
		}{
			{flow.ErrClientGone, journal.ClientClosed, "", ""},
			{flow.ErrShutdown, journal.Shutdown, "begin 503 and close", "shutting-down"},
			{fmt.Errorf("stop: %w", flow.ErrShutdown), journal.Shutdown, "begin 503 and close", "shutting-down"},
			{internal, journal.Failed, "begin 500", "internal"},
		} {
			t.Run(fmt.Sprint(st.name, ", ", cause.err), func(t *testing.T) {
				e := newEngine(t, 2)
				other := e.begin(with(planOf(time.Hour, ""),
					func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "b", Workers: 1, Queue: -1} }))
				o := st.reach(e)
				if !o.flow.Running() || o.flow.Sending() != (st.begun && len(o.log) > 0 &&
					!strings.HasPrefix(o.log[len(o.log)-1], "wait")) || o.flow.Ended() != st.sent {
					t.Fatalf("running %v, sending %v, ended %v: %q", o.flow.Running(), o.flow.Sending(), o.flow.Ended(),
						o.log)
				}
				e.Clock.Advance(t.Context(), s/2)
				o.refuses = nil
				before := len(o.log)
				o.cancel(cause.err)
				var want []string
				switch {
				case cause.begin == "" || st.sent:
				case st.begun:
					want = []string{"fault empty"}
				default:
					want = []string{cause.begin, "send " + cause.problem + ", the last", "done"}
				}
				if got := o.log[before:]; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
				if o.flow.Running() || e.shares.Inside() != 1 || e.Journal.Waiting() != 1 || len(e.ended) != 1 {
					t.Errorf("running %v, %d places taken, %d waiting, ended %v", o.flow.Running(), e.shares.Inside(),
						e.Journal.Waiting(), e.outcomes())
				}
				if st.ended == 0 && e.ended[0].Outcome != cause.outcome {
					t.Errorf("outcome %s, want %s", e.ended[0].Outcome, cause.outcome)
				}
				after := len(o.log)
				o.woken = false
				o.flow.Cancel(flow.ErrShutdown)
				o.flow.Resume(true)
				o.flow.Resume(false)
				o.flow.Taken()
				if len(o.log) != after || len(e.ended) != 1 {
					t.Errorf("after its end it goes on with %q", o.log[after:])
				}
				other.cancel(flow.ErrClientGone)
				if cause.err == internal { // a done flow can be started again
					o.begin(flow.Request{Method: "GET"}, planOf(0, "a"))
					o.want("begin 200 of 1", `send "a", the last`, "done")
					e.ended = e.ended[1:]
				}
				e.wantIdle(2)
			})
		}
	}
}

// A spurious Resume or Taken has no effect.
func TestSpuriousCalls(t *testing.T) {
	for _, st := range states() {
		t.Run(st.name, func(t *testing.T) {
			e := newEngine(t, 2)
			other := e.begin(with(planOf(time.Hour, ""), func(p *plan.Plan) {
				p.Pool = &gate.PoolSpec{Name: "b", Workers: 1, Queue: -1}
			}))
			o := st.reach(e)
			freed := strings.HasSuffix(st.name, "and freed") || strings.HasSuffix(st.name, "and released")
			before := len(o.log)
			if !freed {
				o.flow.Resume(false)
			}
			if !o.flow.Sending() { // else Taken is not spurious
				o.flow.Taken()
			} else {
				o.flow.Resume(true)
			}
			if len(o.log) != before || len(e.ended) != st.ended || e.shares.Inside() != 2 {
				t.Errorf("got %q, want nothing more", o.log[before:])
			}
			other.cancel(flow.ErrClientGone)
			o.cancel(flow.ErrClientGone)
			e.wantIdle(2)
		})
	}
}

// No wait begins after the shutdown.
func TestStartAfterShutdown(t *testing.T) {
	for name, set := range map[string]func(*plan.Plan){
		"no wait": func(p *plan.Plan) { p.Wait = 0 },
		"a wait":  func(*plan.Plan) {},
		"a pool":  func(p *plan.Plan) { p.Pool = &gate.PoolSpec{Name: "a", Workers: 1} },
		"a hold":  func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a", Timeout: s} },
		"a fault": func(p *plan.Plan) { p.Answer.Fault = answer.Reset },
	} {
		e := newEngine(t, 1)
		e.Shutdown()
		e.begin(with(planOf(s, "a"), set)).want("begin 503 and close", "send shutting-down, the last", "done")
		if len(e.ended) != 1 || e.ended[0].Outcome != journal.Shutdown || e.ended[0].Waited != 0 {
			t.Errorf("%s: the journal saw %+v, want %s", name, e.ended, journal.Shutdown)
		}
		e.wantIdle(1)
	}
}

func TestMaxInFlight(t *testing.T) {
	e := newEngine(t, 1)
	first := e.begin(planOf(s, "a"))
	for _, run := range []string{"", "r"} {
		o := e.beginAs(flow.Request{Method: "GET", Planned: plan.Planned{Run: run}}, planOf(s, "a"))
		o.want("begin 503", "send too-many-in-flight, the last", "done")
		if o.flow.Running() || o.header().Get("Retry-After") != "1" {
			t.Errorf("running %v, header %v", o.flow.Running(), o.header())
		}
	}
	if want := []journal.Outcome{journal.Refused, journal.Refused}; !slices.Equal(e.outcomes(), want) {
		t.Errorf("the journal saw %v, want %v", e.outcomes(), want)
	}
	e.advance(s)
	if !first.done {
		t.Errorf("the first request: %q", first.log)
	}
	e.wantIdle(3)
	if run, ok := e.Journal.Run("r"); !ok || run.Requests != 1 || run.PeakInFlight != 0 || !run.Settled() {
		t.Errorf("run %+v", run)
	}
	e.beginAs(flow.Request{Method: "HEAD"}, planOf(0, "a")).want("begin 200 of 1", `send "", the last`, "done")
}

// A refusal that the client does not read takes a place only if there is one.
func TestRefusalThatIsNotTaken(t *testing.T) {
	e := newEngine(t, 1)
	first := e.begin(planOf(s, "a"))
	o := &output{engine: e, refuses: nth(1)}
	o.begin(flow.Request{Method: "GET"}, planOf(s, "a"))
	if !o.flow.Ended() || !o.flow.Running() || e.shares.Inside() != 1 || e.Journal.Waiting() != 1 {
		t.Errorf("%q: %d places taken, %d waiting", o.log, e.shares.Inside(), e.Journal.Waiting())
	}
	e.advance(s)
	o.taken()
	if !first.done || !o.done {
		t.Errorf("got %q and %q", first.log, o.log)
	}
	e.wantIdle(2)
}

// Before the last byte, a request gives back its place and its worker, and is in flight
// no more. While the client does not read, the flow takes a place again.
func TestPlaceIsFreeBeforeTheLastByte(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(*plan.Plan)
		last int // number of the last Send
	}{
		{"whole", func(*plan.Plan) {}, 1},
		{"in parts", func(p *plan.Plan) { p.Answer.Body = parts(true, 0, s, 2*s) }, 3},
		{"of no known length", func(p *plan.Plan) { p.Answer.Body = parts(false, 0, s) }, 3},
		{"empty", func(p *plan.Plan) { p.Answer.Body = answer.Body{} }, 1},
		{"an error", func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a", Timeout: s} }, 1},
	} {
		for _, refused := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.name, ", refused: ", refused), func(t *testing.T) {
				e, n := newEngine(t, 1), 0
				p := with(with(planOf(s, "a"), func(p *plan.Plan) {
					p.Pool = &gate.PoolSpec{Name: "a", Workers: 1, Queue: 0}
				}), tc.set)
				o := &output{engine: e}
				o.onSend = func(last bool) {
					n++
					pools := e.Pools.States()
					if inside := e.shares.Inside(); inside == 0 != last || len(pools) == 0 != last ||
						last != (n == tc.last) {
						t.Errorf("Send %d, last %v: %d places taken, pools %v", n, last, inside, pools)
					}
					if last {
						again := e.beginAs(flow.Request{Method: "GET", Planned: plan.Planned{Run: "r"}}, p)
						again.cancel(flow.ErrClientGone)
					}
				}
				o.refuses = func(last bool) bool { return refused && last }
				e.outs = append(e.outs, o)
				o.begin(flow.Request{Method: "GET", Planned: plan.Planned{Run: "r"}}, p)
				e.advance(10 * s)
				if refused {
					if e.shares.Inside() != 1 || o.done || !o.flow.Running() {
						t.Errorf("not taken: %d places taken, want 1: %q", e.shares.Inside(), o.log)
					}
					o.taken()
				}
				if run, _ := e.Journal.Run("r"); !o.done || run.PeakInFlight != 1 || run.Requests != 2 ||
					!run.Settled() {
					t.Errorf("got %q, and a peak of %d of %d requests, want 1 of 2", o.log, run.PeakInFlight,
						run.Requests)
				}
				e.wantIdle(2)
			})
		}
	}
}

// If another request has taken the place meanwhile, a flow whose client does not read
// goes on without one.
func TestPlaceIsTakenByAnother(t *testing.T) {
	for _, end := range []func(*output){(*output).taken, func(o *output) { o.cancel(flow.ErrClientGone) }} {
		e := newEngine(t, 1)
		o := &output{engine: e, refuses: nth(1)}
		var other *output
		o.onSend = func(bool) { other = e.begin(planOf(s, "b")) }
		o.begin(flow.Request{Method: "GET"}, planOf(0, "a"))
		if n := e.shares.Inside(); n != 1 {
			t.Errorf("%d places taken, want 1", n)
		}
		end(o)
		if n := e.shares.Inside(); n != 1 || o.flow.Running() {
			t.Errorf("%d places taken, want 1", n)
		}
		e.advance(s)
		if !other.done {
			t.Errorf("the other request: %q", other.log)
		}
		e.wantIdle(2)
	}
}

func TestBlockedGoesOnWhenTaken(t *testing.T) {
	e := newEngine(t, 1)
	p := with(planOf(0, ""), func(p *plan.Plan) { p.Answer.Body = parts(false, 0, 0, s) })
	o := &output{engine: e, refuses: func(bool) bool { return true }}
	e.outs = append(e.outs, o)
	o.begin(flow.Request{Method: "GET"}, p)
	o.want("begin 200 in chunks", `send "a", refused`)
	e.advance(2 * s)
	o.taken()
	o.taken()
	o.taken()
	o.want("begin 200 in chunks", `send "a", refused`, `send "b", refused`, `send "c", refused`,
		`send "", the last, refused`)
	if n := e.shares.Inside(); n != 1 {
		t.Errorf("%d places taken, want 1", n)
	}
	o.taken()
	if !o.done {
		t.Errorf("got %q", o.log)
	}
	e.wantIdle(1)
}

// Truncate breaks the connection also if the client does not read.
func TestTruncateOfAClientThatDoesNotRead(t *testing.T) {
	e := newEngine(t, 1)
	o := &output{engine: e, refuses: func(bool) bool { return true }}
	o.begin(flow.Request{Method: "GET"}, with(planOf(0, "hello"),
		func(p *plan.Plan) { p.Answer.Fault = answer.Truncate }))
	o.want("begin 200 of 5", `send "he", refused`, "fault truncate")
	if e.ended[0].Outcome != journal.Faulted || o.flow.Running() {
		t.Errorf("ended %v, running %v", e.outcomes(), o.flow.Running())
	}
	e.wantIdle(1)
}

// If Fault fails, the error is answered.
func TestFaultFails(t *testing.T) {
	for _, tc := range []struct {
		err     error
		outcome journal.Outcome
		want    string
	}{
		{errors.New("no hijacking"), journal.Failed, "fault reset; begin 500; send internal, the last; done"},
		{flow.ErrClientGone, journal.ClientClosed, "fault reset"},
		{flow.ErrShutdown, journal.Shutdown, "fault reset; begin 503 and close; send shutting-down, the last; done"},
	} {
		e := newEngine(t, 1)
		o := &output{engine: e, faultErr: tc.err}
		o.begin(flow.Request{Method: "GET"}, with(planOf(0, ""), func(p *plan.Plan) { p.Answer.Fault = answer.Reset }))
		o.want(tc.want)
		if e.ended[0].Outcome != tc.outcome {
			t.Errorf("%v: outcome %s, want %s", tc.err, e.ended[0].Outcome, tc.outcome)
		}
		e.wantIdle(1)
	}
}

// Cancel ends a flow after a panic of its output.
func TestCancelAfterAPanic(t *testing.T) {
	for _, tc := range []struct {
		name string
		plan *plan.Plan
	}{
		{"whole", planOf(0, "a")},
		{"in parts", with(planOf(0, ""), func(p *plan.Plan) { p.Answer.Body = parts(true, 0, 0) })},
		{"an error", with(planOf(0, ""), func(p *plan.Plan) { p.Hold = &gate.HoldSpec{Name: "a"} })},
	} {
		e := newEngine(t, 1)
		o := &output{engine: e}
		o.onSend = func(bool) { o.onSend = nil; panic("in Send") }
		e.outs = append(e.outs, o)
		func() {
			defer func() { _ = recover() }()
			o.begin(flow.Request{Method: "GET"}, tc.plan)
			e.advance(0)
		}()
		o.flow.Cancel(flow.ErrInternal)
		if o.flow.Running() {
			t.Errorf("%s: still running: %q", tc.name, o.log)
		}
		e.wantIdle(1)
	}
}

func TestRecord(t *testing.T) {
	e := newEngine(t, 2)
	o := e.beginAs(flow.Request{Method: "POST", Path: "/a", Record: true}, planOf(s, "a"))
	e.advance(s)
	if w := o.flow.Wait(); w == nil || w.Outcome != journal.Answered || w.Waited != s || w.Method != "POST" ||
		w.Path != "/a" {
		t.Errorf("Wait() = %+v", w)
	}
	if w := e.begin(planOf(0, "")).flow.Wait(); w != nil {
		t.Errorf("Wait() without Record = %+v, want nil", w)
	}
	e.Record = true
	e.begin(planOf(0, ""))
	if w := e.ended[2]; w.Method != "GET" || w.Path != "/" {
		t.Errorf("the observer saw %+v", w)
	}
	e.wantIdle(3)
}

// The strings of a Request may alias a buffer that is reused.
func TestStartKeepsCopies(t *testing.T) {
	e := newEngine(t, 1)
	e.Origin = ours
	buffer := []byte("POST/path http://a")
	o := e.beginAs(flow.Request{
		Method: unsafeString(buffer[:4]), Path: unsafeString(buffer[4:9]), Origin: unsafeString(buffer[10:]),
		Record: true,
	}, planOf(s, "a"))
	clear(buffer)
	e.advance(s)
	if w := e.ended[0]; w.Method != "POST" || w.Path != "/path" ||
		o.header().Get("Access-Control-Allow-Origin") != "http://a" {
		t.Errorf("the journal saw %q %q, header %v", w.Method, w.Path, o.header())
	}
}

// Reject takes no place, and is recorded, but never in flight.
func TestReject(t *testing.T) {
	e := newEngine(t, 1)
	e.Origin = ours
	first := e.begin(planOf(s, "a"))
	arrived := e.Clock.Timestamp()
	e.advance(s / 2)
	for _, tc := range []struct {
		method string
		close  bool
		want   string
	}{
		{"GET", false, "begin 400; send invalid-body, the last; done"},
		{"HEAD", true, `begin 400 and close; send "", the last; done`},
	} {
		o := &output{engine: e}
		r := &flow.Request{Planned: plan.Planned{Run: "r"}, Method: tc.method, Path: "/a%20b", Query: "c",
			Client: e.client, Origin: "http://a", Arrived: arrived}
		o.flow.Reject(&e.Engine, o, r, problem.InvalidBody.New("no"), tc.close)
		o.want(tc.want)
		if got := o.header().Get("Access-Control-Allow-Origin"); got != "http://a" {
			t.Errorf("Access-Control-Allow-Origin %q", got)
		}
	}
	if e.shares.Inside() != 1 || e.Journal.Waiting() != 1 {
		t.Errorf("%d requests wait, %d places are taken, want one", e.Journal.Waiting(), e.shares.Inside())
	}
	run, _ := e.Journal.Run("r")
	want := journal.Entry{Method: "GET", Path: "/a b", Query: "c", Outcome: journal.Rejected, Waited: s / 2, End: s / 2,
		Gap: -1, Status: 400, Problem: problem.InvalidBody}
	if len(run.Waits) != 2 || !reflect.DeepEqual(run.Waits[0], want) || !run.Settled() || run.PeakInFlight != 0 {
		t.Errorf("the run is %+v,\nwant twice, never in flight, %+v", run, want)
	}
	first.cancel(flow.ErrClientGone)
	e.wantIdle(3)
}

func TestRetryAfterOfAnAnswer(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "2": 2 * s, "0": 0, "-1": 0, "soon": 0, "99999999999": math.MaxInt64 / s * s,
		"999999999999999999999":         math.MaxInt64 / s * s,
		"Thu, 01 Jan 1970 00:00:00 GMT": 0,
	} {
		e := newEngine(t, 1)
		p := planOf(0, "a")
		if p.Answer.Status = 201; text != "" {
			p.Answer.Header = []answer.Field{{Name: "Retry-After", Value: text}}
		}
		e.beginAs(flow.Request{Record: true}, p)
		if got := e.ended[0]; got.RetryAfter != want || got.Status != 201 {
			t.Errorf("Retry-After: %s is recorded as %v with status %d, want %v with 201", text, got.RetryAfter,
				got.Status, want)
		}
	}
	e := newEngine(t, 1)
	p := planOf(0, "a")
	p.Answer.Header = []answer.Field{{Name: "Retry-After",
		Value: time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}
	e.beginAs(flow.Request{Record: true}, p)
	if got := e.ended[0].RetryAfter; got < 59*time.Minute || got > time.Hour {
		t.Errorf("Retry-After in an hour, as a date, is recorded as %v", got)
	}
}

// What the journal records of a response is what the output sent.
func (e *engine) wantResponses() {
	e.t.Helper()
	for _, w := range e.ended {
		want := e.sent[w.Path]
		if w.Outcome != journal.Faulted { // the end of a broken response is no planned fault
			want.Fault = ""
		}
		if len(w.Path) > 1 && w.Response != want {
			e.t.Errorf("%s %s: the journal saw %+v, the output %+v", w.Path, w.Outcome, w.Response, want)
		}
	}
}

// A flow waits on the clock of its run. The clock may have been made or dropped since the
// request was looked at; then the caller starts the flow again.
func TestStartOnTheClockOfTheRun(t *testing.T) {
	e := newEngine(t, 2)
	advance := func(c *clock.Clock, d time.Duration) {
		t.Helper()
		if err := c.Advance(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	request := func() flow.Request {
		return flow.Request{Planned: plan.Planned{Plan: planOf(2*s, "a"), Run: "r"}, Method: "GET", Path: "/",
			Client: e.client, Arrived: e.Clock.Timestamp(), ProtoMajor: 1}
	}
	again := func(r *flow.Request, want *clock.Clock) *output {
		t.Helper()
		o := &output{engine: e}
		if o.flow.Start(&e.Engine, o, r) || o.flow.Running() || len(o.log) > 0 || e.Journal.Waiting() != 0 ||
			e.shares.Inside() != 0 {
			t.Errorf("Start on another clock has started the flow: %q", o.log)
		}
		if r.Clock != want {
			t.Errorf("Start on another clock has not set the run's")
		}
		if !o.flow.Start(&e.Engine, o, r) {
			t.Error("Start on the run's clock reports false")
		}
		return o
	}

	r := request()
	e.ownClock()
	advance(e.Clock, time.Hour)
	advance(e.own, s)
	o := again(&r, e.own)
	if want := e.own.Now().Add(2 * s); !o.due.Equal(want) { // it counts as arrived when the clock was set
		t.Errorf("due %v after the clock was advanced, want 2s", o.due.Sub(e.own.Now()))
	}
	advance(e.own, 2*s)
	advance(e.Clock, time.Hour)
	o.flow.Resume(true)
	if got := o.timing; got.Waited != 2*s || got.Real < 0 || !o.done {
		t.Errorf("answered %v, timing %+v, want 2s", o.done, got)
	}

	r = request()
	e.SetClock(&r)
	e.Journal.Forget("r")
	o = again(&r, nil)
	if want := e.Clock.Now().Add(2 * s); !o.due.Equal(want) {
		t.Errorf("due in %v on the server's clock, want 2s", o.due.Sub(e.Clock.Now()))
	}
	o.cancel(flow.ErrClientGone)
}

// A request that is refused is recorded on the clock of its run, though that was made or
// dropped since the request was looked at.
func TestRefuseOnTheClockOfTheRun(t *testing.T) {
	e := newEngine(t, 1)
	e.begin(planOf(s, "a"))
	refuse := func(r flow.Request, want *clock.Clock) {
		t.Helper()
		r.Planned, r.Method, r.Path, r.Client = plan.Planned{Plan: planOf(s, "a"), Run: "r"}, "GET", "/", e.client
		o := &output{engine: e}
		if !o.flow.Start(&e.Engine, o, &r) || !o.done {
			t.Errorf("a request above MAX_IN_FLIGHT is not answered: %q", o.log)
		}
		w := e.ended[len(e.ended)-1]
		if now := cmp.Or(want, e.Clock).Now(); w.Outcome != journal.Refused || w.Clock != want || !w.Start.Equal(now) {
			t.Errorf("%s, on the clock wanted: %v, %v before now; want refused, true, 0s", w.Outcome, w.Clock == want,
				now.Sub(w.Start))
		}
	}

	r := flow.Request{Arrived: e.Clock.Timestamp()}
	e.ownClock()
	if err := e.own.Advance(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	refuse(r, e.own)
	r.Run = "r"
	e.SetClock(&r)
	e.Journal.Forget("r")
	refuse(r, nil)
}

// A full pool within a run expects a worker to be free by the run's clock, and a pool that
// runs share by the server's.
func TestPoolsOfARunWithItsOwnClock(t *testing.T) {
	for name, want := range map[string]time.Duration{"run:p": 6 * s, "p": 10 * s} {
		e := newEngine(t, 5)
		e.ownClock()
		full := planOf(10*s, "a")
		full.Pool = &gate.PoolSpec{Name: name, Workers: 1}
		e.begin(full)
		e.advance(4 * s)
		e.begin(full)
		if got := e.ended[0]; got.Outcome != journal.Refused || got.RetryAfter != want {
			t.Errorf("pool %s after 4s of 10s: %s, Retry-After %v, want refused, %v", name, got.Outcome,
				got.RetryAfter, want)
		}
		e.advance(6 * s)
		if len(e.Pools.States()) != 0 {
			t.Errorf("pool %s is still in use", name)
		}
	}
}
