package gate

import (
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

	// HoldFailedError is the error of a request that Holds.Fail, Holds.Reset or
	// Holds.ResetRun freed.
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

// The errors of Holds.Release, which then releases no request.
type (
	// FewerHeldError says that fewer requests are held than asked for.
	FewerHeldError struct{ Asked, Held int }

	// NoAttemptHeldError says that no held request is the attempt.
	NoAttemptHeldError struct{ Attempt, Held int }
)

// Error gives both numbers.
func (e *FewerHeldError) Error() string {
	return fmt.Sprintf("%d held, fewer than %d", e.Held, e.Asked)
}

// Error gives both numbers.
func (e *NoAttemptHeldError) Error() string {
	return fmt.Sprintf("%d held, none of them attempt %d", e.Held, e.Attempt)
}

// Choice says which requests of a hold Release frees. The zero Choice is all of them.
type Choice struct {
	Count   int  // number of requests; 0 for all
	Newest  bool // Count from the newest, not from the oldest
	Nth     int  // only this request, from 1 for the oldest; 0 for any
	Attempt int  // only requests of this attempt; 0 for any
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
	h.get(NameOf(t.Run, spec.Name)).enqueue(t)
	h.arrived.Broadcast()
}

// Timeout removes t, whose timeout has passed, from the queue. The error is a
// *HoldTimeoutError. It reports false if t was freed at the same time; see Freed.
func (h *Holds) Timeout(t *Ticket) (timedOut bool, err error) {
	if !h.Leave(t) {
		return false, nil
	}
	return true, &HoldTimeoutError{HoldSpec{t.queue.name.Name, t.timeout}}
}

// Release frees the chosen tickets under the name, of which at most one of Count, Nth
// and Attempt is set, and returns their number. The error is ErrNobodyHeld, a
// *FewerHeldError or a *NoAttemptHeldError.
func (h *Holds) Release(name Name, c Choice) (released int, err error) { return h.free(name, c, nil) }

// Fail frees all tickets under the name with a *HoldFailedError and returns their
// number. The error is ErrNobodyHeld.
func (h *Holds) Fail(name Name) (failed int, err error) {
	return h.free(name, Choice{}, &HoldFailedError{name.Name})
}

// Reset frees all tickets with a *HoldFailedError.
func (h *Holds) Reset() { h.reset(everyName, failedHold) }

// ResetRun does so in the holds of the run, or of all runs if run is "".
func (h *Holds) ResetRun(run string) { h.reset(ofRun(run), failedHold) }

func failedHold(name string) error { return &HoldFailedError{name} }

func (h *Holds) free(name Name, c Choice, with error) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.live[name]
	if q == nil {
		return 0, ErrNobodyHeld
	}
	chosen, err := q.choose(c)
	for _, t := range chosen {
		q.free(t, with)
	}
	h.dropEmpty(q)
	return len(chosen), err
}

// choose returns the tickets of q that c stands for.
func (q *waitQueue) choose(c Choice) (chosen []*Ticket, err error) {
	if asked := max(c.Count, c.Nth); asked > q.len {
		return nil, &FewerHeldError{asked, q.len}
	}
	next := func(t *Ticket) *Ticket { return t.next }
	first := q.first
	if c.Newest {
		first, next = q.last, func(t *Ticket) *Ticket { return t.prev }
	}
	number := 0
	for t := first; t != nil; t = next(t) {
		number++
		switch {
		case c.Nth > 0 && number != c.Nth, c.Attempt > 0 && t.Attempt != c.Attempt:
			continue
		case c.Count > 0 && number > c.Count:
			return chosen, nil
		}
		chosen = append(chosen, t)
	}
	if chosen == nil {
		return nil, &NoAttemptHeldError{c.Attempt, q.len}
	}
	return chosen, nil
}

// HoldState is the state of a hold.
type HoldState struct {
	Name    Name
	Waiting int           // number of held requests
	Held    []HeldRequest // the first MaxHeld of them, in order of arrival; nil in States
}

// HeldRequest is a request at a barrier or in a hold.
type HeldRequest struct {
	Run     string // "" for none
	Attempt int    // see Ticket
}

// MaxHeld is the maximum length of HoldState.Held.
const MaxHeld = 1000

// State returns the state of the hold with the name.
func (h *Holds) State(name Name) HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state(name)
}

func (h *Holds) state(name Name) HoldState {
	s := HoldState{Name: name, Waiting: h.count(name)}
	if s.Waiting == 0 {
		return s
	}
	s.Held = h.live[name].requests(MaxHeld)
	return s
}

// AwaitWaiting returns the state once at least n requests are held under the name. If
// ctx is done first, the error is context.Cause(ctx).
func (h *Holds) AwaitWaiting(ctx context.Context, name Name, n int) (HoldState, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.arrived.Wait(ctx, func() bool { return h.count(name) >= n })
	return h.state(name), err
}

// States returns the states of all holds with a request, sorted by name and run.
func (h *Holds) States() []HoldState {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := make([]HoldState, 0, len(h.live))
	for _, name := range slices.SortedFunc(maps.Keys(h.live), Name.compare) {
		states = append(states, HoldState{Name: name, Waiting: h.live[name].len})
	}
	return states
}
