// Package cond provides a condition variable with waits that end with a context.
package cond

import (
	"context"
	"sync"
	"sync/atomic"
)

// Cond is a condition variable for state that L guards, or that is atomic. Broadcast
// and Notify are cheap while no goroutine waits.
type Cond struct {
	L       sync.Locker
	changed chan struct{} // closed by Broadcast; nil while no goroutine waits
	waiting atomic.Int64  // calls of Wait; counted before they call ok
}

// Wait returns nil once ok reports true, or context.Cause(ctx) if ctx is done first.
// The caller holds L. Wait calls ok, with L held, now and at each Broadcast.
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

// Broadcast makes each Wait call ok again. The caller holds L.
func (c *Cond) Broadcast() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Notify is Broadcast after a change of atomic state. The caller does not hold L.
// Notify does not lock it while no goroutine waits.
func (c *Cond) Notify() {
	if c.waiting.Load() > 0 {
		c.L.Lock()
		defer c.L.Unlock()
		c.Broadcast()
	}
}
