package program

import (
	"bufio"
	"net"
	"net/http"
	"runtime"
	"time"
)

// maxPart is the most bytes of an answer that share a write deadline.
const maxPart = 32 << 10

// timeSlice is how many bytes an answer sends before its goroutine yields: many
// large answers at once would make the small ones late.
const timeSlice = 4 << 10

// deadlines bounds the time that a client may take to read an answer, whoever
// writes it. The deadline is set when an answer begins, again for each part, and
// when the handler returns, for what net/http has buffered. It is lifted while a
// request waits and after each flush. Over HTTP/1.1 it ends the connection, over
// HTTP/2 the stream.
type deadlines struct {
	handler     http.Handler
	timeout     time.Duration
	connections *connections
}

// ServeHTTP implements http.Handler. Its frame and the frames below it
// before the wait are kept small: they are on the stack of each request that waits.
func (d *deadlines) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dw := d.writer(w, r)
	if r.ProtoMajor >= 2 {
		d.serveHTTP2(dw, r)
		return
	}
	d.handler.ServeHTTP(dw, r)
	dw.set()
}

//go:noinline
func (d *deadlines) writer(w http.ResponseWriter, r *http.Request) *deadlineWriter {
	dw := &deadlineWriter{ResponseWriter: w, control: http.NewResponseController(w), timeout: d.timeout}
	if r.ProtoMajor < 2 && r.ContentLength != 0 { // net/http may have to write 100 Continue after the wait
		_ = dw.control.SetWriteDeadline(time.Time{})
	}
	return dw
}

//go:noinline
func (d *deadlines) serveHTTP2(dw *deadlineWriter, r *http.Request) {
	dw.connection, _ = r.Context().Value(connectionKey{}).(*connection)
	if c := dw.connection; c != nil {
		if wasReset(r.Context()) {
			d.connections.reset(c)
			panic(http.ErrAbortHandler)
		}
		defer func() {
			if wasReset(r.Context()) {
				d.connections.reset(c)
			}
		}()
	}
	dw.lift()
	d.handler.ServeHTTP(dw, r)
	dw.set()
}

// deadlineWriter is the http.ResponseWriter of deadlines.
type deadlineWriter struct {
	http.ResponseWriter
	control    *http.ResponseController
	timeout    time.Duration
	connection *connection // of HTTP/2; nil for HTTP/1.1
	since      time.Time   // when the deadline was set; zero where there is none
	written    int         // bytes since the goroutine yielded
}

// set gives the client timeout from now on, or up to an eighth more: that many
// small writes share a deadline.
func (w *deadlineWriter) set() {
	now := time.Now()
	slack := w.timeout / 8
	if !w.since.IsZero() && now.Sub(w.since) < slack {
		return
	}
	w.since = now
	_ = w.control.SetWriteDeadline(now.Add(w.timeout + slack)) // a recorder in a test has none
	if w.connection != nil {
		w.connection.due.Store(now.UnixNano())
	}
}

// lift leaves the request without a deadline until it writes. Over HTTP/1.1 one
// that has passed does no harm before the next write, which sets another.
func (w *deadlineWriter) lift() {
	w.since = time.Time{}
	if w.connection != nil {
		_ = w.control.SetWriteDeadline(time.Time{})
		w.connection.due.Store(0)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *deadlineWriter) WriteHeader(status int) {
	w.set()
	w.ResponseWriter.WriteHeader(status)
	if status < http.StatusOK { // an informational reply is sent at once; the answer is to come
		w.lift()
	}
}

// Write implements http.ResponseWriter. The error is net/http's, and
// os.ErrDeadlineExceeded where the client did not read in time.
func (w *deadlineWriter) Write(p []byte) (n int, err error) {
	for {
		w.set()
		m, err := w.ResponseWriter.Write(p[n:min(len(p), n+maxPart)])
		n += m
		if w.written += m; w.written >= timeSlice {
			w.written = 0
			runtime.Gosched()
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError is what http.ResponseController has for Flush.
func (w *deadlineWriter) FlushError() error {
	w.set()
	defer w.lift()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *deadlineWriter) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. The deadline stays with the connection.
func (w *deadlineWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.control.Hijack()
	if err == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	return conn, buffered, err
}

// Unwrap is for http.ResponseController.
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
