package gate

import (
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
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
type FullError struct {
	Pool  PoolSpec
	After time.Duration // from now until a worker is free, as far as is known, or 0
}

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
	spec   PoolSpec
	served turns
	queue  line
}

// turn is one request in the hands of a worker, now or later.
type turn struct {
	service time.Duration // how long it takes, as far as is known
	end     time.Time     // its begin and service
	index   int           // in turns
}

// turns is a heap whose first is the one that ends first.
type turns []*turn

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].end.Before(t[j].end) }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i]; t[i].index, t[j].index = i, j }

// Push implements heap.Interface.
func (t *turns) Push(x any) { one := x.(*turn); one.index = len(*t); *t = append(*t, one) }

// Pop implements heap.Interface.
func (t *turns) Pop() any {
	last := len(*t) - 1
	one := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return one
}

// serve begins a turn.
func (p *pool) serve(t *turn, now time.Time) {
	t.end = now.Add(t.service)
	heap.Push(&p.served, t)
}

// Enter has w wait in order of arrival for a worker of the pool, whose turn takes
// service as far as is known, and returns the function that gives the worker
// back, to be called once. The error is a
// *FullError or a *ConflictError at once, or context.Cause(ctx) when ctx is
// done while waiting.
func (p *Pools) Enter(ctx context.Context, w *clock.Waiter, spec PoolSpec, service time.Duration) (leave func(), err error) {
	t := &turn{service: service}
	q, place, err := p.join(w, spec, t)
	if err != nil {
		return nil, err
	}
	leave = func() { p.leave(spec, t, w.Now()) }
	if place == nil {
		return leave, nil
	}
	if err := w.Await(ctx, place.signal, time.Time{}); err != nil {
		if !p.giveUp(q, place) {
			leave() // the turn came at the same moment
		}
		return nil, err
	}
	return leave, nil
}

// join takes a free worker, and then returns no place, or one in the queue.
func (p *Pools) join(w *clock.Waiter, spec PoolSpec, t *turn) (*pool, *place, error) {
	now := w.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.live[spec.key()]
	switch {
	case q == nil:
		if p.live == nil {
			p.live = map[PoolSpec]*pool{}
		}
		q = &pool{spec: spec}
		p.live[spec.key()] = q
		q.serve(t, now)
		return nil, nil, nil
	case q.spec != spec:
		return nil, nil, &ConflictError{Asked: spec, Lives: q.spec}
	case q.served.Len() < spec.Workers:
		q.serve(t, now)
		return nil, nil, nil
	case spec.Queue >= 0 && q.queue.len() >= spec.Queue:
		return nil, nil, &FullError{Pool: spec, After: max(0, q.served[0].end.Sub(now))}
	}
	place := q.queue.join(w)
	place.turn = t
	return q, place, nil
}

// leave ends a turn: its worker serves the first in the queue, or is free.
func (p *Pools) leave(spec PoolSpec, t *turn, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.live[spec.key()]
	heap.Remove(&q.served, t.index)
	switch {
	case q.queue.len() > 0:
		q.serve(q.queue.first().turn, now)
		q.queue.free(1, nil)
	case q.served.Len() == 0:
		delete(p.live, spec.key())
	}
}

// giveUp leaves the queue, and reports false where the turn has come already.
func (p *Pools) giveUp(q *pool, place *place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return q.queue.leave(place)
}

// PoolState is what the live pools of a name do now.
type PoolState struct {
	Name         string
	Operator     bool // one of them is an operator's
	Busy, Queued int
}

// States returns the state of each name that has a live pool, by name.
func (p *Pools) States() []PoolState {
	p.mu.Lock()
	states := make(map[string]PoolState, len(p.live))
	for key, q := range p.live {
		s := states[key.Name]
		states[key.Name] = PoolState{
			Name: key.Name, Operator: s.Operator || key.Operator, Busy: s.Busy + q.served.Len(), Queued: s.Queued + q.queue.len(),
		}
	}
	p.mu.Unlock()
	return slices.SortedFunc(maps.Values(states), func(a, b PoolState) int { return strings.Compare(a.Name, b.Name) })
}
