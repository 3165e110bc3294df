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

// PoolSpec describes a pool of workers.
type PoolSpec struct {
	Name    string
	Workers int // number of requests served at a time, 1 or more
	Queue   int // number of requests that may wait for a worker; negative for no limit

	// Operator marks a pool that an operator defines. It is separate from the pools
	// that requests define. With other sizes it is another pool: after a reload the
	// new one starts empty, while the old one finishes.
	Operator bool
}

// poolKey is the key of a pool in Pools.
type poolKey struct {
	Name
	spec PoolSpec // of an operator, whose pool is another one with other sizes; else zero
}

// key returns the key of the pool for a request of the run.
func (s PoolSpec) key(run string) poolKey {
	k := poolKey{Name: NameOf(run, s.Name)}
	if s.Operator {
		k.spec = s
	}
	return k
}

// PoolFullError is returned if all workers are busy and the queue is full.
type PoolFullError struct {
	Pool  PoolSpec
	After time.Duration // expected time until a worker is free, or 0
}

// Error names the pool and its sizes.
func (e *PoolFullError) Error() string {
	return fmt.Sprintf("pool %q is full (workers=%d, queue=%d)", e.Pool.Name, e.Pool.Workers, e.Pool.Queue)
}

// PoolMismatchError is returned if the pool is in use with other sizes.
type PoolMismatchError struct{ Asked, Current PoolSpec }

// Error gives both sizes.
func (e *PoolMismatchError) Error() string {
	return fmt.Sprintf("pool %q is in use with %s, not %s", e.Asked.Name, e.Current.sizes(), e.Asked.sizes())
}

func (s PoolSpec) sizes() string {
	if s.Queue < 0 {
		return fmt.Sprintf("workers=%d and an unlimited queue", s.Workers)
	}
	return fmt.Sprintf("workers=%d and queue=%d", s.Workers, s.Queue)
}

// Pools are pools of workers by name. A pool exists while it serves or queues a
// request, or until Reset. The zero value is ready to use.
type Pools struct {
	mu      sync.Mutex
	live    map[poolKey]*pool
	inOrder order[pool] // of live
}

type pool struct {
	key   poolKey
	spec  PoolSpec
	busy  busyHeap
	queue waitQueue
	place place[pool] // among the live pools
}

// busyHeap is a heap.Interface of the tickets with a worker, by the end of service.
type busyHeap []*Ticket

func (h busyHeap) Len() int           { return len(h) }
func (h busyHeap) Less(i, j int) bool { return h[i].end.Before(h[j].end) }
func (h busyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i), int32(j)
}

func (h *busyHeap) Push(x any) {
	t := x.(*Ticket)
	t.index = int32(len(*h))
	*h = append(*h, t)
}

func (h *busyHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	return t
}

// serve gives t a worker.
func (p *pool) serve(t *Ticket, now time.Time) {
	t.end = now.Add(t.service)
	heap.Push(&p.busy, t)
}

// Enter reports whether t got a worker of the pool. Otherwise t is queued until it gets a
// worker and is freed, unless the error is a *PoolFullError or a *PoolMismatchError.
// service is the expected time with the worker. A ticket with a worker or in the queue
// must Leave.
func (p *Pools) Enter(t *Ticket, spec PoolSpec, service time.Duration, now time.Time) (admitted bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t.reset()
	key := spec.key(t.Run)
	at := p.live[key]
	switch {
	case at == nil:
		if p.live == nil {
			p.live = map[poolKey]*pool{}
		}
		at = &pool{key: key, spec: spec, queue: waitQueue{mu: &p.mu}}
		p.live[key] = at
		p.inOrder.add(at, &at.place)
	case at.spec != spec:
		return false, &PoolMismatchError{Asked: spec, Current: at.spec}
	case len(at.busy) >= spec.Workers && spec.Queue >= 0 && at.queue.len >= spec.Queue:
		return false, &PoolFullError{Pool: spec, After: max(0, at.busy[0].end.Sub(now))}
	}
	t.pool, t.service = at, service
	if len(at.busy) < spec.Workers {
		at.serve(t, now)
		return true, nil
	}
	at.queue.enqueue(t)
	return false, nil
}

// Leave removes t from the queue, or gives its worker to the first ticket in the
// queue. It does nothing if t is not in the pool.
func (p *Pools) Leave(t *Ticket, now time.Time) {
	at := t.pool
	if at == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !t.leave() {
		heap.Remove(&at.busy, int(t.index))
		if next := at.queue.first; next != nil {
			at.serve(next, now)
			at.queue.release(1, nil)
		} else if len(at.busy) == 0 && p.live[at.key] == at {
			p.drop(at)
		}
	}
	t.reset()
}

// drop removes at from the live pools.
func (p *Pools) drop(at *pool) {
	delete(p.live, at.key)
	p.inOrder.remove(&at.place)
}

// Reset makes all pools start empty for requests that enter from now on. Tickets with a
// worker or in a queue stay in the old pools, which finish.
func (p *Pools) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live, p.inOrder = nil, order[pool]{}
}

// ResetRun does so for the pools of the run, or of all runs if run is "".
func (p *Pools) ResetRun(run string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	chosen := ofRun(run)
	for key, at := range p.live {
		if chosen(key.Name) {
			p.drop(at)
		}
	}
}

// PoolState is the state of the pools of a name: of an operator, of requests, and of all
// runs if it begins with RunPrefix.
type PoolState struct {
	Name     string
	Operator bool // an operator defines at least one of them
	Busy     int  // workers with a request
	Queued   int  // requests that wait for a worker
}

// States returns the state of each name in use, sorted by name.
func (p *Pools) States() []PoolState {
	p.mu.Lock()
	states := make(map[string]PoolState, len(p.live))
	for key, pool := range p.live {
		name := key.Name.Name
		s := states[name]
		states[name] = PoolState{
			Name: name, Operator: s.Operator || pool.spec.Operator,
			Busy: s.Busy + len(pool.busy), Queued: s.Queued + pool.queue.len,
		}
	}
	p.mu.Unlock()
	byName := func(a, b PoolState) int { return strings.Compare(a.Name, b.Name) }
	return slices.SortedFunc(maps.Values(states), byName)
}
