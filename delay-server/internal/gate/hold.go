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

// HoldSpec describes a hold and the wait there.
type HoldSpec struct {
	Name    string
	Timeout time.Duration
}

// The errors of a request that is held and not released.
type (
	// HoldTimeoutError is the error of a request that was not released in time.
	HoldTimeoutError struct{ Hold HoldSpec }

	// HoldFailedError is the error of a request that Holds.Fail or Holds.Reset freed.
	HoldFailedError struct{ Name string }
)

// Error names the hold and the timeout.
func (e *HoldTimeoutError) Error() string {
	return fmt.Sprintf("hold %q was not released within %v", e.Hold.Name, e.Hold.Timeout)
}

// Error names the hold.
func (e *HoldFailedError) Error() string { return fmt.Sprintf("hold %q was failed", e.Name) }

// ErrNobodyHeld is returned by Holds.Release and Holds.Fail if no request is held
// under the name.
var ErrNobodyHeld = errors.New("no request is held")

// FewerHeldError is returned by Holds.Release if fewer requests are held than asked
// for. It releases none of them.
type FewerHeldError struct{ Asked, Held int }

// Error gives both numbers.
func (e *FewerHeldError) Error() string {
	return fmt.Sprintf("%d held, fewer than %d", e.Held, e.Asked)
}

// Holds hold requests under names until they are released. Use NewHolds.
type Holds struct {
	queues
	arrived cond.Cond // broadcasts each Enter
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

// Timeout removes t, whose timeout has passed, from the queue. The error is a
// *HoldTimeoutError. It reports false if t was freed at the same time; see Freed.
func (h *Holds) Timeout(t *Ticket) (timedOut bool, err error) {
	if !h.Leave(t) {
		return false, nil
	}
	return true, &HoldTimeoutError{HoldSpec{t.queue.name, t.timeout}}
}

// Release frees the first count tickets under the name, or all if count is 0, and
// returns their number. The error is ErrNobodyHeld or a *FewerHeldError.
func (h *Holds) Release(name string, count int) (released int, err error) {
	return h.free(name, count, nil)
}

// Fail frees all tickets under the name with a *HoldFailedError and returns their
// number. The error is ErrNobodyHeld.
func (h *Holds) Fail(name string) (failed int, err error) {
	return h.free(name, 0, &HoldFailedError{name})
}

// Reset frees all tickets with a *HoldFailedError.
func (h *Holds) Reset() { h.releaseAll(func(name string) error { return &HoldFailedError{name} }) }

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

// HoldState is the state of a hold.
type HoldState struct {
	Name    string
	Waiting int // number of held requests
}

// State returns the state of the hold with the name.
func (h *Holds) State(name string) HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HoldState{name, h.count(name)}
}

// AwaitWaiting returns the state once at least n requests are held under the name. If
// ctx is done first, the error is context.Cause(ctx).
func (h *Holds) AwaitWaiting(ctx context.Context, name string, n int) (HoldState, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.arrived.Wait(ctx, func() bool { return h.count(name) >= n })
	return HoldState{name, h.count(name)}, err
}

// States returns the states of all holds with a request, sorted by name.
func (h *Holds) States() []HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]HoldState, 0, len(h.live))
	for _, name := range slices.Sorted(maps.Keys(h.live)) {
		states = append(states, HoldState{name, h.live[name].len})
	}
	return states
}
