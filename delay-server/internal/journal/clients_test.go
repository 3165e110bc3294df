package journal_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
)

// endFrom passes a wait of a client that begins and ends now to the journal.
func endFrom(j *journal.Journal, h *hands, host byte, run string) {
	w := journal.Wait{Run: run, Method: "GET", Path: "/", Start: h.now}
	j.Begin(&w, &journal.Request{Client: netip.AddrFrom4([4]byte{10, 0, 0, host})})
	j.End(w, journal.Answered)
}

// kept returns how many records of a client the journal has in a run.
func kept(j *journal.Journal, host byte, id string) (n int) {
	run, _ := j.Run(id)
	for _, w := range run.Waits {
		if w.Client == netip.AddrFrom4([4]byte{10, 0, 0, host}).String() {
			n++
		}
	}
	return n
}

func TestFloodDropsItsOwnRecords(t *testing.T) {
	for _, tc := range []struct {
		what string
		run  func(i int) string
	}{
		{"in one run", func(int) string { return "flood" }},
		{"in a run for each request", func(i int) string { return fmt.Sprint("flood", i) }},
		{"in a run of anna's", func(int) string { return "anna" }},
		{"that begins in a run of anna's", func(i int) string { return []string{"anna", "flood"}[min(i, 1)] }},
		{"in a run of bob's, now and then", func(i int) string { return []string{"bob", "flood"}[min(i%200, 1)] }},
	} {
		j, h := newJournal(100)
		for range 9 {
			endFrom(j, h, 1, "anna")
		}
		endFrom(j, h, 2, "bob")
		for i := range 1000 {
			endFrom(j, h, 3, tc.run(i))
		}
		for range 20 { // the flood has the most records still
			endFrom(j, h, 1, "anna")
		}
		anna, bob := kept(j, 1, "anna"), kept(j, 2, "bob")
		if anna != 29 || bob != 1 || j.Dropped() != 1030-100 {
			t.Errorf("a flood %s: %d records of anna, %d of bob, %d dropped, want 29, 1, 930", tc.what, anna, bob,
				j.Dropped())
		}
	}
}

// A client that is gone keeps no other from recording.
func TestOldRecordsAreDroppedFirst(t *testing.T) {
	for _, tc := range []struct {
		age  time.Duration
		want int // records of the client that is gone
	}{{10*time.Minute - 1, 10}, {10 * time.Minute, 0}} {
		j, h := newJournal(20)
		for range 10 {
			endFrom(j, h, 1, "gone")
		}
		h.advance(tc.age)
		for range 20 {
			endFrom(j, h, 2, "here")
		}
		if got := kept(j, 1, "gone"); got != tc.want {
			t.Errorf("%v later: %d records of a client that is gone, want %d", tc.age, got, tc.want)
		}
	}
}

func TestGrowing(t *testing.T) {
	for _, tc := range []struct{ size, want int }{{0, 10}, {1, 10}, {8, 5}, {40, 1}, {44, 0}} {
		j, h := newJournal(tc.size)
		calls := 0
		j.Growing = func() { calls++ }
		for range 10 {
			end(j, h, "r", "/")
		}
		if calls != tc.want {
			t.Errorf("10 records in a journal of %d: Growing was called %d times, want %d", tc.size, calls, tc.want)
		}
	}
}
