package answer

import (
	"time"

	"flash.test/delay-server/delay"
)

// Omitted marks a field of a Timing that is left out of the header.
const Omitted time.Duration = -1

// Timing is the value of the header Server-Timing. All fields except Asked may be
// Omitted.
type Timing struct {
	Asked, Queued, Held, Waited, Real time.Duration

	Cut bool // the sample was above MAX_DELAY, and Asked was cut to it
}

// Append appends the header's value to b, in milliseconds:
//
//	asked;dur=1000, waited;dur=1000.21
func (t *Timing) Append(b []byte) []byte {
	b = append(b, "asked;dur="...)
	b = delay.AppendMilliseconds(b, t.Asked)
	if t.Cut {
		b = append(b, `;desc="cut at MAX_DELAY"`...)
	}
	b = appendTime(b, ", queued;dur=", t.Queued)
	b = appendTime(b, ", held;dur=", t.Held)
	b = appendTime(b, ", waited;dur=", t.Waited)
	return appendTime(b, ", real;dur=", t.Real)
}

func appendTime(b []byte, name string, d time.Duration) []byte {
	if d == Omitted {
		return b
	}
	return delay.AppendMilliseconds(append(b, name...), d)
}
