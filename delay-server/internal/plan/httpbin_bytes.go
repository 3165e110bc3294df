package plan

import (
	"fmt"
	"math"
	"math/rand" // whose generator go-httpbin's bytes are of
	"time"

	"flash.test/delay-server/internal/answer"
)

// block is the most bytes that a part of a made body has.
const block = 32 << 10

// Bytes plans /bytes/{n}: n random bytes, for each seed those that go-httpbin
// answers. The error is a *problem.Problem.
func (p *Planner) Bytes(r Request) (*Plan, error) {
	params, err := readSeconds(r)
	if err != nil {
		return nil, err
	}
	n, err := readWhole("the number of bytes", r.Param("n"), 0, p.limits.MaxBody)
	if err != nil {
		return nil, err
	}
	if err := params.without("size", "/bytes/{n}, whose n it is"); err != nil {
		return nil, err
	}
	var seed *int64
	if params.has("seed") {
		s, err := params.whole("seed", 0, math.MaxInt64)
		if err != nil {
			return nil, err
		}
		seed = &s
	}
	path := []string{fmt.Sprintf("/bytes/%d", n)}
	return p.httpbin(r, params, "0", endpoint{answer: path, body: path, length: n, make: func(a *answer.Answer, chance chance) {
		a.ContentType = answer.Bytes
		switch {
		case n == 0:
			a.ContentType = ""
		case seed != nil:
			a.Body = noise(n, *seed)
		default:
			a.Body = noise(n, chance.Int64())
		}
	}})
}

// noise returns a body of n random bytes, the same ones for the same seed.
func noise(n, seed int64) answer.Body {
	return answer.Body{Length: n, Parts: func(yield func(time.Duration, []byte) bool) {
		random := rand.New(rand.NewSource(seed))
		part := make([]byte, min(n, block))
		for left := n; left > 0; left -= int64(len(part)) {
			part = part[:min(left, block)]
			for i := range part {
				part[i] = byte(random.Intn(256))
			}
			if !yield(0, part) {
				return
			}
		}
	}}
}
