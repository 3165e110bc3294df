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

// lane is one of the two ways in a race. Its calls say when they begin and end.
type lane struct {
	strategy
	asked ask // its runID is the lane's own
	to    *events
	start time.Time
	total time.Duration // 0 until all calls have succeeded

	mu             sync.Mutex
	inFlight, peak int
}

// newLane tells the viewer of a lane.
func (s *Server) newLane(c echo.Context, way strategy, asked ask, to *events) *lane {
	asked.runID += "-" + way.name
	to.send("lane", raceLane{way.name, asked.runID, way.title(asked), asked.calls, curl(base(c), way.path, givenQuery(c.Request().URL.RawQuery))})
	return &lane{strategy: way, asked: asked, to: to}
}

// run makes the calls of a lane and tells what they came to.
func (s *Server) run(c echo.Context, l *lane) {
	calls := s.calls(l.asked)
	for i := range calls {
		calls[i].Do = l.watch(calls[i])
	}
	l.start = time.Now()
	results, err := l.fetch(l.to.ctx, calls, l.asked.limit)
	total := time.Since(l.start)
	if err != nil {
		l.to.send("failed", raceFailed{l.name, ms(total), s.problem(err, c)})
		return
	}
	l.total = total
	var sum time.Duration
	for _, r := range results {
		sum += r.Duration
	}
	peak, by := s.peak(l)
	l.to.send("total", raceTotal{l.name, ms(total), ms(sum), peak, by, answerOf(results)})
}

// watch returns call's Do, which tells when it begins and ends.
func (l *lane) watch(call fetch.Call) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		l.count(+1)
		l.to.send("begin", raceBegin{l.name, call.Name, ms(time.Since(l.start))})
		status, err := call.Do(ctx)
		told := raceEnd{raceBegin{l.name, call.Name, ms(time.Since(l.start))}, status}
		if err != nil {
			told.Status = 0
		}
		l.to.send("end", told)
		l.count(-1)
		return status, err
	}
}

func (l *lane) count(by int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight += by
	l.peak = max(l.peak, l.inFlight)
}

// journalTimeout is how long the end of a lane waits for delay-server's count.
const journalTimeout = 2 * time.Second

// peak returns the most calls of l in flight at once and who counted them:
// delay-server, which sees them truly overlap, or demo-api where that does not
// tell, or did not see all of them, since a query was among them.
func (s *Server) peak(l *lane) (most int, by string) {
	if l.asked.db == nil && l.asked.calls > 0 {
		ctx, cancel := context.WithTimeout(l.to.ctx, journalTimeout)
		defer cancel()
		most, err := s.upstream.Peak(ctx, l.asked.runID)
		if err == nil {
			return most, "delay-server"
		}
		s.log.Debug("delay-server does not tell the peak in flight", "run", l.asked.runID, "error", err)
	}
	return l.peak, "demo-api"
}

// answerOf returns what the endpoint answers, as JSON.
func answerOf(results []fetch.Result) json.RawMessage {
	answer := bytes.TrimSpace(statuses(results))
	if len(results) == 0 {
		return []byte(strconv.Quote(string(answer)))
	}
	return answer
}
