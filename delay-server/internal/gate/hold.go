package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// HoldTimeoutError is returned where a hold was not released in time.
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

// ErrNobodyHeld is returned by Holds.Release and Holds.Fail where no request is
// held under the name.
var ErrNobodyHeld = errors.New("no request is held")

// FewerHeldError is returned by Holds.Release where fewer requests are held than
// are to be released: none is, then.
type FewerHeldError struct{ Asked, Held int }

// Error says how many were asked for and how many are held.
func (e *FewerHeldError) Error() string {
	return fmt.Sprintf("%d held, fewer than %d", e.Held, e.Asked)
}

// Holds hold requests under names until they are released. Use NewHolds.
type Holds struct {
	queues
	arrived cond.Cond // one more is held
}

// NewHolds returns holds that hold no request.
func NewHolds() *Holds {
	h := new(Holds)
	h.arrived.L = &h.mu
	return h
}

// Enter queues t, which is freed with nil or a *HoldFailedError.
func (h *Holds) Enter(t *Ticket, spec HoldSpec) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t.reset()
	t.timeout = spec.Timeout
	h.get(spec.Name).enqueue(t)
	h.arrived.Broadcast()
}

// Timeout takes t, whose time is over, out of the queue: the error is a
// *HoldTimeoutError. It reports false where t was freed at the same time: see
// Freed.
func (h *Holds) Timeout(t *Ticket) (timedOut bool, err error) {
	if !h.Leave(t) {
		return false, nil
	}
	return true, &HoldTimeoutError{HoldSpec{t.queue.name, t.timeout}}
}

// Release frees the first count tickets under the name, in order of arrival, or
// all where count is 0, and returns how many. The error is ErrNobodyHeld or a
// *FewerHeldError.
func (h *Holds) Release(name string, count int) (released int, err error) {
	return h.free(name, count, nil)
}

// Fail frees all tickets under the name with a *HoldFailedError and returns how
// many. The error is ErrNobodyHeld.
func (h *Holds) Fail(name string) (failed int, err error) {
	return h.free(name, 0, &HoldFailedError{name})
}

func (h *Holds) free(name string, count int, with error) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held := h.count(name)
	switch {
	case held == 0:
		return 0, ErrNobodyHeld
	case count > held:
		return 0, &FewerHeldError{count, held}
	}
	n := cmp.Or(count, held)
	h.release(h.live[name], n, with)
	return n, nil
}

// HoldState is how many requests a hold holds.
type HoldState struct {
	Name    string
	Waiting int
}

// State returns how many are held under the name now.
func (h *Holds) State(name string) HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HoldState{name, h.count(name)}
}

// AwaitWaiting returns once n or more are held under the name, or
// context.Cause(ctx) when ctx is done first, and the state of then.
func (h *Holds) AwaitWaiting(ctx context.Context, name string, n int) (HoldState, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.arrived.Wait(ctx, func() bool { return h.count(name) >= n })
	return HoldState{name, h.count(name)}, err
}

// States returns the states of all names that hold a request, by name.
func (h *Holds) States() []HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]HoldState, 0, len(h.live))
	for _, name := range slices.Sorted(maps.Keys(h.live)) {
		states = append(states, HoldState{name, h.live[name].len})
	}
	return states
}
