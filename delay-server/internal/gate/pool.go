package gate

import (
	"container/heap"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// PoolSpec says which pool of workers serves a request.
type PoolSpec struct {
	Name    string
	Workers int // how many are served at a time, 1 or more
	Queue   int // how many may wait for a worker; negative for any number

	// Operator marks a pool that an operator defines, which is apart from the
	// pools of requests. With other sizes it is another pool, and empty: so a
	// reload resizes it while the old one finishes.
	Operator bool
}

// key is what the specs of one pool have in common.
func (s PoolSpec) key() PoolSpec {
	if s.Operator {
		return s
	}
	return PoolSpec{Name: s.Name}
}

// PoolFullError is returned where all workers are busy and the queue is full.
type PoolFullError struct {
	Pool  PoolSpec
	After time.Duration // from now until a worker is free, as far as is known, or 0
}

// Error says what is full.
func (e *PoolFullError) Error() string {
	return fmt.Sprintf("pool %q is full (workers=%d, queue=%d)", e.Pool.Name, e.Pool.Workers, e.Pool.Queue)
}

// PoolMismatchError is returned where a pool lives that is defined otherwise.
type PoolMismatchError struct{ Asked, Current PoolSpec }

// Error says how the two differ.
func (e *PoolMismatchError) Error() string {
	return fmt.Sprintf("pool %q is in use with %s, not %s", e.Asked.Name, e.Current.sizes(), e.Asked.sizes())
}

func (s PoolSpec) sizes() string {
	if s.Queue < 0 {
		return fmt.Sprintf("workers=%d and an unlimited queue", s.Workers)
	}
	return fmt.Sprintf("workers=%d and queue=%d", s.Workers, s.Queue)
}

// Pools are pools of workers by name. A pool lives while it serves or queues a
// request. The zero value has none.
type Pools struct {
	mu   sync.Mutex
	live map[PoolSpec]*pool // by key
}

type pool struct {
	spec   PoolSpec
	served turns
	queue  waitQueue
}

// turns is a heap of the tickets that have a worker: the first ends first.
type turns []*Ticket

func (ts turns) Len() int           { return len(ts) }
func (ts turns) Less(i, j int) bool { return ts[i].end.Before(ts[j].end) }
func (ts turns) Swap(i, j int) {
	ts[i], ts[j] = ts[j], ts[i]
	ts[i].index, ts[j].index = int32(i), int32(j)
}

// Push implements heap.Interface.
func (ts *turns) Push(x any) {
	t := x.(*Ticket)
	t.index = int32(len(*ts))
	*ts = append(*ts, t)
}

// Pop implements heap.Interface.
func (ts *turns) Pop() any {
	last := len(*ts) - 1
	t := (*ts)[last]
	(*ts)[last], *ts = nil, (*ts)[:last]
	return t
}

// serve begins t's turn.
func (p *pool) serve(t *Ticket, now time.Time) {
	t.end = now.Add(t.service)
	heap.Push(&p.served, t)
}

// Enter reports that t has a worker of the pool for a turn that takes service, as
// far as is known. Otherwise t is queued, and freed once it has one, unless the
// error is a *PoolFullError or a *PoolMismatchError. A ticket that has a worker
// or is queued must leave.
func (p *Pools) Enter(t *Ticket, spec PoolSpec, service time.Duration, now time.Time) (admitted bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.reset()
	at := p.live[spec.key()]
	switch {
	case at == nil:
		if p.live == nil {
			p.live = map[PoolSpec]*pool{}
		}
		at = &pool{spec: spec, queue: waitQueue{mu: &p.mu}}
		p.live[spec.key()] = at
	case at.spec != spec:
		return false, &PoolMismatchError{Asked: spec, Current: at.spec}
	case len(at.served) >= spec.Workers && spec.Queue >= 0 && at.queue.len >= spec.Queue:
		return false, &PoolFullError{Pool: spec, After: max(0, at.served[0].end.Sub(now))}
	}
	t.pool, t.service = at, service
	if len(at.served) < spec.Workers {
		at.serve(t, now)
		return true, nil
	}
	at.queue.enqueue(t)
	return false, nil
}

// Leave takes t out of the queue, or gives its worker to the first ticket in it.
// It does nothing where t has neither.
func (p *Pools) Leave(t *Ticket, now time.Time) {
	at := t.pool
	if at == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.leave() {
		heap.Remove(&at.served, int(t.index))
		if next := at.queue.first; next != nil {
			at.serve(next, now)
			at.queue.release(1, nil)
		} else if len(at.served) == 0 {
			delete(p.live, at.spec.key())
		}
	}
	t.reset()
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
			Name: key.Name, Operator: s.Operator || key.Operator, Busy: s.Busy + len(q.served), Queued: s.Queued + q.queue.len,
		}
	}
	p.mu.Unlock()
	return slices.SortedFunc(maps.Values(states), func(a, b PoolState) int { return strings.Compare(a.Name, b.Name) })
}
