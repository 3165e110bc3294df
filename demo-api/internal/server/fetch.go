package server

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/upstream"
	"flash.test/demo-api/internal/web"
)

// strategy is a way to make calls.
type strategy struct {
	name, path string // of its lane in a race, of its endpoint

	// fetch makes the calls, at most limit at once where limit is not 0.
	fetch func(ctx context.Context, calls []fetch.Call, limit int) ([]fetch.Result, error)

	// atOnce is the most calls that it has in flight.
	atOnce func(asked ask) int

	// title names it on a page: "One after another", "All at once", "Ten at once".
	title func(asked ask) string
}

var sequential = strategy{
	name: "sequential", path: "/get_data",
	// Any limit is satisfied: one call after another is one at once.
	fetch: func(ctx context.Context, calls []fetch.Call, _ int) ([]fetch.Result, error) {
		return fetch.Sequential(ctx, calls)
	},
	atOnce: func(asked ask) int { return min(1, asked.calls) },
	title:  func(ask) string { return "One after another" },
}

var concurrent = strategy{
	name: "concurrent", path: "/async_get_data",
	fetch: fetch.Concurrent,
	atOnce: func(asked ask) int {
		if asked.limit == 0 {
			return asked.calls
		}
		return min(asked.limit, asked.calls)
	},
	title: func(asked ask) string { return web.AtOnce(asked.calls, asked.limit) },
}

// fetch answers the statuses of the calls that a request asks for.
func (s *Server) fetch(way strategy) echo.HandlerFunc {
	return func(c echo.Context) error {
		asked, err := s.read(c.Request())
		if err != nil {
			return err
		}
		leave, err := s.room.take(way.atOnce(asked))
		if err != nil {
			return err
		}
		defer leave()
		asked.announce(c)
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		start := time.Now()
		results, err := way.fetch(c.Request().Context(), s.calls(asked), asked.limit)
		total := time.Since(start)
		c.Response().Header().Set("Server-Timing", serverTiming(total, results))
		if err != nil {
			return err
		}
		s.log.Debug("fetched", "path", c.Path(), "calls", len(results), "run", asked.runID, "total", total)
		return c.Blob(http.StatusOK, contentType(results), statuses(results))
	}
}

// calls returns the calls r1 to rN, the last of them replaced by the query db
// where one is asked for.
func (s *Server) calls(asked ask) []fetch.Call {
	calls := make([]fetch.Call, asked.calls)
	for i := range calls {
		calls[i] = fetch.Call{
			Name: "r" + strconv.Itoa(i+1),
			Do: func(ctx context.Context) (int, error) {
				return s.upstream.Get(ctx, upstream.Request{Delay: asked.delay, RunID: asked.runID, Seed: asked.seedOf(i)})
			},
		}
	}
	if asked.db != nil {
		wait := sample(*asked.db, s.options.MaxDelay, asked.rng(len(calls)-1))
		calls[len(calls)-1] = fetch.Call{
			Name: "db",
			Do: func(ctx context.Context) (int, error) {
				return http.StatusOK, s.database.Query(ctx, wait)
			},
		}
	}
	return calls
}

// sample draws from d by rng as delay-server does: again, up to ten times in all,
// while above limit, and then cuts it.
func sample(d delay.Delay, limit time.Duration, rng *rand.Rand) time.Duration {
	for range 10 {
		if wait := d.Sample(rng); wait <= limit {
			return wait
		}
	}
	return limit
}

// seedOf returns the seed of call i, so that the call takes as long in both lanes
// of a race, in whatever order the calls arrive; nil where nothing is drawn.
func (a ask) seedOf(i int) *uint64 {
	if a.seed == nil {
		return nil
	}
	return new(*a.seed + uint64(i))
}

// rng returns the generator of call i: by its seed, where it has one.
func (a ask) rng(i int) *rand.Rand {
	if seed := a.seedOf(i); seed != nil {
		return rand.New(rand.NewPCG(*seed, 0))
	}
	return sharedRNG
}

// sharedRNG draws from the runtime's own generator, which any goroutine may use.
var sharedRNG = rand.New(runtimeSource{})

type runtimeSource struct{}

func (runtimeSource) Uint64() uint64 { return rand.Uint64() }

func contentType(results []fetch.Result) string {
	if len(results) == 0 {
		return "text/plain; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// statuses returns {"r1":200,"r2":200} and a newline, so that a shell's prompt
// does not stick to it, in the order of the calls, which a map would not keep; or
// ok for no calls, the tutorial's first step.
func statuses(results []fetch.Result) []byte {
	if len(results) == 0 {
		return []byte("ok\n")
	}
	body := []byte{'{'}
	for i, r := range results {
		if i > 0 {
			body = append(body, ',')
		}
		body = strconv.AppendQuote(body, r.Name)
		body = append(body, ':')
		body = strconv.AppendInt(body, int64(r.Status), 10)
	}
	return append(body, "}\n"...)
}

// digits is what times are cut to: two of them after the milliseconds.
const digits = 10 * time.Microsecond

// serverTiming returns total;dur=2003.12, r1;dur=1001.22, r2;dur=1001.5: in
// milliseconds, cut after two digits so that none is above what was measured.
func serverTiming(total time.Duration, results []fetch.Result) string {
	header := append(make([]byte, 0, 24*(len(results)+1)), "total;dur="...)
	header = delay.AppendMilliseconds(header, total.Truncate(digits))
	for _, r := range results {
		header = append(header, ", "+r.Name+";dur="...)
		header = delay.AppendMilliseconds(header, r.Duration.Truncate(digits))
	}
	return string(header)
}
