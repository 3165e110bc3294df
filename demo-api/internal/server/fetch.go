package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/ideal"
	"flash.test/demo-api/internal/upstream"
	"flash.test/demo-api/internal/web"
)

// strategy is a way to make calls.
type strategy struct {
	name string // of its lane in a race
	path string // of its endpoint

	// fetch makes the calls, at most limit at once if limit is not 0.
	fetch func(ctx context.Context, calls []fetch.Call, limit int) ([]fetch.Result, error)

	// concurrency returns the maximum number of calls in flight.
	concurrency func(params) int

	// ideal returns the total time if only the waits took time, or 0 if they are
	// unknown.
	ideal func(params) time.Duration

	// title returns its name on a page: "One after another", "Ten at once".
	title func(params) string
}

var sequential = strategy{
	name: "sequential", path: "/get_data",
	// One call at a time is within any limit.
	fetch: func(ctx context.Context, calls []fetch.Call, _ int) ([]fetch.Result, error) {
		return fetch.Sequential(ctx, calls)
	},
	concurrency: func(p params) int { return min(1, p.calls) },
	ideal:       func(p params) time.Duration { return ideal.Total(ideal.Sequential(p.waits())) },
	title:       func(params) string { return "One after another" },
}

var concurrent = strategy{
	name: "concurrent", path: "/async_get_data",
	fetch: fetch.Concurrent,
	concurrency: func(p params) int {
		if p.limit == 0 {
			return p.calls
		}
		return min(p.limit, p.calls)
	},
	ideal: func(p params) time.Duration { return ideal.Total(ideal.Concurrent(p.waits(), p.limit)) },
	title: func(p params) string { return web.ConcurrentTitle(p.calls, p.limit) },
}

// fetch returns the handler that makes the calls of a request and responds with
// their statuses.
func (s *Server) fetch(way strategy) echo.HandlerFunc {
	return func(c echo.Context) error {
		p, err := s.parse(c.Request())
		if err != nil {
			return err
		}
		release, err := s.acquire(way.concurrency(p))
		if err != nil {
			return err
		}
		defer release()
		p.setHeaders(c)
		start := time.Now()
		results, err := way.fetch(c.Request().Context(), s.calls(p), p.limit)
		total := time.Since(start)
		c.Response().Header().Set("Server-Timing", serverTiming(start, total, results))
		if err != nil {
			return err
		}
		s.log.Debug("fetched", "path", c.Path(), "calls", len(results), "run", p.runID, "total", total)
		return c.Blob(http.StatusOK, contentType(results), statuses(results))
	}
}

// calls returns the calls r1 to rN. If db is given, a query replaces the last.
func (s *Server) calls(p params) []fetch.Call {
	calls := make([]fetch.Call, p.calls)
	for i := range calls {
		calls[i] = fetch.Call{
			Name: "r" + strconv.Itoa(i+1),
			Do: func(ctx context.Context) (int, error) {
				return s.upstream.Get(ctx, p.request(i))
			},
		}
	}
	if p.db != nil {
		last := len(calls) - 1
		wait := p.queryTime(s.options.MaxDelay)
		calls[last] = fetch.Call{
			Name: "db",
			Do: func(ctx context.Context) (int, error) {
				return http.StatusOK, s.database.Query(ctx, wait)
			},
		}
	}
	return calls
}

// request returns the request of call i. With a seed, the call takes the same time
// in both ways, in whatever order the calls arrive.
func (p params) request(i int) upstream.Request {
	r := upstream.Request{Delay: p.delay, RunID: p.runID}
	if p.samples != nil {
		r.Delay, r.Seed = p.samples.Call(i)
	}
	return r
}

// queryTime returns the time of the query.
func (p params) queryTime(max time.Duration) time.Duration {
	if p.samples != nil {
		return p.dbWait
	}
	wait, _ := p.db.SampleWithin(delay.SharedRNG(), max)
	return wait
}

func contentType(results []fetch.Result) string {
	if len(results) == 0 {
		return "text/plain; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// statuses returns {"r1":200,"r2":200} in the order of the calls, or ok without
// calls. The final newline keeps a shell prompt off the line.
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

// precision is the precision of reported times: two decimals of a millisecond.
const precision = 10 * time.Microsecond

// maxStarts is the maximum number of calls whose starts Server-Timing has. Clients
// limit headers: Node, for example, to 16 KB.
const maxStarts = 100

// serverTiming returns total;dur=2003.12, r1;dur=1001.22;start=0.01, r2;dur=1001.5;start=1001.24
// in milliseconds. Times are truncated: none is above the measured time.
func serverTiming(start time.Time, total time.Duration, results []fetch.Result) string {
	header := append(make([]byte, 0, 24*(len(results)+1)), "total;dur="...)
	header = delay.AppendMilliseconds(header, total.Truncate(precision))
	for _, r := range results {
		header = append(header, ", "+r.Name+";dur="...)
		header = delay.AppendMilliseconds(header, r.Duration.Truncate(precision))
		if len(results) <= maxStarts {
			header = append(header, ";start="...)
			header = delay.AppendMilliseconds(header, r.Start.Sub(start).Truncate(precision))
		}
	}
	return string(header)
}
