package server

import (
	"crypto/rand"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/problem"
	"flash.test/delay-server/query"
)

// ask is what one request asks for.
type ask struct {
	calls   int
	delay   string // as it came: a form that delay.Parse reads
	limit   int    // calls at once; 0 for no limit
	runID   string
	ignored []string // names of query parameters that are nobody's, sorted
}

// read returns what r asks for. The error is a *problem.Problem, 400.
func (s *Server) read(r *http.Request) (ask, error) {
	asked, err := parseQuery(r.URL.RawQuery, s.options)
	if err != nil {
		return ask{}, err
	}
	asked.runID, err = runID(r.Header)
	return asked, err
}

// parameters are those of the query.
var parameters = []string{"calls", "delay", "limit"}

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
		if err := checkDelay(asked.delay, options.MaxDelay); err != nil {
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

// checkDelay refuses what delay-server would refuse, so that a typing error is
// not taken for its failure.
func checkDelay(value string, most time.Duration) error {
	d, err := delay.Parse(value)
	if err != nil {
		return problem.New(http.StatusBadRequest, "%v", err)
	}
	if fixed, ok := d.Fixed(); ok && fixed > most {
		return problem.New(http.StatusBadRequest, "delay %s is too long; accepted: up to %v (%s ms), which is MAX_DELAY", problem.Quote(value), most, delay.Milliseconds(most))
	}
	return nil
}

// maxRunID is the most bytes of X-Run-Id that delay-server takes.
const maxRunID = 200

// runID returns the request's X-Run-Id, or a new one where it has none.
func runID(h http.Header) (string, error) {
	ids := h.Values("X-Run-Id")
	switch {
	case len(ids) == 0:
		return rand.Text(), nil
	case len(ids) > 1:
		return "", problem.New(http.StatusBadRequest, "header X-Run-Id is given %d times; accepted: once", len(ids))
	}
	id := ids[0]
	if id == "" || len(id) > maxRunID || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", problem.New(http.StatusBadRequest, "header X-Run-Id %s is no name of a run; accepted: 1 to %d visible ASCII characters", problem.Quote(id), maxRunID)
	}
	return id, nil
}
