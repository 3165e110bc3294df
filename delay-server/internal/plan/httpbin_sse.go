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

// maxEvent is the maximum size of an event in bytes. Its number has up to 11 digits.
const maxEvent = 64

// stream has the parameters of /sse. The events are spaced evenly, and jitter stretches
// each gap. With interval, each gap is a sample of it.
type stream struct {
	count    int64
	sent     int64        // of count, before the end or before the stream is cut
	first    delay.Delay  // from the headers to the first event
	duration delay.Delay  // from the first to the last
	jitter   float64      // maximum share, 0 to 1, by which a gap is longer or shorter
	interval *delay.Delay // nil if not given
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
		Usage: "a [delay](/doc#delay)", Meaning: "The time from the headers to the first event.",
		Example: "0.5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: "0" }`,
		shapes:   shapesResponse | shapesBody,
		excludes: []exclusion{{"body_delay", "both are the time to the first event"}},
	}, {
		Name: "duration", In: InQuery,
		Usage: "a [delay](/doc#delay)", Meaning: "The time from the first event to the last, evenly spread.",
		Example: "5", Schema: `{ type: string, allOf: [{ $ref: "#/components/schemas/Delay" }], default: 5s }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "jitter", In: InQuery,
		Usage: "0 to 1", Meaning: "The maximum fraction by which a gap between events is longer or shorter.",
		Example: "0.2", Schema: `{ type: number, minimum: 0, maximum: 1, default: 0 }`,
		shapes: shapesResponse | shapesBody,
	}, {
		Name: "interval", In: InQuery,
		Usage: "a [delay](/doc#delay)", Meaning: "The gap between events, drawn for each gap.",
		Example: "uniform:0.1,0.3", Schema: `{ $ref: "#/components/schemas/Delay" }`,
		shapes: shapesResponse | shapesBody,
		excludes: []exclusion{{"duration", "both set the gaps between events"},
			{"jitter", "an interval is drawn for each gap"}},
	}},
	Omits: map[string]string{"size": "count"},
	Responses: `
"200":
  description: |
    Server-sent events, each with its number, from 0, and the time when it was sent, in milliseconds since 1970:

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
	if d, fixed := s.duration.Fixed(); fixed && d == 0 {
		return s, problem.InvalidParameter.New("duration %s is invalid: use more than 0, or interval=0",
			problem.Quote(in.get("duration")))
	}
	if s.jitter, err = parseShare("jitter", in.or("jitter", "0")); err != nil {
		return s, err
	}
	return s, cmp.Or(s.requireGaps(in, "duration"), s.requireGaps(in, "jitter"))
}

// requireGaps returns an error if the parameter, which sets the time between events, is
// given for a single event.
func (s stream) requireGaps(in *input, name string) error {
	if s.count == 1 && in.has(name) {
		return problem.ConflictingParameters.New(
			"count=1 and %s conflict: there is one event; use count=2 or more, or first", name)
	}
	return nil
}

// minDuration returns the minimum time from the headers to the last event, without
// jitter. It returns an error if the intervals exceed MaxDelay.
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

// length returns the number of bytes of all events. Their times have 13 digits.
func (s stream) length() int64 {
	n := s.count * int64(len(appendEvent(nil, 0, time.UnixMilli(1e12))))
	for ids := int64(10); ids < s.count; ids *= 10 {
		n += s.count - ids // these have one digit more
	}
	return n
}

// events returns the body of s. Its last event is due after longest at the latest. The
// times are drawn during sending, so a long stream needs no list of them. They are the
// same each time the body is opened.
func (p *Planner) events(s *stream, rng rng, longest time.Duration) answer.Body {
	e := &events{stream: s, longest: longest}
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
	e.total, _ = s.duration.SampleWithin(rng, longest-e.first)
	e.seed1, e.seed2 = rng.Uint64(), rng.Uint64()
	return answer.Body{Length: -1, Paced: true, Open: e.open}
}

// events is the body of a stream. It is immutable: each puller has its own state.
type events struct {
	*stream
	first    time.Duration // from the headers to the first event
	total    time.Duration // from the first event to the last, if interval is nil
	shortest time.Duration // the minimum sample of interval
	longest  time.Duration // from the headers to the last event, at most

	seed1, seed2 uint64
}

func (e *events) open(now func() time.Time) func() (answer.Part, bool) {
	p := &eventPuller{events: e, now: now, due: e.first}
	p.source.Seed(e.seed1, e.seed2)
	return p.pull
}

// eventPuller generates two parts for each event: an empty one to wait for, and the
// event, with the time at which it is sent.
type eventPuller struct {
	*events
	now    func() time.Time
	source rand.PCG
	id     int64         // of the event
	due    time.Duration // of the event if waited, else of the previous one
	waited bool          // the empty part of the event was pulled
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

// draw sets due for the next event.
func (p *eventPuller) draw() {
	rng := rand.New(&p.source)
	switch {
	case p.id == 0:
	case p.interval != nil:
		gap, _ := p.interval.SampleWithin(rng, p.longest-p.due-p.shortest*time.Duration(p.count-1-p.id))
		p.due += gap
	default:
		gap := even(p.total, p.id, p.count) - even(p.total, p.id-1, p.count)
		p.due = min(p.due+stretched(gap, p.jitter, rng), p.longest)
	}
}

// stretched returns gap, longer or shorter by up to the share.
func stretched(gap time.Duration, share float64, rng rng) time.Duration {
	if share == 0 {
		return gap
	}
	return time.Duration(float64(gap) * (1 + share*(2*rng.Float64()-1)))
}

// appendEvent appends an event in go-httpbin's form: its number from 0, and its time in
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
