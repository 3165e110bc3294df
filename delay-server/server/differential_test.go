//go:build linux

package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// pair is two servers with the same settings, one with event loops and one without.
// Clients see no difference.
type pair struct {
	loops, netHTTP target
	pause          time.Duration // between packets
	slow           bool          // clients read late, a few bytes at a time, and buffers are small
}

type target struct {
	srv  *Server
	addr string
}

// startPair starts two servers. At the end of the test, no request waits, and both have
// counted the same outcomes.
func startPair(t testing.TB, config Config) pair {
	t.Helper()
	return startPairOn(t, config, net.ListenConfig{})
}

func startPairOn(t testing.TB, config Config, listen net.ListenConfig) pair {
	t.Helper()
	startOne := func(on bool) target {
		srv, base, _ := startOn(t, eventLoop(config, on), io.Discard, listen)
		return target{srv, strings.TrimPrefix(base, "http://")}
	}
	p := pair{loops: startOne(true), netHTTP: startOne(false), pause: time.Millisecond}
	t.Cleanup(func() {
		if got, want := p.loops.outcomes(t), p.netHTTP.outcomes(t); got != want && !t.Failed() {
			t.Errorf("counted with the event loops:\n%swant:\n%s", got, want)
		}
	})
	return p
}

// outcomes returns the counts of all waits, after all have ended.
func (s target) outcomes(t testing.TB) string {
	wiretest.Eventually(t, "none waits", func() bool { return s.srv.engine.Journal.Waiting() == 0 })
	metrics := httptest.NewRecorder()
	s.srv.Handler().ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return grep(metrics.Body.String(), "waits_total{")
}

// differentialConfigs have the settings that change an answer.
func differentialConfigs(t *testing.T) map[string]Config {
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
	all["SCENARIO"], _ = withScenario(t, differentialScenario)
	return all
}

// Event loops answer everything as net/http does, in one packet or in several.
func TestDifferentialAnswers(t *testing.T) {
	for name, config := range differentialConfigs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config.ReadTimeout = time.Hour // a busy machine takes over 10 s for many large bodies at once
			p := startPair(t, config)
			concurrently(streams(sentinel), func(s stream) {
				sent := []stream{s.packed().withSentinel("")}
				if name == "default" { // settings have no effect on packets
					sent = append(sent, s.withSentinel(cut), s.packed().withSentinel(cut))
				}
				p.compare(t, sent...)
			})
		})
	}
}

func TestDifferentialSplitAtEveryByte(t *testing.T) {
	const maxSize = 400
	p := startPair(t, DefaultConfig())
	concurrently(slices.Concat(plainStreams(), pipelinedStreams(), lineStreams(), splitStreams()), func(s stream) {
		size := len(s.packed().named().sent)
		if size > maxSize {
			return
		}
		split := []stream{s.withSentinel(cut)}
		for i := 1; i < size; i++ {
			whole := s.packed().named().withSentinel("")
			split = append(split, stream{s.says, whole.sent[:i] + cut + whole.sent[i:], s.end})
		}
		for some := range slices.Chunk(split, 25) {
			p.compare(t, some...)
		}
	})
}

// READ_TIMEOUT or IDLE_TIMEOUT ends the connection of a client that stops sending.
func TestDifferentialTimeouts(t *testing.T) {
	t.Parallel()
	config := DefaultConfig()
	config.ReadTimeout, config.IdleTimeout = 2*time.Second, 2*time.Second // longer than a busy machine stalls
	p := startPair(t, config)
	concurrently(streams(silence), func(s stream) { p.compare(t, s, s.packed()) })
}

// A client leaves by closing its side of the connection or all of it, or by a reset.
func TestDifferentialClientsLeave(t *testing.T) {
	config := DefaultConfig()
	config.ShutdownTimeout = 0
	p := startPair(t, config)
	concurrently(streams(fin), func(s stream) { p.compare(t, s, s.packed()) })
	concurrently(streams(closes), func(s stream) {
		p.compare(t, s, s.packed())
		s.end = resets
		p.compare(t, s, s.packed())
	})
}

// If the client sends nothing after the last request, the connection ends in only one
// way.
func TestDifferentialEnds(t *testing.T) {
	config := DefaultConfig()
	config.MaxDelay = 20 * time.Millisecond // the end of fault=hang
	p := startPair(t, config)
	concurrently(streams(lastReply), func(s stream) { p.compare(t, s, s.packed()) })
}

// A slow reader gets the whole answer.
func TestDifferentialSlowReaders(t *testing.T) {
	t.Parallel()
	p := startPairOn(t, DefaultConfig(), net.ListenConfig{Control: smallBuffer(syscall.SO_SNDBUF)})
	p.slow = true
	concurrently(largeStreams(), func(s stream) { p.compare(t, s.withSentinel(cut), s.withSentinel("")) })
}

// compare sends the streams, which differ only in their packets, to both servers. It
// fails the test unless all replies are the same.
func (p pair) compare(t testing.TB, sent ...stream) {
	t.Helper()
	want, got := make([]string, len(sent)), make([]string, len(sent))
	var running sync.WaitGroup
	for i, s := range sent {
		s := s.named()
		running.Go(func() { want[i] = p.exchange(t, p.netHTTP, s) })
		running.Go(func() { got[i] = p.exchange(t, p.loops, s) })
	}
	running.Wait()
	for i, s := range sent {
		if want[i] != want[0] {
			t.Errorf("net/http does not answer %s the same each time, %.1000q:\n%s", s.says, s.sent,
				difference(want[i], want[0]))
		} else if got[i] != want[0] {
			t.Errorf("%s, %.1000q:\n%s", s.says, s.sent, difference(got[i], want[0]))
		}
	}
}

// difference returns got and want around the first byte that differs.
func difference(got, want string) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	from := max(0, at-60)
	return fmt.Sprintf("\tfrom byte %d on\n\tgot  %.500q\n\twant %.500q", from, got[from:], want[from:])
}

// concurrently calls f for each of all, with a concurrency of 32.
func concurrently[T any](all []T, f func(T)) {
	var running sync.WaitGroup
	semaphore := make(chan struct{}, 32)
	for _, one := range all {
		semaphore <- struct{}{}
		running.Go(func() {
			defer func() { <-semaphore }()
			f(one)
		})
	}
	running.Wait()
}
