package board

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"flash.test/delay-server/internal/journal"
)

const (
	maxShownTries = 3  // of each name, if all are shown
	maxBars       = 24 // of a try
)

// state is what a page shows.
type state struct {
	Exercises []exerciseState `json:"exercises"`
	Clock     clockState      `json:"clock"`
	Waiting   int             `json:"waiting"`   // requests on the whole server
	MoreNames int             `json:"moreNames"` // left out
	People    []personState   `json:"people"`
}

type exerciseState struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type clockState struct {
	Frozen bool    `json:"frozen"`
	Scale  float64 `json:"scale"`
}

type personState struct {
	Name      string     `json:"name"`
	Addresses int        `json:"addresses"`
	Requests  int        `json:"requests"`
	Waiting   int        `json:"waiting"`
	Passed    []string   `json:"passed"`
	Failed    []string   `json:"failed"`
	Tries     []tryState `json:"tries"`
}

type tryState struct {
	Run      string   `json:"run"`
	Exercise string   `json:"exercise"`
	Requests int      `json:"requests"`
	Waiting  int      `json:"waiting"`
	Peak     int      `json:"peak"`
	Speedup  float64  `json:"speedup"` // 0 if unknown
	Wall     float64  `json:"wall"`    // milliseconds
	Headline string   `json:"headline"`
	Version  int      `json:"version"`
	Verdict  string   `json:"verdict"`
	Details  []string `json:"details"`
	Bars     []bar    `json:"bars,omitempty"`
}

// bar is a request in a small waterfall.
type bar struct {
	start, end float64 // milliseconds
	ended      string  // how it ended; "" while it is in flight
}

// MarshalJSON writes an array of three.
func (b bar) MarshalJSON() ([]byte, error) { return json.Marshal([]any{b.start, b.end, b.ended}) }

// state returns what the page of a name shows, or of everybody for "".
func (b *Board) state(name string) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now().Sub(b.updated) >= interval/2 { // pages share the work
		b.update(false)
	}
	now := b.options.Clock.State()
	s := state{
		Exercises: []exerciseState{},
		Clock:     clockState{now.Frozen, now.Scale}, Waiting: b.options.Journal.Waiting(),
		MoreNames: len(b.people.left), People: []personState{},
	}
	for _, e := range b.set.Exercises {
		s.Exercises = append(s.Exercises, exerciseState{e.ID, e.Title})
	}
	if name == "" {
		for _, p := range b.people.inOrder {
			s.People = append(s.People, p.state(maxShownTries, 1))
		}
	} else if p := b.people.byName[name]; p != nil {
		s.People = append(s.People, p.state(maxTries, maxTries))
	}
	return s
}

// state returns up to so many tries, and the bars of the first ones.
func (p *person) state(tries, withBars int) personState {
	s := personState{
		Name: p.name, Addresses: len(p.addresses), Requests: p.requests,
		Passed: []string{}, Failed: []string{}, Tries: []tryState{},
	}
	for _, id := range slices.Sorted(maps.Keys(p.marks)) {
		if m := p.marks[id]; len(m.passed) > 0 {
			s.Passed = append(s.Passed, id)
		} else {
			s.Failed = append(s.Failed, id)
		}
	}
	for i, t := range p.tries {
		s.Waiting += t.summary.Waiting
		if i < tries {
			shown := t.state()
			if i >= withBars {
				shown.Bars = nil
			}
			s.Tries = append(s.Tries, shown)
		}
	}
	return s
}

func (t *try) state() tryState {
	s := tryState{
		Run: t.summary.ID, Exercise: t.exercise, Requests: t.summary.Requests, Waiting: t.summary.Waiting,
		Peak: t.summary.PeakInFlight, Wall: milliseconds(t.summary.Wall), Headline: t.headline,
		Version: t.version, Verdict: t.verdict(), Details: []string{}, Bars: t.bars,
	}
	if times, ok := t.summary.Speedup(); ok {
		s.Speedup = math.Round(times*1000) / 1000
	}
	if t.stale || s.Headline == "" {
		s.Headline = count(t.summary)
	}
	switch {
	case t.final:
		s.Details = append(s.Details, t.details...)
	case t.unjudged != "" && t.exercise != "":
		s.Details = append(s.Details, "not judged: "+t.unjudged)
	}
	return s
}

func (t *try) verdict() string {
	switch {
	case t.exercise == "", t.unjudged != "":
		return ""
	case !t.final:
		return "running"
	case t.passed:
		return "passed"
	}
	return "failed"
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// bars returns the bars of a run, evenly chosen if there are many.
func bars(run journal.Run) []bar {
	n := min(len(run.Waits), maxBars)
	all := make([]bar, n)
	for i := range all {
		w := run.Waits[i*len(run.Waits)/n]
		all[i] = bar{milliseconds(w.Start), milliseconds(w.End), ended(w)}
	}
	return all
}

// ended returns how a request ended: answered, left by the client, or failed.
func ended(w journal.Entry) string {
	switch {
	case w.Outcome == "":
		return ""
	case w.Outcome == journal.ClientClosed:
		return "left"
	case w.Outcome != journal.Answered || w.Status >= 400:
		return "failed"
	}
	return "answered"
}
