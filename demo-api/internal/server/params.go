package server

import (
	"crypto/rand"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// params are the parameters of one request.
type params struct {
	calls   int
	delay   string       // as given: a form that delay.Parse reads
	db      *delay.Delay // of the query that replaces the last call; nil for none
	limit   int          // calls in flight; 0 for no limit
	seed    *uint64      // for random delays, so that both lanes of a race draw the same; nil for none
	runID   string
	ignored []string // sorted names of unknown query parameters
}

// parse returns the parameters of r. The error is a *problem.Problem, 400.
func (s *Server) parse(r *http.Request) (params, error) {
	p, err := parseQuery(r.URL.RawQuery, s.options)
	if err != nil {
		return params{}, err
	}
	p.runID, err = parseRunID(r.Header, query.MaxName)
	return p, err
}

// setHeaders sets the response headers that name the run and the ignored
// parameters.
func (p params) setHeaders(c echo.Context) {
	c.Set(runKey, p.runID)
	c.Response().Header().Set("X-Run-Id", p.runID)
	query.NameIgnored(c.Response().Header(), p.ignored)
}

// runKey is the key of the run ID in an echo.Context. Unlike the response header,
// it may be read while the response is written.
const runKey = "run"

// paramNames are the query parameters of both endpoints and of the race.
var paramNames = []string{"calls", "db", "delay", "limit"}

// parseQuery parses the query of a request.
func parseQuery(raw string, options Options) (params, error) {
	values, ignored, err := query.Read(raw, paramNames)
	if err != nil {
		return params{}, err
	}
	p := params{calls: options.Calls, delay: options.Delay, ignored: ignored}
	if values.Has("calls") {
		if p.calls, err = query.ParseInt("calls", values.Get("calls"), 0, options.MaxCalls); err != nil {
			return params{}, err
		}
	}
	if values.Has("limit") {
		if p.limit, err = query.ParseInt("limit", values.Get("limit"), 1, math.MaxInt32); err != nil {
			return params{}, err
		}
	}
	if values.Has("delay") {
		p.delay = values.Get("delay")
		if _, err := parseDelay("delay", p.delay, options.MaxDelay); err != nil {
			return params{}, err
		}
	}
	if values.Has("db") {
		if p.db, err = parseDB(values.Get("db"), p.calls, options.MaxDelay); err != nil {
			return params{}, err
		}
	}
	return p, nil
}

// parseDelay rejects what delay-server would reject, so that a typing error is
// not reported as a failed call.
func parseDelay(name, value string, max time.Duration) (delay.Delay, error) {
	d, err := delay.Parse(value)
	var syntax *delay.SyntaxError
	if errors.As(err, &syntax) {
		return d, problem.InvalidParameter.New("%s %s is invalid (%s): use %s",
			name, problem.Quote(value), syntax.Reason, syntax.Accepted)
	}
	if !isRecorded(d) && d.Min() > max {
		return d, problem.InvalidParameter.New("%s %s is too long: use at most %v (MAX_DELAY)",
			name, problem.Quote(value), max)
	}
	return d, err
}

// isRecorded reports whether d is a recording of delay-server, which has no
// samples here.
func isRecorded(d delay.Delay) bool {
	_, err := d.With(nil)
	return err != nil
}

// parseDB parses the duration of the query that replaces the last of calls.
func parseDB(value string, calls int, max time.Duration) (*delay.Delay, error) {
	d, err := parseDelay("db", value, max)
	switch {
	case err != nil:
		return nil, err
	case isRecorded(d):
		return nil, problem.InvalidParameter.New(
			"db %s is invalid: only delay-server has recordings; use another form of delay", problem.Quote(value))
	case calls == 0:
		return nil, problem.ConflictingParameters.New("db and calls=0 conflict: db replaces the last call")
	}
	return &d, nil
}

// parseRunID returns the X-Run-Id of a request, or a new ID if it has none.
func parseRunID(h http.Header, maxLength int) (string, error) {
	ids := h.Values("X-Run-Id")
	switch len(ids) {
	case 0:
		return rand.Text(), nil
	case 1:
		return ids[0], query.CheckName(problem.InvalidHeader, "X-Run-Id", ids[0], maxLength)
	default:
		return "", problem.RepeatedParameter.New("header X-Run-Id is given %d times: give it once", len(ids))
	}
}
