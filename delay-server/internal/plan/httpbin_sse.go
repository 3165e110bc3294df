package plan

import (
	"cmp"
	"math/rand/v2"
	"strconv"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// maxEvent is how many bytes an event has at most: its number has up to 11 digits.
const maxEvent = 64

// stream is the events of /sse. Those after the first come evenly, each gap
// stretched by jitter, or where interval is given, after a sample of it each.
type stream struct {
	count    int64
	sent     int64       // of count, before the end or before the stream is cut
	first    delay.Delay // from the headers to the first event
	duration delay.Delay // from the first to the last
	jitter   float64     // the share, 0 to 1, by which a gap is longer or shorter at most
	interval *delay.Delay
}

var _ = registerEndpoint(Endpoint{
	Pattern: "/sse", Group: "go-httpbin",
	Summary: "Wait, then stream events",
	Meaning: "Streams `count` server-sent events over `duration`, as [go-httpbin](/doc#go-httpbin).",
	Example: "/sse?count=3&duration=0.1",
	Parameters: []Parameter{httpbinDelay("0"), {
		Name: "count", In: InQuery,
		Usage: "1 to MAX_BODY_SIZE/64", Meaning: "The number of events.",
		Example: "3", Schema: `{ type: integer, minimum: 1, default: 10 }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "first", In: InQuery,
		Usage: "a delay", Meaning: "The time from the header to the first event.",
		Example: "0.5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: "0" }`,
		shapes:   shapesResponse | shapesBody,
		excludes: []exclusion{{"body_delay", "both are the time to the first event"}},
	}, {
		Name: "duration", In: InQuery,
		Usage: "a delay", Meaning: "The time from the first event to the last; they come evenly.",
		Example: "5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: 5s }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "jitter", In: InQuery,
		Usage: "0 to 1", Meaning: "The share by which each gap between two events is longer or shorter, at most.",
		Example: "0.2", Schema: `{ type: number, minimum: 0, maximum: 1, default: 0 }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "interval", In: InQuery,
		Usage: "a delay", Meaning: "The gap between two events, drawn for each.",
		Example: "uniform:0.1,0.3", Schema: `{ $ref: "#/components/schemas/Delay" }`,
		shapes: shapesResponse | shapesBody,
		excludes: []exclusion{{"duration", "both set the gaps between events"},
			{"jitter", "an interval is drawn for each gap"}},
	}},
	Omits: map[string]string{"size": "count"},
	Responses: `
"200":
  description: |
    Server-sent events, each with its number from 0 and the time of its sending in milliseconds since 1970:

        event: ping
        data: {"id":0,"timestamp":1767225600000}
  headers:
    Server-Timing: { $ref: "#/components/headers/Server-Timing" }
  content: { text/event-stream: { schema: { type: string } }, "*/*": {} }
"500": { $ref: "#/components/responses/InternalServerError" }
`,
	seconds: true,
	parse:   (*Planner).sse,
})

// sse parses /sse: the wait of delay, then a stream of server-sent events.
func (p *Planner) sse(a args) (*Template, error) {
	in, err := p.read(a)
	if err != nil {
		return nil, err
	}
	s, err := p.stream(in)
	if err != nil {
		return nil, err
	}
	takes, err := p.minDuration(s)
	if err != nil {
		return nil, err
	}
	s.sent = s.count
	if in.get("fault") == string(answer.Truncate) {
		if s.sent /= 2; s.sent == 0 {
			return nil, problem.ConflictingParameters.New("fault=truncate and count=1 conflict: use count=2 or more")
		}
	}
	send := func(_ *Template, a *answer.Answer, rng rng, longest time.Duration) {
		a.ContentType, a.Body = "text/event-stream; charset=utf-8", p.events(&s, rng, longest)
	}
	return p.httpbin(a, in, "0", content{body: send, draws: true}, extent{length: s.length(), takes: takes})
}

// stream parses the parameters of /sse.
func (p *Planner) stream(in *input) (s stream, err error) {
	if s.count, err = parseInt("count", in.or("count", "10"), 1, p.limits.MaxBody/maxEvent); err != nil {
		return s, err
	}
	if s.first, err = in.parseDelay("first", in.or("first", "0")); err != nil {
		return s, err
	}
	if in.has("interval") {
		interval, err := in.parseDelay("interval", in.get("interval"))
		if err != nil {
			return s, err
		}
		s.interval = &interval
		return s, s.requireGaps(in, "interval")
	}
	if s.duration, err = in.parseDelay("duration", in.or("duration", "5s")); err != nil {
		return s, err
	}
	if fixed, is := s.duration.Fixed(); is && fixed == 0 {
		return s, problem.InvalidParameter.New("duration %s is invalid: use more than 0, or interval=0",
			problem.Quote(in.get("duration")))
	}
	if s.jitter, err = parseShare("jitter", in.or("jitter", "0")); err != nil {
		return s, err
	}
	return s, cmp.Or(s.requireGaps(in, "duration"), s.requireGaps(in, "jitter"))
}

// requireGaps returns an error if the parameter, which is about the time between
// events, is given for a single event.
func (s stream) requireGaps(in *input, name string) error {
	if s.count == 1 && in.has(name) {
		return problem.ConflictingParameters.New("count=1 and %s conflict"+
			": there is one event; use count=2 or more, or first", name)
	}
	return nil
}

// minDuration returns the minimum time from the headers to the last event, without
// jitter. It is an error if that is over MaxDelay.
func (p *Planner) minDuration(s stream) (time.Duration, error) {
	if s.count == 1 {
		return s.first.Min(), nil
	}
	if s.interval == nil {
		return s.first.Min() + s.duration.Min(), nil
	}
	gaps, interval := time.Duration(s.count-1), s.interval.Min()
	if interval > p.limits.MaxDelay/gaps {
		return 0, problem.ConflictingParameters.New(
			"%d events with an interval of %v are longer than MAX_DELAY=%v in total",
			s.count, interval, p.limits.MaxDelay)
	}
	return s.first.Min() + gaps*interval, nil
}

// length returns the bytes of all events, whose times have 13 digits.
func (s stream) length() int64 {
	n := s.count * int64(len(appendEvent(nil, 0, time.UnixMilli(1e12))))
	for ids := int64(10); ids < s.count; ids *= 10 {
		n += s.count - ids // one digit more
	}
	return n
}

// events returns the body of s, whose last event is due after longest at the
// latest. Its times are drawn while it is sent, and the same whenever it is
// opened: a long stream holds no list of them.
func (p *Planner) events(s *stream, rng rng, longest time.Duration) answer.Body {
	e := &events{stream: s, longest: longest, now: p.limits.Now}
	between := time.Duration(0)
	switch {
	case s.count == 1:
	case s.interval != nil:
		e.shortest = s.interval.Min()
		between = e.shortest * time.Duration(s.count-1)
	default:
		between = s.duration.Min()
	}
	e.first, _ = s.first.SampleWithin(rng, longest-between)
	e.whole, _ = s.duration.SampleWithin(rng, longest-e.first)
	e.seed1, e.seed2 = rng.Uint64(), rng.Uint64()
	return answer.Body{Length: -1, Paced: true, Open: e.open}
}

// events is the body of a stream. It is not changed: each puller has its own state.
type events struct {
	*stream
	first    time.Duration // from the headers to the first event
	whole    time.Duration // from the first event to the last, where interval is nil
	shortest time.Duration // what no sample of interval is below
	longest  time.Duration // from the headers to the last event, at most
	now      func() time.Time

	seed1, seed2 uint64
}

func (e *events) open() func() (answer.Part, bool) {
	p := &eventPuller{events: e, due: e.first}
	p.source.Seed(e.seed1, e.seed2)
	return p.pull
}

// eventPuller makes the parts of events, two for each event: an empty one to wait
// for, so that the event has the time of its sending, and the event.
type eventPuller struct {
	*events
	source rand.PCG
	id     int64         // of the event
	due    time.Duration // of the event, or where it is not yet drawn, of the one before
	waited bool          // for the event
	event  [maxEvent]byte
}

func (p *eventPuller) pull() (answer.Part, bool) {
	if p.id == p.sent {
		return answer.Part{}, false
	}
	if !p.waited {
		p.draw()
		p.waited = true
		return answer.Part{Due: p.due}, true
	}
	event := appendEvent(p.event[:0], p.id, p.now())
	p.id++
	p.waited = false
	return answer.Part{Due: p.due, Bytes: event}, true
}

// draw draws when the event is due.
func (p *eventPuller) draw() {
	rng := rand.New(&p.source)
	switch {
	case p.id == 0:
	case p.interval != nil:
		gap, _ := p.interval.SampleWithin(rng, p.longest-p.due-p.shortest*time.Duration(p.count-1-p.id))
		p.due += gap
	default:
		gap := even(p.whole, p.id, p.count) - even(p.whole, p.id-1, p.count)
		p.due = min(p.due+stretched(gap, p.jitter, rng), p.longest)
	}
}

// stretched returns gap made longer or shorter by up to a share of it.
func stretched(gap time.Duration, share float64, rng rng) time.Duration {
	if share == 0 {
		return gap
	}
	return time.Duration(float64(gap) * (1 + share*(2*rng.Float64()-1)))
}

// appendEvent appends go-httpbin's event: its number from 0 and its time in
// milliseconds since 1970.
func appendEvent(b []byte, id int64, at time.Time) []byte {
	b = append(b, "event: ping\ndata: {\"id\":"...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"timestamp":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	return append(b, "}\n\n"...)
}

// parseShare parses a decimal number from 0 to 1.
func parseShare(name, text string) (float64, error) {
	n, ok := parseDecimal(text)
	if !ok || n > 1 {
		return 0, problem.InvalidParameter.New("%s %s is invalid: use a decimal number from 0 to 1", name,
			problem.Quote(text))
	}
	return n, nil
}
