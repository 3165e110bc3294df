//go:build linux

package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is two servers of the same settings.
type pair struct {
	lane, echo string        // their addresses
	pause      time.Duration // see exchange
}

func startPair(t testing.TB, config Config) pair {
	t.Helper()
	config.Fastlane = true
	_, lane, _ := start(t, config, io.Discard)
	config.Fastlane = false
	_, echo, _ := start(t, config, io.Discard)
	return pair{strings.TrimPrefix(lane, "http://"), strings.TrimPrefix(echo, "http://"), time.Millisecond}
}

// laneSettings are those that bear upon the answer to a plain request.
func laneSettings(t *testing.T) map[string]Config {
	t.Helper()
	all := map[string]Config{}
	with := func(name string, set func(*Config)) {
		config := DefaultConfig()
		set(&config)
		all[name] = config
	}
	with("default", func(*Config) {})
	with("CORS_ORIGINS=https://a.example", func(c *Config) { c.CORSOrigins = []string{"https://a.example"} })
	with("CORS_ORIGINS=none", func(c *Config) { c.CORSOrigins = []string{"none"} })
	with("FLASH_COMPAT=true", func(c *Config) { c.FlashCompat = true })
	with("MAX_DELAY=1.5ms", func(c *Config) { c.MaxDelay = 1500 * time.Microsecond })
	with("TIME_SCALE=0.5", func(c *Config) { c.TimeScale = 0.5 })
	with("ADMIN=false", func(c *Config) { c.Admin = false })
	all["SCENARIO"], _ = withScenario(t, "routes:\n  - path: /delay/0\n    status: 418\n    body: a teapot\n")
	return all
}

// Whatever a client sends, it cannot tell whether event loops answer it or
// net/http does, nor whether its bytes came in one packet or in several.
func TestLaneAnswersAsEcho(t *testing.T) {
	for name, config := range laneSettings(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t, config)
			atOnce(streams(sentinel), func(s stream) {
				p.compare(t, s, s.closed(cut), s.packed().closed(cut), s.packed().closed(""))
			})
		})
	}
}

func TestLaneAnswersAsEchoWhereverAPacketEnds(t *testing.T) {
	const longest = 400
	p := startPair(t, DefaultConfig())
	atOnce(slices.Concat(plainStreams(), pipelinedStreams(), lineStreams()), func(s stream) {
		whole := s.packed().closed("")
		if len(whole.sent) > longest {
			return
		}
		var split []stream
		for i := 1; i < len(whole.sent); i++ {
			split = append(split, stream{s.says, whole.sent[:i] + cut + whole.sent[i:], s.end})
		}
		for some := range slices.Chunk(split, 25) {
			p.compare(t, s, some...)
		}
	})
}

// A client that stops in the middle is waited for, for READ_TIMEOUT or
// IDLE_TIMEOUT, then the connection ends.
func TestLaneGivesUpAsEchoDoes(t *testing.T) {
	config := DefaultConfig()
	config.ReadTimeout, config.IdleTimeout = 400*time.Millisecond, 400*time.Millisecond
	p := startPair(t, config)
	atOnce(streams(silence), func(s stream) { p.compare(t, s, s, s.packed()) })
}

func TestLaneSeesClientsLeaveAsEchoDoes(t *testing.T) {
	config := DefaultConfig()
	config.ShutdownTimeout = 0
	p := startPair(t, config)
	atOnce(streams(fin), func(s stream) { p.compare(t, s, s, s.packed()) })
}

// compare fails the test where the lane answers one of sent not as Echo does s.
func (p pair) compare(t testing.TB, s stream, sent ...stream) {
	t.Helper()
	var want string
	got := make([]string, len(sent))
	var running sync.WaitGroup
	running.Go(func() { want = exchange(t, p.echo, s.closed(cut), p.pause) })
	for i, s := range sent {
		running.Go(func() { got[i] = exchange(t, p.lane, s, p.pause) })
	}
	running.Wait()
	for i, s := range sent {
		if got[i] != want {
			t.Errorf("%s, %.1000q:\n%s", s.says, s.sent, difference(got[i], want))
		}
	}
}

// difference shows got and want from shortly before they part.
func difference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-60)
	return fmt.Sprintf("\tfrom byte %d on\n\tgot  %.500q\n\twant %.500q", from, got[from:], want[from:])
}

// atOnce calls f with each of all, many at a time.
func atOnce[T any](all []T, f func(T)) {
	var running sync.WaitGroup
	room := make(chan struct{}, 32)
	for _, one := range all {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			f(one)
		})
	}
	running.Wait()
}

// exchange sends s to addr and returns all that came back, without what no two
// replies have in common, and how the connection ended. Between packets it
// pauses for the server to read each by itself; where that is too short two come
// as one, which no reply may tell.
func exchange(t testing.TB, addr string, s stream, pause time.Duration) string {
	dialled, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		t.Error(err)
		return ""
	}
	conn := dialled.(*net.TCPConn)
	defer conn.Close()
	_ = conn.SetLinger(0)                             // leaves no socket behind in TIME_WAIT
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) // longer than all time-outs of DefaultConfig but IDLE_TIMEOUT
	heard := make(chan struct{}, 1)
	var sending sync.WaitGroup
	sending.Go(func() { s.send(conn, heard, pause) })
	defer sending.Wait()
	var replies strings.Builder
	for buf := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = conn.Read(buf)
		replies.Write(buf[:n])
		select {
		case heard <- struct{}{}:
		default:
		}
	}
	conn.Close()
	text := normal(replies.String())
	switch orderly := s.end == sentinel && strings.HasSuffix(text, sentinelReply); {
	case orderly && err == io.EOF:
		return text
	case !orderly && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)): // a reset where more came than was read
		return text + "[the end]"
	default:
		return fmt.Sprintf("%s[%v]", text, err)
	}
}

// send sends s packet by packet; heard is sent to with each reply, and when the
// connection has ended. An error is that of a server that wants no more of it.
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

var (
	dateLine     = regexp.MustCompile(`\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\r\n`)
	measuredTime = regexp.MustCompile(`(waited|real);dur=(0|[1-9][0-9]*)(\.[0-9]{0,5}[1-9])?([,\r])`)
)

// normal takes the date and the measured times out of replies, where they are
// written as they should be.
func normal(replies string) string {
	return measuredTime.ReplaceAllString(dateLine.ReplaceAllString(replies, "\r\nDate: …\r\n"), "$1;dur=…$4")
}

// unsteady are what FuzzLane leaves out: what answers by chance, by what was
// asked before, after a time that no MAX_DELAY bounds, or in frames.
var unsteady = regexp.MustCompile(`(?i)random|bytes|seed|drip|sse|barrier|hold|metrics|proxy|fault|pool|fail_first|run|PRI \* HTTP/2|length[\t ]*:[\t ]*[0-9]{4}`)

// FuzzLane sends streams, a packet of which ends at byte at, to both.
func FuzzLane(f *testing.F) {
	for _, s := range streams(sentinel) {
		if whole := s.packed(); len(whole.sent) < 2000 {
			f.Add([]byte(whole.sent), uint16(len(whole.sent)*len(s.says)%97))
		}
	}
	config := DefaultConfig()
	config.MaxDelay = 2 * time.Millisecond
	config.ReadTimeout = time.Second
	config.Admin = false
	p := startPair(f, config)
	p.pause = 100 * time.Microsecond
	f.Fuzz(func(t *testing.T, sent []byte, at uint16) {
		if len(sent) > 4000 {
			t.Skip()
		}
		plain, err := url.PathUnescape(strings.ReplaceAll(string(sent), cut, ""))
		if err != nil {
			plain = string(sent)
		}
		if unsteady.MatchString(plain) || unsteady.MatchString(string(sent)) {
			t.Skip()
		}
		whole := strings.ReplaceAll(string(sent), cut, "")
		i := min(int(at), len(whole))
		p.compare(t, stream{"whole", whole, flood}, stream{"split", whole[:i] + cut + whole[i:], flood}.closed(cut))
	})
}
