package plan

import (
	"math/bits"
	"time"
)

// The endpoints of go-httpbin have the names and defaults of go-httpbin, so that its
// users can switch. A bare number in a time is seconds, as in go-httpbin.

// httpbinDelay returns the row of delay at these endpoints.
func httpbinDelay(otherwise string) Parameter {
	return Parameter{
		Name: "delay", In: InQuery,
		Usage: "a [delay](/doc#delay)", Meaning: "The wait. A bare number is seconds.",
		Example: "1.5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: "` +
			otherwise + `" }`,
	}
}

// httpbin returns the template of an endpoint with the content c. The parameter delay,
// or otherwise by default, is the wait. body is the extent of c's body.
func (p *Planner) httpbin(a args, in *input, otherwise string, c content, body extent) (*Template, error) {
	wait, err := in.parseDelay("delay", in.or("delay", otherwise))
	if err != nil {
		return nil, err
	}
	c.measure = func(*Template) extent { return body }
	t := &Template{planner: p, delay: wait, content: c}
	if err := p.parseOptions(t, in); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// even returns when part i of n is due: part 0 at once, the last after total, and the
// others evenly spaced between them.
func even(total time.Duration, i, n int64) time.Duration {
	// The product of a duration and a count may overflow 64 bits.
	hi, lo := bits.Mul64(uint64(total), uint64(i))
	due, _ := bits.Div64(hi, lo, uint64(max(n-1, 1)))
	return time.Duration(due)
}
