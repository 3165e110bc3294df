package ideal

import (
	"math/rand/v2"
	"time"

	"flash.test/delay-server/delay"
)

// Samples are the delays of calls that are made in more than one way, drawn once.
type Samples struct {
	delay string // as given
	seed  uint64
	drawn bool // the delay is random
	waits []time.Duration
}

// Draw draws the delays of n calls, none above max. delay is in a form that
// delay.Parse reads. The same seed gives the same samples, and the first samples do
// not depend on n.
func Draw(text string, n int, seed uint64, max time.Duration) (Samples, error) {
	d, err := delay.Parse(text)
	if err != nil {
		return Samples{}, err
	}
	_, fixed := d.Fixed()
	s := Samples{delay: text, seed: seed, drawn: !fixed}
	if IsRecorded(d) {
		return s, nil
	}
	s.waits = make([]time.Duration, n)
	for i := range s.waits {
		s.waits[i], _ = d.SampleWithin(s.RNG(i), max)
	}
	return s, nil
}

// RNG returns the random generator of call i.
func (s Samples) RNG(i int) *rand.Rand { return rand.New(rand.NewPCG(s.seed, uint64(i))) }

// Waits returns the waits of the calls, or nil for a recorded delay, whose samples
// only delay-server has.
func (s Samples) Waits() []time.Duration { return s.waits }

// Call returns what call i asks delay-server for: a delay, and a seed if
// delay-server draws the sample. Calls of a fixed delay ask for the delay as given.
func (s Samples) Call(i int) (text string, seed *uint64) {
	switch {
	case !s.drawn:
		return s.delay, nil
	case s.waits == nil:
		return s.delay, new(s.seed + uint64(i))
	default:
		return delay.Milliseconds(s.waits[i]), nil
	}
}

// IsRecorded reports whether d is a recording of delay-server.
func IsRecorded(d delay.Delay) bool {
	_, err := d.With(nil)
	return err != nil
}
