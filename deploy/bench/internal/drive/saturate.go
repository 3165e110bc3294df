//go:build linux

package drive

import (
	"context"
	"net/netip"
	"time"
)

// Saturate keeps n connections busy for some time: each sends its next request as soon as
// it is answered. It also returns the answers a second.
func Saturate(ctx context.Context, addr netip.AddrPort, request Request, n int,
	during time.Duration) (*Tally, float64, error) {
	l, err := newLoop(ctx, addr, request, 0, n, n)
	if err != nil {
		return nil, 0, err
	}
	defer l.close()
	for start := l.now(); ; {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		if past := l.now() - start; past >= during {
			rate := float64(l.tally.Answers) / past.Seconds()
			return l.tally, rate, l.drain(ctx)
		}
		for sent := true; sent; {
			if sent, err = l.send(); err != nil {
				return nil, 0, err
			}
		}
		if err := l.poll(time.Millisecond); err != nil {
			return nil, 0, err
		}
	}
}
