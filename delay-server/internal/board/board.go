// Package board follows the runs of a room: who has called the server, what each run did,
// and which exercises it passes. A run belongs to the attendee that its ID names; see
// package exercise.
//
// The board reads the journal while somebody looks, and before the journal drops records.
// What it keeps is bounded: maxPeople names, maxTries runs of each, and which exercises
// each has passed. It keeps that when the journal drops the records, until the run or all
// runs are forgotten.
package board

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/exercise"
	"flash.test/delay-server/internal/feed"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/query"
)

const (
	interval = 500 * time.Millisecond // between two states of a page
	maxDrawn = 2                      // waterfalls at a time
)

// maxViewers bounds the open pages. Each attendee may look at a page of their own.
var maxViewers = feed.Limits{All: 300, Keyed: 300}

// Options are the parts of the server that a board uses.
type Options struct {
	Journal   *journal.Journal
	Clock     *clock.Clock
	Exercises func() *exercise.Set // the current ones
}

// Board is a board. Use New.
type Board struct {
	options Options
	feed    *feed.Feed
	now     func() time.Time // wall time: the server's clock may be frozen

	growing atomic.Bool   // a goroutine of grow runs
	drawn   chan struct{} // a semaphore for waterfalls

	mu      sync.Mutex
	set     *exercise.Set
	seen    uint64    // version of the journal
	updated time.Time // when seen was read
	version int       // of the last change of a try
	people  people
	turn    int // the index in people where the next update begins to read
}

// New returns a board without runs. It uses the journal's Growing.
func New(o Options) *Board {
	b := &Board{
		options: o, now: time.Now, set: o.Exercises(), people: newPeople(), drawn: make(chan struct{}, maxDrawn),
	}
	b.feed = feed.New(maxViewers, interval, b.state)
	o.Journal.Growing = b.grow
	return b
}

// Close ends all streams of events.
func (b *Board) Close() { b.feed.Close() }

// grow reads the journal before it drops records. It does not block.
func (b *Board) grow() {
	if !b.growing.CompareAndSwap(false, true) {
		return
	}
	go func() {
		defer b.growing.Store(false)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.update(true)
	}()
}

// update reads what has changed. If dropping is true, the journal may drop it soon.
func (b *Board) update(dropping bool) {
	now := b.now()
	b.updated = now
	b.changeSet()
	changes, version := b.options.Journal.Changes(b.seen)
	b.seen = version
	// An old run is counted before newer ones take its place.
	slices.SortFunc(changes, func(a, b journal.Change) int { return a.Begun - b.Begun })
	for _, c := range changes {
		b.note(c, now)
	}
	b.read(now, dropping)
}

// note notes that a run has changed.
func (b *Board) note(c journal.Change, now time.Time) {
	if strings.HasPrefix(c.ID, query.GeneratedRun) || isTrace(c.ID) {
		return
	}
	name, of, _ := b.set.Parse(c.ID)
	p := b.people.find(name, c.Client, now)
	if p == nil {
		return
	}
	if t := p.note(c, of, now); t != nil {
		b.touch(t)
	}
}

// touch gives t a version that no try had before.
func (b *Board) touch(t *try) {
	b.version++
	t.version = b.version
}

// isTrace reports whether a run ID is the ID of a W3C trace, which names nobody.
func isTrace(id string) bool {
	if len(id) != 32 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// changeSet parses all runs anew if the exercises have changed.
func (b *Board) changeSet() {
	set := b.options.Exercises()
	if set == b.set {
		return
	}
	b.set, b.seen = set, 0
	for _, p := range b.people.inOrder {
		p.keep(set)
	}
	for _, p := range slices.Clone(b.people.inOrder) {
		if len(p.tries) == 0 {
			b.people.remove(p)
		}
	}
}

// Forget removes a run, and reports whether it was on the board. Its attendee goes with
// the last of its runs.
func (b *Board) Forget(run string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	name, _, _ := b.set.Parse(run)
	p := b.people.byName[name]
	if p == nil {
		return false
	}
	known := p.forget(run)
	if len(p.tries) == 0 {
		b.people.remove(p)
	}
	return known
}

// ForgetAll removes all runs.
func (b *Board) ForgetAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.people = newPeople()
}
