//go:build linux

package server

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// scene is a server with a frozen clock, and its clients.
type scene struct {
	steering
	base    string
	server  steering // of the server's clock
	conns   []*wiretest.Conn
	replies []string
}

// ask sends a GET in run r on a new connection, once n requests of the run wait. The
// connection ends with the reply.
func (s *scene) ask(n int, path string, headers ...string) *wiretest.Conn {
	s.t.Helper()
	return s.send(n, get(path, append(headers, "X-Run-Id: r", "Connection: close")...))
}

func (s *scene) send(n int, text string) *wiretest.Conn {
	s.t.Helper()
	if n > 0 {
		s.waiting("r", n)
	}
	conn := wiretest.Dial(s.t, s.base)
	s.conns = append(s.conns, conn)
	conn.Send(text)
	return conn
}

// exchange is ask for a request that does not wait, with its reply.
func (s *scene) exchange(path string) {
	s.t.Helper()
	s.read(s.ask(0, path))
	s.conns = s.conns[:len(s.conns)-1]
}

// advance advances the clock of the scene, and the server's, which rate limits go by.
func (s *scene) advance(d time.Duration) {
	s.t.Helper()
	if s.server != s.steering {
		s.server.advance(d)
	}
	s.steering.advance(d)
}

// read reads all replies of the connection.
func (s *scene) read(conn *wiretest.Conn) {
	text, err := io.ReadAll(conn)
	if err != nil {
		err = net.ErrClosed // any error
	}
	s.replies = append(s.replies, fmt.Sprintf("%s[%v]", masked(string(text), realTime), err))
}

// leaves closes conn once n requests wait, and waits until the server has noticed.
func (s *scene) leaves(n int, conn *wiretest.Conn) {
	s.t.Helper()
	s.waiting("r", n)
	_ = conn.Close()
	wiretest.Eventually(s.t, "the client has left", func() bool { return s.run("r").Waiting == n-1 })
}

// scenes have related requests on several connections. With a frozen clock, their times
// are exact.
var scenes = map[string]func(s *scene){
	"a pool with a queue": func(s *scene) {
		for n := range 4 {
			s.ask(n, "/delay/1000?pool=p&workers=2")
		}
		s.waiting("r", 4)
		s.advance(1500 * time.Millisecond)
		s.advance(time.Second)
	},
	"a pool that is full": func(s *scene) {
		s.ask(0, "/delay/1500?pool=p&workers=1&queue=1")
		s.ask(1, "/delay/1500?pool=p&workers=1&queue=1")
		s.waiting("r", 2)
		s.exchange("/delay/1500?pool=p&workers=1&queue=1")
		s.exchange("/delay/1500?pool=p&workers=2")
		s.advance(3 * time.Second)
	},
	"clients leave a pool": func(s *scene) {
		first := s.ask(0, "/delay/1000?pool=p&workers=1")
		second := s.ask(1, "/delay/1000?pool=p&workers=1")
		s.ask(2, "/delay/1000?pool=p&workers=1")
		s.leaves(3, second)
		s.advance(100 * time.Millisecond)
		s.leaves(2, first)
		s.timed(1)
		s.advance(time.Second)
	},
	"a barrier": func(s *scene) {
		for n := range 3 {
			s.ask(n, "/barrier/b?parties=3&delay=1s")
		}
		s.timed(3)
		s.advance(time.Second)
	},
	"a barrier that times out": func(s *scene) {
		s.ask(0, "/barrier/b?parties=3&timeout=2s")
		s.timed(1)
		s.advance(time.Second)
		s.ask(1, "/barrier/b?parties=3&timeout=2s")
		s.timed(2)
		s.exchange("/barrier/b?parties=4&timeout=2s")
		s.advance(time.Second)
	},
	"a client leaves a barrier": func(s *scene) {
		s.leaves(1, s.ask(0, "/barrier/b?parties=2"))
		s.ask(0, "/barrier/b?parties=2")
		s.ask(1, "/barrier/b?parties=2")
	},
	"a hold that is released": func(s *scene) {
		s.ask(0, "/hold/h?delay=1s")
		s.send(1, post("/hold/h?status=503&run=r", "hello", "Connection: close"))
		s.send(2, request("HEAD /hold/h?run=r&size=100 HTTP/1.1", "Host: x", "Connection: close"))
		s.held("h", 3)
		s.advance(250 * time.Millisecond)
		s.release("h")
		s.timed(1)
		s.advance(time.Second)
	},
	"a hold that fails, and one that times out": func(s *scene) {
		s.ask(0, "/hold/h")
		s.ask(1, "/hold/other?timeout=3s")
		s.held("h", 1)
		s.held("other", 1)
		_, err := s.api.FailHold(s.t.Context(), "h")
		succeeded(s.t, 0, err)
		s.advance(3 * time.Second)
	},
	"a client leaves a hold": func(s *scene) {
		s.leaves(1, s.ask(0, "/hold/h"))
		s.ask(0, "/hold/h")
		s.held("h", 1)
		s.release("h")
	},
	"a hold that is released by choice": func(s *scene) {
		for n := range 4 {
			s.ask(n, "/hold/h")
		}
		s.held("h", 4)
		hold := s.api.ServerHold("h")
		for _, release := range []func() (int, error){
			func() (int, error) { return hold.ReleaseNewest(s.t.Context(), 1) },
			func() (int, error) { return hold.ReleaseNth(s.t.Context(), 2) },
			func() (int, error) { return hold.ReleaseAttempt(s.t.Context(), 3) },
		} {
			s.advance(time.Second)
			_, err := release()
			succeeded(s.t, 0, err)
		}
		s.advance(time.Second)
		s.release("h")
	},
	"names of a run": func(s *scene) {
		s.ask(0, "/hold/run:h?timeout=5s")
		s.ask(1, "/barrier/run:h?parties=2&timeout=4s")
		s.ask(2, "/delay/1000?pool=run:h&workers=1")
		s.ask(3, "/delay/1000?pool=run:h&workers=1")
		s.waiting("r", 4)
		s.exchange("/delay/1000?pool=run:h&workers=2")
		s.send(0, get("/hold/run:h?run=other&timeout=3s", "Connection: close"))
		s.waiting("other", 1)
		s.send(0, get("/hold/run:h", "Connection: close"))
		for range 5 {
			s.advance(time.Second)
		}
	},
	"bodies in parts": func(s *scene) {
		s.ask(0, "/drip?delay=1&duration=4&numbytes=5")
		s.ask(1, "/sse?count=3&interval=1s&first=500ms")
		s.ask(2, "/delay/0?body_delay=1s")
		s.ask(3, "/delay/500?size=1000&rate=0.5")
		s.ask(4, "/bytes/1000?seed=1&rate=1")
		s.timed(5)
		for range 6 {
			s.advance(time.Second)
		}
	},
	"waits, pipelined": func(s *scene) {
		s.send(0, get("/delay/1000", "X-Run-Id: r")+get("/delay/500?run=r&status=404")+
			get("/drip?delay=1s&duration=1s&numbytes=2&run=r")+get("/delay/250", "X-Run-Id: r", "Connection: close"))
		for _, n := range []time.Duration{1000, 500, 1000, 1000, 250} {
			s.timed(1)
			s.advance(n * time.Millisecond)
		}
	},
	"faults": func(s *scene) {
		s.ask(0, "/delay/1000?fault=hang")
		s.ask(1, "/delay/1000?fault=empty")
		s.ask(2, "/delay/1000?fault=truncate&body_delay=1s")
		s.timed(3)
		s.advance(2 * time.Second)
		s.timed(1)
		s.advance(10 * time.Minute)
	},
	"a route's limit, pool and hold": func(s *scene) {
		s.exchange("/limited")
		s.exchange("/limited")
		s.advance(time.Second)
		s.exchange("/limited")
		s.ask(0, "/pooled/1")
		s.ask(1, "/pooled/2")
		s.waiting("r", 2)
		s.exchange("/pooled/3")
		s.ask(2, "/held")
		s.held("h", 1)
		s.advance(2 * time.Second)
		s.release("h")
	},
	"limits with headers": func(s *scene) {
		const draft = "?limit=2/s&burst=2&limit_headers=draft"
		const fixed = "?limit=2/m&limit_window=fixed&limit_headers=draft"
		for _, query := range []string{
			draft, draft + "&status=404&size=3", draft, fixed, fixed + "&size=40000", fixed + "&size=40000", fixed,
		} {
			s.exchange("/delay/0" + query)
		}
		s.exchange("/delay/0?fault=reset&limit=1/s&limit_headers=draft")
		s.exchange("/delay/0?fault=reset&limit=1/s&limit_headers=draft")
		s.exchange("/delay/0?fault=truncate&limit=3/s&burst=3&limit_headers=draft")
		s.exchange("/drip?delay=0&duration=0&numbytes=5&limit=3/s&limit_headers=draft")
		const head = "HEAD /delay/0?limit=1/h&limit_headers=draft HTTP/1.1"
		const keyed = "/delay/0?limit=1/h&limit_headers=draft&limit_key=header:X-Api-Key"
		s.send(0, request(head, "Host: x", "X-Run-Id: r")+request(head, "Host: x", "X-Run-Id: r")+
			get(keyed, "X-Api-Key: a", "X-Run-Id: r")+get(keyed, "x-api-key:a ", "X-Run-Id: r")+
			get(keyed, "X-Api-Key: b", "X-Run-Id: r")+get(keyed, "X-Run-Id: r")+
			get(keyed, "X-Run-Id: r", "Connection: close"))
	},
}

const sceneRoutes = `routes:
  - {path: /limited, limit: {rate: 1/s, burst: 1}, body: within}
  - {path: '/pooled/{id}', delay: 1s, pool: {name: p, workers: 1, queue: 1}, body: pooled}
  - {path: /held, hold: {name: h, timeout: 10s}, body: held}
`

func TestDifferentialScenes(t *testing.T) {
	for name, play := range scenes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := DefaultConfig()
			if strings.Contains(name, "route") {
				config, _ = withScenario(t, sceneRoutes)
			}
			var seen [2]string
			for i, on := range []bool{false, true} {
				seen[i] = playScene(t, eventLoop(config, on), play, false)
			}
			if want, got := seen[0], seen[1]; got != want {
				t.Errorf("with the event loops:\n%s", difference(got, want))
			}
			for _, on := range []bool{false, true} {
				if want, got := seen[0], playScene(t, eventLoop(config, on), play, true); got != want {
					t.Errorf("on the run's own clock, with the event loops %v:\n%s", on, difference(got, want))
				}
			}
		})
	}
}

// playScene returns all replies and the run's record, without wall times. With own, the
// run has its own clock.
func playScene(t *testing.T, config Config, play func(*scene), own bool) string {
	base, steering := frozen(t, config)
	s := &scene{steering: steering, base: base, server: steering}
	if own {
		s.steering = steering.ofRun("r")
		s.freeze()
	}
	play(s)
	for _, conn := range s.conns {
		s.read(conn)
	}
	slices.Sort(s.replies) // which of two that come at once is the first is for them to settle
	s.settled("r")
	_, run := do(t, newClient(t), "GET", base+"/admin/runs/r", nil)
	return fmt.Sprintf("%s\n%s%d wait for a time", strings.Join(s.replies, "\n"), run, s.clock().Waiting)
}
