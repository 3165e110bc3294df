package plan

import (
	"math/rand" // go-httpbin uses its generator
	"time"

	"flash.test/delay-server/internal/answer"
)

// block is the maximum size of a part of a body.
const block = 32 << 10

var _ = registerEndpoint(Endpoint{
	Pattern: "/bytes/{n...}", Group: "go-httpbin",
	Summary: "Wait, then send random bytes",
	Meaning: "Answers with random bytes, as [go-httpbin](/doc#go-httpbin).",
	Example: "/bytes/16",
	Parameters: []Parameter{{
		Name: "n", In: InPath, Required: true,
		Usage: "0 to MAX_BODY_SIZE", Meaning: "The number of bytes.",
		Example: "1024", Schema: `{ type: integer, minimum: 0 }`,
		shapes: shapesResponse | shapesBody,
	}, httpbinDelay("0")},
	Omits: map[string]string{"size": "the path"},
	Responses: `
"200":
  description: Random bytes; with ` + "`seed`" + ` the same as go-httpbin's.
  headers:
    Server-Timing: { $ref: "#/components/headers/Server-Timing" }
  content: { application/octet-stream: {}, "*/*": {} }
"500": { $ref: "#/components/responses/InternalServerError" }
`,
	seconds: true,
	parse:   (*Planner).bytes,
})

// bytes parses /bytes/{n...}: n random bytes. A seed gives the same bytes as in
// go-httpbin.
func (p *Planner) bytes(a args) (*Template, error) {
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	n, err := parseInt("n", unescaped(a.param), 0, p.limits.MaxBody)
	if err != nil {
		return nil, err
	}
	seeded := in.has("seed")
	body := func(t *Template, a *answer.Answer, rng rng, _ time.Duration) {
		a.ContentType = answer.Bytes
		switch {
		case n == 0:
			a.ContentType = ""
		case seeded:
			a.Body = noise(n, int64(*t.seed)) // go-httpbin's seeds are signed
		default:
			a.Body = noise(n, rng.Int64())
		}
	}
	return p.httpbin(a, in, "0", content{body: body, draws: n > 0 && !seeded}, extent{length: n})
}

// noiseBlock is the size of a part of random bytes. One takes about 30 µs to generate;
// the sender yields between parts.
const noiseBlock = 4 << 10

// noise returns a body of n random bytes. The same seed gives the same bytes.
func noise(n, seed int64) answer.Body {
	return answer.Body{Length: n, Open: func(func() time.Time) func() (answer.Part, bool) {
		p := &noisePuller{seed: seed, left: n}
		return p.pull
	}}
}

// noisePuller generates the parts of noise. Its generator takes 5 KB, so it exists only
// from when the first part is due until the last.
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
