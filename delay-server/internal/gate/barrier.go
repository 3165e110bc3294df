package gate

import (
	"fmt"
	"sync"
	"time"
)

// BarrierSpec names a barrier and bounds the wait there.
type BarrierSpec struct {
	Name    string
	Parties int // how many pass together, 1 or more
	Timeout time.Duration
}

// The errors of a request that does not pass a barrier.
type (
	// BarrierTimeoutError is returned where too few arrived in time. It breaks
	// the barrier.
	BarrierTimeoutError struct {
		Barrier BarrierSpec
		Arrived int
	}

	// BrokenError is returned to the others that stand at a barrier when it breaks.
	BrokenError struct{ Reason *BarrierTimeoutError }

	// BarrierMismatchError is returned where others stand at the barrier for
	// another number of parties.
	BarrierMismatchError struct {
		Name           string
		Asked, Current int
	}
)

// Error says how many arrived.
func (e *BarrierTimeoutError) Error() string {
	return fmt.Sprintf("barrier %q: %d of %d arrived within %v", e.Barrier.Name, e.Arrived, e.Barrier.Parties, e.Barrier.Timeout)
}

// Error says why the barrier broke.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("%v, the timeout of one that stood here: the barrier is broken", e.Reason)
}

// Unwrap returns the reason.
func (e *BrokenError) Unwrap() error { return e.Reason }

// Error says how the two differ.
func (e *BarrierMismatchError) Error() string {
	return fmt.Sprintf("at barrier %q others stand with parties=%d: asked for was parties=%d", e.Name, e.Current, e.Asked)
}

// Barriers are cyclic barriers by name: those that stand at one pass together
// once they are as many as its parties, and the next to come stand there anew. A
// barrier lives while anybody stands there. The zero value has none.
type Barriers struct {
	mu   sync.Mutex
	live map[string]*barrier
}

type barrier struct {
	waitQueue
	parties int
}

// Enter reports that t passes, and frees the others, where t completes the
// parties. Otherwise t is queued, unless the error is a *BarrierMismatchError. A
// queued ticket is freed with nil or a *BrokenError.
func (b *Barriers) Enter(t *Ticket, spec BarrierSpec) (passed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.reset()
	at := b.live[spec.Name]
	if at == nil {
		at = &barrier{waitQueue{mu: &b.mu, name: spec.Name}, spec.Parties}
	}
	switch {
	case at.parties != spec.Parties:
		return false, &BarrierMismatchError{spec.Name, spec.Parties, at.parties}
	case at.len+1 == at.parties:
		delete(b.live, at.name)
		at.release(at.len, nil)
		return true, nil
	}
	if b.live == nil {
		b.live = map[string]*barrier{}
	}
	b.live[at.name] = at
	t.timeout = spec.Timeout
	at.enqueue(t)
	return false, nil
}

// Leave takes t out of the queue. It reports false where t is in none: Freed
// tells whether it was freed at the same time.
func (b *Barriers) Leave(t *Ticket) (left bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.leave() {
		return false
	}
	if t.queue.len == 0 {
		delete(b.live, t.queue.name)
	}
	return true
}

// Timeout takes t, whose time is over, out of the queue, and breaks the barrier:
// the error is a *BarrierTimeoutError, and the others are freed with a
// *BrokenError. It reports false where t was freed at the same time: see Freed.
func (b *Barriers) Timeout(t *Ticket) (timedOut bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.leave() {
		return false, nil
	}
	at := b.live[t.queue.name]
	delete(b.live, at.name)
	timeout := &BarrierTimeoutError{BarrierSpec{at.name, at.parties, t.timeout}, at.len + 1}
	at.release(at.len, &BrokenError{timeout})
	return true, timeout
}
