package eventloop

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// minRequest is the number of bytes that net/http waits for within IdleTimeout, after
// the first response, before it starts to parse a request.
const minRequest = 4

// receive serves the requests in b. It reports whether to keep reading from c: no
// request waits, and c was neither closed nor handed over.
func (l *loop) receive(c *conn, b []byte) (keepReading bool) {
	if c.readsBody() {
		if b = c.readBody(b); c.readsBody() {
			return true
		}
		r := c.extra.request
		c.extra.request = nil
		if !l.begin(c, r, nil, b) {
			return false
		}
	}
	for served := 0; len(b) > 0; served++ {
		if served == maxTurnRequests {
			c.setBuffered(bytes.Clone(b))
			l.requeue(c)
			return true
		}
		if c.afterPOST && len(b) >= minRequest { // net/http accepts a line end after a POST body
			b = trimLineEnds(b)
			c.afterPOST = false
		}
		r := &l.request
		*r = request{}
		n, result := r.parse(b)
		if result != parsed && c.answered && len(b) < minRequest {
			c.setBuffered(bytes.Clone(b))
			return true
		}
		switch result {
		case incomplete:
			c.setBuffered(bytes.Clone(b))
			if c.list != &l.readingHead && c.list != &l.newConns {
				l.readingHead.add(c, l.now)
			}
			return true
		case unsupported:
			l.handOver(c, b, 0)
			return false
		}
		r.arrived = l.listener.config.Engine.Clock.Timestamp()
		c.afterPOST = r.Method == "POST"
		bodyArrived := r.body <= int64(len(b)-n)
		r.Client = c.client.Addr()
		p, ok := l.plan(r)
		if !ok || p != nil && !bodyArrived {
			l.handOver(c, b, n+int(r.body))
			return false
		}
		b = b[n:]
		c.handedOver = 0
		c.leaveList()
		if !bodyArrived {
			c.expectBody(r, b)
			return true
		}
		b = b[r.body:]
		if !l.begin(c, r, p, b) {
			return false
		}
	}
	return true
}

// plan plans the request, or returns the problem to answer with. ok is false if
// net/http should answer: the path has no waiting endpoint, the request is
// forwarded, or the error is internal.
func (l *loop) plan(r *request) (p *problem.Problem, ok bool) {
	template, err := l.listener.config.Find(&r.Request)
	if err == nil {
		if template == nil || template.Forwards {
			return nil, false
		}
		r.planned, err = template.Plan(r.Request)
	} else if run, invalid := plan.RunOf(&r.Request); invalid == nil {
		r.planned.Run = strings.Clone(run)
	}
	if err == nil {
		if r.clock = l.listener.config.Engine.Runs.Of(r.planned.Run); r.clock != nil {
			r.arrived = r.clock.At(r.arrived)
		}
		return nil, true
	}
	p = l.listener.config.Problem(err)
	return p, p != nil
}

// begin starts the flow of a request whose body has been read, or answers it with
// p if that is not nil. If the flow waits, begin buffers rest, the bytes after the
// request. It reports whether to keep reading from c.
func (l *loop) begin(c *conn, r *request, p *problem.Problem, rest []byte) (keepReading bool) {
	c.closing = r.close
	l.flowRequest = c.flowRequest(r)
	if p != nil {
		c.flow.Reject(l.listener.config.Engine, c, &l.flowRequest, p, false)
	} else {
		c.setTimers(l.timersOn(r.clock))
		for !c.flow.Start(l.listener.config.Engine, c, &l.flowRequest) {
			c.setTimers(l.timersOn(l.flowRequest.Clock))
		}
	}
	if !c.flow.Running() && !c.gone && !c.closing {
		return true
	}
	c.setBuffered(bytes.Clone(rest))
	if c.flow.Running() && !c.gone {
		l.readWhileWaiting(c)
	}
	l.closeIfDone(c)
	return false
}

func (c *conn) flowRequest(r *request) flow.Request {
	f := flow.Request{
		Planned: r.planned, Method: r.Method, Path: r.Path, Origin: r.origin,
		ProtoMajor: 1, Client: c.client, Clock: r.clock, Arrived: r.arrived,
	}
	if r.planned.Run != "" {
		f.Query, f.Headers, f.ProtoMinor = r.Query, r.Headers, 1
		f.Connection, f.Reused = c.number(), c.answered
	}
	return f
}

// readsBody reports whether the body of a request is being read.
func (c *conn) readsBody() bool { return c.extra != nil && c.extra.bodyLeft > 0 }

// expectBody starts to read the body of r. b is the part that has arrived.
func (c *conn) expectBody(r *request, b []byte) {
	e := c.ensureExtra()
	e.bodyLeft, e.bodyRead, e.request = r.body-int64(len(b)), int64(len(b)), r.clone(c.loop.listener.config.Engine)
	c.loop.readingBody.add(c, c.loop.now)
}

// readBody drops the body bytes in b and returns the rest.
func (c *conn) readBody(b []byte) []byte {
	e := c.extra
	n := min(e.bodyLeft, int64(len(b)))
	e.bodyLeft -= n
	e.bodyRead += n
	if e.bodyLeft == 0 {
		c.leaveList()
	}
	return b[n:]
}

// bodyTimeout answers a request whose body did not arrive in time.
func (l *loop) bodyTimeout(c *conn) {
	e := c.extra
	r := c.flowRequest(e.request)
	p := problem.NewBodyTimeout("request body", e.bodyRead, l.listener.config.ReadTimeout)
	c.leaveList()
	e.bodyLeft, e.request = 0, nil
	c.flow.Reject(l.listener.config.Engine, c, &r, p, true)
	l.proceed(c)
}

// Fire implements clock.Timer's Owner.
func (c *conn) Fire(due bool) {
	arg := uint32(0)
	if due {
		arg = 1
	}
	c.loop.serve(c, arg, onDue)
}

// Wait implements flow.Output.
func (c *conn) Wait(due time.Time) {
	c.flush()
	if c.gotEOF {
		c.gone = true
		return
	}
	c.queue.At(&c.timer, due)
}

// Wake implements flow.Output.
func (c *conn) Wake() { c.queue.Post(&c.timer) }

// Begin implements flow.Output.
func (c *conn) Begin(h *answer.Head, length int64, timing *answer.Timing, close bool) {
	l := c.loop
	c.queue.Stop(&c.timer)
	c.closing = c.closing || close || l.draining
	c.chunked = length < 0 && length != answer.NoLength
	l.out = h.Append(l.out, length, timing, l.date.at(l.now), c.closing)
}

// Send implements flow.Output.
func (c *conn) Send(b []byte, last bool) bool {
	l := c.loop
	if c.chunked {
		l.out = appendChunk(l.out, b, last)
	} else {
		l.out = append(l.out, b...)
	}
	if last || len(l.out) >= flushSize {
		if !c.flush() {
			return false
		}
	}
	if l.moved += len(b); l.moved >= maxTurnBytes && !last {
		if c.flush() {
			l.requeue(c)
		}
		return false
	}
	return true
}

// Fault implements flow.Output.
func (c *conn) Fault(f answer.Fault) error {
	c.queue.Stop(&c.timer)
	c.closing = true
	switch f {
	case answer.Reset:
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.gone = true
	case answer.Garbage:
		c.loop.out = append(c.loop.out, answer.NoHTTP...)
	}
	c.flush()
	return nil
}

// Done implements flow.Output.
func (c *conn) Done() {
	c.answered = true
	c.flow = flow.Flow{} // an idle connection keeps nothing of its last request
	c.setTimers(&c.loop.server)
}

// appendChunk appends b to out as a chunk, and the final empty chunk if last.
func appendChunk(out, b []byte, last bool) []byte {
	if len(b) > 0 {
		out = strconv.AppendInt(out, int64(len(b)), 16)
		out = append(out, "\r\n"...)
		out = append(out, b...)
		out = append(out, "\r\n"...)
	}
	if last {
		out = append(out, "0\r\n\r\n"...)
	}
	return out
}

// badRequest is net/http's response to an incomplete head.
const badRequest = "HTTP/1.1 400 Bad Request\r\n" +
	"Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

// closeIncomplete closes a connection after EOF or a timeout. Like net/http it
// answers an incomplete head with badRequest, except after a timeout if the head is
// valid so far.
func (l *loop) closeIncomplete(c *conn, timedOut bool) {
	b := c.buffered()
	inHead := c.list == &l.readingHead || c.list == &l.newConns
	incomplete := inHead && len(b) > 0 && !(c.answered && len(b) < minRequest)
	if incomplete && !(timedOut && validSoFar(b)) {
		_, _ = send(int(c.fd), []byte(badRequest)) // the client may be gone
	}
	l.close(c)
}

// validSoFar reports whether the last line of b, an incomplete head, would be valid
// if it ended there.
func validSoFar(b []byte) bool {
	last := b[bytes.LastIndexByte(b, '\n')+1:]
	switch {
	case len(last) == len(b):
		return new(request).parseRequestLine(last)
	case len(last) == 0:
		return true
	}
	name, value, ok := bytes.Cut(last, []byte(":"))
	return ok && len(name) > 0 && all(name, &tokenBytes) && all(value, &valueBytes)
}

// trimLineEnds removes up to four leading CR and LF bytes.
func trimLineEnds(b []byte) []byte {
	for range min(4, len(b)) {
		if b[0] != '\r' && b[0] != '\n' {
			break
		}
		b = b[1:]
	}
	return b
}
