package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"flash.test/delay-server/internal/cond"
)

// HoldSpec names a hold and bounds the wait there.
type HoldSpec struct {
	Name    string
	Timeout time.Duration
}

// The errors of a request that is held and not released.
type (
	// HoldTimeoutError is returned where nobody released a hold in time.
	HoldTimeoutError struct{ Hold HoldSpec }

	// HoldFailedError is returned where a hold was failed.
	HoldFailedError struct{ Name string }
)

// Error says what was waited for, and how long.
func (e *HoldTimeoutError) Error() string {
	return fmt.Sprintf("hold %q was not released within %v", e.Hold.Name, e.Hold.Timeout)
}

// Error says what was failed.
func (e *HoldFailedError) Error() string { return fmt.Sprintf("hold %q was failed", e.Name) }

// ErrNobodyHeld is returned by Holds.Release and Holds.Fail where nobody is
// held under the name.
var ErrNobodyHeld = errors.New("nobody is held")

// FewerHeldError is returned by Holds.Release where fewer are held than are to
// be released: nobody is, then.
type FewerHeldError struct{ Asked, Held int }

// Error says how many were asked for and how many are held.
func (e *FewerHeldError) Error() string {
	return fmt.Sprintf("%d are to be released and %d are held", e.Asked, e.Held)
}

// Holds hold requests under names until they are released. Use NewHolds.
type Holds struct {
	mu      sync.Mutex
	queues  map[string]*waitQueue
	arrived cond.Cond // one more is held
}

// NewHolds returns holds that hold nobody.
func NewHolds() *Holds {
	h := &Holds{queues: map[string]*waitQueue{}}
	h.arrived.L = &h.mu
	return h
}

// Enter queues t, which is freed with nil or a *HoldFailedError.
func (h *Holds) Enter(t *Ticket, spec HoldSpec) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.reset()
	t.timeout = spec.Timeout
	q := h.queues[spec.Name]
	if q == nil {
		q = &waitQueue{mu: &h.mu, name: spec.Name}
		h.queues[spec.Name] = q
	}
	q.enqueue(t)
	h.arrived.Broadcast()
}

// Leave takes t out of the queue. It reports false where t is in none: Freed
// tells whether it was freed at the same time.
func (h *Holds) Leave(t *Ticket) (left bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !t.leave() {
		return false
	}
	h.forget(t.queue)
	return true
}

// Timeout is Leave for a ticket whose time is over: the error is a
// *HoldTimeoutError. It reports false where t was freed at the same time: see
// Freed.
func (h *Holds) Timeout(t *Ticket) (timedOut bool, err error) {
	if !h.Leave(t) {
		return false, nil
	}
	return true, &HoldTimeoutError{HoldSpec{t.queue.name, t.timeout}}
}

// forget drops a queue that is empty.
func (h *Holds) forget(q *waitQueue) {
	if q.len == 0 {
		delete(h.queues, q.name)
	}
}

func (h *Holds) held(name string) int {
	if q := h.queues[name]; q != nil {
		return q.len
	}
	return 0
}

// Release lets the first count of those go that are held under the name, in
// order of arrival, or all where count is 0, and returns how many that were. The
// error is ErrNobodyHeld or a *FewerHeldError.
func (h *Holds) Release(name string, count int) (released int, err error) {
	return h.release(name, count, nil)
}

// Fail ends all that are held under the name with a *HoldFailedError and returns
// how many that were. The error is ErrNobodyHeld.
func (h *Holds) Fail(name string) (failed int, err error) {
	return h.release(name, 0, &HoldFailedError{name})
}

func (h *Holds) release(name string, count int, with error) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.held(name)
	switch {
	case held == 0:
		return 0, ErrNobodyHeld
	case count > held:
		return 0, &FewerHeldError{count, held}
	}
	n := cmp.Or(count, held)
	q := h.queues[name]
	q.release(n, with)
	h.forget(q)
	return n, nil
}

// HoldState is how many a hold holds.
type HoldState struct {
	Name    string
	Waiting int
}

// State returns how many are held under the name: 0 where nobody is.
func (h *Holds) State(name string) HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HoldState{name, h.held(name)}
}

// AwaitWaiting returns once n or more are held under the name, or
// context.Cause(ctx) when ctx is done first, and the state of then.
func (h *Holds) AwaitWaiting(ctx context.Context, name string, n int) (HoldState, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.arrived.Wait(ctx, func() bool { return h.held(name) >= n })
	return HoldState{name, h.held(name)}, err
}

// States returns all that hold anybody, by name.
func (h *Holds) States() []HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]HoldState, 0, len(h.queues))
	for _, name := range slices.Sorted(maps.Keys(h.queues)) {
		states = append(states, HoldState{name, h.queues[name].len})
	}
	return states
}
