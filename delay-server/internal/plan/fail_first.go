package plan

import (
	"math"
	"net/http"
	"slices"
	"strconv"
)

var _ = register(Parameter{
	Name: "fail_first", In: InQuery, Route: "fail_first", Counts: true,
	Usage: "1 to 2^31-1",
	Meaning: "The first N [attempts](/doc#attempts) fail, with `status` or 503. Later ones are answered 200. " +
		needsRun,
	Details: " At a scenario's route, requests without a run count together.",
	Example: "2", Schema: `{ type: integer, minimum: 1, maximum: ` + strconv.Itoa(math.MaxInt32) + ` }`,
	shapes: shapesResponse,
	parse: func(in *input, o *options) (err error) {
		o.failFirst, err = in.parseInt("fail_first", 1, math.MaxInt32)
		return err
	},
})

// failScript returns the script of fail_first: the status, with 503 for 200, and then 200.
func (o *options) failScript() *script {
	failed := slices.Clone(o.status.list)
	for i := range failed {
		if failed[i].code == http.StatusOK {
			failed[i].code = http.StatusServiceUnavailable
		}
	}
	n := int(o.failFirst)
	return &script{"fail_first", []entry{
		{n, &step{status: statuses{failed}, fault: o.fault}}, {n + 1, &step{status: ok, fault: o.fault}},
	}}
}
