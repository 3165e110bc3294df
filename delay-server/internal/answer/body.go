package answer

import (
	"iter"
	"math"
	"slices"
	"time"
)

// pattern is what filled bodies are made of: lines of 64 bytes, so that a body
// can be read and cut in a terminal.
var pattern = func() []byte {
	const line = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"
	block := make([]byte, 0, 32<<10)
	for len(block) < cap(block) {
		block = append(block, line...)
	}
	return block
}()

// Filled returns a body of so many bytes.
func Filled(size int64) Body {
	return Body{Length: size, Parts: func(yield func(time.Duration, []byte) bool) {
		for left := size; left > 0; {
			part := pattern[:min(left, int64(len(pattern)))]
			if !yield(0, part) {
				return
			}
			left -= int64(len(part))
		}
	}}
}

// parts returns b as parts, the whole in blocks that are due at once, so that
// each has its own time to be taken.
func (b Body) parts() iter.Seq2[time.Duration, []byte] {
	if b.Parts != nil {
		return b.Parts
	}
	return func(yield func(time.Duration, []byte) bool) {
		for block := range slices.Chunk(b.Whole, len(pattern)) {
			if !yield(0, block) {
				return
			}
		}
	}
}

// length returns b's bytes, negative where that is not known.
func (b Body) length() int64 {
	if b.Parts != nil {
		return b.Length
	}
	return int64(len(b.Whole))
}

// Later returns b with each part due by that much later.
func (b Body) Later(by time.Duration) Body {
	parts := b.parts()
	return Body{Length: b.length(), Paced: true, Parts: func(yield func(time.Duration, []byte) bool) {
		for due, part := range parts {
			if !yield(due+by, part) {
				return
			}
		}
	}}
}

// pace is how often a limited body sends a part.
const pace = 20 * time.Millisecond

// TransferTime returns how long n bytes take at so many bytes a second.
func TransferTime(n int64, bytesPerSecond float64) time.Duration {
	nanoseconds := float64(n) / bytesPerSecond * float64(time.Second)
	if nanoseconds >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(nanoseconds)
}

// Limited returns b at no more than so many bytes a second: a byte is due no
// earlier than the bytes up to and with it take at that rate.
func (b Body) Limited(bytesPerSecond float64) Body {
	parts := b.parts()
	atOnce := max(1, int(bytesPerSecond*pace.Seconds()))
	return Body{Length: b.length(), Paced: true, Parts: func(yield func(time.Duration, []byte) bool) {
		sent := int64(0)
		for due, part := range parts {
			if len(part) == 0 && !yield(max(due, TransferTime(sent, bytesPerSecond)), part) {
				return
			}
			for len(part) > 0 {
				n := min(len(part), atOnce)
				sent += int64(n)
				if !yield(max(due, TransferTime(sent, bytesPerSecond)), part[:n]) {
					return
				}
				part = part[n:]
			}
		}
	}}
}
