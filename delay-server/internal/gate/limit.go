// Package gate holds what a request passes by an event, not by the clock.
package gate

import "sync/atomic"

// Limit admits at most so many at once. Use NewLimit.
type Limit struct {
	most   int64
	inside atomic.Int64
}

// NewLimit returns a limit that admits at most most at once.
func NewLimit(most int) *Limit { return &Limit{most: int64(most)} }

// Enter reports whether there was room. Each Enter that reports true is paid
// back by one Leave.
func (l *Limit) Enter() bool {
	if l.inside.Add(1) > l.most {
		l.inside.Add(-1)
		return false
	}
	return true
}

// Leave gives the place of one Enter back.
func (l *Limit) Leave() { l.inside.Add(-1) }

// Inside returns how many are admitted now.
func (l *Limit) Inside() int { return int(l.inside.Load()) }
