package journal_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"flash.test/delay-server/internal/journal"
)

// changed returns the runs that changed after a version, as "id requests/waiting", and the
// newest version.
func changed(j *journal.Journal, after uint64) (string, uint64) {
	changes, version := j.Changes(after)
	var all []string
	for _, c := range changes {
		all = append(all, fmt.Sprintf("%s %d/%d", c.ID, c.Requests, c.Waiting))
	}
	return strings.Join(all, ", "), version
}

func TestChanges(t *testing.T) {
	j, h := newJournal(3)
	a := journal.Wait{Run: "a", Method: "GET", Path: "/", Start: h.now}
	b := journal.Wait{Run: "b", Method: "GET", Path: "/", Start: h.now}
	var version uint64
	for _, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"nothing", func() {}, ""},
		{"a begins, b begins", func() { j.Begin(&a, nil); j.Begin(&b, nil) }, "a 1/1, b 1/1"},
		{"nothing", func() {}, ""},
		{"a is sent", func() { j.BeforeLastByte(&a) }, "a 1/1"},
		{"b ends, a ends", func() { j.End(b, journal.Answered); j.End(a, journal.Answered) }, "b 1/0, a 1/0"},
		{"a refuses", func() { j.Refuse(a, nil, journal.Refused) }, "a 2/0"},
		{"a run without a request", func() { j.Begin(nil, nil) }, ""},
		{"the journal drops a record of a, then a", func() { end(j, h, "c", "/"); end(j, h, "c", "/") }, "c 2/0"},
		{"b is forgotten", func() { j.Forget("b") }, ""},
		{"c is forgotten, then d comes", func() { j.ForgetAll(); end(j, h, "d", "/") }, "d 1/0"},
	} {
		step.do()
		var got string
		if got, version = changed(j, version); got != step.want {
			t.Fatalf("%s: changed %q, want %q", step.what, got, step.want)
		}
	}
	if got, _ := changed(j, 0); got != "d 1/0" {
		t.Errorf("since the beginning: %q, want d 1/0", got)
	}
}

// A request that ends after its run was forgotten changes nothing.
func TestChangesAfterForget(t *testing.T) {
	j, h := newJournal(3)
	w := journal.Wait{Run: "a", Method: "GET", Path: "/", Start: h.now}
	j.Begin(&w, nil)
	j.Forget("a")
	end(j, h, "a", "/")
	_, version := j.Changes(0)
	j.End(w, journal.Answered)
	if got, _ := changed(j, version); got != "" {
		t.Errorf("changed %q, want nothing", got)
	}
}

func TestChangesNameTheClient(t *testing.T) {
	j, h := newJournal(3)
	endFrom(j, h, 1, "a")
	endFrom(j, h, 2, "a")
	changes, _ := j.Changes(0)
	want := netip.MustParseAddr("10.0.0.2")
	if len(changes) != 1 || changes[0].Client != want || changes[0].Begun != 1 {
		t.Errorf("got %+v, want run 1 of client %v", changes, want)
	}
}
