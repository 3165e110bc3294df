package program

import (
	"bufio"
	"net"
	"net/http"
	"runtime"
	"time"
)

// maxPart is the maximum number of response bytes that share a write deadline.
const maxPart = 32 << 10

// yieldSize is the number of bytes that a response writes before its goroutine yields.
// Otherwise many large responses would delay the small ones.
const yieldSize = 4 << 10

// deadlines limits the time that a client may take to read a response. It sets the
// write deadline when a response begins, for each part, and when the handler returns,
// for the bytes that net/http has buffered. It lifts the deadline while a request
// waits and after each flush. A missed deadline ends the connection of HTTP/1.1, or
// the stream of HTTP/2.
type deadlines struct {
	handler     http.Handler
	timeout     time.Duration
	connections *connections
}

// ServeHTTP implements http.Handler. Its stack frame is small, since each waiting
// request of net/http keeps it: the functions it calls first are not inlined.
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
	dw := &deadlineWriter{
		ResponseWriter: w, control: http.NewResponseController(w), timeout: d.timeout, http2: r.ProtoMajor >= 2,
	}
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		dw.connection, dw.reused = c, c.used.Swap(true)
	}
	if r.ProtoMajor < 2 && r.ContentLength != 0 { // net/http may write 100 Continue after the wait
		_ = dw.control.SetWriteDeadline(time.Time{})
	}
	return dw
}

//go:noinline
func (d *deadlines) serveHTTP2(dw *deadlineWriter, r *http.Request) {
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
	connection *connection // nil if connections does not track it
	http2      bool
	reused     bool      // a request was sent on the connection before
	since      time.Time // when the deadline was set; zero for none
	written    int       // bytes since the goroutine last yielded
}

// set sets the write deadline, unless it was set less than an eighth of timeout ago.
// Setting it for each small write would be slow.
func (w *deadlineWriter) set() {
	now := time.Now()
	slack := w.timeout / 8
	if !w.since.IsZero() && now.Sub(w.since) < slack {
		return
	}
	w.since = now
	_ = w.control.SetWriteDeadline(now.Add(w.timeout + slack)) // not supported by httptest.ResponseRecorder
	if w.http2 && w.connection != nil {
		w.connection.due.Store(now.UnixNano())
	}
}

// lift removes the write deadline until the next write. On HTTP/1.1 it need not: a
// missed deadline has no effect before the next write, which sets a new one.
func (w *deadlineWriter) lift() {
	w.since = time.Time{}
	if w.http2 && w.connection != nil {
		_ = w.control.SetWriteDeadline(time.Time{})
		w.connection.due.Store(0)
	}
}

// WriteHeader implements http.ResponseWriter.
func (w *deadlineWriter) WriteHeader(status int) {
	w.set()
	w.ResponseWriter.WriteHeader(status)
	if status < http.StatusOK { // informational: the response follows
		w.lift()
	}
}

// Write implements http.ResponseWriter. The error is os.ErrDeadlineExceeded if the
// client did not read in time.
func (w *deadlineWriter) Write(p []byte) (n int, err error) {
	for {
		w.set()
		m, err := w.ResponseWriter.Write(p[n:min(len(p), n+maxPart)])
		n += m
		if w.written += m; w.written >= yieldSize {
			w.written = 0
			runtime.Gosched()
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// FlushError implements Flush of http.ResponseController.
func (w *deadlineWriter) FlushError() error {
	w.set()
	defer w.lift()
	return w.control.Flush()
}

// Flush implements http.Flusher.
func (w *deadlineWriter) Flush() { _ = w.FlushError() }

// Hijack implements http.Hijacker. The connection keeps the write deadline.
func (w *deadlineWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.control.Hijack()
	if err == nil {
		_ = conn.SetWriteDeadline(time.Now().Add(w.timeout))
	}
	return conn, buffered, err
}

// Unwrap supports http.ResponseController.
func (w *deadlineWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
