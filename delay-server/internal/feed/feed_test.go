package feed

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"
)

// serve serves f at /KEY and returns its URL.
func serve(t *testing.T, f *Feed) string {
	e := echo.New()
	e.GET("/:key", func(c echo.Context) error {
		err := f.Serve(c, c.Param("key"))
		if p, ok := errors.AsType[*problem.Problem](err); ok {
			return c.String(p.Status, p.Detail)
		}
		return err
	})
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	t.Cleanup(f.Close)
	return server.URL
}

// view opens a stream, whose lines it returns.
func view(t *testing.T, ctx context.Context, url string) *bufio.Scanner {
	t.Helper()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return bufio.NewScanner(response.Body)
}

// state returns the data of the next event.
func state(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			return data
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return ""
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func TestViewersShareStates(t *testing.T) {
	var made, value atomic.Int64
	f := New(Limits{10, 10}, time.Millisecond, func(key string) any {
		made.Add(1)
		return map[string]any{"key": key, "value": value.Load()}
	})
	url := serve(t, f)
	if made.Load() != 0 {
		t.Fatal("a state was made without a viewer")
	}
	ctx, leave := context.WithCancel(t.Context())
	a, b := view(t, ctx, url+"/a"), view(t, ctx, url+"/b")
	if got := state(t, a); got != `{"key":"a","value":0}` {
		t.Errorf("first state: got %s", got)
	}
	value.Store(1)
	for name, lines := range map[string]*bufio.Scanner{"a": a, "b": b} {
		for want := `{"key":"` + name + `","value":1}`; state(t, lines) != want; {
		}
	}
	leave()
	eventually(t, "the viewers have left", func() bool { return f.open() == 0 })
	eventually(t, "no state is made without a viewer", func() bool {
		before := made.Load()
		time.Sleep(20 * time.Millisecond)
		return made.Load() == before
	})
}

// approximate is a state that is sent if its tens change.
type approximate int

func (a approximate) Same(before any) bool { return a/10 == before.(approximate)/10 }

func TestAStateThatIsTheSameIsNotSent(t *testing.T) {
	var value atomic.Int64
	f := New(Limits{10, 10}, time.Millisecond, func(string) any { return approximate(value.Add(1)) })
	lines := view(t, t.Context(), serve(t, f)+"/a")
	for _, want := range []string{"1", "10", "20", "30"} {
		if got := state(t, lines); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// writer is the response of a viewer. It notes when it is written to.
type writer struct {
	httptest.ResponseRecorder
	begin time.Time
	times []time.Duration // of the events after the first
}

func (w *writer) Write(b []byte) (int, error) {
	if w.Body == nil {
		w.Body = new(bytes.Buffer)
	} else if bytes.HasPrefix(b, []byte("event")) {
		w.times = append(w.times, time.Since(w.begin))
	}
	return len(b), nil
}

// Viewers write one after the other, in turns that repeat after half an interval.
func TestViewersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var value atomic.Int64
		const interval = 10 * time.Millisecond
		f := New(Limits{10, 10}, interval, func(string) any { return value.Load() })
		var viewers []*writer
		var served sync.WaitGroup
		begin := time.Now()
		for range 4 {
			w := &writer{begin: begin}
			viewers = append(viewers, w)
			c := echo.New().NewContext(httptest.NewRequest("GET", "/", nil).WithContext(t.Context()), w)
			served.Go(func() { _ = f.Serve(c, "a") })
			synctest.Wait()
		}
		value.Store(1)
		time.Sleep(2 * interval)
		f.Close()
		served.Wait()
		for i, after := range []time.Duration{0, 2, 4, 1} { // 6 is 1 beyond half an interval
			if want := interval + after*time.Millisecond; !slices.Equal(viewers[i].times, []time.Duration{want}) {
				t.Errorf("viewer %d wrote at %v, want %v", i, viewers[i].times, want)
			}
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	f := New(Limits{1, 1}, time.Millisecond, func(string) any { return 1 })
	lines := view(t, t.Context(), serve(t, f)+"/a")
	state(t, lines)
	f.Close()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream: got %v, want its end", err)
	}
}

// open returns the number of open streams.
func (f *Feed) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.viewers)
}
