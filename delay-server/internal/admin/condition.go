package admin

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

const (
	defaultTimeout = 10 * time.Second // of a request that waits
	maxTimeout     = 10 * time.Minute
	maxCount       = 1_000_000_000 // of requests to wait for or to release
	maxWaits       = 1000          // requests of the API that wait at a time
)

// readQuery reads the query of a request. Unlike the endpoints that wait, the API
// rejects every unknown parameter. The error is a *problem.Problem.
func readQuery(c echo.Context, known ...string) (url.Values, error) {
	return query.ReadKnown(c.Request().URL.RawQuery, known...)
}

// condition is the condition that a request of the API waits for. Its timeout is wall
// time: the server's clock may be frozen.
type condition struct {
	waiting int  // at least this many requests wait; 0 for no condition
	settled bool // no request waits
	timeout time.Duration
}

// readCondition reads waiting, timeout, and the more parameters, which may be
// settled. The error is a *problem.Problem.
func readCondition(c echo.Context, more ...string) (condition, error) {
	values, err := readQuery(c, append([]string{"waiting", "timeout"}, more...)...)
	if err != nil {
		return condition{}, err
	}
	return parseCondition(values, more...)
}

func parseCondition(values url.Values, more ...string) (want condition, err error) {
	want.timeout = defaultTimeout
	if values.Has("settled") {
		switch text := values.Get("settled"); text {
		case "true", "false":
			want.settled = text == "true"
		default:
			return want, problem.InvalidParameter.New("settled %s is invalid: use true or false",
				problem.Quote(text))
		}
	}
	if values.Has("waiting") {
		if want.waiting, err = readCount(values, "waiting"); err != nil {
			return want, err
		}
	}
	if want.settled && want.waiting > 0 {
		return want, problem.ConflictingParameters.New("settled=true and waiting=%d conflict: use one of them",
			want.waiting)
	}
	if values.Has("timeout") {
		if want.timeout, err = plan.ReadTimeout(values.Get("timeout"), maxTimeout); err != nil {
			return want, err
		}
		if !want.settled && want.waiting == 0 {
			return want, problem.ConflictingParameters.New("timeout has no effect without %s",
				strings.Join(append([]string{"waiting=N"}, more...), " or "))
		}
	}
	return want, nil
}

func readCount(values url.Values, name string) (int, error) {
	return query.ParseInt(name, values.Get(name), 1, maxCount)
}

// timedOut returns the error of a wait that ended with err: err itself, or a problem if
// the timeout passed. The format, as in fmt.Sprintf, describes the current state.
func (want condition) timedOut(err error, format string, args ...any) error {
	if !errors.Is(err, errTimeout) {
		return err
	}
	p := problem.WaitTimeout.New(format, args...)
	p.Detail += " after " + want.timeout.String()
	return p
}
