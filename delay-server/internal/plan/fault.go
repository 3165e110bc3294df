package plan

import (
	"slices"
	"strings"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "fault", In: InQuery, Route: "fault",
	Usage:   "`" + strings.Join(faults, "`, `") + "`",
	Meaning: "A [broken answer](/doc#faults).",
	Details: " `reset` ends the connection with a TCP RST, `empty` without a byte, `garbage` after bytes " +
		"that are not HTTP, `truncate` after half of the body, `hang` after `MAX_DELAY`. " +
		"Over HTTP/2 the stream ends by RST_STREAM. Each except `truncate` conflicts with the parameters of a " +
		"response.",
	Example: "truncate", Schema: `{ type: string, enum: [` + strings.Join(faults, ", ") + `] }`,
	shapes: shapesBody, // truncate cuts it; the others send nothing whatever the status
	parse: func(in *input, o *options) error {
		text := in.get("fault")
		if !slices.Contains(faults, text) {
			return problem.InvalidParameter.New("fault %s is invalid: use %s", problem.Quote(text),
				strings.Join(faults, ", "))
		}
		o.fault = answer.Fault(text)
		return nil
	},
	check: checkTruncate,
})

// checkTruncate returns an error if fault=truncate has nothing to cut.
func checkTruncate(in *input, o *options, body extent) error {
	const minLength = 2
	if o.fault != answer.Truncate || body.length >= minLength {
		return nil
	}
	err := problem.ConflictingParameters.New("%s=truncate and a body of %d bytes conflict"+
		": use a body of %d bytes or more",
		in.source("fault"), body.length, minLength)
	if in.has("size") {
		return &ParameterError{Name: "size", Index: 0, Err: err}
	}
	return err
}

// faults are the names of all faults.
var faults = func() (names []string) {
	for _, f := range answer.Faults {
		names = append(names, string(f))
	}
	return names
}()
