package gate

import "sync/atomic"

// Semaphore admits at most max at once. Use NewSemaphore.
type Semaphore struct {
	max    int64
	inside atomic.Int64
}

// NewSemaphore returns a semaphore that admits at most max at once.
func NewSemaphore(max int) *Semaphore { return &Semaphore{max: int64(max)} }

// Enter takes a place, or reports false if there is none. Each Enter that reports
// true is followed by one Leave.
func (s *Semaphore) Enter() bool {
	if s.inside.Add(1) > s.max {
		s.inside.Add(-1)
		return false
	}
	return true
}

// Leave gives back the place of one Enter.
func (s *Semaphore) Leave() { s.inside.Add(-1) }

// Inside returns the number of places taken.
func (s *Semaphore) Inside() int { return int(s.inside.Load()) }
