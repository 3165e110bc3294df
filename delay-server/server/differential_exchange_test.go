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
)

// exchange sends a stream to one of the two and returns all that came back, how
// the connection ended, and what the journal has of the stream's run: each
// without what differs from one exchange to the next. Between packets it pauses
// for the server to read each by itself; where the pause is too short two come
// as one, which no reply may tell.
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
		text, _, _ = strings.Cut(text, "\r\n\r\n") // how much of a body has come differs
	}
	text += s.ending(replies, err)
	if id != "" {
		text = strings.ReplaceAll(text+with.remembered(t, id), id, runName)
	}
	return text
}

// dial returns a connection that leaves no socket behind in TIME_WAIT.
func (p pair) dial(addr string) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: 30 * time.Second}
	if p.slow {
		dialer.Control = smallBuffer(syscall.SO_RCVBUF)
	}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	_ = tcp.SetLinger(0)
	_ = tcp.SetDeadline(time.Now().Add(time.Minute)) // longer than all time-outs of DefaultConfig but IDLE_TIMEOUT
	return tcp, nil
}

// smallBuffer sets the size of a socket's buffer. Those that a listener accepts
// have its own.
func smallBuffer(which int) func(_, _ string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, which, 8<<10) })
	}
}

// readAll returns what comes until an error, io.EOF too. heard is sent to with
// each read, and closed at the end.
func (p pair) readAll(conn net.Conn, heard chan<- struct{}) (string, error) {
	defer close(heard)
	buf := make([]byte, 64<<10)
	if p.slow {
		time.Sleep(50 * time.Millisecond) // until the server can send no more
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

// await returns the run once ok reports true of it.
func (s target) await(t testing.TB, id string, ok func(journal.Summary) bool) journal.Run {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	run, err := s.srv.engine.Journal.Await(ctx, id, ok)
	if err != nil {
		t.Errorf("run %s: %v, %+v", id, err, run.Summary)
	}
	return run
}

// remembered returns the requests of the run, once all have ended.
func (s target) remembered(t testing.TB, id string) string {
	text := ""
	for _, w := range s.await(t, id, journal.Summary.Settled).Waits {
		text += fmt.Sprintf("\n%s %s, asked %v: %s", w.Method, w.Path, w.Asked, w.Outcome)
	}
	s.srv.engine.Journal.Forget(id)
	return text
}

// send sends s packet by packet; heard tells of replies, and of the connection's
// end. An error is the server's end of the connection.
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

// ending says how the connection of s ended: in order or by a reset, which are
// the same where the server may have ended it before all that came was read.
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
	dateLine   = regexp.MustCompile(`\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n`)
	timingLine = regexp.MustCompile(`\r\nServer-Timing: [^\r]*\r`)
	anyTime    = regexp.MustCompile(`(queued|held|waited|real);dur=(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?([,\r])`)
	realTime   = regexp.MustCompile(`(real);dur=(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?([,\r])`)
	eventTime  = regexp.MustCompile(`"timestamp":[0-9]{13}}`)
)

// masked returns replies without the date and the measured times, where they are
// written as they should be, and without the sizes of chunks.
func masked(replies string, measured *regexp.Regexp) string {
	replies = dateLine.ReplaceAllString(unchunked(replies), "\r\nDate: …\r\n")
	replies = timingLine.ReplaceAllStringFunc(replies, func(line string) string {
		return measured.ReplaceAllString(line, "$1;dur=…$4")
	})
	return eventTime.ReplaceAllString(replies, `"timestamp":…}`)
}

// unchunked returns replies with the chunks of each body as one.
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
