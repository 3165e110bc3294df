package flow

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// maxWhole is the maximum size of a body that is sent at once. A larger body is sent in
// parts, with the write timeout for each.
const maxWhole = 32 << 10

// answer sends the planned answer, which is due.
func (f *Flow) answer() {
	f.waited = f.now().Sub(f.served())
	a := &f.plan.Answer
	switch {
	case a.Upstream != nil:
		f.forward()
		return
	case a.Fault != "" && a.Fault != answer.Truncate:
		f.fault()
		f.settle()
		if err := f.out.Fault(a.Fault); err != nil {
			f.fail(err)
			return
		}
		f.end(journal.Faulted)
		return
	}
	timing := f.timing()
	size := a.Body.Size()
	bodiless := f.head || !answer.HasBody(a.Status)
	head := f.headOf(a)
	f.begin(head)
	if bodiless || size == 0 {
		if size < 0 {
			size = answer.NoLength
		}
		f.settle()
		f.out.Begin(head, size, &timing, false)
		f.last(nil)
		return
	}
	if a.Body.Open == nil && a.Fault == "" && size <= maxWhole {
		f.settle()
		f.out.Begin(head, size, &timing, false)
		f.last(a.Body.Whole)
		return
	}
	f.own().transfer = &transfer{next: a.Body.Parts(f.clock().Now), left: size, begun: f.now()}
	if a.Fault == answer.Truncate && size >= 0 {
		f.extra.transfer.left /= 2
	}
	f.note(journal.StageSending, f.extra.transfer.begun.Add(f.plan.Sending))
	f.out.Begin(head, size, &timing, false)
	f.send()
}

// begin notes that the planned response begins with h.
func (f *Flow) begin(h *answer.Head) {
	f.begun = true
	if w := f.extra.wait; w != nil {
		w.Response = journal.Response{Status: h.Status, RetryAfter: retryAfter(h.Header)}
	}
}

// fault notes that the planned fault is sent.
func (f *Flow) fault() {
	if w := f.extra.wait; w != nil {
		w.Fault = string(f.plan.Answer.Fault)
	}
}

// retryAfter returns what the header Retry-After says, or 0. A date counts from now, by
// the system clock.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if text == "" {
		return 0
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(date))
	}
	seconds, _ := strconv.ParseInt(text, 10, 64) // not a number if header=Retry-After:x asked for it
	return time.Duration(min(max(seconds, 0), math.MaxInt64/int64(time.Second))) * time.Second
}

// send sends the parts that are due.
func (f *Flow) send() {
	t, truncate := f.extra.transfer, f.plan.Answer.Fault == answer.Truncate
	elapsed := time.Duration(0)
	for {
		if !t.pulled {
			if t.part, t.pulled = t.next(); !t.pulled {
				f.endParts(truncate)
				return
			}
		}
		due, b := t.part.Due, t.part.Bytes
		if due > elapsed {
			elapsed = f.now().Sub(t.begun)
		}
		if due > elapsed {
			f.state = sleeping
			f.out.Wait(t.begun.Add(due))
			return
		}
		t.pulled = false
		if len(b) == 0 {
			continue
		}
		last := false
		if t.left >= 0 {
			b = b[:min(int64(len(b)), t.left)]
			t.left -= int64(len(b))
			last = t.left == 0
		}
		switch {
		case last && truncate:
			f.truncate(b)
			return
		case last:
			f.settle()
			f.last(b)
			return
		}
		if !f.out.Send(b, false) {
			f.state = blocked
			return
		}
	}
}

// endParts ends a body of unknown length.
func (f *Flow) endParts(truncate bool) {
	if truncate {
		f.truncate(nil)
		return
	}
	f.settle()
	f.last(nil)
}

// truncate sends b, the last part before the connection breaks, and breaks it.
func (f *Flow) truncate(b []byte) {
	f.fault()
	f.settle()
	f.out.Send(b, false)
	f.abort(answer.Truncate)
	f.end(journal.Faulted)
}

// abort breaks off a response that has begun.
func (f *Flow) abort(with answer.Fault) {
	_ = f.out.Fault(with) // fails only before Begin
}

// last sends the last part of the response.
func (f *Flow) last(b []byte) {
	f.state = sent
	if !f.out.Send(b, true) {
		f.place(true)
		return
	}
	f.finish()
}

// finish ends a flow after its output has taken the response.
func (f *Flow) finish() {
	f.end(journal.Answered)
	f.out.Done()
}

// forward answers with the response of the plan's upstream.
func (f *Flow) forward() {
	timing := f.timing()
	f.begun, f.state = true, forwarding
	f.note(journal.StageSending, time.Time{})
	if f.extra.wait != nil {
		f.setTimes(f.extra.wait)
	}
	w := f.extra.wait
	begins := func(status int, h http.Header) {
		if w != nil {
			w.Response = journal.Response{Status: status, RetryAfter: retryAfter(h)}
		}
	}
	beforeLastByte := func() {
		if w != nil {
			f.engine.Journal.BeforeLastByte(w)
		}
	}
	outcome, p := f.out.(Forwarder).Forward(
		f.plan.Answer.Upstream, f.headOf(&f.plan.Answer), &timing, begins, beforeLastByte)
	if p != nil && w != nil {
		w.Response = ResponseOf(p)
	}
	f.end(outcome)
	f.out.Done()
}

// timing returns the times for the response. It has Real if the clock was ever set.
func (f *Flow) timing() answer.Timing {
	t := answer.Timing{
		Asked: f.plan.Wait, Cut: f.plan.Cut, Waited: f.waited,
		Queued: answer.Omitted, Held: answer.Omitted, Real: answer.Omitted,
	}
	if f.extra.worker != nil {
		t.Queued = f.extra.worker.queued
	}
	if f.plan.Barrier != nil || f.plan.Hold != nil {
		t.Held = f.extra.held
	}
	if c := f.clock(); c.Adjusted() {
		t.Real = c.Lasted(f.arrived)
	}
	return t
}

// headOf returns the head of the answer: what the plan's template caches, and what the
// rate limit left.
func (f *Flow) headOf(a *answer.Answer) *answer.Head {
	origin := f.extra.origin
	head := f.plan.Template.Head(a.Status, int(f.protoMajor), a.Body.Paced, origin, func() *answer.Head {
		h := http.Header{}
		f.engine.Header(h, origin)
		h.Set("X-Content-Type-Options", "nosniff")
		query.NameIgnored(h, f.plan.Template.Ignored)
		a.SetHeader(h)
		f.setLimit(h)
		return answer.NewHead(a.Status, h)
	})
	return f.withQuota(head)
}

// setLimit sets the header field of the rate limit that all responses share. It lets
// pages that may read the response read the fields that differ, too.
func (f *Flow) setLimit(h http.Header) {
	if f.extra.quota == nil {
		return
	}
	policy := f.plan.Template.LimitPolicy()
	h.Set(policy.Name, policy.Value)
	const expose = "Access-Control-Expose-Headers"
	if h.Get(expose) == "" {
		return
	}
	h.Add(expose, policy.Name)
	for _, field := range f.extra.quota {
		h.Add(expose, field.Name)
	}
}

func (f *Flow) withQuota(h *answer.Head) *answer.Head {
	if f.extra.quota == nil {
		return h
	}
	return h.With(f.extra.quota...)
}

// fail ends the flow with an error. It answers with a problem if it can.
func (f *Flow) fail(err error) {
	outcome, p := classify(err)
	begun := f.begun
	if f.extra.wait == nil && p != nil && f.engine.Journal.Watched() { // viewers see the problem
		f.own().wait = &journal.Wait{Asked: f.plan.Wait, Start: f.arrived.Time()}
	}
	if w := f.extra.wait; w != nil && !begun && p != nil {
		w.Response = ResponseOf(p)
	}
	f.end(outcome)
	if begun || p == nil {
		if p != nil {
			f.abort(answer.Empty)
		}
		return
	}
	f.reply(p, errors.Is(err, ErrShutdown))
}

// refuse answers r, for which Client.Enter returned err.
func (f *Flow) refuse(r *Request, err error) {
	p := f.engine.Full(err)
	if f.extra.wait == nil && f.engine.Journal.Watched() { // viewers see the problem
		f.own().wait = newWait(r)
	}
	if w := f.extra.wait; w != nil {
		f.engine.SetClock(r) // it may have changed, which only Begin finds out
		w.Start, w.Clock = r.Arrived.Time(), r.Clock
		w.Outcome, w.Response = journal.Refused, ResponseOf(p)
	}
	f.engine.Journal.Refuse(f.ended(), r.recorded(), journal.Refused)
	f.reply(p, false)
}

// Reject answers an invalid request with a problem, as Engine.Reject records it, without
// a wait or a place.
func (f *Flow) Reject(e *Engine, out Output, r *Request, p *problem.Problem, close bool) {
	e.Reject(r, ResponseOf(p))
	*f = Flow{engine: e, out: out, plan: r.Plan, extra: &none, client: r.Client, head: r.Method == http.MethodHead}
	f.setOrigin(r.Origin)
	f.reply(p, close)
}

// Reject records that r gets the response, since its path, its query, a header or its body
// is invalid. r.Plan may be nil.
func (e *Engine) Reject(r *Request, response journal.Response) {
	e.SetClock(r)
	w := newWait(r)
	w.Response = response
	w.Waited = max(0, cmp.Or(r.Clock, e.Clock).Now().Sub(w.Start))
	e.Journal.Refuse(*w, r.recorded(), journal.Rejected)
}

// ResponseOf returns what the journal records of a response with p.
func ResponseOf(p *problem.Problem) journal.Response {
	return journal.Response{Status: p.Status, RetryAfter: p.SentRetryAfter(), Problem: p.Type}
}

func (f *Flow) reply(p *problem.Problem, close bool) {
	a := answer.FromProblem(p)
	h := http.Header{}
	origin := f.extra.origin
	f.engine.Header(h, origin)
	a.SetHeader(h)
	f.setLimit(h)
	f.begun = true
	f.out.Begin(f.withQuota(answer.NewHead(a.Status, h)), a.Body.Size(), nil, close)
	if f.head {
		f.last(nil)
		return
	}
	f.last(a.Body.Whole)
}

// classify returns the outcome of a request that ended with err, and the problem
// to answer with, nil if no client is left.
func classify(err error) (journal.Outcome, *problem.Problem) {
	var rate *gate.RateError
	var full *gate.PoolFullError
	switch {
	case errors.Is(err, ErrClientGone):
		return journal.ClientClosed, nil
	case errors.Is(err, ErrShutdown):
		return journal.Shutdown, ErrShutdown
	case errors.As(err, &rate):
		p := problem.RateLimited.New("%v", rate)
		p.RetryAfter = rate.After
		return journal.Refused, p
	case errors.As(err, &full):
		p := problem.PoolFull.New("%v", full)
		p.RetryAfter = full.After
		return journal.Refused, p
	case errors.As(err, new(*gate.PoolMismatchError)):
		return journal.Refused, problem.PoolMismatch.New("%v", err)
	case errors.As(err, new(*gate.BarrierMismatchError)):
		return journal.Refused, problem.BarrierMismatch.New("%v", err)
	case errors.As(err, new(*gate.BrokenError)): // it wraps a BarrierTimeoutError
		return journal.Failed, problem.BarrierBroken.New("%v", err)
	case errors.As(err, new(*gate.BarrierResetError)):
		return journal.Failed, problem.BarrierReset.New("%v", err)
	case errors.As(err, new(*gate.BarrierTimeoutError)):
		return journal.TimedOut, problem.BarrierTimeout.New("%v", err)
	case errors.As(err, new(*gate.HoldTimeoutError)):
		return journal.TimedOut, problem.HoldTimeout.New("%v", err)
	case errors.As(err, new(*gate.HoldFailedError)):
		return journal.Failed, problem.HoldFailed.New("%v", err)
	default:
		return journal.Failed, ErrInternal
	}
}
