package gate

import "sync/atomic"

// Semaphore admits at most max at once. Use NewSemaphore.
type Semaphore struct {
	max    int64
	inside atomic.Int64
}

// NewSemaphore returns a semaphore that admits at most max at once.
func NewSemaphore(max int) *Semaphore { return &Semaphore{max: int64(max)} }

// Enter reports whether there was room. Each Enter that reports true is paid
// back by one Leave.
func (s *Semaphore) Enter() bool {
	if s.inside.Add(1) > s.max {
		s.inside.Add(-1)
		return false
	}
	return true
}

// Leave gives the place of one Enter back.
func (s *Semaphore) Leave() { s.inside.Add(-1) }

// Inside returns how many are admitted now.
func (s *Semaphore) Inside() int { return int(s.inside.Load()) }
