package flow

import (
	"errors"
	"net/http"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// maxWhole is the most bytes of a body that are sent at once: a larger one is sent
// in parts, so that the client has the write timeout for each.
const maxWhole = 32 << 10

// answer sends the planned answer, whose time has come.
func (f *Flow) answer() {
	f.waited = f.engine.Clock.Now().Sub(f.served())
	a := &f.plan.Answer
	switch {
	case a.Upstream != nil:
		f.forward()
		return
	case a.Fault != "" && a.Fault != answer.Truncate:
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
	f.begun = true
	if bodiless || size == 0 {
		if size < 0 {
			size = answer.NoLength
		}
		f.settle()
		f.out.Begin(f.headOf(a), size, &timing, false)
		f.last(nil)
		return
	}
	if a.Body.Open == nil && a.Fault == "" && size <= maxWhole {
		f.settle()
		f.out.Begin(f.headOf(a), size, &timing, false)
		f.last(a.Body.Whole)
		return
	}
	f.own().transfer = &transfer{next: a.Body.Parts(), left: size, begun: f.engine.Clock.Now()}
	if a.Fault == answer.Truncate && size >= 0 {
		f.more.transfer.left /= 2
	}
	f.out.Begin(f.headOf(a), size, &timing, false)
	f.send()
}

// send sends what is due of a body in parts.
func (f *Flow) send() {
	t, truncate := f.more.transfer, f.plan.Answer.Fault == answer.Truncate
	elapsed := time.Duration(0)
	for {
		if !t.pulled {
			if t.part, t.pulled = t.next(); !t.pulled {
				f.ended(truncate)
				return
			}
		}
		due, b := t.part.Due, t.part.Bytes
		if due > elapsed {
			elapsed = f.engine.Clock.Now().Sub(t.begun)
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

// ended ends a body of unknown length.
func (f *Flow) ended(truncate bool) {
	if truncate {
		f.truncate(nil)
		return
	}
	f.settle()
	f.last(nil)
}

// truncate sends the last part that is sent of a body, and breaks off.
func (f *Flow) truncate(b []byte) {
	f.settle()
	f.out.Send(b, false)
	f.abort(answer.Truncate)
	f.end(journal.Faulted)
}

// abort breaks a response off that has begun.
func (f *Flow) abort(with answer.Fault) {
	_ = f.out.Fault(with) // which needs nothing that could fail
}

// last sends the last of the response.
func (f *Flow) last(b []byte) {
	f.state = sent
	if !f.out.Send(b, true) {
		f.place(true)
		return
	}
	f.finish()
}

// finish ends a flow whose response was taken.
func (f *Flow) finish() {
	f.end(journal.Answered)
	f.out.Done()
}

// forward has the plan's upstream answer.
func (f *Flow) forward() {
	timing := f.timing()
	f.begun, f.state = true, forwarding
	f.complete()
	outcome := f.out.(Forwarder).Forward(f.plan.Answer.Upstream, f.headOf(&f.plan.Answer), &timing, func() {
		if f.more.wait != nil {
			f.engine.Journal.BeforeLastByte(f.more.wait)
		}
	})
	f.end(outcome)
	f.out.Done()
}

// timing returns what the response says of the wait, by the server's clock, and
// by the machine's where the two may differ.
func (f *Flow) timing() answer.Timing {
	t := answer.Timing{Asked: f.plan.Wait, Cut: f.plan.Cut, Queued: answer.Omitted, Held: answer.Omitted, Waited: f.waited, Real: answer.Omitted}
	if f.more.worker != nil {
		t.Queued = f.more.worker.queued
	}
	if f.plan.Barrier != nil || f.plan.Hold != nil {
		t.Held = f.more.held
	}
	if f.engine.Clock.Adjusted() {
		t.Real = f.engine.Clock.Lasted(f.arrived)
	}
	return t
}

// headOf returns the head of the answer. Most requests find it in their template.
func (f *Flow) headOf(a *answer.Answer) *answer.Head {
	origin := f.more.origin
	return f.plan.Template.Head(a.Status, int(f.protoMajor), a.Body.Paced, origin, func() *answer.Head {
		h := http.Header{}
		f.engine.Header(h, origin)
		h.Set("X-Content-Type-Options", "nosniff")
		query.NameIgnored(h, f.plan.Template.Ignored)
		a.SetHeader(h)
		return answer.NewHead(a.Status, h)
	})
}

// fail ends the flow with an error: with an answer, where one can be given.
//
//go:noinline
func (f *Flow) fail(err error) {
	outcome, p := classify(err)
	begun := f.begun
	f.end(outcome)
	if begun || p == nil {
		if p != nil {
			f.abort(answer.Empty)
		}
		return
	}
	f.reply(p, errors.Is(err, ErrShutdown))
}

// refuse answers a request that finds no place.
//
//go:noinline
func (f *Flow) refuse(err error) {
	w := journal.Wait{Asked: f.plan.Wait, Start: f.arrived.Time()}
	if f.more.wait != nil {
		w = *f.more.wait
	}
	f.engine.Journal.Refuse(w)
	f.reply(f.engine.Full(err), false)
}

// Reply answers a request with a problem, without a wait and a place.
func (f *Flow) Reply(e *Engine, out Output, r *Request, p *problem.Problem, close bool) {
	*f = Flow{engine: e, out: out, plan: r.Plan, more: &none, client: r.Client, head: r.Method == http.MethodHead}
	f.setOrigin(r.Origin)
	f.reply(p, close)
}

func (f *Flow) reply(p *problem.Problem, close bool) {
	a := answer.FromProblem(p)
	h := http.Header{}
	origin := f.more.origin
	f.engine.Header(h, origin)
	a.SetHeader(h)
	f.begun = true
	f.out.Begin(answer.NewHead(a.Status, h), a.Body.Size(), nil, close)
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
