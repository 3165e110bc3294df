package server

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/fetch"
)

// lane is one of the two ways in a race.
type lane struct {
	strategy
	params params // with the run ID of the lane
	stream *eventStream
	start  time.Time
	total  time.Duration // 0 until all calls have succeeded

	mu             sync.Mutex
	inFlight, peak int
}

// newLane returns a lane and sends its first event.
func (s *Server) newLane(c echo.Context, way strategy, p params, stream *eventStream) *lane {
	p.runID += "-" + way.name
	curl := raceCurl(c, way, p, withoutEmpty(c.Request().URL.RawQuery))
	stream.send("lane", raceLane{way.name, p.runID, way.title(p), p.calls, ms(way.ideal(p)), curl})
	return &lane{strategy: way, params: p, stream: stream}
}

// runLane makes the calls of a lane and sends its result.
func (s *Server) runLane(c echo.Context, l *lane) {
	calls := s.calls(l.params)
	for i := range calls {
		calls[i].Do = l.instrument(calls[i])
	}
	l.start = time.Now()
	results, err := l.fetch(l.stream.ctx, calls, l.params.limit)
	total := time.Since(l.start)
	if err != nil {
		l.stream.send("failed", raceFailed{l.name, ms(total), s.problem(err, c)})
		return
	}
	l.total = total
	var sum time.Duration
	for _, r := range results {
		sum += r.Duration
	}
	peak, source := s.peak(l)
	l.stream.send("total", raceTotal{l.name, ms(total), ms(sum), &peak, source, responseJSON(results)})
}

// instrument returns the Do of call, wrapped to send an event when it starts and
// when it ends.
func (l *lane) instrument(call fetch.Call) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		l.addInFlight(+1)
		l.stream.send("begin", raceBegin{l.name, call.Name, ms(time.Since(l.start))})
		status, err := call.Do(ctx)
		end := raceEnd{raceBegin{l.name, call.Name, ms(time.Since(l.start))}, status}
		if err != nil {
			end.Status = 0
		}
		l.stream.send("end", end)
		l.addInFlight(-1)
		return status, err
	}
}

func (l *lane) addInFlight(delta int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight += delta
	l.peak = max(l.peak, l.inFlight)
}

// journalTimeout is the timeout of the request for delay-server's count.
const journalTimeout = 2 * time.Second

// peak returns the maximum number of calls of l in flight, and the program that
// counted them. demo-api's own count is used if delay-server returns none, or
// did not receive all calls because one was a query.
func (s *Server) peak(l *lane) (peak int, source string) {
	if l.params.db == nil && l.params.calls > 0 {
		ctx, cancel := context.WithTimeout(l.stream.ctx, journalTimeout)
		defer cancel()
		peak, err := s.upstream.Peak(ctx, l.params.runID)
		if err == nil {
			return peak, "delay-server"
		}
		s.log.Debug("no peak in flight from delay-server", "run", l.params.runID, "error", err)
	}
	return l.peak, "demo-api"
}

// responseJSON returns the response of the endpoint as JSON.
func responseJSON(results []fetch.Result) json.RawMessage {
	body := bytes.TrimSpace(statuses(results))
	if len(results) == 0 {
		return []byte(strconv.Quote(string(body)))
	}
	return body
}
