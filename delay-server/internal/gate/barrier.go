package gate

import (
	"fmt"
	"time"
)

// BarrierSpec describes a barrier and the wait there.
type BarrierSpec struct {
	Name    string
	Parties int // number of requests that pass together, 1 or more
	Timeout time.Duration
}

// The errors of a request that does not pass a barrier.
type (
	// BarrierTimeoutError is the error of the request that timed out and so broke the
	// barrier.
	BarrierTimeoutError struct {
		Barrier BarrierSpec
		Arrived int
	}

	// BrokenError is the error of the other requests at a broken barrier.
	BrokenError struct{ Reason *BarrierTimeoutError }

	// BarrierResetError is the error of a request at a barrier that Barriers.Reset or
	// Barriers.ResetRun emptied.
	BarrierResetError struct{ Name string }

	// BarrierMismatchError is the error of a request whose number of parties differs
	// from the number at the barrier.
	BarrierMismatchError struct {
		Name           string
		Asked, Current int
	}
)

// Error says how many arrived.
func (e *BarrierTimeoutError) Error() string {
	b := e.Barrier
	return fmt.Sprintf("barrier %q: %d of %d requests arrived within %v", b.Name, e.Arrived, b.Parties, b.Timeout)
}

// Error says why the barrier broke.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("another request timed out at %v", e.Reason)
}

// Error names the barrier.
func (e *BarrierResetError) Error() string { return fmt.Sprintf("barrier %q was reset", e.Name) }

// Unwrap returns the reason.
func (e *BrokenError) Unwrap() error { return e.Reason }

// Error says how the two differ.
func (e *BarrierMismatchError) Error() string {
	return fmt.Sprintf("barrier %q is in use with parties=%d, not parties=%d", e.Name, e.Current, e.Asked)
}

// Barriers are cyclic barriers by name. Requests wait at a barrier until all parties
// have arrived, and then pass together. The zero value is ready to use.
type Barriers struct{ queues }

// Enter reports true, and frees the others, if t completes the parties. Otherwise t
// is queued, unless the error is a *BarrierMismatchError. A queued ticket is freed
// with nil, a *BrokenError or a *BarrierResetError.
func (b *Barriers) Enter(t *Ticket, spec BarrierSpec) (passed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.reset()
	q := b.get(NameOf(t.Run, spec.Name))
	if q.len == 0 {
		q.parties = spec.Parties
	}
	switch {
	case q.parties != spec.Parties:
		return false, &BarrierMismatchError{spec.Name, spec.Parties, q.parties}
	case q.len+1 == q.parties:
		b.release(q, q.len, nil)
		return true, nil
	}
	t.timeout = spec.Timeout
	q.enqueue(t)
	return false, nil
}

// Timeout removes t, whose timeout has passed, from the queue and breaks the barrier:
// the error is a *BarrierTimeoutError, and the others are freed with a *BrokenError.
// It reports false if t was freed at the same time; see Freed.
func (b *Barriers) Timeout(t *Ticket) (timedOut bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.leave() {
		return false, nil
	}
	q := t.queue
	timeout := &BarrierTimeoutError{BarrierSpec{q.name.Name, q.parties, t.timeout}, q.len + 1}
	b.release(q, q.len, &BrokenError{timeout})
	return true, timeout
}

// Reset frees all tickets with a *BarrierResetError.
func (b *Barriers) Reset() { b.reset(everyName, resetBarrier) }

// ResetRun does so at the barriers of the run, or of all runs if run is "".
func (b *Barriers) ResetRun(run string) { b.reset(ofRun(run), resetBarrier) }

func resetBarrier(name string) error { return &BarrierResetError{name} }
