package journal

import (
	"fmt"
	"time"

	"flash.test/delay-server/internal/clock"
)

// RunInFlightError is returned by Journal.MakeClock if requests of the run wait: they
// wait on the server's clock.
type RunInFlightError struct{ Requests int }

// Error gives the number of requests.
func (e *RunInFlightError) Error() string {
	if e.Requests == 1 {
		return "1 request of it waits on the server's clock"
	}
	return fmt.Sprintf("%d requests of it wait on the server's clock", e.Requests)
}

// MakeClock returns the run's own clock, and makes one if it has none. From then on all
// requests of the run wait on it, and the run's times are its times. The error is a
// *RunInFlightError or clock.ErrTooManyRuns.
func (j *Journal) MakeClock(run string) (*clock.Clock, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c := j.Clocks.Of(run); c != nil {
		return c, nil
	}
	if s := j.runs[run]; s != nil && s.inFlight > 0 {
		return nil, &RunInFlightError{s.inFlight}
	}
	return j.Clocks.Make(run)
}

// timeOn returns the time on c, or on the server's clock if c is nil.
func (j *Journal) timeOn(c *clock.Clock) time.Time {
	if c != nil {
		return c.Now()
	}
	return j.now()
}

// nowIn returns the current time of the run.
func (j *Journal) nowIn(run string) time.Time { return j.timeOn(j.Clocks.Of(run)) }
