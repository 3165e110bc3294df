package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"
)

// viewer is a ResponseWriter that notes each flush.
type viewer struct {
	http.ResponseWriter
	pending bytes.Buffer
	flushed []string
	times   []time.Duration // of the flushes, since begin
	begin   time.Time
	err     error // of each write
}

func (v *viewer) Write(b []byte) (int, error) {
	v.pending.Write(b)
	return len(b), v.err
}

func (v *viewer) FlushError() error {
	v.flushed = append(v.flushed, v.pending.String())
	v.times = append(v.times, time.Since(v.begin))
	v.pending.Reset()
	return nil
}

func watched(t *testing.T, err error) (*events, *viewer) {
	v := &viewer{ResponseWriter: httptest.NewRecorder(), begin: time.Now(), err: err}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/race/events", nil)
	return newEvents(echo.New().NewContext(r, v), "race-7"), v
}

// A thousand calls that begin at once are not a thousand writes.
func TestEventsAreGathered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, v := watched(t, nil)
		e.send("begin", 0)
		synctest.Wait() // the first is not kept waiting
		for n := range 1000 {
			e.send("begin", n+1)
		}
		time.Sleep(time.Second)
		e.send("end", 1)
		e.close()
		if len(v.flushed) != 3 || v.times[0] != 0 || v.times[1] != flushEvery || v.times[2] != time.Second {
			t.Fatalf("flushes at %v; want the first at once, the next %v later, the last at 1s", v.times, flushEvery)
		}
		if want := "id: race-7\nevent: begin\ndata: 0\n\n"; v.flushed[0] != want {
			t.Errorf("first flush: got %q, want %q", v.flushed[0], want)
		}
		if n := strings.Count(v.flushed[1], "event: begin\n"); n != 1000 {
			t.Errorf("second flush: %d events, want 1000", n)
		}
		if want := "event: end\ndata: 1\n\n"; v.flushed[2] != want {
			t.Errorf("last flush: got %q, want %q", v.flushed[2], want)
		}
	})
}

func TestSilentStreamStaysAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, v := watched(t, nil)
		time.Sleep(40 * time.Second)
		e.close()
		if all := strings.Join(v.flushed, ""); strings.Count(all, ": still here\n\n") != 2 || strings.Contains(all, "event:") {
			t.Errorf("40s without an event: got %q, want a comment each 15s", all)
		}
	})
}

// Whoever cannot be written to has left.
func TestUnreachableViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _ := watched(t, errors.New("connection reset"))
		if e.ctx.Err() != nil {
			t.Error("before anything is written: the viewer counts as gone")
		}
		e.send("begin", 0)
		<-e.ctx.Done()
		e.send("end", 0)
		e.close() // returns, though nobody writes any more
	})
}

// What an event costs the call that sends it.
func BenchmarkSend(b *testing.B) {
	v := &viewer{ResponseWriter: httptest.NewRecorder(), begin: time.Now()}
	e := newEvents(echo.New().NewContext(httptest.NewRequest("GET", "/race/events", nil), v), "bench")
	b.ReportAllocs()
	for b.Loop() {
		e.send("begin", raceBegin{"concurrent", "r1000", ms(1234567890)})
	}
	e.close()
}
