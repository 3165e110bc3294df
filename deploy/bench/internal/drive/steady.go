//go:build linux

package drive

import (
	"context"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Steady is a well-behaved client: it sends a request at even intervals on one
// connection and reads every answer.
type Steady struct {
	Every time.Duration
	Asked time.Duration // the wait of each request
	Limit time.Duration // after which a request has failed
	From  int           // chooses the source address: 127.0.0.2 and up
}

// Run runs the client until ctx is done, on a locked thread as Sequential does. Requests
// are measured from when they were due, so that a late answer makes the requests behind it
// late. After a failure the client connects again.
func (s Steady) Run(ctx context.Context, addr netip.AddrPort, request Request) *Tally {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tally := NewTally()
	message, buf := request.message(), make([]byte, 64<<10)
	fd := -1
	defer func() { unix.Close(fd) }()
	tick := time.NewTimer(0)
	defer tick.Stop()
	for due := time.Now(); ; due = due.Add(s.Every) {
		tick.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return tally
		case <-tick.C:
		}
		start := time.Now()
		if start.Sub(due) < s.Every {
			due = start // a timer's lateness is the client's own
		}
		asked := s.Asked
		var err error
		if fd < 0 {
			fd, err = connectForReads(addr, s.From, s.Limit)
		}
		if err == nil {
			asked, err = exchange(fd, message, buf, asked)
		}
		if err != nil {
			tally.Fail(err)
			unix.Close(fd)
			fd = -1
			continue
		}
		tally.Answer(asked, time.Since(start), time.Since(due))
	}
}
