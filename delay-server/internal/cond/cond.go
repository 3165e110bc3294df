// Package cond has a condition variable whose waits end with a context.
package cond

import (
	"context"
	"sync"
	"sync/atomic"
)

// Cond is what those wait for who wait until something changes that is guarded
// by L, or atomic. It costs nothing while nobody waits.
type Cond struct {
	L       sync.Locker
	changed chan struct{} // closed at the next change; nil while nobody waits
	waiting atomic.Int64  // those within Wait, counted before they look
}

// Wait returns nil once ok reports true, or context.Cause(ctx) when ctx is done
// first. L is held by the caller, and by ok, which is called at each Broadcast.
func (c *Cond) Wait(ctx context.Context, ok func() bool) error {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	for !ok() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.L.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		c.L.Lock()
	}
	return nil
}

// Broadcast has all who wait look again. L is held by the caller.
func (c *Cond) Broadcast() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Notify is Broadcast for a change of what is atomic. L is not held by the
// caller, nor taken while nobody waits.
func (c *Cond) Notify() {
	if c.waiting.Load() > 0 {
		c.L.Lock()
		defer c.L.Unlock()
		c.Broadcast()
	}
}
