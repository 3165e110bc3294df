package plan

import (
	"cmp"
	"math/rand/v2"
	"strconv"
	"strings"
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

// sse parses /sse: the wait of delay, then a stream of server-sent events.
func (p *Planner) sse(a args) (*Template, error) {
	params, err := readSeconds(a)
	if err != nil {
		return nil, err
	}
	s, err := p.stream(params)
	if err != nil {
		return nil, err
	}
	takes, err := p.minDuration(s)
	if err != nil {
		return nil, err
	}
	given := params.given(ofSSE...)
	h := httpbin{extent: extent{length: s.length(), takes: takes}, aboutAnswer: given, aboutBody: given}
	s.sent = s.count
	if params.get("fault") == string(answer.Truncate) {
		if s.sent /= 2; s.sent == 0 {
			return nil, badRequest("fault=truncate has nothing to cut: the body has 1 event; accepted: count=2 or more")
		}
	}
	h.draws = true
	h.body = func(_ *Template, a *answer.Answer, rng rng, longest time.Duration) {
		a.ContentType, a.Body = "text/event-stream; charset=utf-8", p.events(&s, rng, longest)
	}
	return p.httpbin(a, params, "0", h)
}

// stream reads what /sse has of its own.
func (p *Planner) stream(params parameters) (s stream, err error) {
	if err := cmp.Or(
		params.forbid("size", "count"),
		params.exclusive("interval", "duration", "each says when the events come"),
		params.exclusive("interval", "jitter", "each interval is drawn by itself, as of uniform:MIN,MAX"),
		params.exclusive("first", "body_delay", "each is the time from the headers to the first event"),
	); err != nil {
		return s, err
	}
	if s.count, err = parseInt("count", params.or("count", "10"), 1, p.limits.MaxBody/maxEvent); err != nil {
		return s, err
	}
	if s.first, err = p.time(params, "first", params.or("first", "0")); err != nil {
		return s, err
	}
	if params.has("interval") {
		interval, err := p.time(params, "interval", params.get("interval"))
		if err != nil {
			return s, err
		}
		s.interval = &interval
		return s, s.requireGaps(params, "interval")
	}
	if s.duration, err = p.time(params, "duration", params.or("duration", "5s")); err != nil {
		return s, err
	}
	if fixed, is := s.duration.Fixed(); is && fixed == 0 {
		return s, badRequest("duration=%s is not accepted; accepted: more than 0, or interval=0 for all events at once", problem.Quote(params.get("duration")))
	}
	if s.jitter, err = readShare("jitter", params.or("jitter", "0")); err != nil {
		return s, err
	}
	return s, cmp.Or(s.requireGaps(params, "duration"), s.requireGaps(params, "jitter"))
}

// requireGaps refuses a parameter of the time between events, where there is one
// event.
func (s stream) requireGaps(params parameters, name string) error {
	if s.count == 1 && params.has(name) {
		return badRequest("count=1 and %s=%s contradict each other: there is no time between events; accepted: count=2 or more, or first", name, problem.Quote(params.get(name)))
	}
	return nil
}

// minDuration returns a time, from the headers to the last event, that s is not
// below but by its jitter. It is a problem where that is over MaxDelay.
func (p *Planner) minDuration(s stream) (time.Duration, error) {
	if s.count == 1 {
		return s.first.Min(), nil
	}
	if s.interval == nil {
		return s.first.Min() + s.duration.Min(), nil
	}
	gaps := time.Duration(s.count - 1)
	if s.interval.Min() > p.limits.MaxDelay/gaps {
		return 0, badRequest("%d events with an interval of %v take longer than this server waits; accepted: up to %v in all, its MAX_DELAY", s.count, s.interval.Min(), p.limits.MaxDelay)
	}
	return s.first.Min() + gaps*s.interval.Min(), nil
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
	if e.now == nil {
		e.now = time.Now
	}
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

// readShare reads a decimal number from 0 to 1.
func readShare(name, text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" || n > 1 {
		return 0, badRequest("%s %s is not accepted; accepted: a decimal number from 0 to 1", name, problem.Quote(text))
	}
	return n, nil
}
