package plan

import (
	"fmt"
	"math/rand" // whose generator go-httpbin's bytes are of
	"time"

	"flash.test/delay-server/internal/answer"
)

// block is the most bytes that a part of a made body has.
const block = 32 << 10

// bytes parses /bytes/{n...}: n random bytes, for each seed those that go-httpbin
// answers.
func (p *Planner) bytes(a args) (*Template, error) {
	params, err := readSeconds(a)
	if err != nil {
		return nil, err
	}
	n, err := parseInt("the number of bytes", unescaped(a.param), 0, p.limits.MaxBody)
	if err != nil {
		return nil, err
	}
	if err := params.forbid("size", "/bytes/{n}, whose n it is"); err != nil {
		return nil, err
	}
	seed, err := p.seed(params)
	if err != nil {
		return nil, err
	}
	path, seeded := []string{fmt.Sprintf("/bytes/%d", n)}, params.has("seed")
	h := httpbin{extent: extent{length: n}, aboutAnswer: path, aboutBody: path}
	h.draws = n > 0 && !seeded
	h.body = func(_ *Template, a *answer.Answer, rng rng, _ time.Duration) {
		a.ContentType = answer.Bytes
		switch {
		case n == 0:
			a.ContentType = ""
		case seeded:
			a.Body = noise(n, int64(*seed)) // as go-httpbin, whose seeds are the signed ones
		default:
			a.Body = noise(n, rng.Int64())
		}
	}
	return p.httpbin(a, params, "0", h)
}

// noiseBlock is how many bytes of noise are drawn at a time, which takes about
// 30 µs: the sender yields between parts.
const noiseBlock = 4 << 10

// noise returns a body of n random bytes, the same ones for the same seed.
func noise(n, seed int64) answer.Body {
	return answer.Body{Length: n, Open: func() func() (answer.Part, bool) {
		p := &noisePuller{seed: seed, left: n}
		return p.pull
	}}
}

// noisePuller makes the parts of noise. What it draws with is 5 KB: it is made
// once the first bytes are due, and dropped after the last.
type noisePuller struct {
	seed, left int64
	waited     bool
	rng        *rand.Rand
	part       []byte
}

func (p *noisePuller) pull() (answer.Part, bool) {
	switch {
	case p.left == 0:
		return answer.Part{}, false
	case !p.waited:
		p.waited = true
		return answer.Part{}, true
	case p.rng == nil:
		p.rng, p.part = rand.New(rand.NewSource(p.seed)), make([]byte, min(p.left, noiseBlock))
	}
	p.part = p.part[:min(p.left, noiseBlock)]
	for i := range p.part {
		p.part[i] = byte(p.rng.Intn(256))
	}
	if p.left -= int64(len(p.part)); p.left == 0 {
		p.rng = nil
	}
	return answer.Part{Bytes: p.part}, true
}
