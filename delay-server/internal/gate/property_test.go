package gate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
)

// Requests arrive and leave, holds are released and failed, and the clock advances, at
// random. After each step the gates and the model have the same state and results.
func TestGatesMatchTheModel(t *testing.T) {
	first := rand.Uint64()
	for i := range uint64(60) {
		seed := first + i
		r := rand.New(rand.NewPCG(seed, 0))
		choices := make([]byte, 800)
		for i := range choices {
			choices[i] = byte(r.Uint32())
		}
		if !t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { play(t, choices) }) {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzGatesMatchTheModel(f *testing.F) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 0))
		choices := make([]byte, 100<<seed)
		for i := range choices {
			choices[i] = byte(r.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) { play(t, choices[:min(len(choices), 2000)]) })
}

var errGone = errors.New("gone")

// game has the clock, the gates and their model.
type game struct {
	t        *testing.T
	choices  choices
	start    time.Time
	clock    *clock.Clock
	holds    *gate.Holds
	barriers gate.Barriers
	pools    gate.Pools

	model    *model
	requests []*request
	offset   time.Duration
	did      []string
}

// request is a request at the real gates.
type request struct {
	model *modelled
	leave context.CancelCauseFunc
	record
}

// choices are the random choices of a game.
type choices []byte

// of returns a number from 0 to n-1.
func (c *choices) of(n int) int {
	if len(*c) == 0 {
		return 0
	}
	first := (*c)[0]
	*c = (*c)[1:]
	return int(first) % n
}

func play(t *testing.T, c choices) {
	synctest.Test(t, func(t *testing.T) {
		g := &game{t: t, choices: c, clock: clock.New(), holds: gate.NewHolds(), model: newModel()}
		g.clock.Freeze()
		g.start = g.clock.Now()
		for len(g.choices) > 0 && !t.Failed() {
			g.turn()
			g.compare()
		}
		for len(g.model.live) > 0 && !t.Failed() {
			g.cancel()
			g.compare()
		}
		for _, r := range g.requests { // if the test has failed
			r.leave(errGone)
		}
	})
}

// turn does one step with the gates and with the model.
func (g *game) turn() {
	name := gate.NameOf(g.run(), g.name())
	switch g.choices.of(13) {
	case 0, 1, 2, 3:
		g.arrive()
	case 4:
		g.cancel()
	case 5, 6:
		which := []gate.Choice{
			{}, {Count: 1}, {Count: 2}, {Count: 3}, {Count: 1, Newest: true}, {Count: 2, Newest: true}, {Nth: 1},
			{Nth: 2}, {Attempt: 1}, {Attempt: 2},
		}[g.choices.of(10)]
		g.say("Release(%q, %+v)", name, which)
		got, err := g.holds.Release(name, which)
		want, wantErr := g.model.free(name, which, nil)
		g.same("Release", []any{got, err}, []any{want, wantErr})
	case 7:
		g.say("Fail(%q)", name)
		got, err := g.holds.Fail(name)
		want, wantErr := g.model.free(name, gate.Choice{}, &gate.HoldFailedError{Name: name.Name})
		g.same("Fail", []any{got, err}, []any{want, wantErr})
	case 8:
		run := g.run()
		g.say("ResetRun(%q)", run)
		g.holds.ResetRun(run)
		g.barriers.ResetRun(run)
		g.model.reset(run)
	case 9:
		g.say("nothing for an hour of wall time")
		time.Sleep(time.Hour)
	case 10:
		d, scale := time.Duration(g.choices.of(20))*grain, 1+g.choices.of(3)
		g.say("run for %v at scale %d", d, scale)
		if err := g.clock.Scale(float64(scale)); err != nil {
			g.t.Fatal(err)
		}
		g.clock.Unfreeze()
		time.Sleep(d * time.Duration(scale))
		g.clock.Freeze()
		g.model.advance(d)
	default:
		d := time.Duration(g.choices.of(40)) * grain
		g.say("Advance(%v)", d)
		ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
		defer cancel()
		if err := g.clock.Advance(ctx, d); err != nil {
			g.t.Errorf("Advance(%v) = %v", d, err)
		}
		g.model.advance(d)
		g.compareRecords() // without synctest.Wait: Advance has waited
	}
}

func (g *game) arrive() {
	run, attempt, steps := g.run(), g.choices.of(3), g.script()
	g.say("number %d arrives, attempt %d of run %q: %+v", len(g.requests), attempt, run, steps)
	ctx, leave := context.WithCancelCause(g.t.Context())
	r := &request{model: g.model.arrive(len(g.requests), run, attempt, steps), leave: leave}
	g.requests = append(g.requests, r)
	go g.serve(ctx, r, steps)
}

// run and name return the name of a run, and of a gate.
func (g *game) run() string  { return []string{"", "r", "s"}[g.choices.of(3)] }
func (g *game) name() string { return []string{"a", "b", "run:a"}[g.choices.of(3)] }

// script returns the steps of a request: gates, and a sleep after each, so that
// requests freed together arrive separately at the next gate.
func (g *game) script() []step {
	var steps []step
	for range 1 + g.choices.of(4) {
		s := step{
			kind:    kind(g.choices.of(4)),
			name:    g.name(),
			parties: []int{2, 2, 2, 3, 1, 4}[g.choices.of(6)],
			workers: 1 + g.choices.of(8)/7,
			queue:   []int{-1, -1, 0, 1, 2}[g.choices.of(5)],
			lasts:   time.Duration(g.choices.of(100)) * grain,
		}
		nap := step{kind: sleeps, lasts: s.lasts / 4}
		for _, s := range []step{s, nap} {
			g.offset++
			s.offset = g.offset
			steps = append(steps, s)
		}
	}
	return steps
}

// serve takes a request through its steps.
func (g *game) serve(ctx context.Context, r *request, steps []step) {
	w := newWaiter(g.clock)
	w.run, w.attempt = r.model.run, r.model.attempt
	defer w.Leave()
	now := func() time.Duration { return w.Now().Sub(g.start) }
	for _, s := range steps {
		due := s.due(now())
		var err error
		switch s.kind {
		case sleeps:
			err = w.until(ctx, g.start.Add(due))
		case holds:
			err = enterHold(ctx, w, g.holds, s.hold(due-now()))
		case barriers:
			err = enterBarrier(ctx, w, &g.barriers, s.barrier(due-now()))
		case pools:
			var leave func()
			if leave, err = enterPool(ctx, w, &g.pools, s.pool(), 0); err == nil {
				defer leave()
			}
		}
		if err != nil {
			r.ended, r.at, r.err = true, now(), err
			return
		}
		r.passed = append(r.passed, now())
	}
	r.ended, r.at = true, now()
}

func (g *game) cancel() {
	if len(g.model.live) == 0 {
		return
	}
	r := g.model.live[g.choices.of(len(g.model.live))]
	g.say("number %d leaves", r.id)
	g.requests[r.id].leave(errGone)
	g.model.cancel(r)
}

// compare compares the visible state with the model.
func (g *game) compare() {
	synctest.Wait()
	g.compareRecords()
	g.same("the clock", g.clock.State(), g.clockState())
	held := map[gate.Name]gate.HoldState{}
	for name, rs := range g.model.holds {
		s := gate.HoldState{Name: name, Waiting: len(rs)}
		for _, r := range rs {
			s.Held = append(s.Held, gate.HeldRequest{Run: r.run, Attempt: r.attempt})
		}
		held[name] = s
	}
	states := map[gate.Name]gate.HoldState{}
	for _, s := range g.holds.States() {
		states[s.Name] = g.holds.State(s.Name)
		g.same("the state in the list", s.Waiting, states[s.Name].Waiting)
	}
	g.same("holds", states, held)
	waiting := map[gate.Name]int{}
	for name, rs := range g.model.barriers {
		waiting[name] = len(rs)
	}
	g.same("barriers", g.barriers.Standing(), waiting)
	served := map[string]gate.PoolState{}
	for name, p := range g.model.pools {
		of := served[name.Name] // of all runs
		served[name.Name] = gate.PoolState{Name: name.Name, Busy: of.Busy + p.busy, Queued: of.Queued + len(p.queue)}
	}
	pools := map[string]gate.PoolState{}
	for _, s := range g.pools.States() {
		pools[s.Name] = s
	}
	g.same("pools", pools, served)
}

func (g *game) clockState() clock.State {
	s := clock.State{Frozen: true, Elapsed: g.model.now, Scale: g.clock.State().Scale}
	for _, r := range g.model.live {
		if r.waits {
			s.Waiting++
		}
	}
	if next := g.model.next(); next != nil {
		s.Next = next.due - g.model.now
	}
	return s
}

// compareRecords compares the results of the requests.
func (g *game) compareRecords() {
	for _, r := range g.requests {
		g.same(fmt.Sprintf("number %d", r.model.id), r.record, r.model.record)
	}
}

func (g *game) say(format string, args ...any) { g.did = append(g.did, fmt.Sprintf(format, args...)) }

func (g *game) same(what string, got, want any) {
	if g.t.Failed() || reflect.DeepEqual(got, want) {
		return
	}
	for i, did := range g.did {
		g.t.Logf("%d. %s", i+1, did)
	}
	g.t.Errorf("%s: got %+v, the model says %+v", what, got, want)
}
