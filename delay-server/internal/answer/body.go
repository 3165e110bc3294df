package answer

import (
	"bytes"
	"math"
	"time"
)

// Part is one part of a body. Its bytes must not be changed.
type Part struct {
	Due   time.Duration // from the sending of the headers
	Bytes []byte        // none for a wait alone: the next part is made when it is over
}

// Body is what follows the headers: Whole at once, or where Open is not nil,
// parts, each at its time.
type Body struct {
	Whole []byte

	// Open returns a function that returns one part after the other, and false
	// after the last. A part's bytes are valid until the next call. Open may be
	// called many times, and by several goroutines at a time.
	Open func() func() (Part, bool)

	// Length is the number of bytes in all parts, negative where it is not known.
	Length int64

	// Paced marks parts that are due over time: no proxy on the way is to buffer them.
	Paced bool
}

// block is how many bytes a part has at most where all of a body is due at once.
const block = 32 << 10

// Parts opens b. Whole comes in blocks that are due at once.
func (b Body) Parts() func() (Part, bool) {
	if b.Open != nil {
		return b.Open()
	}
	whole := b.Whole
	return func() (Part, bool) {
		part := whole[:min(len(whole), block)]
		whole = whole[len(part):]
		return Part{Bytes: part}, len(part) > 0
	}
}

// Size returns the number of b's bytes, negative where it is not known.
func (b Body) Size() int64 {
	if b.Open != nil {
		return b.Length
	}
	return int64(len(b.Whole))
}

// paddingBlock consists of lines of 64 bytes, so that padding can be read and
// cut in a terminal.
var paddingBlock = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"), block/64)

// Padding returns a body of size bytes.
func Padding(size int64) Body {
	return Body{Length: size, Open: func() func() (Part, bool) {
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
	return Body{Length: b.Size(), Paced: true, Open: func() func() (Part, bool) {
		next := b.Parts()
		return func() (Part, bool) {
			part, ok := next()
			part.Due += d
			return part, ok
		}
	}}
}

// throttleInterval is how often a throttled body sends a part.
const throttleInterval = 20 * time.Millisecond

// TransferTime returns how long n bytes take at a rate.
func TransferTime(n int64, bytesPerSecond float64) time.Duration {
	nanoseconds := float64(n) / bytesPerSecond * float64(time.Second)
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

// Throttled returns b at no more than a rate: each byte is due no earlier than
// all bytes up to it take at that rate.
func (b Body) Throttled(bytesPerSecond float64) Body {
	return Body{Length: b.Size(), Paced: true, Open: func() func() (Part, bool) {
		t := &throttle{next: b.Parts(), rate: bytesPerSecond}
		return t.pull
	}}
}

// throttle pulls the parts of a throttled body.
type throttle struct {
	next func() (Part, bool)
	rate float64 // bytes a second
	sent int64
	rest Part // of a part of next
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
