package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

const (
	// flushInterval is the minimum time between two flushes: a frame of a 60 Hz
	// screen. A thousand calls that start at once are then one write.
	flushInterval = 16 * time.Millisecond
	// keepAliveInterval is the time between two comments on a silent stream:
	// proxies close a stream that is silent for a minute.
	keepAliveInterval = 15 * time.Second
)

// streamEvents responds to a request, for which concurrency calls are reserved,
// with the event stream that send writes. The stream ends when send returns.
func (s *Server) streamEvents(c echo.Context, p params, concurrency int, send func(*eventStream)) error {
	release, err := s.acquire(concurrency)
	if err != nil {
		return err
	}
	defer release()
	p.setHeaders(c)
	stream := newEventStream(c, p.runID)
	defer stream.close()
	send(stream)
	return nil
}

// rejectReconnect responds with 204 to an EventSource that reconnects, which
// stops it. Otherwise it would repeat the calls unasked.
func rejectReconnect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if len(c.Request().Header.Values("Last-Event-ID")) > 0 {
			return c.NoContent(http.StatusNoContent)
		}
		return next(c)
	}
}

// eventStream is a stream of server-sent events to one client. Events are
// flushed at once, or flushInterval after the last flush.
type eventStream struct {
	ctx     context.Context // done when the client left or does not read
	w       http.ResponseWriter
	wake    chan struct{} // receives when events are pending or the stream is closed
	written chan struct{} // closed when write has returned

	mu      sync.Mutex
	pending bytes.Buffer
	closed  bool
}

// newEventStream starts the response. The first event has the ID id, which a
// client that reconnects sends as Last-Event-ID.
func newEventStream(c echo.Context, id string) *eventStream {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // for nginx
	ctx, cancel := context.WithCancel(c.Request().Context())
	e := &eventStream{ctx: ctx, w: c.Response(), wake: make(chan struct{}, 1), written: make(chan struct{})}
	fmt.Fprintf(&e.pending, "id: %s\n", id)
	go func() {
		defer close(e.written)
		defer cancel()
		e.write()
	}()
	return e
}

// send adds an event with data as JSON. It does not wait for the client.
func (e *eventStream) send(name string, data any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintf(&e.pending, "event: %s\ndata: ", name)
	text := json.NewEncoder(&e.pending)
	text.SetEscapeHTML(false) // read by people and scripts, never as HTML
	if err := text.Encode(data); err != nil {
		panic(fmt.Sprintf("event %s: %v", name, err)) // unreachable: data are plain structs
	}
	e.pending.WriteByte('\n')
	e.wakeWriter()
}

// close returns when all events are written or the client has left.
func (e *eventStream) close() {
	e.mu.Lock()
	e.closed = true
	e.wakeWriter()
	e.mu.Unlock()
	<-e.written
}

// wakeWriter wakes write. The caller holds mu.
func (e *eventStream) wakeWriter() {
	select {
	case e.wake <- struct{}{}:
	default: // write has not run since the last wake
	}
}

// write writes pending events until the stream is closed or the client has left.
func (e *eventStream) write() {
	for {
		select {
		case <-e.wake:
		case <-time.After(keepAliveInterval):
			e.addComment()
		}
		text, closed := e.takePending()
		if err := e.flush(text); err != nil || closed {
			return
		}
		time.Sleep(flushInterval)
	}
}

func (e *eventStream) addComment() {
	e.mu.Lock()
	defer e.mu.Unlock()
	io.WriteString(&e.pending, ": keep-alive\n\n")
}

// takePending removes and returns the pending events. The stream is closed if
// they are the last.
func (e *eventStream) takePending() (text []byte, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text = bytes.Clone(e.pending.Bytes())
	e.pending.Reset()
	return text, e.closed
}

func (e *eventStream) flush(text []byte) error {
	if _, err := e.w.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(e.w).Flush()
}
