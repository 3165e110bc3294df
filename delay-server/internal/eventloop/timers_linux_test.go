package eventloop

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/wiretest"
)

// withRuns gives an engine clocks of runs.
func withRuns(c *Config) {
	c.Engine.Runs = clock.NewRuns(c.Engine.Clock)
	c.Engine.Journal.Clocks = c.Engine.Runs
}

// freeze makes a frozen clock of the run.
func (s *stoppedLoop) freeze(t *testing.T, run string) *clock.Clock {
	t.Helper()
	c, err := s.engine().Journal.MakeClock(run)
	if err != nil {
		t.Fatal(err)
	}
	c.Freeze()
	return c
}

// advance advances the clock of a run while the loop is busy.
func (s *stoppedLoop) advance(t *testing.T, c *clock.Clock, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Advance(ctx, d) }()
	for len(done) == 0 {
		s.busy()
	}
	return <-done
}

// busy is a turn of a loop that has more to do.
func (s *stoppedLoop) busy() {
	s.backlog = true
	s.turn()
}

func ofRun(run, target string) string {
	return reqHead("GET "+target+" HTTP/1.1", "X-Run-Id: "+run+"\r\n")
}

// An advance of a run's clock waits neither for other requests of the loop, nor for a
// loop that is always busy.
func TestAdvanceOfARunInABusyLoop(t *testing.T) {
	s := newStoppedLoop(t, withRuns)
	a, b := s.freeze(t, "a"), s.freeze(t, "b")
	others := []string{reqHead("GET /delay/60000 HTTP/1.1", ""), ofRun("b", "/delay/60000")}
	for _, sent := range others {
		s.serveNew(t, sent)
	}
	other, _ := s.serveNew(t, ofRun("a", "/delay/1000"))
	s.parkRuns()
	if n := a.State().Waiting; n != 1 || s.engine().Clock.State().Waiting != 1 || b.State().Waiting != 1 {
		t.Fatalf("%d wait on the clock of a, want 1 on each clock", n)
	}
	for want, d := range []time.Duration{time.Second - 1, 1} {
		if err := s.advance(t, a, d); err != nil {
			t.Fatalf("Advance(%v) = %v", d, err)
		}
		if len(s.ended) != want {
			t.Errorf("after Advance(%v): %d requests have ended, want %d", d, len(s.ended), want)
		}
	}
	if err := s.advance(t, a, time.Hour); err != nil {
		t.Errorf("Advance without requests = %v", err)
	}
	if text, _ := received(other); !strings.Contains(text, "asked;dur=1000, waited;dur=1000, real;dur=") {
		t.Errorf("the client got %q", text)
	}
	done := make(chan error, 1)
	s.engine().Clock.Freeze()
	go func() { done <- s.engine().Clock.Advance(t.Context(), 1) }()
	for range 10 {
		s.busy()
	}
	if len(done) > 0 {
		t.Error("an advance of the server's clock has not waited for the loop")
	}
	s.server.queue.Park()
	if err := <-done; err != nil {
		t.Errorf("Advance of the server's clock = %v", err)
	}
	s.server.queue.Unpark()
}

// The loop has timers of a run only while it serves a request on the run's clock.
func TestTimersOfRunsEnd(t *testing.T) {
	for name, end := range map[string]func(s *stoppedLoop, c *clock.Clock, other *net.TCPConn){
		"it is answered": func(s *stoppedLoop, c *clock.Clock, _ *net.TCPConn) {
			_ = s.advance(t, c, time.Minute)
		},
		"the client leaves": func(s *stoppedLoop, _ *clock.Clock, other *net.TCPConn) {
			_ = other.Close()
			for s.open > 0 {
				s.busy()
			}
		},
		"the server stops": func(s *stoppedLoop, _ *clock.Clock, _ *net.TCPConn) {
			close(s.listener.closed)
			s.engine().Shutdown()
			s.post(s.forceClose)
			s.turn()
		},
		"the clock is dropped": func(s *stoppedLoop, c *clock.Clock, _ *net.TCPConn) {
			s.engine().Journal.Forget("r")
			_ = c.Scale(1e-6)
			for len(s.ended) == 0 {
				s.busy()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStoppedLoop(t, withRuns)
			c := s.freeze(t, "r")
			other, conn := s.serveNew(t, ofRun("r", "/delay/60000"))
			s.parkRuns()
			if len(s.runs) != 1 || conn.timers == &s.server || c.State().Waiting != 1 {
				t.Fatalf("%d timers of runs, %d wait on the clock, want 1 and 1", len(s.runs), c.State().Waiting)
			}
			end(s, c, other)
			if len(s.runs) != 0 || len(s.unparked) != 0 || conn.timers != &s.server || len(s.ended) != 1 {
				t.Errorf("%d timers of runs, %d not parked, ended %v; want none, none and one", len(s.runs),
					len(s.unparked), s.ended)
			}
			c.Freeze()
			if err := c.Advance(t.Context(), time.Hour); err != nil {
				t.Errorf("Advance = %v, want nil", err)
			}
		})
	}
}

// A request of a run that sends a large body, or whose client does not read it, keeps
// the run's clock from moving, and no other.
func TestSendingHoldsTheClockOfTheRun(t *testing.T) {
	const size = 8 << 20
	s := newStoppedLoop(t, withRuns)
	a, b := s.freeze(t, "a"), s.freeze(t, "b")
	other, c := s.serveNew(t, ofRun("a", fmt.Sprintf("/delay/1000?size=%d", size)))
	s.parkRuns()
	done := make(chan error, 1)
	go func() { done <- a.Advance(t.Context(), time.Minute) }()
	for !c.sendBlocked() {
		if len(done) > 0 {
			t.Fatal("Advance has returned while the body is being sent")
		}
		if err := b.Advance(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		s.busy()
		if c.deferred && !c.holdsClock {
			t.Fatal("a deferred request does not hold its clock")
		}
	}
	if len(done) > 0 || !c.holdsClock {
		t.Errorf("the client does not read: Advance has returned: %v, the clock is held: %v, want false and true",
			len(done) > 0, c.holdsClock)
	}
	read := make(chan int64)
	go func() {
		n, _ := io.CopyN(io.Discard, other, size)
		read <- n
	}()
	for len(done) == 0 {
		s.busy()
	}
	if err := <-done; err != nil || <-read < size {
		t.Errorf("Advance = %v, want nil once the body is read", err)
	}
	if want := []journal.Outcome{journal.Answered}; !slices.Equal(s.ended, want) {
		t.Errorf("the journal has %v, want %v", s.ended, want)
	}
}

// A body that is sent over time holds the clock only while a part is being sent.
func TestAClockIsHeldForAPartOnly(t *testing.T) {
	const size = 4_000_000
	s := newStoppedLoop(t, withRuns)
	c := s.freeze(t, "r")
	other, _ := s.serveNew(t, ofRun("r", fmt.Sprintf("/delay/0?size=%d&rate=1000", size)))
	go func() { _, _ = io.Copy(io.Discard, other) }()
	if err := s.advance(t, c, time.Hour); err != nil {
		t.Errorf("Advance = %v", err)
	}
	if want := []journal.Outcome{journal.Answered}; !slices.Equal(s.ended, want) {
		t.Errorf("the journal has %v, want %v", s.ended, want)
	}
}

// A turn answers a limited number of a run's due requests. The next turn continues.
func TestRequestsOfARunAreAnsweredInBatches(t *testing.T) {
	s := newStoppedLoop(t, withRuns)
	c := s.freeze(t, "r")
	for range batchSize + 1 {
		s.serveNew(t, ofRun("r", "/delay/1000"))
	}
	s.parkRuns()
	done := make(chan error, 1)
	go func() { done <- c.Advance(t.Context(), time.Second) }()
	s.turn()
	if len(s.ended) != batchSize || !s.backlog || len(s.unparked) != 1 {
		t.Errorf("after a turn: %d answered, more to do: %v, %d not parked; want %d, true, 1", len(s.ended), s.backlog,
			len(s.unparked), batchSize)
	}
	s.turn()
	if err := <-done; err != nil || len(s.ended) != batchSize+1 || s.backlog {
		t.Errorf("after two turns: Advance = %v, %d answered, more to do: %v", err, len(s.ended), s.backlog)
	}
}

// The loop may run a queue before its first timer is due. Then it waits for that again.
func TestRunTimersMayExpireEarly(t *testing.T) {
	s := newStoppedLoop(t, withRuns)
	var all []*timers
	for i, run := range []string{"a", "b", "frozen"} {
		c := s.freeze(t, run)
		if run != "frozen" {
			c.Unfreeze()
		}
		_, conn := s.serveNew(t, ofRun(run, fmt.Sprintf("/delay/%d", 60_000-10_000*i)))
		all = append(all, conn.timers)
	}
	s.parkRuns()
	for range 3 {
		s.runTimer.set(all[0], 0)
		s.turn()
		now := monotonic()
		for i, t0 := range all[:2] {
			if left := time.Duration(t0.wakeAt - now); left > time.Minute || left < 30*time.Second {
				t.Errorf("the loop runs the queue of clock %d in %v, want 50 s to a minute", i, left)
			}
		}
		if all[2].wakeAt != math.MaxInt64 {
			t.Error("the loop runs the queue of a frozen clock")
		}
		if next := min(all[0].wakeAt, all[1].wakeAt); s.runTimer.next > next {
			t.Errorf("the timer expires %v late", time.Duration(s.runTimer.next-next))
		}
	}
}

// A clock that is made or dropped while the body of a request arrives is noticed. The
// request has arrived with its head, on any clock.
func TestClockMadeOrDroppedWhileABodyArrives(t *testing.T) {
	head := reqHead("POST /delay/60000 HTTP/1.1", "X-Run-Id: r\r\nContent-Length: 2\r\n")
	s := newStoppedLoop(t, withRuns)
	server := s.engine().Clock
	server.Freeze()

	other, c := s.serveNew(t, head+"a")
	made := s.freeze(t, "r")
	s.sendMore(t, other, c, "b")
	s.parkRuns()
	if made.State().Waiting != 1 || server.State().Waiting != 0 {
		t.Error("a request does not wait on the clock that was made while its body arrived")
	}
	if err := s.advance(t, made, time.Minute); err != nil || len(s.ended) != 1 {
		t.Errorf("Advance = %v, %d requests have ended, want one", err, len(s.ended))
	}

	s.sendMore(t, other, c, head+"a")
	if err := s.advance(t, made, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	s.sendMore(t, other, c, "b")
	if got := made.State().Next; got != 50*time.Second {
		t.Errorf("10s after its head, a request is due in %v, want 50s", got)
	}
	if err := s.advance(t, made, 50*time.Second); err != nil || len(s.ended) != 2 {
		t.Errorf("Advance = %v, %d requests have ended, want two", err, len(s.ended))
	}

	s.sendMore(t, other, c, head+"a")
	s.engine().Journal.Forget("r")
	s.sendMore(t, other, c, "b")
	if got := server.State(); made.State().Waiting != 0 || got.Waiting != 1 || got.Next != time.Minute {
		t.Errorf("%d wait on the clock that was dropped while the body arrived, and the server's is %+v",
			made.State().Waiting, got)
	}
	if err := made.Scale(1); err != nil || c.timers != &s.server {
		t.Error("the connection has timers on the dropped clock")
	}
}

// A response that begins at once holds the clock too, until the client reads.
func TestUnreadResponseHoldsTheClock(t *testing.T) {
	for _, head := range []string{get("/delay/0?size=100000"), ofRun("r", "/delay/0?size=100000")} {
		s := newStoppedLoop(t, withRuns)
		s.freeze(t, "r")
		_, fd := client(t, head)
		full := make([]byte, 64<<10)
		for _, err := send(fd, full); err == nil; _, err = send(fd, full) {
		}
		s.add(fd, netip.Addr{})
		c := s.conns[fd]
		if s.serve(c, unix.EPOLLIN, onEvent); !c.sendBlocked() || !c.holdsClock {
			t.Errorf("%.20q: blocked %v, holds the clock %v, want true and true", head, c.sendBlocked(), c.holdsClock)
		}
	}
}
