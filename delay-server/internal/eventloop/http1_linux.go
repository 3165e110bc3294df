package eventloop

import (
	"bytes"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/kit/problem"
)

// minBegin is how many bytes net/http looks for in a connection that has had an
// answer, within IdleTimeout, before it takes them for a request.
const minBegin = 4

// receive serves the requests that b consists of. It reports whether c is to read
// on: it has no request, and was neither closed nor handed over.
func (l *loop) receive(c *conn, b []byte) (reads bool) {
	if c.readsBody() {
		if b = c.readBody(b); c.readsBody() {
			return true
		}
		r := c.extra.begun
		c.extra.begun = nil
		if !l.begin(c, r, nil, b) {
			return false
		}
	}
	for served := 0; len(b) > 0; served++ {
		if served == maxServed {
			c.keep(bytes.Clone(b))
			l.postpone(c)
			return true
		}
		if c.afterPOST && len(b) >= minBegin { // net/http forgives some clients a line end behind the body
			b = trimLineEnds(b)
			c.afterPOST = false
		}
		r := &l.request
		*r = request{}
		n, is := r.parse(b)
		if is != certain && c.answered && len(b) < minBegin {
			c.keep(bytes.Clone(b))
			return true
		}
		switch is {
		case incomplete:
			c.keep(bytes.Clone(b))
			if c.list != &l.head && c.list != &l.fresh {
				l.head.add(c, l.now)
			}
			return true
		case uncertain:
			l.handOver(c, b, 0)
			return false
		}
		r.arrived = l.listener.config.Engine.Clock.Timestamp()
		c.afterPOST = r.Method == "POST"
		bodyCame := r.body <= int64(len(b)-n)
		refusal, ok := l.plan(r)
		if !ok || refusal != nil && !bodyCame {
			l.handOver(c, b, n+int(r.body))
			return false
		}
		b = b[n:]
		c.handedOver = 0
		c.leaveList()
		if !bodyCame {
			c.expectBody(r, b)
			return true
		}
		b = b[r.body:]
		if !l.begin(c, r, refusal, b) {
			return false
		}
	}
	return true
}

// plan plans the request, or returns why it is refused. It is not ok for a request
// that is net/http's to answer: no endpoint that waits is there, another server
// answers, or the error is none that a client can have made.
func (l *loop) plan(r *request) (refusal *problem.Problem, ok bool) {
	template, err := l.listener.config.Find(&r.Request)
	if err == nil {
		if template == nil || template.Forwards {
			return nil, false
		}
		r.plan, r.run, err = template.Plan(r.Request)
	}
	if err == nil {
		return nil, true
	}
	refusal = l.listener.config.Problem(err)
	return refusal, refusal != nil
}

// begin starts the flow of a request whose body has been read, or refuses it, and
// keeps what came behind it where it is not done. It reports whether c is to read
// on.
func (l *loop) begin(c *conn, r *request, refusal *problem.Problem, behind []byte) bool {
	c.closing = r.close
	l.flowRequest = c.flowRequest(r)
	if refusal != nil {
		c.flow.Reply(l.listener.config.Engine, c, &l.flowRequest, refusal, false)
	} else {
		c.flow.Start(l.listener.config.Engine, c, &l.flowRequest)
	}
	if !c.flow.Running() && !c.gone && !c.closing {
		return true
	}
	c.keep(bytes.Clone(behind))
	if c.flow.Running() && !c.gone {
		l.readWhileWaiting(c)
	}
	l.endIfOver(c)
	return false
}

func (c *conn) flowRequest(r *request) flow.Request {
	return flow.Request{
		Plan: r.plan, Run: r.run, Method: r.Method, Path: r.Path, Origin: r.origin, ProtoMajor: 1, Client: c.client, Arrived: r.arrived,
	}
}

// readsBody reports whether c reads the body of a request.
func (c *conn) readsBody() bool { return c.extra != nil && c.extra.body > 0 }

// expectBody has c read the body of r, which begins with b.
func (c *conn) expectBody(r *request, b []byte) {
	e := c.own()
	e.body, e.read, e.begun = r.body-int64(len(b)), int64(len(b)), r.clone()
	c.loop.body.add(c, c.loop.now)
}

// readBody drops what b has of the body, and returns what is behind it.
func (c *conn) readBody(b []byte) []byte {
	e := c.extra
	n := min(e.body, int64(len(b)))
	e.body -= n
	e.read += n
	if e.body == 0 {
		c.leaveList()
	}
	return b[n:]
}

// bodyLate answers a request whose body did not come in time.
func (l *loop) bodyLate(c *conn) {
	e := c.extra
	r := c.flowRequest(e.begun)
	p := problem.New(408, "the body did not come within %v, this server's READ_TIMEOUT; %d bytes did", l.listener.config.ReadTimeout, e.read)
	c.leaveList()
	e.body, e.begun = 0, nil
	c.flow.Reply(l.listener.config.Engine, c, &r, p, true)
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
	if c.eof {
		c.gone = true
		return
	}
	c.loop.queue.At(&c.timer, due)
}

// Wake implements flow.Output.
func (c *conn) Wake() { c.loop.queue.Post(&c.timer) }

// Begin implements flow.Output.
func (c *conn) Begin(h *answer.Head, length int64, timing *answer.Timing, close bool) {
	l := c.loop
	l.queue.Stop(&c.timer)
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
	if l.moved += len(b); l.moved >= maxMoved && !last {
		if c.flush() {
			l.postpone(c)
		}
		return false
	}
	return true
}

// Fault implements flow.Output.
func (c *conn) Fault(f answer.Fault) error {
	c.loop.queue.Stop(&c.timer)
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
}

// appendChunk appends b as a chunk to out, and the end of all chunks where it is
// the last.
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

// badRequest is what net/http sends where a head does not come to its end.
const badRequest = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

// giveUp ends a connection of which no more comes: in time, or at all. Like
// net/http it says so of a part of a head, but where the time is over behind lines
// that are right.
func (l *loop) giveUp(c *conn, late bool) {
	part := (c.list == &l.head || c.list == &l.fresh) && len(c.kept()) > 0 && !(c.answered && len(c.kept()) < minBegin)
	if part && !(late && beginsRight(c.kept())) {
		_, _ = send(int(c.fd), []byte(badRequest)) // to a client that reads
	}
	l.close(c)
}

// beginsRight reports whether the last line of b, part of a head, would be right if
// it ended there.
func beginsRight(b []byte) bool {
	last := b[bytes.LastIndexByte(b, '\n')+1:]
	switch {
	case len(last) == len(b):
		return new(request).parseRequestLine(last)
	case len(last) == 0:
		return true
	}
	name, value, ok := bytes.Cut(last, []byte(":"))
	return ok && len(name) > 0 && all(name, &inName) && all(value, &inValue)
}

// trimLineEnds returns b without the line ends among its first four bytes.
func trimLineEnds(b []byte) []byte {
	for range min(4, len(b)) {
		if b[0] != '\r' && b[0] != '\n' {
			break
		}
		b = b[1:]
	}
	return b
}
