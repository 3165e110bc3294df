package flow_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
)

// In any order of events, each request ends once and gives back all that it had. The
// outputs check their calls.
func TestModel(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	seen := map[journal.Outcome]int{}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for _, outcome := range play(t, rand.New(rand.NewPCG(seed, 1))) {
				seen[outcome]++
			}
		})
		if t.Failed() {
			return
		}
	}
	for _, outcome := range journal.Outcomes {
		if seen[outcome] == 0 {
			t.Errorf("no request ended as %s: %v", outcome, seen)
		}
	}
}

// play plays a random game, ends it in one of three ways, and returns the outcomes.
func play(t *testing.T, r *rand.Rand) []journal.Outcome {
	e := newEngine(t, 1+r.IntN(8))
	if r.IntN(2) == 0 {
		e.ownClock()
		if err := e.Clock.Advance(t.Context(), time.Duration(r.IntN(1000))*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	limit := gate.NewRateLimits().Limiter(1, gate.Rate{Requests: 2, Window: s, Burst: 2})
	begun := 0
	begin := func() {
		var free []*output // of done flows
		for _, o := range e.outs {
			if !o.flow.Running() {
				free = append(free, o)
			}
		}
		o := &output{engine: e, refuses: func(bool) bool { return r.IntN(4) == 0 }}
		if len(free) > 0 && r.IntN(2) == 0 {
			o = free[r.IntN(len(free))]
		} else {
			e.outs = append(e.outs, o)
		}
		if r.IntN(9) == 0 {
			o.faultErr = errors.New("no fault")
		}
		begun++
		request := flow.Request{
			Planned: plan.Planned{Run: []string{"", "r"}[r.IntN(2)]}, Method: []string{"GET", "POST"}[r.IntN(2)],
			Path: fmt.Sprint("/", begun), Record: r.IntN(3) == 0,
		}
		if r.IntN(3) == 0 {
			request.Method, request.Path = "HEAD", "/" // the body that names the problem is not sent
			request.Record = false
		}
		if r.IntN(20) == 0 {
			o.reject(request)
		} else {
			o.begin(request, randomPlan(r, limit))
		}
	}
	for range 50 + r.IntN(150) {
		switch r.IntN(10) {
		case 0, 1, 2:
			begin()
		case 3, 4:
			e.advance(time.Duration(r.IntN(3000)) * time.Millisecond)
		case 5:
			_, _ = e.Holds.Release(gate.NameOf("", name(r)), gate.Choice{Count: r.IntN(3)})
		case 6:
			_, _ = e.Holds.Fail(gate.NameOf("", name(r)))
		case 7:
			e.wake()
		case 8:
			e.step(r)
		case 9:
			if len(e.outs) > 0 && r.IntN(2) == 0 {
				o := e.outs[r.IntN(len(e.outs))]
				o.cancel([]error{flow.ErrClientGone, flow.ErrShutdown, errors.New("internal")}[r.IntN(3)])
			}
		}
		e.check()
	}
	switch r.IntN(3) {
	case 0: // all requests end in time
		for range 10 {
			e.advance(time.Minute)
			e.wake()
			for _, o := range e.outs {
				for o.refused {
					o.taken()
				}
			}
		}
	case 1:
		e.Shutdown()
		begin()
		for _, o := range e.outs {
			o.cancel(flow.ErrShutdown)
			o.cancel(flow.ErrClientGone)
		}
	case 2:
		for _, o := range e.outs {
			o.cancel(flow.ErrClientGone)
		}
	}
	for _, o := range e.outs {
		if o.flow.Running() {
			t.Errorf("a flow is still running: %q", o.log)
		}
	}
	e.wantIdle(begun)
	e.wantResponses()
	if run, ok := e.Journal.Run("r"); ok && !run.Settled() {
		t.Errorf("the run is %+v", run.Summary)
	}
	return e.outcomes()
}

// step resumes a flow, possibly spuriously.
func (e *engine) step(r *rand.Rand) {
	if len(e.outs) == 0 {
		return
	}
	o := e.outs[r.IntN(len(e.outs))]
	switch {
	case r.IntN(2) == 0:
		o.woken = false
		o.flow.Resume(false)
	case o.refused:
		o.taken()
	case !o.flow.Sending():
		o.flow.Taken()
	}
}

// check fails the test if the journal or the places do not match the running flows.
func (e *engine) check() {
	e.t.Helper()
	waiting, sent := 0, 0
	for _, o := range e.outs {
		switch {
		case o.flow.Ended() && o.flow.Running():
			sent++
		case o.flow.Running():
			waiting++
		}
	}
	if n := e.shares.Inside(); n < waiting || n > waiting+sent {
		e.t.Fatalf("%d places taken, %d flows waiting, %d sent and not taken", n, waiting, sent)
	}
	if n := e.Journal.Waiting(); n < waiting || n > waiting+sent {
		e.t.Fatalf("the journal counts %d, %d flows waiting, %d sent and not taken", n, waiting, sent)
	}
}

func name(r *rand.Rand) string { return []string{"a", "b"}[r.IntN(2)] }

func randomPlan(r *rand.Rand, limit *gate.RateLimiter) *plan.Plan {
	wait := func() time.Duration { return time.Duration(r.IntN(4)) * 700 * time.Millisecond }
	p := planOf(wait(), "hello")
	switch r.IntN(4) {
	case 0:
		p.Answer.Body = parts(true, 0, wait(), 3*s)
	case 1:
		p.Answer.Body = parts(false, wait(), 3*s, 3*s)
	case 2:
		p.Answer.Status, p.Answer.Body = 204, answer.Body{}
	}
	if r.IntN(6) == 0 {
		p.Answer.Fault = answer.Faults[r.IntN(4)]
	}
	if r.IntN(8) == 0 {
		p.Limit = limit
	}
	if r.IntN(2) == 0 {
		p.Pool = &gate.PoolSpec{Name: name(r), Workers: 1 + r.IntN(10)/9, Queue: 2}
	}
	switch r.IntN(5) {
	case 0, 1:
		p.Barrier = &gate.BarrierSpec{Name: name(r), Parties: 2 + r.IntN(10)/9, Timeout: wait() + 1}
	case 2:
		p.Hold = &gate.HoldSpec{Name: name(r), Timeout: wait() + 1}
	}
	return p
}
