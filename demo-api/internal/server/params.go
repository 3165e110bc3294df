package server

import (
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"

	"flash.test/demo-api/internal/ideal"
)

// params are the parameters of one request.
type params struct {
	calls   int
	delay   string       // as given: a form that delay.Parse reads
	db      *delay.Delay // of the query that replaces the last call; nil for none
	limit   int          // maximum of calls in flight; 0 for no limit
	seed    *uint64      // of random delays: the same seed gives the same delays; nil for none
	against string       // URL of the app that a race is of, without a path; "" for demo-api itself
	runID   string

	samples *ideal.Samples // of the calls; nil without a seed
	dbWait  time.Duration  // of db, if there are samples
	ignored []string       // sorted names of unknown query parameters
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
var paramNames = []string{"calls", "db", "delay", "limit", "seed"}

// parseQuery parses the query of a request.
func parseQuery(raw string, options Options) (params, error) {
	return parseNames(raw, paramNames, options)
}

// parseNames parses a query with the parameters of names.
func parseNames(raw string, names []string, options Options) (params, error) {
	values, ignored, err := query.Read(raw, names)
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
	if values.Has("seed") {
		seed, err := query.ParseInt("seed", values.Get("seed"), 0, maxSeed)
		if err != nil {
			return params{}, err
		}
		p.draw(uint64(seed), options.MaxDelay)
	}
	if values.Has("against") {
		if p.against, err = parseAgainst(values.Get("against"), options.AgainstHosts); err != nil {
			return params{}, err
		}
		if !p.isFixed() {
			return params{}, problem.ConflictingParameters.New("against and a random delay conflict: " +
				"the app would wait for other samples in each lane; use a fixed delay")
		}
	}
	return p, nil
}

// maxSeed is the largest seed. Seeds are short, to be typed.
const maxSeed = math.MaxInt32

// draw draws the delays of the calls and of the query, none above max.
func (p *params) draw(seed uint64, max time.Duration) {
	samples, err := ideal.Draw(p.delay, p.calls, seed, max)
	if err != nil {
		panic("a delay that was parsed is invalid: " + p.delay) // unreachable
	}
	p.seed, p.samples = &seed, &samples
	if p.db != nil {
		p.dbWait, _ = p.db.SampleWithin(samples.RNG(p.calls-1), max)
	}
}

// waits returns the waits of the calls and the query, or nil if they are unknown.
func (p params) waits() []time.Duration {
	if p.samples == nil || p.samples.Waits() == nil {
		return nil
	}
	waits := slices.Clone(p.samples.Waits())
	if p.db != nil {
		waits[len(waits)-1] = p.dbWait
	}
	return waits
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
	if !ideal.IsRecorded(d) && d.Min() > max {
		return d, problem.InvalidParameter.New("%s %s is too long: use at most %v (MAX_DELAY)",
			name, problem.Quote(value), max)
	}
	return d, err
}

// parseDB parses the duration of the query that replaces the last of calls.
func parseDB(value string, calls int, max time.Duration) (*delay.Delay, error) {
	d, err := parseDelay("db", value, max)
	switch {
	case err != nil:
		return nil, err
	case ideal.IsRecorded(d):
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
		return query.NewRunID(), nil
	case 1:
		return ids[0], query.CheckName(problem.InvalidHeader, "X-Run-Id", ids[0], maxLength)
	default:
		return "", problem.RepeatedParameter.New("header X-Run-Id is given %d times: give it once", len(ids))
	}
}
