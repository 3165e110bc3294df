package clock

import (
	"container/heap"
	"sync/atomic"
	"time"
)

// Timer is one wait in a Queue. It is ready to use once Owner is set, by one
// queue at a time.
type Timer struct {
	// Owner.Fire is called with due when the timer is due, which takes it out of the
	// queue, and without after a Post, which does not change when it is due. A call
	// after a Post may be spurious: Fire looks for itself whether what it waits for
	// has come.
	Owner interface{ Fire(due bool) }

	due   time.Time    // while it is in a heap
	next  *Timer       // in a list of posted timers
	post  atomic.Int32 // postNone and so on
	index int32        // in its heap, counted from 1; 0 for none
}

const (
	postNone    = iota // not on a list of posted timers
	postPending        // on it, to be fired
	postDropped        // on it, and stopped since
)

// timerHeap is a heap.Interface of the timers that have a due time, the first one
// due in front.
type timerHeap []*Timer

// first returns when the first timer is due, zero where there is none.
func (h timerHeap) first() (due time.Time) {
	if len(h) > 0 {
		due = h[0].due
	}
	return due
}

// due reports whether a timer is due at t.
func (h timerHeap) due(t time.Time) bool { return len(h) > 0 && !h[0].due.After(t) }

// set puts t into its place, or out of the heap for a zero due.
func (h *timerHeap) set(t *Timer, due time.Time) {
	if due.IsZero() {
		h.remove(t)
		return
	}
	t.due = due
	if t.index > 0 {
		heap.Fix(h, int(t.index-1))
	} else {
		heap.Push(h, t)
	}
}

// remove does nothing where t is not in the heap.
func (h *timerHeap) remove(t *Timer) {
	if t.index > 0 {
		heap.Remove(h, int(t.index-1))
	}
}

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = int32(i+1), int32(j+1)
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	*h = append(*h, t)
	t.index = int32(len(*h))
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last], *h = nil, (*h)[:last]
	t.index = 0
	return t
}
