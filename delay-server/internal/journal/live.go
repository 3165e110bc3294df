package journal

import (
	"slices"
	"time"
)

// Live is what happens now, in all runs or in one.
type Live struct {
	Now      time.Time // on the server's clock, as all times of a Live
	Waiting  int       // requests that have not ended
	Ended    int       // requests that have ended since the start, refused ones included
	Flights  []Flight  // in order of due times, then those without one in order of arrival
	Runs     []Summary // the newest first
	Problems []Problem // the newest last
}

// Flight is a wait in flight.
type Flight struct {
	ID           uint64 // unique
	Method, Path string // cut to 200 bytes, a path with … at the end
	Run          string // "" for none
	Attempt      int    // see Wait
	Stage        Stage
	Start, Due   time.Time // Due is zero if it waits for an event
	OwnClock     bool      // it waits on its run's own clock, whose times are translated to Live.Now
}

// The bounds of a Live.
const (
	MaxFlights  = 400
	MaxRuns     = 50
	MaxProblems = 50
)

// maxRead is the maximum number of waits in flight that Live reads under the journal's lock,
// in order of arrival.
const maxRead = 2000

// Live returns what happens now in the run, or in all runs and in none if run is "". Of
// the 2,000 waits in flight that arrived first it lists the MaxFlights that are due first.
// It lists the MaxRuns runs that changed last, and the last MaxProblems problems. A wait
// of no run is listed if it began while there were viewers (see Watch), and while fewer
// than 500 such waits were listed.
func (j *Journal) Live(run string) Live {
	l := j.live(run)
	slices.SortStableFunc(l.Flights, byDue)
	l.Flights = l.Flights[:min(len(l.Flights), MaxFlights)]
	for i := range l.Flights {
		f := &l.Flights[i]
		f.Method = f.Method[:min(len(f.Method), maxText)]
		if len(f.Path) > maxText {
			f.Path = Clip(f.Path)
		}
	}
	return l
}

// byDue orders flights by due time, those without one last.
func byDue(a, b Flight) int {
	switch {
	case a.Due.IsZero() && !b.Due.IsZero():
		return 1
	case !a.Due.IsZero() && b.Due.IsZero():
		return -1
	}
	return a.Due.Compare(b.Due)
}

// live is Live with all flights that it reads.
func (j *Journal) live(run string) Live {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := Live{Now: j.now(), Problems: j.problems.last(run, MaxProblems)}
	if run == "" {
		l.Ended = int(j.finished.Load())
		l.Waiting = j.Waiting()
		l.Runs = j.newestRuns()
		l.Flights = j.read(&j.inFlight, l.Now)
		return l
	}
	if s := j.runs[run]; s != nil {
		l.Waiting, l.Ended = s.waiting, s.requests-s.waiting
		l.Runs = []Summary{s.summary(j.nowIn(run))}
		l.Flights = j.read(&s.flights, l.Now)
	}
	return l
}

// newestRuns returns the MaxRuns runs that changed last, in the order of Runs.
func (j *Journal) newestRuns() []Summary {
	var newest []*runStats
	for s := j.changes.earlier; s != &j.changes && len(newest) < MaxRuns; s = s.earlier {
		newest = append(newest, s)
	}
	return j.summaries(newest)
}

// read returns the first maxRead flights of a ring.
func (j *Journal) read(head *node, now time.Time) []Flight {
	var flights []Flight
	var run string          // of the flight before
	var ahead time.Duration // of the server's clock, to the run's own
	var own bool            // the run has a clock of its own
	for n := head.next; n != head && len(flights) < maxRead; n = n.next {
		w := n.flight.wait
		if w.Run != run {
			run = w.Run
			clock := j.Clocks.Of(run)
			own, ahead = clock != nil, 0
			if own {
				ahead = now.Sub(clock.Now())
			}
		}
		f := Flight{
			ID: n.flight.id, Method: w.Method, Path: w.Path, Run: run, Attempt: w.Attempt,
			Stage: Stage(n.flight.stage.Load()), Start: w.Start.Add(ahead), OwnClock: own,
		}
		if due := n.flight.due.Load(); due != noDue {
			f.Due = f.Start.Add(time.Duration(due))
		}
		flights = append(flights, f)
	}
	return flights
}
