package journal

import (
	"sync/atomic"
	"time"
)

// Stage says what a wait in flight waits for.
type Stage uint32

// The stages of a wait in flight.
const (
	StageWaiting Stage = iota // for its due time
	StageQueued               // for a worker of its pool
	StageHeld                 // at a barrier or in a hold
	StageSending              // for the end of its answer
)

var stageNames = [...]string{"waiting", "queued", "held", "sending"}

// String returns the name of the stage.
func (s Stage) String() string { return stageNames[s] }

// maxOthers is the maximum number of waits of no run that are listed at a time. Others are
// only counted.
const maxOthers = 500

// flight is the part of a Wait that is listed while the wait is in flight.
type flight struct {
	id     uint64
	wait   *Wait
	inAll  node
	inRun  node // unlinked for a wait of no run
	listed bool // in no run, and counted in Journal.listed; only the owner of the wait uses it

	stage atomic.Uint32
	due   atomic.Int64 // from Wait.Start; noDue for none
}

// noDue is the flight.due of a wait that waits for an event.
const noDue = -1

// node is an element of a ring of flights, or its head, whose flight is nil.
type node struct {
	flight     *flight
	prev, next *node // nil if it is in no ring
}

// init makes n the head of an empty ring.
func (n *node) init() { n.prev, n.next = n, n }

// append adds last, which is in no ring, at the end of the ring whose head is n.
func (n *node) append(last *node) {
	last.prev, last.next = n.prev, n
	last.prev.next, n.prev = last, last
}

// unlink does nothing if n is in no ring.
func (n *node) unlink() {
	if n.next != nil {
		n.prev.next, n.next.prev = n.next, n.prev
		n.prev, n.next = nil, nil
	}
}

// NewWait returns a copy of w that viewers can follow. It is one allocation.
func NewWait(w Wait) *Wait {
	both := &struct {
		Wait
		flight flight
	}{Wait: w}
	both.Wait.flight = &both.flight
	return &both.Wait
}

// Enter notes the stage of w, and when it will be over by w's clock; a zero due is not
// known. Calls for one wait must not be concurrent.
func (w *Wait) Enter(stage Stage, due time.Time) {
	if f := w.flight; f != nil {
		f.setDue(due.Sub(w.Start), due.IsZero())
		f.stage.Store(uint32(stage))
	}
}

func (f *flight) setDue(due time.Duration, unknown bool) {
	if unknown {
		due = noDue
	}
	f.due.Store(int64(due))
}

// Watch makes the journal list waits of no run that begin, and problems of no run. It
// always lists waits and problems of runs. The caller calls stop after use.
func (j *Journal) Watch() (stop func()) {
	j.watch(1)
	return func() { j.watch(-1) }
}

func (j *Journal) watch(n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.viewers.Add(n)
	j.setListing()
}

// Watched reports whether there are viewers.
func (j *Journal) Watched() bool { return j.viewers.Load() > 0 }

// Lists reports whether Begin would list a wait of no run: there are viewers, and fewer
// than maxOthers are listed.
func (j *Journal) Lists() bool { return j.listing.Load() }

func (j *Journal) setListing() {
	if lists := j.viewers.Load() > 0 && j.listed < maxOthers; lists != j.listing.Load() {
		j.listing.Store(lists)
	}
}

// list lists w, which is of no run, unless too many are listed.
func (j *Journal) list(w *Wait) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.viewers.Load() == 0 || j.listed >= maxOthers {
		return
	}
	j.listed++
	j.setListing()
	j.link(w)
	w.flight.listed = true
}

// unlist undoes list.
func (j *Journal) unlist(w *Wait) {
	if w.flight == nil || !w.flight.listed {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	w.flight.listed = false
	w.flight.inAll.unlink()
	j.listed--
	j.setListing()
}

// link adds w to the waits in flight.
func (j *Journal) link(w *Wait) {
	if w.flight == nil {
		w.flight = new(flight)
	}
	j.flights++
	f := w.flight
	f.id, f.wait = j.flights, w
	f.inAll.flight, f.inRun.flight = f, f
	f.setDue(w.Asked, false)
	j.inFlight.append(&f.inAll)
}
