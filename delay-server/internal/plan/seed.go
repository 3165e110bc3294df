package plan

import (
	"math"
	"math/rand/v2"
	"strconv"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/problem"
)

var _ = register(Parameter{
	Name: "seed", In: InQuery,
	Usage:   "0 to 2^64-1",
	Meaning: "Makes random draws [repeatable](/doc#runs). By default the setting `SEED`, if it is set.",
	Details: " go-httpbin's endpoints take negative seeds too, from -2^63.",
	Example: "7", Schema: `{ type: integer }`,
	parse: func(in *input, o *options) (err error) {
		o.seed, err = in.parseSeed(in.get("seed"))
		return err
	},
})

func (in *input) parseSeed(text string) (*uint64, error) {
	lowest := int64(0)
	if in.seconds { // an endpoint of go-httpbin; its seeds are int64
		lowest = math.MinInt64
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			seed := uint64(n)
			return &seed, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, problem.InvalidParameter.New("seed %s is invalid: use a whole number from %d to %d",
			problem.Quote(text), lowest, uint64(math.MaxUint64))
	}
	return &n, nil
}

// rng is a source of random numbers.
type rng = *rand.Rand

var sharedRNG = delay.SharedRNG()

// newRNG returns the generator of a request, where index is its position in its run. So
// the draws of one request do not change the draws of the next.
func newRNG(seed uint64, index int64) rng {
	var r struct { // a single allocation
		source rand.PCG
		rng    rand.Rand
	}
	r.source.Seed(seed, uint64(index))
	r.rng = *rand.New(&r.source)
	return &r.rng
}
