//go:build linux

package drive

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Streams sends requests over HTTP/2 without TLS, all at once.
type Streams struct {
	Conns int
	Each  int           // streams on each connection
	Asked time.Duration // the wait of each request
	Waves int           // how many times, each after the last answer of the one before

	// Waiting is called once, in the first wave, while all requests wait.
	Waiting func()
}

// Run runs the load. It also returns the measurements of each wave. The failure of a
// connection ends the load.
func (s Streams) Run(ctx context.Context, addr netip.AddrPort, path string) (*Tally, []Wave, error) {
	var conns []*streamConn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for range s.Conns {
		c, err := dialStreams(ctx, addr, path, s.Each)
		if err != nil {
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	called := make(chan struct{})
	time.AfterFunc(s.Asked*7/10, func() {
		s.Waiting()
		close(called)
	})
	defer func() { <-called }()

	var waves []Wave
	for range s.Waves {
		wave, err := s.wave(ctx, conns)
		if err != nil {
			return nil, nil, err
		}
		waves = append(waves, wave)
	}
	tally := NewTally()
	for _, c := range conns {
		tally.Merge(c.tally)
	}
	return tally, waves, nil
}

// wave sends a request on each stream and waits for the answers to all.
func (s Streams) wave(ctx context.Context, conns []*streamConn) (Wave, error) {
	base := time.Now()
	type result struct {
		last time.Time
		err  error
	}
	results := make(chan result, len(conns))
	for _, c := range conns {
		if err := c.send(s.Each, s.Asked+slack); err != nil {
			return Wave{}, err
		}
		go func() {
			last, err := c.receive(s.Each, s.Asked)
			results <- result{last, err}
		}()
	}
	written := time.Since(base)
	last := base
	var errs []error
	for range conns {
		r := <-results
		errs = append(errs, r.err)
		if r.last.After(last) {
			last = r.last
		}
	}
	return Wave{Written: written, Span: last.Sub(base) - s.Asked}, errors.Join(append(errs, context.Cause(ctx))...)
}
