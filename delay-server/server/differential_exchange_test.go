//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/wiretest"
)

// exchange sends a stream to a server. It returns the replies, how the connection ended,
// and the stream's run from the journal, all without what differs each time. It pauses
// between packets, so that the server usually reads them separately.
func (p pair) exchange(t testing.TB, with target, s stream) string {
	id := runID.FindString(s.whole())
	conn, err := p.dial(with.addr)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer conn.Close()
	heard := make(chan struct{}, 1)
	var sending sync.WaitGroup
	sending.Go(func() {
		s.send(conn, heard, p.pause)
		if s.end == closes || s.end == resets {
			with.await(t, id, func(run journal.Summary) bool { return run.Waiting > 0 })
			s.leave(conn)
		}
	})
	replies, err := p.readAll(conn, heard)
	sending.Wait()
	text := masked(replies, anyTime)
	if s.end == closes || s.end == resets {
		text, _, _ = strings.Cut(text, "\r\n\r\n") // the received part of a body differs
	}
	text += s.ending(replies, err)
	if id != "" {
		text = strings.ReplaceAll(text+with.records(t, id), id, runName)
	}
	return text
}

// dial returns a connection that leaves no socket in TIME_WAIT.
func (p pair) dial(addr string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: wiretest.Timeout}
	if p.slow {
		dialer.Control = smallBuffer(syscall.SO_RCVBUF)
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetLinger(0)
	// Longer than all timeouts of DefaultConfig except IDLE_TIMEOUT.
	_ = tcp.SetDeadline(time.Now().Add(wiretest.Timeout))
	return tcp, nil
}

// smallBuffer sets a socket's buffer size. Accepted sockets inherit the listener's.
func smallBuffer(which int) func(_, _ string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, which, 8<<10) })
	}
}

// readAll reads until an error, such as io.EOF. It sends to heard with each read, and
// closes heard at the end.
func (p pair) readAll(conn net.Conn, heard chan<- struct{}) (string, error) {
	defer close(heard)
	buf := make([]byte, 64<<10)
	if p.slow {
		time.Sleep(50 * time.Millisecond) // until buffers are full
	}
	var replies strings.Builder
	for {
		if p.slow {
			buf = buf[:min(cap(buf), 1+replies.Len()/200)]
		}
		n, err := conn.Read(buf)
		replies.Write(buf[:n])
		if err != nil {
			return replies.String(), err
		}
		select {
		case heard <- struct{}{}:
		default:
		}
	}
}

// await returns the run once ok reports true.
func (s target) await(t testing.TB, id string, ok func(journal.Summary) bool) journal.Run {
	ctx, cancel := context.WithTimeout(context.Background(), wiretest.Timeout)
	defer cancel()
	run, err := s.srv.engine.Journal.Await(ctx, id, ok)
	if err != nil {
		t.Errorf("run %s: %v, %+v", id, err, run.Summary)
	}
	return run
}

// records returns the requests of the run, after all have ended.
func (s target) records(t testing.TB, id string) string {
	text := ""
	for _, w := range s.await(t, id, journal.Summary.Settled).Waits {
		after := w.RetryAfter.String()
		if w.RetryAfter%time.Second != 0 {
			after = "until a date"
		}
		text += fmt.Sprintf("\n%s %s?%s, asked %v: %s %s, status %d %s, retry after %s, attempt %d, "+
			"%s on connection %d, reused %v, of %s with %v", w.Method, w.Path, w.Query, w.Asked, w.Outcome, w.Fault,
			w.Status, w.Problem, after, w.Attempt, w.Protocol, w.Connection, w.Reused, w.Client, w.Headers)
	}
	s.srv.engine.Journal.Forget(id)
	return text
}

// send sends s packet by packet. heard receives when a reply has come, and is closed when
// the connection has ended. Write errors mean that too.
func (s stream) send(conn *net.TCPConn, heard <-chan struct{}, pause time.Duration) {
	for i, packet := range strings.Split(s.sent, cut) {
		packet, late := strings.CutPrefix(packet, after)
		switch {
		case late:
			<-heard
		case i > 0:
			time.Sleep(pause)
		}
		_, _ = io.WriteString(conn, packet)
	}
	if s.end == fin {
		time.Sleep(pause)
		_ = conn.CloseWrite()
	}
}

func (s stream) leave(conn *net.TCPConn) {
	if s.end == closes {
		_ = conn.SetLinger(-1)
	}
	_ = conn.Close()
}

// ending returns how the connection of s ended. FIN and RST are the same if the server
// may not have read all input.
func (s stream) ending(replies string, err error) string {
	certain := s.end == lastReply || s.end == sentinel && strings.HasSuffix(replies, sentinelReply)
	var errno syscall.Errno
	switch {
	case errors.Is(err, net.ErrClosed):
		return "[the client left]"
	case !certain && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)):
		return "[the end]"
	case errors.As(err, &errno):
		return "[" + errno.Error() + "]"
	}
	return fmt.Sprintf("[%v]", err)
}

var runID = regexp.MustCompile(`r[0-9]{8}`)

var (
	dateLine = regexp.MustCompile(`\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} ` +
		`[0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n`)
	timingLine = regexp.MustCompile(`\r\nServer-Timing: [^\r]*\r`)
	anyTime    = regexp.MustCompile(`(queued|held|waited|real);dur=(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?([,\r])`)
	realTime   = regexp.MustCompile(`(real);dur=(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?([,\r])`)
	eventTime  = regexp.MustCompile(`"timestamp":[0-9]{13}}`)
)

// masked returns replies without valid dates and measured times, and without chunk sizes.
func masked(replies string, measured *regexp.Regexp) string {
	replies = dateLine.ReplaceAllString(unchunked(replies), "\r\nDate: …\r\n")
	replies = timingLine.ReplaceAllStringFunc(replies, func(line string) string {
		return measured.ReplaceAllString(line, "$1;dur=…$4")
	})
	return eventTime.ReplaceAllString(replies, `"timestamp":…}`)
}

// unchunked returns replies with the chunks of each body joined.
func unchunked(replies string) string {
	const header, end = "\r\nTransfer-Encoding: chunked", "\r\n\r\n"
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(replies, header)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		more, rest, _ := strings.Cut(rest, end)
		b.WriteString(header + more + end)
		for {
			size, chunk, _ := strings.Cut(rest, "\r\n")
			n, err := strconv.ParseUint(size, 16, 31)
			if err != nil || len(chunk) < int(n)+2 {
				b.WriteString("[no chunk]")
				break
			}
			b.WriteString(chunk[:n])
			rest = chunk[n+2:]
			if n == 0 {
				b.WriteString("[the last chunk]")
				break
			}
		}
		replies = rest
	}
}
