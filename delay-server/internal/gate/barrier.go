package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"flash.test/delay-server/internal/clock"
)

// BarrierSpec is the barrier that a request comes to, and how long it stands
// there at the most.
type BarrierSpec struct {
	Name    string
	Parties int // how many pass together, 1 or more
	Timeout time.Duration
}

// The errors of a request that comes to a barrier in vain.
type (
	// BarrierTimeoutError is returned where too few arrived in time. It breaks
	// the barrier.
	BarrierTimeoutError struct {
		Barrier BarrierSpec
		Arrived int
	}

	// BrokenError is returned to the others that stand at a barrier when it breaks.
	BrokenError struct{ Reason *BarrierTimeoutError }

	// PartiesError is returned where others stand at the barrier for another
	// number of parties.
	PartiesError struct {
		Name         string
		Asked, Lives int
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
func (e *PartiesError) Error() string {
	return fmt.Sprintf("at barrier %q others stand with parties=%d: asked for was parties=%d", e.Name, e.Lives, e.Asked)
}

// Barriers are cyclic barriers by name: those that stand at one pass together
// once they are as many as its parties, and the next to come stand there anew. A
// barrier lives while anybody stands there. The zero value has none.
type Barriers struct {
	mu   sync.Mutex
	live map[string]*barrier
}

type barrier struct {
	parties int
	line    line
}

// Enter has w stand at the barrier until the parties are complete. One that is
// gone when ctx is done gives its place up; one whose time is over breaks the
// barrier, for all that stand there. The error is a *PartiesError at once, a
// *BarrierTimeoutError, a *BrokenError, or context.Cause(ctx).
func (b *Barriers) Enter(ctx context.Context, w *clock.Waiter, spec BarrierSpec) error {
	at, p, err := b.join(w, spec)
	if p == nil {
		return err
	}
	err = w.Await(ctx, p.signal, w.Now().Add(spec.Timeout))
	b.mu.Lock()
	defer b.mu.Unlock()
	if !at.line.leave(p) {
		return p.verdict
	}
	if errors.Is(err, clock.ErrDeadline) {
		timeout := &BarrierTimeoutError{spec, at.line.len() + 1}
		at.line.free(at.line.len(), &BrokenError{timeout})
		err = timeout
	}
	if at.line.len() == 0 {
		delete(b.live, spec.Name)
	}
	return err
}

// join returns a place at the barrier, or none to the last to come, who lets all
// pass.
func (b *Barriers) join(w *clock.Waiter, spec BarrierSpec) (*barrier, *place, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.live[spec.Name]
	if at == nil {
		at = &barrier{parties: spec.Parties}
	} else if at.parties != spec.Parties {
		return nil, nil, &PartiesError{spec.Name, spec.Parties, at.parties}
	}
	if at.line.len()+1 == at.parties {
		at.line.free(at.line.len(), nil)
		delete(b.live, spec.Name)
		return nil, nil, nil
	}
	if b.live == nil {
		b.live = map[string]*barrier{}
	}
	b.live[spec.Name] = at
	return at, at.line.join(w), nil
}
