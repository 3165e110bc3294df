package plan

import (
	"math/bits"
	"time"
)

// The endpoints of go-httpbin have its names and its defaults, so that its users can
// switch. As there, a bare number in a time is seconds.

// httpbinDelay returns the row of delay at these endpoints.
func httpbinDelay(otherwise string) Parameter {
	return Parameter{
		Name: "delay", In: InQuery,
		Usage: "a delay", Meaning: "The wait. A bare number is seconds.",
		Example: "1.5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: "` +
			otherwise + `" }`,
	}
}

// httpbin returns the template of c, whose body has the extent: the wait of the
// parameter delay, which is otherwise by default, then c's answer.
func (p *Planner) httpbin(a args, in *input, otherwise string, c content, body extent) (*Template, error) {
	wait, err := in.parseDelay("delay", in.or("delay", otherwise))
	if err != nil {
		return nil, err
	}
	c.measure = func(*options) extent { return body }
	t := &Template{planner: p, delay: wait, content: c}
	if err := p.parseOptions(t, in); err != nil {
		return nil, err
	}
	return t.ready(a.name()), nil
}

// even returns when part i of n is due: the first at once, the last after whole, the
// others evenly between.
func even(whole time.Duration, i, n int64) time.Duration {
	// In 128 bits, since the product of a time and a count can be over 64.
	hi, lo := bits.Mul64(uint64(whole), uint64(i))
	due, _ := bits.Div64(hi, lo, uint64(max(n-1, 1)))
	return time.Duration(due)
}
