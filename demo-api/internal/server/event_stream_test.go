package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// flushRecorder is an http.ResponseWriter that records each flush.
type flushRecorder struct {
	http.ResponseWriter
	pending bytes.Buffer
	flushed []string
	times   []time.Duration // of the flushes, since start
	start   time.Time
	err     error // of each write
}

func (w *flushRecorder) Write(b []byte) (int, error) {
	w.pending.Write(b)
	return len(b), w.err
}

func (w *flushRecorder) FlushError() error {
	w.flushed = append(w.flushed, w.pending.String())
	w.times = append(w.times, time.Since(w.start))
	w.pending.Reset()
	return nil
}

// newTestStream returns a stream to a flushRecorder whose writes fail with err.
func newTestStream(t *testing.T, err error) (*eventStream, *flushRecorder) {
	w := &flushRecorder{ResponseWriter: httptest.NewRecorder(), start: time.Now(), err: err}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/race/events", nil)
	return newEventStream(echo.New().NewContext(r, w), "race-7"), w
}

func TestEventsAreBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := newTestStream(t, nil)
		e.send("begin", 0)
		synctest.Wait() // the first event is flushed at once
		for n := range 1000 {
			e.send("begin", n+1)
		}
		time.Sleep(time.Second)
		e.send("end", 1)
		e.close()
		if want := []time.Duration{0, flushInterval, time.Second}; !slices.Equal(w.times, want) {
			t.Fatalf("flushes at %v, want %v", w.times, want)
		}
		if want := "id: race-7\nevent: begin\ndata: 0\n\n"; w.flushed[0] != want {
			t.Errorf("first flush: got %q, want %q", w.flushed[0], want)
		}
		if n := strings.Count(w.flushed[1], "event: begin\n"); n != 1000 {
			t.Errorf("second flush: %d events, want 1000", n)
		}
		if want := "event: end\ndata: 1\n\n"; w.flushed[2] != want {
			t.Errorf("last flush: got %q, want %q", w.flushed[2], want)
		}
	})
}

func TestSilentStreamSendsComments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, w := newTestStream(t, nil)
		time.Sleep(40 * time.Second)
		e.close()
		sent := strings.Join(w.flushed, "")
		if strings.Count(sent, ": keep-alive\n\n") != 2 || strings.Contains(sent, "event:") {
			t.Errorf("40s without an event: got %q, want a comment every 15s", sent)
		}
	})
}

func TestFailedWriteEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := newTestStream(t, errors.New("connection reset"))
		if e.ctx.Err() != nil {
			t.Error("the context is done before the first write")
		}
		e.send("begin", 0)
		<-e.ctx.Done()
		e.send("end", 0)
		e.close() // returns after the failed write
	})
}

// BenchmarkSend measures the cost of an event for the call that sends it.
func BenchmarkSend(b *testing.B) {
	w := &flushRecorder{ResponseWriter: httptest.NewRecorder(), start: time.Now()}
	e := newEventStream(echo.New().NewContext(httptest.NewRequest("GET", "/race/events", nil), w), "bench")
	b.ReportAllocs()
	for b.Loop() {
		e.send("begin", raceBegin{"concurrent", "r1000", ms(1234567890)})
	}
	e.close()
}
