package server

import (
	"crypto/rand"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// ask is what one request asks for.
type ask struct {
	calls   int
	delay   string       // as it came: a form that delay.Parse reads
	db      *delay.Delay // of the query in place of the last call; nil for none
	limit   int          // calls at once; 0 for no limit
	seed    *uint64      // what is drawn is drawn by it, for the lanes of a race; nil for none
	runID   string
	ignored []string // names of query parameters that are nobody's, sorted
}

// read returns what r asks for. The error is a *problem.Problem, 400.
func (s *Server) read(r *http.Request) (ask, error) {
	asked, err := parseQuery(r.URL.RawQuery, s.options)
	if err != nil {
		return ask{}, err
	}
	asked.runID, err = runID(r.Header, maxRunID)
	return asked, err
}

// announce says in the reply which run it is of, and what was ignored.
func (a ask) announce(c echo.Context) {
	c.Set(runKey, a.runID)
	c.Response().Header().Set("X-Run-Id", a.runID)
	query.NameIgnored(c.Response().Header(), a.ignored)
}

// runKey is where a request's context has its run: unlike the reply's header it
// may be read while the reply is written.
const runKey = "run"

// parameters are those of the query.
var parameters = []string{"calls", "db", "delay", "limit"}

// parseQuery reads all of a request but its headers.
func parseQuery(raw string, options Options) (ask, error) {
	values, ignored, err := query.Read(raw, parameters)
	if err != nil {
		return ask{}, err
	}
	asked := ask{calls: options.Calls, delay: options.Delay, ignored: ignored}
	if values.Has("calls") {
		if asked.calls, err = whole("calls", values.Get("calls"), 0, options.MaxCalls); err != nil {
			return ask{}, err
		}
	}
	if values.Has("limit") {
		if asked.limit, err = whole("limit", values.Get("limit"), 1, math.MaxInt32); err != nil {
			return ask{}, err
		}
	}
	if values.Has("delay") {
		asked.delay = values.Get("delay")
		if _, err := readDelay("delay", asked.delay, options.MaxDelay); err != nil {
			return ask{}, err
		}
	}
	if values.Has("db") {
		if asked.db, err = readQuery(values.Get("db"), asked.calls, options.MaxDelay); err != nil {
			return ask{}, err
		}
	}
	return asked, nil
}

// whole reads decimal digits alone: strconv would take a sign too.
func whole(name, value string, least, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || strings.Trim(value, "0123456789") != "" || n < least || n > most {
		return 0, problem.New(http.StatusBadRequest, "%s %s is not accepted; accepted: a whole number from %d to %d", name, problem.Quote(value), least, most)
	}
	return n, nil
}

// readDelay refuses what delay-server would refuse, so that a typing error is
// not taken for its failure.
func readDelay(name, value string, most time.Duration) (delay.Delay, error) {
	d, err := delay.Parse(value)
	var syntax *delay.SyntaxError
	if errors.As(err, &syntax) {
		return d, problem.New(http.StatusBadRequest, "%s %s %s; accepted: %s", name, problem.Quote(value), syntax.Reason, syntax.Accepted)
	}
	if !isRecorded(d) && least(d) > most {
		return d, problem.New(http.StatusBadRequest, "%s %s is too long; accepted: up to %v (%s ms), which is MAX_DELAY", name, problem.Quote(value), most, delay.Milliseconds(most))
	}
	return d, err
}

// isRecorded reports whether d is one of delay-server's recordings, which no
// sample can be drawn from here.
func isRecorded(d delay.Delay) bool {
	_, err := d.With(nil)
	return err != nil
}

// least returns a time that no sample of d is below.
func least(d delay.Delay) time.Duration { return d.Quantile(0x1p-54) }

// readQuery reads how long the query takes that replaces the last of calls.
func readQuery(value string, calls int, most time.Duration) (*delay.Delay, error) {
	d, err := readDelay("db", value, most)
	switch {
	case err != nil:
		return nil, err
	case isRecorded(d):
		return nil, problem.New(http.StatusBadRequest, "db %s is a recording, which delay-server alone has; accepted: any other form of a delay", problem.Quote(value))
	case calls == 0:
		return nil, problem.New(http.StatusBadRequest, "db %s replaces the last call, and calls is 0; accepted: calls of 1 or more, or no db", problem.Quote(value))
	}
	return &d, nil
}

// maxRunID is the most bytes of X-Run-Id that delay-server takes.
const maxRunID = 200

// runID returns the request's X-Run-Id, of most bytes at the most, or a new one
// where it has none.
func runID(h http.Header, most int) (string, error) {
	ids := h.Values("X-Run-Id")
	switch {
	case len(ids) == 0:
		return rand.Text(), nil
	case len(ids) > 1:
		return "", problem.New(http.StatusBadRequest, "header X-Run-Id is given %d times; accepted: once", len(ids))
	}
	id := ids[0]
	if id == "" || len(id) > most || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", problem.New(http.StatusBadRequest, "header X-Run-Id %s is no name of a run; accepted: 1 to %d visible ASCII characters", problem.Quote(id), most)
	}
	return id, nil
}
