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
	// flushEvery is how long events are gathered after a flush: a frame of a
	// screen of 60 Hz. A thousand calls that begin at once are then one write.
	flushEvery = 16 * time.Millisecond
	// aliveEvery is how often a silent stream says that it is alive: proxies
	// close one that is silent for a minute.
	aliveEvery = 15 * time.Second
)

// events is an event stream to one viewer. What is sent is flushed at once, or
// flushEvery after the last flush. Use newEvents, and close it.
type events struct {
	ctx     context.Context // done when the viewer left or does not read
	reply   http.ResponseWriter
	ready   chan struct{} // something is pending, or the stream is closed
	written chan struct{} // closed when all is

	mu      sync.Mutex
	pending bytes.Buffer
	closed  bool
}

// newEvents begins the answer. The first event has the id: a viewer that was
// cut sends it back, as Last-Event-ID.
func newEvents(c echo.Context, id string) *events {
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would gather what it passes on
	ctx, cancel := context.WithCancel(c.Request().Context())
	e := &events{ctx: ctx, reply: c.Response(), ready: make(chan struct{}, 1), written: make(chan struct{})}
	fmt.Fprintf(&e.pending, "id: %s\n", id)
	go func() {
		defer close(e.written)
		defer cancel()
		e.write()
	}()
	return e
}

// resumed reports whether the request is an EventSource's that was cut and
// connects again. It is to be answered 204, which ends that: what it had begun
// to watch is over, and is not begun again unasked.
func resumed(r *http.Request) bool { return len(r.Header.Values("Last-Event-ID")) > 0 }

// send adds an event with data as JSON. It never waits for the viewer.
func (e *events) send(name string, data any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintf(&e.pending, "event: %s\ndata: ", name)
	text := json.NewEncoder(&e.pending)
	text.SetEscapeHTML(false) // read by people and scripts, never as HTML
	if err := text.Encode(data); err != nil {
		panic(fmt.Sprintf("event %s: %v", name, err)) // it is made of plain values
	}
	e.pending.WriteByte('\n')
	e.wake()
}

// close returns when all that was sent is written, or the viewer is gone.
func (e *events) close() {
	e.mu.Lock()
	e.closed = true
	e.wake()
	e.mu.Unlock()
	<-e.written
}

// wake tells write that there is something to do. The caller holds mu.
func (e *events) wake() {
	select {
	case e.ready <- struct{}{}:
	default: // it will see this too
	}
}

// write writes what is pending until the stream is closed or the viewer gone.
func (e *events) write() {
	for {
		select {
		case <-e.ready:
		case <-time.After(aliveEvery):
			e.comment()
		}
		text, closed := e.take()
		if err := e.flush(text); err != nil || closed {
			return
		}
		time.Sleep(flushEvery)
	}
}

func (e *events) comment() {
	e.mu.Lock()
	defer e.mu.Unlock()
	io.WriteString(&e.pending, ": still here\n\n")
}

// take returns what is pending, and whether it is the last.
func (e *events) take() (text []byte, closed bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text = bytes.Clone(e.pending.Bytes())
	e.pending.Reset()
	return text, e.closed
}

func (e *events) flush(text []byte) error {
	if _, err := e.reply.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(e.reply).Flush()
}
