package answer

import (
	"bytes"
	"math"
	"time"
)

// Part is a part of a body. Its bytes must not be changed.
type Part struct {
	Due   time.Duration // since the header was sent
	Bytes []byte        // if empty, wait until Due before asking for the next part
}

// Body is the body of a response: Whole, or the parts of Open if it is not nil.
type Body struct {
	Whole []byte

	// Open returns a function that returns the next part, and false after the last. The
	// bytes of a part are valid until the next call, and may tell the time, as now returns
	// it then: by the clock that the parts are due on. Open is safe for concurrent use.
	Open func(now func() time.Time) func() (Part, bool)

	// Length is the number of bytes in all parts, negative if unknown.
	Length int64

	// Paced tells proxies not to buffer the body, since its parts are due over time.
	Paced bool
}

// block is the maximum size of a part if the whole body is due at once.
const block = 32 << 10

// Parts opens b. It returns Whole in blocks.
func (b Body) Parts(now func() time.Time) func() (Part, bool) {
	if b.Open != nil {
		return b.Open(now)
	}
	whole := b.Whole
	return func() (Part, bool) {
		part := whole[:min(len(whole), block)]
		whole = whole[len(part):]
		return Part{Bytes: part}, len(part) > 0
	}
}

// Size returns the number of bytes in b, negative if unknown.
func (b Body) Size() int64 {
	if b.Open != nil {
		return b.Length
	}
	return int64(len(b.Whole))
}

// paddingBlock has lines of 64 bytes, so that a terminal can show it.
var paddingBlock = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"), block/64)

// Padding returns a body of size bytes.
func Padding(size int64) Body {
	return Body{Length: size, Open: func(func() time.Time) func() (Part, bool) {
		left := size
		return func() (Part, bool) {
			part := paddingBlock[:min(left, block)]
			left -= int64(len(part))
			return Part{Bytes: part}, len(part) > 0
		}
	}}
}

// Delayed returns b with each part due later by d.
func (b Body) Delayed(d time.Duration) Body {
	return Body{Length: b.Size(), Paced: true, Open: func(now func() time.Time) func() (Part, bool) {
		next := b.Parts(now)
		return func() (Part, bool) {
			part, ok := next()
			part.Due += d
			return part, ok
		}
	}}
}

// throttleInterval is the time between two parts of a throttled body.
const throttleInterval = 20 * time.Millisecond

// TransferTime returns how long n bytes take at the rate.
func TransferTime(n int64, bytesPerSecond float64) time.Duration {
	nanoseconds := float64(n) / bytesPerSecond * float64(time.Second)
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

// Throttled returns b with a maximum rate. No byte is due before TransferTime of all
// bytes up to it.
func (b Body) Throttled(bytesPerSecond float64) Body {
	return Body{Length: b.Size(), Paced: true, Open: func(now func() time.Time) func() (Part, bool) {
		t := &throttle{next: b.Parts(now), rate: bytesPerSecond}
		return t.pull
	}}
}

// throttle pulls the parts of a throttled body.
type throttle struct {
	next func() (Part, bool)
	rate float64 // bytes a second
	sent int64
	rest Part // the unsent rest of the last part from next
}

func (t *throttle) pull() (Part, bool) {
	if len(t.rest.Bytes) == 0 {
		part, ok := t.next()
		if !ok {
			return Part{}, false
		}
		t.rest = part
	}
	maxPart := max(1, int(t.rate*throttleInterval.Seconds()))
	part := t.rest.Bytes[:min(len(t.rest.Bytes), maxPart)]
	t.rest.Bytes = t.rest.Bytes[len(part):]
	t.sent += int64(len(part))
	return Part{max(t.rest.Due, TransferTime(t.sent, t.rate)), part}, true
}
