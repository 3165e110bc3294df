package delay

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"flash.test/delay-server/kit/spelling"
)

// A Recording is a list of measured times, sampled by their empirical quantile
// function. Use NewRecording.
type Recording struct{ sorted []time.Duration }

// NewRecording returns the recording of the times: at least one, and none negative.
func NewRecording(times []time.Duration) (Recording, error) {
	if len(times) == 0 {
		return Recording{}, errors.New("no times")
	}
	sorted := slices.Sorted(slices.Values(times))
	if sorted[0] < 0 {
		return Recording{}, fmt.Errorf("time %v is negative", sorted[0])
	}
	return Recording{sorted}, nil
}

// Len returns the number of times of r.
func (r Recording) Len() int { return len(r.sorted) }

// Min returns the shortest time of r.
func (r Recording) Min() time.Duration { return r.sorted[0] }

// Quantile returns the p-quantile of the times in milliseconds, for 0 < p < 1.
func (r Recording) Quantile(p float64) float64 {
	i := int(math.Ceil(p*float64(len(r.sorted)))) - 1
	return milliseconds(r.sorted[min(max(i, 0), len(r.sorted)-1)])
}

// unresolved is a recorded delay before With.
type unresolved struct{ name string }

func (u unresolved) Quantile(float64) float64 {
	panic("delay: recorded:" + u.name + " is sampled before With")
}

// recordingName are the characters of a recording's name, in lower case.
const recordingName = "abcdefghijklmnopqrstuvwxyz0123456789-_."

func parseRecorded(name string) (Delay, error) {
	if name == "" || len(name) > 100 || strings.Trim(strings.ToLower(name), recordingName) != "" {
		return Delay{}, fmt.Errorf("%s is not 1 to 100 letters, digits, dots, hyphens and underscores",
			spelling.Quote(name))
	}
	return written(unresolved{name}, "recorded", name), nil
}

// With returns a recorded delay with its recording from recordings, and any other delay
// unchanged. The error is a *SyntaxError for an unknown name.
func (d Delay) With(recordings map[string]Recording) (Delay, error) {
	u, ok := d.dist.(unresolved)
	if !ok {
		return d, nil
	}
	r, ok := recordings[u.name]
	if !ok {
		accepted := "recorded: with " + names(recordings)
		return Delay{}, &SyntaxError{Read: d.text, Reason: "no such recording", Accepted: accepted}
	}
	d.dist = r
	return d, nil
}

func names(recordings map[string]Recording) string {
	if len(recordings) == 0 {
		return "a recording of RECORDINGS_DIR, which has none"
	}
	var names []string
	for name := range recordings {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
