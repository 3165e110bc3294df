//go:build linux

package drive

import (
	"context"
	"net/netip"
	"time"
)

// Once opens connections, then sends a request on all of them at once.
type Once struct {
	Conns int
	Asked time.Duration // the wait of each request
	Waves int           // how many times, each after the last answer of the one before

	// Waiting is called once, in a goroutine, while all requests of the first wave wait.
	Waiting func()
}

// Wave is the measurement of one wave.
type Wave struct {
	Written time.Duration // from just before the first request's write to just after the last one's
	Span    time.Duration // from when the first answer was due to when the last was read
}

// Run runs the load. It also returns the measurements of each wave.
func (o Once) Run(ctx context.Context, addr netip.AddrPort, request Request) (*Tally, []Wave, error) {
	l, err := newLoop(ctx, addr, request, o.Asked, o.Conns, o.Conns)
	if err != nil {
		return nil, nil, err
	}
	defer l.close()

	called := make(chan struct{})
	time.AfterFunc(o.Asked*7/10, func() {
		o.Waiting()
		close(called)
	})
	defer func() { <-called }()
	var waves []Wave
	for range o.Waves {
		first := l.now()
		for range o.Conns {
			if _, err := l.send(); err != nil {
				return nil, nil, err
			}
		}
		written := l.now() - first
		if err := l.drain(ctx); err != nil {
			return nil, nil, err
		}
		waves = append(waves, Wave{Written: written, Span: l.last - first - o.Asked})
	}
	return l.tally, waves, nil
}
