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

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/cond"
)

// HoldSpec is where a request is held and for how long at the most.
type HoldSpec struct {
	Name    string
	Timeout time.Duration
}

// The errors of a request that is held in vain.
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
	lines   map[string]*line // of those names that hold anybody
	arrived cond.Cond        // one more is held
}

// NewHolds returns holds that hold nobody.
func NewHolds() *Holds {
	h := &Holds{lines: map[string]*line{}}
	h.arrived.L = &h.mu
	return h
}

// Enter holds w until it is released. The error is a *HoldFailedError, a
// *HoldTimeoutError, or context.Cause(ctx) when ctx is done first.
func (h *Holds) Enter(ctx context.Context, w *clock.Waiter, spec HoldSpec) error {
	l, p := h.join(w, spec.Name)
	err := w.Await(ctx, p.signal, w.Now().Add(spec.Timeout))
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.leave(p) {
		return p.verdict
	}
	h.forget(spec.Name)
	if errors.Is(err, clock.ErrDeadline) {
		return &HoldTimeoutError{spec}
	}
	return err
}

func (h *Holds) join(w *clock.Waiter, name string) (*line, *place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lines[name]
	if l == nil {
		l = new(line)
		h.lines[name] = l
	}
	h.arrived.Broadcast()
	return l, l.join(w)
}

// forget drops a name that holds nobody.
func (h *Holds) forget(name string) {
	if h.lines[name].len() == 0 {
		delete(h.lines, name)
	}
}

func (h *Holds) held(name string) int {
	if l := h.lines[name]; l != nil {
		return l.len()
	}
	return 0
}

// Release lets the first count of those go that are held under the name, in
// order of arrival, or all where count is 0, and returns how many that were. The
// error is ErrNobodyHeld or a *FewerHeldError.
func (h *Holds) Release(name string, count int) (released int, err error) {
	return h.free(name, count, nil)
}

// Fail ends all that are held under the name with a *HoldFailedError and returns
// how many that were. The error is ErrNobodyHeld.
func (h *Holds) Fail(name string) (failed int, err error) {
	return h.free(name, 0, &HoldFailedError{name})
}

func (h *Holds) free(name string, count int, verdict error) (int, error) {
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
	h.lines[name].free(n, verdict)
	h.forget(name)
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
	states := make([]HoldState, 0, len(h.lines))
	for _, name := range slices.Sorted(maps.Keys(h.lines)) {
		states = append(states, HoldState{name, h.lines[name].len()})
	}
	return states
}
