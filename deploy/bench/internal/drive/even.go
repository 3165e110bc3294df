//go:build linux

package drive

import (
	"context"
	"math"
	"net/netip"
	"time"
)

// Even sends requests at an even rate, whether or not earlier ones are answered: Rate times
// Asked of them wait at any time.
type Even struct {
	Rate  float64       // requests a second
	Asked time.Duration // the wait of each

	Warm    time.Duration // time before answers count: longer than Asked
	Counted time.Duration // time in which answers count

	// Begin and End are called when the counted time begins and ends. The client pauses
	// until they return, with the server under load.
	Begin, End func()
}

// Waiting returns how many requests wait at any time.
func (e Even) Waiting() int { return int(math.Ceil(e.Rate * e.Asked.Seconds())) }

// Conns returns how many connections the load opens at most: enough if answers are up to
// 200 ms late. Waiting of them are open from the start.
func (e Even) Conns() int {
	return int(math.Ceil(e.Rate * (e.Asked + 200*time.Millisecond).Seconds()))
}

// Run runs the load until all its requests have ended.
func (e Even) Run(ctx context.Context, addr netip.AddrPort, request Request) (*Tally, error) {
	l, err := newLoop(ctx, addr, request, e.Asked, e.Waiting(), e.Conns())
	if err != nil {
		return nil, err
	}
	defer l.close()
	l.counting = false
	if err := e.arrive(ctx, l, e.Warm); err != nil {
		return nil, err
	}
	e.Begin()
	l.counting = true
	if err := e.arrive(ctx, l, e.Counted); err != nil {
		return nil, err
	}
	e.End()
	l.counting = false
	return l.tally, l.drain(ctx)
}

// arrive sends requests at the rate for some time.
func (e Even) arrive(ctx context.Context, l *loop, during time.Duration) error {
	start, n, held := l.now(), 0, false
	for ctx.Err() == nil {
		now := l.now() - start
		if now >= during {
			return nil
		}
		due := time.Duration(float64(n) / e.Rate * float64(time.Second))
		if due > now {
			if err := l.wait(start + min(due, during)); err != nil {
				return err
			}
			continue
		}
		sent, err := l.send()
		switch {
		case err != nil:
			return err
		case sent:
			n, held = n+1, false
			continue
		case !held:
			held = true
			l.tally.Held++
		}
		if err := l.wait(l.now() + 100*time.Microsecond); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
