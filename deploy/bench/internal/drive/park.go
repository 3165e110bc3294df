//go:build linux

package drive

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// Park sends requests that all wait at the same time, and closes before their answers.
type Park struct {
	Conns int
	Asked time.Duration // the wait of each: longer than the load lasts

	// Stream is whether answers begin at once: a request waits once the header and a part
	// of the body have arrived.
	Stream bool

	// Waiting is called when all requests are sent and all streams have begun.
	Waiting func()
}

// Run runs the load. Requests that did not wait until Waiting returned are
// early answers or errors.
func (p Park) Run(ctx context.Context, addr netip.AddrPort, request Request) (*Tally, error) {
	l, err := newLoop(ctx, addr, request, p.Asked, p.Conns, p.Conns)
	if err != nil {
		return nil, err
	}
	defer l.close()
	l.stream = p.Stream
	for range p.Conns {
		if _, err := l.send(); err != nil {
			return nil, err
		}
		if err := l.poll(0); err != nil { // a stream may begin
			return nil, err
		}
	}
	for limit := l.now() + slack; p.Stream && l.sent > 0 && l.now() < limit; {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := l.poll(time.Millisecond); err != nil {
			return nil, err
		}
	}
	if p.Stream && l.sent > 0 {
		l.tally.Fail(fmt.Errorf("%d of %d streams have not begun", l.sent, p.Conns))
	}
	p.Waiting()
	return l.tally, l.wait(l.now()) // handle what arrived meanwhile
}
