package gate

import (
	"cmp"
	"iter"
	"slices"
)

// Choose chooses which states List returns, and bounds them. List chooses among the 2,000
// newest names, and finds a request of a run among the first 1,000 of a name.
type Choose struct {
	Run      string // only names of the run, and names at which a request of it is; "" for all
	Names    int    // maximum number of states
	Requests int    // maximum number of requests that a state lists
	All      int    // maximum number of requests that all states list
}

// The bounds of what a List reads under the gate's lock.
const (
	maxNames    = 2000 // the newest
	maxRequests = 1000 // of a name, in order of arrival, to find one of a run
	maxRead     = 4000 // requests of all names
)

// chooser chooses names, and counts the requests that it has read.
type chooser struct {
	run  string // see Choose.Run
	read int
}

// has reports whether c chooses a name at which requests are.
func (c *chooser) has(name Name, requests iter.Seq[*Ticket]) bool {
	if c.run == "" || name.Run == c.run {
		return true
	}
	last := min(c.read+maxRequests, maxRead)
	for t := range requests {
		if c.read == last {
			break
		}
		c.read++
		if t.Run == c.run {
			return true
		}
	}
	return false
}

// all returns the tickets of q in order of arrival.
func (q *waitQueue) all() iter.Seq[*Ticket] {
	return func(yield func(*Ticket) bool) {
		for t := q.first; t != nil && yield(t); t = t.next {
		}
	}
}

// requests returns the first limit requests of q.
func (q *waitQueue) requests(limit int) []HeldRequest {
	var requests []HeldRequest
	for t := q.first; t != nil && len(requests) < limit; t = t.next {
		requests = append(requests, HeldRequest{t.Run, t.Attempt})
	}
	return requests
}

// list returns the chosen queues, sorted by name and run.
func (qs *queues) list(c Choose) []*waitQueue {
	chosen := chooser{run: c.Run}
	return first(c.Names, qs.inOrder.newestFirst(maxNames),
		func(q *waitQueue) bool { return chosen.has(q.name, q.all()) },
		func(a, b *waitQueue) int { return a.name.compare(b.name) })
}

// first returns the first n elements that are chosen, in the order of compare. It compares
// before it chooses, which may take longer.
func first[T any](n int, all iter.Seq[T], chosen func(T) bool, compare func(a, b T) int) []T {
	var kept []T
	for e := range all {
		i, _ := slices.BinarySearchFunc(kept, e, compare)
		if i < n && chosen(e) {
			kept = slices.Insert(kept, i, e)
			kept = kept[:min(len(kept), n)]
		}
	}
	return kept
}

// BarrierState is the state of a barrier.
type BarrierState struct {
	Name    Name
	Parties int
	Waiting int           // number of requests there
	Held    []HeldRequest // the first of them, in order of arrival
}

// List returns the states of barriers with a request.
func (b *Barriers) List(c Choose) []BarrierState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var states []BarrierState
	for _, q := range b.list(c) {
		held := q.requests(min(c.Requests, c.All))
		c.All -= len(held)
		states = append(states, BarrierState{q.name, q.parties, q.len, held})
	}
	return states
}

// List returns the states of holds with a request.
func (h *Holds) List(c Choose) []HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	var states []HoldState
	for _, q := range h.list(c) {
		held := q.requests(min(c.Requests, c.All))
		c.All -= len(held)
		states = append(states, HoldState{q.name, q.len, held})
	}
	return states
}

// PoolUse says how much of a pool is in use.
type PoolUse struct {
	Name   Name
	Spec   PoolSpec
	Busy   int // workers with a request
	Queued int // requests that wait for a worker
}

// List returns the states of pools with a request. Unlike States, it does not add up the
// pools of a name.
func (p *Pools) List(c Choose) []PoolUse {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := chooser{run: c.Run}
	chosen := first(c.Names, p.inOrder.newestFirst(maxNames),
		func(at *pool) bool {
			return by.has(at.key.Name, slices.Values(at.busy)) || by.has(at.key.Name, at.queue.all())
		},
		func(a, b *pool) int {
			return cmp.Or(a.key.compare(b.key.Name), cmp.Compare(a.spec.Workers, b.spec.Workers),
				cmp.Compare(a.spec.Queue, b.spec.Queue))
		})
	var states []PoolUse
	for _, at := range chosen {
		states = append(states, PoolUse{at.key.Name, at.spec, len(at.busy), at.queue.len})
	}
	return states
}
