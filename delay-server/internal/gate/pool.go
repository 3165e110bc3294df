package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"flash.test/delay-server/internal/clock"
)

// PoolSpec says which pool of workers serves a request.
type PoolSpec struct {
	Name    string
	Workers int // how many are served at a time, 1 or more
	Queue   int // how many may wait for a worker; negative for any number

	// Operator marks a pool that an operator defines, apart from those that
	// requests do. With other sizes it is another pool, in which nobody waits
	// yet: so a reload resizes it while those within finish.
	Operator bool
}

// key is what the specs of one pool have in common.
func (s PoolSpec) key() PoolSpec {
	if s.Operator {
		return s
	}
	return PoolSpec{Name: s.Name}
}

// FullError is returned where all workers are busy and the queue is full.
type FullError struct{ Pool PoolSpec }

// Error says what is full.
func (e *FullError) Error() string {
	return fmt.Sprintf("pool %q is full: %d are served and %d wait", e.Pool.Name, e.Pool.Workers, e.Pool.Queue)
}

// ConflictError is returned where a pool lives that is defined otherwise.
type ConflictError struct{ Asked, Lives PoolSpec }

// Error says how the two differ.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("pool %q is in use with %s: asked for were %s", e.Asked.Name, e.Lives.sizes(), e.Asked.sizes())
}

func (s PoolSpec) sizes() string {
	if s.Queue < 0 {
		return fmt.Sprintf("workers=%d and no bound on its queue", s.Workers)
	}
	return fmt.Sprintf("workers=%d and queue=%d", s.Workers, s.Queue)
}

// Pools are pools of workers by name. A pool lives while it serves or queues
// anybody. The zero value has none.
type Pools struct {
	mu   sync.Mutex
	live map[PoolSpec]*pool // by key
}

type pool struct {
	spec  PoolSpec
	busy  int
	queue line
}

// Enter has w wait in order of arrival for a worker of the pool, and returns the
// function that gives the worker back, to be called once. The error is a
// *FullError or a *ConflictError at once, or context.Cause(ctx) when ctx is
// done while waiting.
func (p *Pools) Enter(ctx context.Context, w *clock.Waiter, spec PoolSpec) (leave func(), err error) {
	q, place, err := p.join(w, spec)
	if err != nil {
		return nil, err
	}
	leave = func() { p.leave(spec) }
	if place == nil {
		return leave, nil
	}
	if err := w.Await(ctx, place.event, time.Time{}); err != nil {
		if !p.giveUp(q, place) {
			leave() // the turn came at the same moment
		}
		return nil, err
	}
	return leave, nil
}

// join takes a free worker, and then returns no place, or one in the queue.
func (p *Pools) join(w *clock.Waiter, spec PoolSpec) (*pool, *place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.live[spec.key()]
	switch {
	case q == nil:
		if p.live == nil {
			p.live = map[PoolSpec]*pool{}
		}
		p.live[spec.key()] = &pool{spec: spec, busy: 1}
		return nil, nil, nil
	case q.spec != spec:
		return nil, nil, &ConflictError{Asked: spec, Lives: q.spec}
	case q.busy < spec.Workers:
		q.busy++
		return nil, nil, nil
	case spec.Queue >= 0 && q.queue.len() >= spec.Queue:
		return nil, nil, &FullError{Pool: spec}
	}
	return q, q.queue.join(w), nil
}

// leave hands the worker to the first in the queue, or frees it.
func (p *Pools) leave(spec PoolSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.live[spec.key()]
	if q.queue.len() > 0 {
		q.queue.free(1, nil)
		return
	}
	q.busy--
	if q.busy == 0 {
		delete(p.live, spec.key())
	}
}

// giveUp leaves the queue, and reports false where the turn has come already.
func (p *Pools) giveUp(q *pool, place *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return q.queue.leave(place)
}

// PoolState is what a live pool does now.
type PoolState struct {
	Name         string
	Busy, Queued int
}

// States returns the live pools, in no order, those of one name as one.
func (p *Pools) States() []PoolState {
	p.mu.Lock()
	defer p.mu.Unlock()
	states := make(map[string]PoolState, len(p.live))
	for key, q := range p.live {
		s := states[key.Name]
		states[key.Name] = PoolState{Name: key.Name, Busy: s.Busy + q.busy, Queued: s.Queued + q.queue.len()}
	}
	return slices.Collect(maps.Values(states))
}
