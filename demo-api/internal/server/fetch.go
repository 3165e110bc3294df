package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/query"

	"flash.test/demo-api/internal/fetch"
)

// strategy is a way to make calls, at most limit at once where limit is not 0.
type strategy func(ctx context.Context, calls []fetch.Call, limit int) ([]fetch.Result, error)

// sequential satisfies any limit: one call after another is one at once.
func sequential(ctx context.Context, calls []fetch.Call, _ int) ([]fetch.Result, error) {
	return fetch.Sequential(ctx, calls)
}

var concurrent strategy = fetch.Concurrent

// fetch answers the statuses of the calls that a request asks for.
func (s *Server) fetch(all strategy) echo.HandlerFunc {
	return func(c echo.Context) error {
		asked, err := s.read(c.Request())
		if err != nil {
			return err
		}
		h := c.Response().Header()
		h.Set("X-Run-Id", asked.runID)
		query.NameIgnored(h, asked.ignored)
		s.waiting.Add(1)
		defer s.waiting.Add(-1)
		start := time.Now()
		results, err := all(c.Request().Context(), s.calls(asked), asked.limit)
		total := time.Since(start)
		h.Set("Server-Timing", serverTiming(total, results))
		if err != nil {
			return err
		}
		s.log.Debug("fetched", "path", c.Path(), "calls", len(results), "run", asked.runID, "total", total)
		return c.Blob(http.StatusOK, contentType(results), statuses(results))
	}
}

// calls returns the calls r1 to rN.
func (s *Server) calls(asked ask) []fetch.Call {
	calls := make([]fetch.Call, asked.calls)
	for i := range calls {
		calls[i] = fetch.Call{
			Name: "r" + strconv.Itoa(i+1),
			Do: func(ctx context.Context) (int, error) {
				return s.upstream.Get(ctx, asked.delay, asked.runID)
			},
		}
	}
	return calls
}

func contentType(results []fetch.Result) string {
	if len(results) == 0 {
		return "text/plain; charset=utf-8"
	}
	return "application/json; charset=utf-8"
}

// statuses returns {"r1":200,"r2":200}, in the order of the calls, which a map
// would not keep; or ok for no calls, the tutorial's first step.
func statuses(results []fetch.Result) []byte {
	if len(results) == 0 {
		return []byte("ok")
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
	return append(body, '}')
}

// serverTiming returns total;dur=2003.12, r1;dur=1001.22, r2;dur=1001.5: in
// milliseconds, cut after two digits so that none is above what was measured.
func serverTiming(total time.Duration, results []fetch.Result) string {
	const digits = 10 * time.Microsecond
	header := append(make([]byte, 0, 24*(len(results)+1)), "total;dur="...)
	header = delay.AppendMilliseconds(header, total.Truncate(digits))
	for _, r := range results {
		header = append(header, ", "+r.Name+";dur="...)
		header = delay.AppendMilliseconds(header, r.Duration.Truncate(digits))
	}
	return string(header)
}
