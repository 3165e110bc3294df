package plan

import "flash.test/delay-server/kit/problem"

var _ = register(Parameter{
	Name: "rate", In: InQuery, Route: "rate",
	Usage:   "0.001 to 1000000000",
	Meaning: "Bandwidth of the body, in kilobytes (1000 bytes) per second.",
	Example: "100", Schema: `{ type: number, minimum: 0.001, maximum: 1000000000 }`,
	shapes: shapesResponse | shapesBody | needsBody,
	parse: func(in *input, o *options) (err error) {
		o.rate, err = parseRate(in.get("rate"))
		return err
	},
})

// parseRate parses kilobytes a second, toxiproxy's unit, and returns bytes a second.
func parseRate(text string) (float64, error) {
	const minRate, maxRate = 0.001, 1e9
	kilobytes, ok := parseDecimal(text)
	if !ok || kilobytes < minRate || kilobytes > maxRate {
		return 0, problem.InvalidParameter.New("rate %s is invalid: use kilobytes a second from %v to %.0f",
			problem.Quote(text), minRate, maxRate)
	}
	return kilobytes * 1000, nil
}
