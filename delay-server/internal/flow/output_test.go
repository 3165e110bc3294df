package flow_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// engine is a flow.Engine with a frozen clock.
type engine struct {
	flow.Engine
	t      *testing.T
	own    *clock.Clock // of run r; nil for none
	start  time.Time
	shares *gate.Shares
	client *gate.Client
	ended  []journal.Wait // as the journal's observer saw them
	outs   []*output
	sent   map[string]journal.Response // by path
}

// newEngine returns an engine with a MAX_IN_FLIGHT.
func newEngine(t *testing.T, maxInFlight int) *engine {
	c := clock.New()
	c.Freeze()
	e := &engine{t: t, start: c.Now(), shares: gate.NewShares(maxInFlight, maxInFlight),
		sent: map[string]journal.Response{}}
	e.client = e.shares.Client(netip.Addr{})
	e.Engine = flow.Engine{
		Clock: c, Runs: clock.NewRuns(c),
		Journal: journal.New(100, c.Now, func(w journal.Wait) { e.ended = append(e.ended, w) }),
		Pools:   new(gate.Pools), Barriers: new(gate.Barriers), Holds: gate.NewHolds(),
		Header: func(h http.Header, origin string) {
			if origin != "" {
				h.Set("Access-Control-Allow-Origin", origin)
			}
		},
		Full: func(err error) *problem.Problem { return problem.TooManyInFlight.New("%v", err) },
	}
	e.Journal.Clocks = e.Runs
	return e
}

// ownClock gives the run r a frozen clock. All requests that begin now are of that run.
func (e *engine) ownClock() {
	e.t.Helper()
	var err error
	if e.own, err = e.Journal.MakeClock("r"); err != nil {
		e.t.Fatal(err)
	}
	e.own.Freeze()
}

// time returns the clock that the requests wait on.
func (e *engine) time() *clock.Clock { return cmp.Or(e.own, e.Clock) }

// begin begins a GET of the plan.
func (e *engine) begin(p *plan.Plan) *output { return e.beginAs(flow.Request{Method: "GET"}, p) }

// beginAs begins the request. It sets the fields that all requests need.
func (e *engine) beginAs(r flow.Request, p *plan.Plan) *output {
	o := &output{engine: e}
	e.outs = append(e.outs, o)
	o.begin(r, p)
	return o
}

// advance advances the clock by d, and resumes each flow at its due time.
func (e *engine) advance(d time.Duration) {
	e.t.Helper()
	end := e.time().Now().Add(d)
	for {
		var first *output
		for _, o := range e.outs {
			if !o.due.IsZero() && !o.due.After(end) && (first == nil || o.due.Before(first.due)) {
				first = o
			}
		}
		to := end
		if first != nil && first.due.After(e.time().Now()) {
			to = first.due
		} else if first != nil {
			to = e.time().Now()
		}
		if err := e.time().Advance(e.t.Context(), to.Sub(e.time().Now())); err != nil {
			e.t.Fatal(err)
		}
		if first == nil {
			return
		}
		first.due = time.Time{}
		first.flow.Resume(true)
	}
}

// wake resumes woken flows until there are none.
func (e *engine) wake() {
	for woken := true; woken; {
		woken = false
		for _, o := range e.outs {
			if o.woken {
				o.woken, woken = false, true
				o.flow.Resume(false)
			}
		}
	}
}

// wantIdle fails the test if a request has left anything, or unless so many have ended.
func (e *engine) wantIdle(ended int) {
	e.t.Helper()
	if w, n := e.Journal.Waiting(), e.shares.Inside(); w != 0 || n != 0 {
		e.t.Errorf("%d waiting and %d places taken, want none", w, n)
	}
	if flights := e.Journal.Live("").Flights; len(flights) != 0 {
		e.t.Errorf("%+v is in flight, want none", flights)
	}
	if p, h := e.Pools.States(), e.Holds.States(); len(p) != 0 || len(h) != 0 {
		e.t.Errorf("pools %v and holds %v are left, want none", p, h)
	}
	for _, name := range []string{"a", "b"} {
		if passed, err := e.Barriers.Enter(&gate.Ticket{}, gate.BarrierSpec{Name: name, Parties: 1}); !passed ||
			err != nil {
			e.t.Errorf("a request is left at the barrier %s: %v", name, err)
		}
	}
	if len(e.ended) != ended {
		e.t.Errorf("the journal saw %d end, want %d: %v", len(e.ended), ended, e.outcomes())
	}
}

func (e *engine) outcomes() (list []journal.Outcome) {
	for _, w := range e.ended {
		list = append(list, w.Outcome)
	}
	return list
}

// ours is an Engine.Origin. The header depends on http origins.
func ours(origin string) string {
	if strings.HasPrefix(origin, "http://") {
		return origin
	}
	return ""
}

// output is a flow.Output that logs its calls, and fails the test if a call is not
// allowed in its state.
type output struct {
	*engine
	flow  flow.Flow
	path  string
	log   []string
	due   time.Time // of Wait
	woken bool

	head   *answer.Head
	timing answer.Timing

	refuses  func(last bool) bool // whether Send reports false
	onSend   func(last bool)
	faultErr error // that Fault returns, once
	began    bool
	refused  bool // Taken is due
	over     bool // no call is allowed any more
	done     bool
}

// begin starts the flow with the request and the plan.
func (o *output) begin(r flow.Request, p *plan.Plan) {
	o.reset(&r)
	r.Plan = p
	if o.own != nil {
		r.Run = "r"
		o.SetClock(&r)
	}
	if !o.flow.Start(&o.Engine, o, &r) {
		o.t.Error("a flow has not started")
	}
}

// reject rejects the request.
func (o *output) reject(r flow.Request) {
	o.reset(&r)
	o.flow.Reject(&o.Engine, o, &r, problem.InvalidParameter.New("no"), false)
}

// reset prepares o for r, and sets the fields of r that all requests need.
func (o *output) reset(r *flow.Request) {
	o.log, o.due, o.woken, o.head = nil, time.Time{}, false, nil
	o.began, o.refused, o.over, o.done = false, false, false, false
	r.Client, r.Arrived, r.ProtoMajor = o.client, o.Clock.Timestamp(), 1
	if r.Path == "" {
		r.Path = "/"
	}
	o.path = r.Path
}

func (o *output) note(format string, args ...any) {
	o.log = append(o.log, fmt.Sprintf(format, args...))
}

// allow fails the test if a call is not allowed now.
func (o *output) allow(ok bool, call string) {
	o.t.Helper()
	if !ok || o.over {
		o.t.Errorf("%s is called after %q", call, o.log)
	}
}

// Wait implements flow.Output.
func (o *output) Wait(due time.Time) {
	o.allow(!o.refused, "Wait")
	if o.due = due; due.IsZero() {
		o.note("wait")
	} else {
		o.note("wait until %v", due.Sub(o.start))
	}
}

// Wake implements flow.Output.
func (o *output) Wake() {
	o.allow(!o.began, "Wake")
	o.woken = true
}

// Begin implements flow.Output.
func (o *output) Begin(h *answer.Head, length int64, timing *answer.Timing, close bool) {
	o.allow(!o.began, "Begin")
	o.began, o.head, o.due = true, h, time.Time{}
	after, _ := strconv.Atoi(h.Header.Get("Retry-After"))
	o.sent[o.path] = journal.Response{Status: h.Status, RetryAfter: time.Duration(after) * s}
	text := fmt.Sprint("begin ", h.Status)
	switch {
	case length == answer.NoLength:
		text += " of no length"
	case length < 0:
		text += " in chunks"
	case length < 1000 && h.Status < 400: // a problem's length is not checked here
		text += fmt.Sprint(" of ", length)
	}
	if close {
		text += " and close"
	}
	o.note("%s", text)
	if timing != nil {
		o.timing = *timing
	}
}

// Send implements flow.Output.
func (o *output) Send(b []byte, last bool) (taken bool) {
	o.allow(o.began && !o.refused, "Send")
	text := fmt.Sprintf("send %q", b)
	if len(b) > 40 {
		text = fmt.Sprintf("send %d bytes", len(b))
	}
	if o.head.Status >= 400 && len(b) > 0 {
		var p problem.Problem
		if err := json.Unmarshal(b, &p); err != nil {
			o.t.Errorf("body %q: %v", b, err)
		}
		text = "send " + p.Type.Name()
		response := o.sent[o.path]
		response.Problem = p.Type
		o.sent[o.path] = response
	}
	if last {
		text += ", the last"
	}
	if o.onSend != nil {
		o.onSend(last)
	}
	o.refused = o.refuses != nil && o.refuses(last)
	if o.refused {
		text += ", refused"
	}
	o.note("%s", text)
	return !o.refused
}

// Fault implements flow.Output.
func (o *output) Fault(f answer.Fault) error {
	o.allow(true, "Fault")
	o.note("fault %s", f)
	if o.began || o.faultErr == nil {
		response := o.sent[o.path]
		response.Fault = string(f)
		o.sent[o.path] = response
	}
	if err := o.faultErr; err != nil {
		o.faultErr = nil
		return err
	}
	o.over, o.due, o.refused = true, time.Time{}, false
	return nil
}

// Done implements flow.Output.
func (o *output) Done() {
	o.allow(o.began && !o.refused, "Done")
	o.over, o.done = true, true
	o.note("done")
}

// taken tells the flow that the client has read what Send refused.
func (o *output) taken() {
	o.refused = false
	o.flow.Taken()
}

// cancel cancels the flow. After ErrClientGone it may not call the output any more.
func (o *output) cancel(cause error) {
	o.refused = false // a reply is buffered
	o.flow.Cancel(cause)
	if errors.Is(cause, flow.ErrClientGone) {
		o.over, o.due = true, time.Time{}
	}
}

// want fails the test unless this is the log.
func (o *output) want(log ...string) {
	o.t.Helper()
	if got, want := strings.Join(o.log, "; "), strings.Join(log, "; "); got != want {
		o.t.Errorf("got  %s\nwant %s", got, want)
	}
}

// header returns the header that was sent.
func (o *output) header() http.Header {
	h := http.Header{}
	if o.head != nil {
		o.head.CopyTo(h, answer.NoLength, nil)
	}
	return h
}

// planOf returns a plan with status 200 and the body.
func planOf(wait time.Duration, body string) *plan.Plan {
	a := answer.Answer{Status: 200, ContentType: answer.Text, Body: answer.Body{Whole: []byte(body)}}
	return &plan.Plan{Template: new(plan.Template), Wait: wait, Answer: a}
}

// with returns the plan with changes.
func with(p *plan.Plan, change func(*plan.Plan)) *plan.Plan {
	change(p)
	return p
}

// parts returns a body with a part of one byte, "a", "b" and so on, for each due time.
func parts(known bool, dues ...time.Duration) answer.Body {
	b := answer.Body{Length: -1, Paced: true, Open: func(func() time.Time) func() (answer.Part, bool) {
		i := -1
		return func() (answer.Part, bool) {
			if i++; i >= len(dues) {
				return answer.Part{}, false
			}
			return answer.Part{Due: dues[i], Bytes: []byte{byte('a' + i)}}, true
		}
	}}
	if known {
		b.Length = int64(len(dues))
	}
	return b
}

// nth returns a func that reports true only at its nth call.
func nth(n int) func(bool) bool {
	return func(bool) bool { n--; return n == 0 }
}

// unsafeString returns b as a string without a copy. The string changes with b.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
