package gate_test

import (
	"slices"
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
	holds    map[string][]*modelled
	barriers map[string][]*modelled
	pools    map[string]*modelPool
}

type modelPool struct {
	spec  gate.PoolSpec
	busy  int
	queue []*modelled
}

type modelled struct {
	id      int
	steps   []step        // left
	since   time.Duration // start of the first of them
	waits   bool          // for a time
	due     time.Duration // if it waits
	workers []string      // names of the pools that it has a worker of
	record
}

func newModel() *model {
	return &model{holds: map[string][]*modelled{}, barriers: map[string][]*modelled{}, pools: map[string]*modelPool{}}
}

func (m *model) arrive(id int, steps []step) *modelled {
	r := &modelled{id: id, steps: steps}
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
		m.holds[s.name] = append(m.holds[s.name], r)
	case barriers:
		m.enterBarrier(r, s)
	case pools:
		m.enterPool(r, s)
	}
}

func (m *model) enterBarrier(r *modelled, s step) {
	standing := m.barriers[s.name]
	switch {
	case len(standing) > 0 && standing[0].steps[0].parties != s.parties:
		m.end(r, &gate.BarrierMismatchError{Name: s.name, Asked: s.parties, Current: standing[0].steps[0].parties})
	case len(standing)+1 == s.parties:
		delete(m.barriers, s.name)
		for _, x := range append(standing, r) {
			m.pass(x)
		}
	default:
		m.barriers[s.name] = append(standing, r)
	}
}

func (m *model) enterPool(r *modelled, s step) {
	p := m.pools[s.name]
	if p == nil {
		p = &modelPool{spec: s.pool()}
		m.pools[s.name] = p
	}
	switch {
	case p.spec != s.pool():
		m.end(r, &gate.PoolMismatchError{Asked: s.pool(), Current: p.spec})
	case p.busy < s.workers:
		p.busy++
		r.workers = append(r.workers, s.name)
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
	switch s := r.steps[0]; s.kind {
	case holds:
		remove(m.holds, s.name, r)
	case barriers:
		remove(m.barriers, s.name, r)
	case pools:
		m.pools[s.name].queue = without(m.pools[s.name].queue, r)
	}
}

func (m *model) cancel(r *modelled) {
	m.leave(r)
	m.end(r, errGone)
}

// free is Release, or Fail if err is not nil.
func (m *model) free(name string, count int, err error) (int, error) {
	held := m.holds[name]
	switch {
	case len(held) == 0:
		return 0, gate.ErrNobodyHeld
	case count > len(held):
		return 0, &gate.FewerHeldError{Asked: count, Held: len(held)}
	case count == 0:
		count = len(held)
	}
	for _, r := range held[:count] {
		m.leave(r)
		if err != nil {
			m.end(r, err)
		} else {
			m.pass(r)
		}
	}
	return count, nil
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
			others := m.barriers[s.name]
			delete(m.barriers, s.name)
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

func remove(from map[string][]*modelled, name string, r *modelled) {
	if from[name] = without(from[name], r); len(from[name]) == 0 {
		delete(from, name)
	}
}
