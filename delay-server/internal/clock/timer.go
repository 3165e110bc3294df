package clock

import (
	"container/heap"
	"sync/atomic"
	"time"
)

// Timer is a wait in a Queue. A Timer with an Owner is ready to use, in one queue at
// a time.
type Timer struct {
	// Owner.Fire is called with true when the timer is due, and with false after a
	// Post. A due timer has left the queue. A Post does not change the due time. A
	// call after a Post may be spurious.
	Owner interface{ Fire(due bool) }

	due   time.Time    // while the timer is in a heap
	next  *Timer       // in a list of posted timers
	post  atomic.Int32 // postNone, postPending or postDropped
	index int32        // in its heap, counted from 1; 0 for none
}

const (
	postNone    = iota // not in a list of posted timers
	postPending        // in the list, to be fired
	postDropped        // in the list, and stopped since
)

// without returns a list of posted timers without t.
func without(list, t *Timer) *Timer {
	for at := &list; *at != nil; at = &(*at).next {
		if *at == t {
			*at, t.next = t.next, nil
			break
		}
	}
	return list
}

// timerHeap is a heap.Interface of timers by due time.
type timerHeap []*Timer

// first returns the first due time, zero for none.
func (h timerHeap) first() (due time.Time) {
	if len(h) > 0 {
		due = h[0].due
	}
	return due
}

// due reports whether a timer is due at t.
func (h timerHeap) due(t time.Time) bool { return len(h) > 0 && !h[0].due.After(t) }

// set adds or moves t. With a zero due it removes t.
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

// remove does nothing if t is not in the heap.
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
