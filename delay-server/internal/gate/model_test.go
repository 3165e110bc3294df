package gate_test

import (
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/internal/gate"
)

// step is one wait of a request.
type step struct {
	kind    kind
	name    string
	parties int // of a barrier
	workers int // of a pool
	queue   int
	lasts   time.Duration // at least, of a sleep or the timeout of a hold or barrier
	offset  time.Duration // of its due time from a grain; different for each step
}

type kind int

const (
	sleeps kind = iota
	holds
	barriers
	pools
)

// grain divides each advance, but no due time. So no two requests are due at the same
// time, and none when an advance ends: the order is defined.
const grain = time.Millisecond

// due returns the due time of a step that begins at now. The clock began at 0.
func (s step) due(now time.Duration) time.Duration {
	return (now + s.lasts).Truncate(grain) + grain + s.offset
}

func (s step) hold(timeout time.Duration) gate.HoldSpec {
	return gate.HoldSpec{Name: s.name, Timeout: timeout}
}

func (s step) barrier(timeout time.Duration) gate.BarrierSpec {
	return gate.BarrierSpec{Name: s.name, Parties: s.parties, Timeout: timeout}
}

func (s step) pool() gate.PoolSpec {
	return gate.PoolSpec{Name: s.name, Workers: s.workers, Queue: s.queue}
}

// record is the result of a request.
type record struct {
	passed []time.Duration // when it passed each of its steps
	ended  bool
	at     time.Duration
	err    error
}

// model is a sequential model of the clock and the gates.
type model struct {
	now      time.Duration
	live     []*modelled
	holds    map[gate.Name][]*modelled
	barriers map[gate.Name][]*modelled
	pools    map[gate.Name]*modelPool
}

type modelPool struct {
	spec  gate.PoolSpec
	busy  int
	queue []*modelled
}

type modelled struct {
	id      int
	run     string
	attempt int
	steps   []step        // left
	since   time.Duration // start of the first of them
	waits   bool          // for a time
	due     time.Duration // if it waits
	workers []gate.Name   // names of the pools that it has a worker of
	record
}

func newModel() *model {
	return &model{
		holds: map[gate.Name][]*modelled{}, barriers: map[gate.Name][]*modelled{}, pools: map[gate.Name]*modelPool{},
	}
}

func (m *model) arrive(id int, run string, attempt int, steps []step) *modelled {
	r := &modelled{id: id, run: run, attempt: attempt, steps: steps}
	m.live = append(m.live, r)
	m.begin(r)
	return r
}

// begin begins the first step of r that is left.
func (m *model) begin(r *modelled) {
	if len(r.steps) == 0 {
		m.end(r, nil)
		return
	}
	s := r.steps[0]
	r.since, r.due, r.waits = m.now, s.due(m.now), s.kind != pools
	switch s.kind {
	case holds:
		m.holds[r.place()] = append(m.holds[r.place()], r)
	case barriers:
		m.enterBarrier(r, s)
	case pools:
		m.enterPool(r, s)
	}
}

func (m *model) enterBarrier(r *modelled, s step) {
	standing := m.barriers[r.place()]
	switch {
	case len(standing) > 0 && standing[0].steps[0].parties != s.parties:
		m.end(r, &gate.BarrierMismatchError{Name: s.name, Asked: s.parties, Current: standing[0].steps[0].parties})
	case len(standing)+1 == s.parties:
		delete(m.barriers, r.place())
		for _, x := range append(standing, r) {
			m.pass(x)
		}
	default:
		m.barriers[r.place()] = append(standing, r)
	}
}

func (m *model) enterPool(r *modelled, s step) {
	p := m.pools[r.place()]
	if p == nil {
		p = &modelPool{spec: s.pool()}
		m.pools[r.place()] = p
	}
	switch {
	case p.spec != s.pool():
		m.end(r, &gate.PoolMismatchError{Asked: s.pool(), Current: p.spec})
	case p.busy < s.workers:
		p.busy++
		r.workers = append(r.workers, r.place())
		m.pass(r)
	case s.queue >= 0 && len(p.queue) >= s.queue:
		m.end(r, &gate.PoolFullError{Pool: p.spec})
	default:
		p.queue = append(p.queue, r)
	}
}

func (m *model) pass(r *modelled) {
	r.passed = append(r.passed, m.now)
	r.steps = r.steps[1:]
	m.begin(r)
}

func (m *model) end(r *modelled, err error) {
	r.waits, r.ended, r.at, r.err = false, true, m.now, err
	m.live = without(m.live, r)
	for _, name := range r.workers {
		p := m.pools[name]
		if len(p.queue) == 0 {
			if p.busy--; p.busy == 0 {
				delete(m.pools, name)
			}
			continue
		}
		next := p.queue[0]
		p.queue = p.queue[1:]
		next.workers = append(next.workers, name)
		m.pass(next)
	}
}

// leave removes r from its queue.
func (m *model) leave(r *modelled) {
	switch r.steps[0].kind {
	case holds:
		remove(m.holds, r.place(), r)
	case barriers:
		remove(m.barriers, r.place(), r)
	case pools:
		m.pools[r.place()].queue = without(m.pools[r.place()].queue, r)
	}
}

func (m *model) cancel(r *modelled) {
	m.leave(r)
	m.end(r, errGone)
}

// free is Release, or Fail if err is not nil.
func (m *model) free(name gate.Name, c gate.Choice, err error) (int, error) {
	held := slices.Clone(m.holds[name])
	asked := max(c.Count, c.Nth)
	switch {
	case len(held) == 0:
		return 0, gate.ErrNobodyHeld
	case asked > len(held):
		return 0, &gate.FewerHeldError{Asked: asked, Held: len(held)}
	}
	if c.Newest {
		slices.Reverse(held)
	}
	switch {
	case c.Nth > 0:
		held = held[c.Nth-1 : c.Nth]
	case c.Count > 0:
		held = held[:c.Count]
	case c.Attempt > 0:
		all := len(held)
		held = slices.DeleteFunc(held, func(r *modelled) bool { return r.attempt != c.Attempt })
		if len(held) == 0 {
			return 0, &gate.NoAttemptHeldError{Attempt: c.Attempt, Held: all}
		}
	}
	for _, r := range held {
		m.leave(r)
		if err != nil {
			m.end(r, err)
		} else {
			m.pass(r)
		}
	}
	return len(held), nil
}

// reset is ResetRun of the holds and the barriers.
func (m *model) reset(run string) {
	for at, err := range map[*map[gate.Name][]*modelled]func(string) error{
		&m.holds:    func(name string) error { return &gate.HoldFailedError{Name: name} },
		&m.barriers: func(name string) error { return &gate.BarrierResetError{Name: name} },
	} {
		for name, rs := range *at {
			if name.Run == "" || run != "" && name.Run != run {
				continue
			}
			for _, r := range rs {
				m.leave(r)
				m.end(r, err(name.Name))
			}
		}
	}
}

// place returns the name of r's next gate.
func (r *modelled) place() gate.Name {
	name := r.steps[0].name
	if strings.HasPrefix(name, "run:") {
		return gate.Name{Run: r.run, Name: name}
	}
	return gate.Name{Name: name}
}

func (m *model) advance(d time.Duration) {
	until := m.now + d
	for {
		r := m.next()
		if r == nil || r.due > until {
			m.now = until
			return
		}
		m.now = r.due
		m.leave(r)
		switch s := r.steps[0]; s.kind {
		case sleeps:
			m.pass(r)
		case holds:
			m.end(r, &gate.HoldTimeoutError{Hold: s.hold(r.due - r.since)})
		case barriers:
			others := m.barriers[r.place()]
			delete(m.barriers, r.place())
			reason := &gate.BarrierTimeoutError{Barrier: s.barrier(r.due - r.since), Arrived: len(others) + 1}
			for _, other := range others {
				m.end(other, &gate.BrokenError{Reason: reason})
			}
			m.end(r, reason)
		}
	}
}

// next returns the request that is due first, nil for none.
func (m *model) next() *modelled {
	var first *modelled
	for _, r := range m.live {
		if r.waits && (first == nil || r.due < first.due) {
			first = r
		}
	}
	return first
}

// without returns a copy of rs without r. Callers are iterating over rs.
func without(rs []*modelled, r *modelled) []*modelled {
	i := slices.Index(rs, r)
	return slices.Concat(rs[:i], rs[i+1:])
}

func remove(from map[gate.Name][]*modelled, name gate.Name, r *modelled) {
	if from[name] = without(from[name], r); len(from[name]) == 0 {
		delete(from, name)
	}
}
