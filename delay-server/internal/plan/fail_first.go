package plan

import (
	"math"
	"net/http"
	"strconv"

	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "fail_first", In: InQuery, Route: "fail_first",
	Usage: "1 to 2^31-1",
	Meaning: "The first N requests of a [run](/doc#runs) at this path fail, with `status` or 503. " +
		"Later ones are answered 200.",
	Details: " At a scenario's route, requests without a run count together.",
	Example: "2", Schema: `{ type: integer, minimum: 1, maximum: ` + strconv.Itoa(math.MaxInt32) + ` }`,
	shapes: shapesResponse,
	parse: func(in *input, o *options) (err error) {
		o.failFirst, err = in.parseInt("fail_first", 1, math.MaxInt32)
		return err
	},
})

// failing returns the status of a request with fail_first that belongs to the run, which
// fails with the given status. The number of the request is attempt, or it is counted if
// that is 0.
func (t *Template) failing(run string, attempt, status int) (int, error) {
	counts := &t.planner.counts
	if run == "" {
		if !t.trusted {
			return 0, problem.ConflictingParameters.New("fail_first needs a run: add run=NAME or the header X-Run-Id")
		}
		attempt = counts.next(counts.hash(""), t.failKey)
	}
	if int64(attempt) > t.options.failFirst {
		return http.StatusOK, nil
	}
	if status == http.StatusOK {
		return http.StatusServiceUnavailable, nil
	}
	return status, nil
}
