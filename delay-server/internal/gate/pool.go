package gate

import (
	"container/list"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	queue list.List // of chan struct{}, closed when a worker is the waiter's
}

// Enter waits in order of arrival for a worker of the pool, and returns the
// function that gives the worker back, to be called once. The error is a
// *FullError or a *ConflictError at once, or context.Cause(ctx) when ctx is
// done while waiting.
func (p *Pools) Enter(ctx context.Context, spec PoolSpec) (leave func(), err error) {
	turn, place, err := p.line(spec)
	if err != nil {
		return nil, err
	}
	leave = func() { p.leave(spec) }
	if turn == nil {
		return leave, nil
	}
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	if !p.giveUp(spec, turn, place) {
		leave() // the turn came at the same moment
	}
	return nil, context.Cause(ctx)
}

// line takes a free worker, and then returns no turn, or a place in the queue.
func (p *Pools) line(spec PoolSpec) (turn chan struct{}, place *list.Element, err error) {
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
	case spec.Queue >= 0 && q.queue.Len() >= spec.Queue:
		return nil, nil, &FullError{Pool: spec}
	}
	turn = make(chan struct{})
	return turn, q.queue.PushBack(turn), nil
}

// leave hands the worker to the first in the queue, or frees it.
func (p *Pools) leave(spec PoolSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.live[spec.key()]
	if first := q.queue.Front(); first != nil {
		close(q.queue.Remove(first).(chan struct{}))
		return
	}
	q.busy--
	if q.busy == 0 {
		delete(p.live, spec.key())
	}
}

// giveUp leaves the queue, and reports false where the turn has come already.
func (p *Pools) giveUp(spec PoolSpec, turn chan struct{}, place *list.Element) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-turn:
		return false
	default:
		p.live[spec.key()].queue.Remove(place)
		return true
	}
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
		states[key.Name] = PoolState{Name: key.Name, Busy: s.Busy + q.busy, Queued: s.Queued + q.queue.Len()}
	}
	return slices.Collect(maps.Values(states))
}
