package answer_test

import (
	"bytes"
	"iter"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/kit/problem"
)

// of returns a body of unknown length with the parts.
func of(parts ...answer.Part) answer.Body {
	return answer.Body{Length: -1, Open: func(func() time.Time) func() (answer.Part, bool) {
		i := -1
		return func() (answer.Part, bool) {
			if i++; i >= len(parts) {
				return answer.Part{}, false
			}
			return parts[i], true
		}
	}}
}

// all returns the parts of b.
func all(b answer.Body) iter.Seq[answer.Part] {
	return func(yield func(answer.Part) bool) {
		next := b.Parts(time.Now)
		for part, ok := next(); ok && yield(part); part, ok = next() {
		}
	}
}

func TestPadding(t *testing.T) {
	for _, size := range []int64{0, 1, 63, 64, 32 << 10, 32<<10 + 1, 100_000} {
		n := int64(0)
		b := answer.Padding(size)
		for part := range all(b) {
			if part.Due != 0 || len(part.Bytes) == 0 {
				t.Errorf("Padding(%d): a part of %d bytes is due at %v, want some at 0", size, len(part.Bytes),
					part.Due)
			}
			n += int64(len(part.Bytes))
		}
		if n != size || b.Size() != size {
			t.Errorf("Padding(%d) has %d bytes and says %d", size, n, b.Size())
		}
	}
}

func TestWholeComesInBlocks(t *testing.T) {
	whole := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, n := range []int{0, 1, 32 << 10, 32<<10 + 1, len(whole)} {
		var got []byte
		b := answer.Body{Whole: whole[:n]}
		for part := range all(b) {
			if part.Due != 0 || len(part.Bytes) == 0 || len(part.Bytes) > 32<<10 {
				t.Errorf("%d bytes: a part of %d is due at %v", n, len(part.Bytes), part.Due)
			}
			got = append(got, part.Bytes...)
		}
		if !bytes.Equal(got, whole[:n]) || b.Size() != int64(n) {
			t.Errorf("%d bytes: got %d, and a size of %d", n, len(got), b.Size())
		}
	}
}

func TestDelayedParts(t *testing.T) {
	b := of(answer.Part{Bytes: []byte("a")}, answer.Part{Due: time.Second, Bytes: []byte("b")})
	var due []time.Duration
	for part := range all(b.Delayed(5 * time.Second)) {
		due = append(due, part.Due)
	}
	if want := []time.Duration{5 * time.Second, 6 * time.Second}; !slices.Equal(due, want) {
		t.Errorf("parts are due at %v, want %v", due, want)
	}
}

func TestThrottledRate(t *testing.T) {
	for _, rate := range []float64{1, 50, 1000, 1e6, 1e12} {
		const size = 5000
		sent, last := 0, time.Duration(0)
		for part := range all(answer.Padding(size).Throttled(rate)) {
			due := part.Due
			sent += len(part.Bytes)
			minDue := time.Duration(float64(sent) / rate * float64(time.Second))
			if due < minDue || due > minDue+time.Millisecond {
				t.Fatalf("at %v bytes a second, %d bytes are due at %v, want %v", rate, sent, due, minDue)
			}
			if due < last {
				t.Fatalf("a part is due at %v, after one at %v", due, last)
			}
			last = due
		}
		if sent != size {
			t.Errorf("at %v bytes a second, %d bytes came, want %d", rate, sent, size)
		}
	}
}

func TestDelayedWhole(t *testing.T) {
	a := answer.Answer{Status: 200}
	a.Flash(time.Second)
	parts := slices.Collect(all(a.Body.Delayed(3 * time.Second)))
	const want = `{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}`
	if len(parts) != 1 || parts[0].Due != 3*time.Second || string(parts[0].Bytes) != want {
		t.Errorf("got %d parts, %s, want %s in one after 3s", len(parts), parts, want)
	}
}

func TestThrottledFirstSecond(t *testing.T) {
	var came []byte
	for part := range all(answer.Padding(1000).Throttled(100)) {
		if part.Due <= time.Second {
			came = append(came, part.Bytes...)
		}
	}
	if len(came) != 100 || !bytes.HasPrefix(came, []byte("0123456789")) {
		t.Errorf("%d bytes came in the first second at 100 a second, want 100", len(came))
	}
}

// An empty part only waits, with a rate too.
func TestEmptyParts(t *testing.T) {
	now := time.Duration(0)
	var made []time.Duration
	dues := []time.Duration{0, time.Second, 3 * time.Second}
	tells := answer.Body{Length: -1, Open: func(func() time.Time) func() (answer.Part, bool) {
		i := -1
		return func() (answer.Part, bool) {
			i++
			switch {
			case i == 2*len(dues):
				return answer.Part{}, false
			case i%2 == 0:
				return answer.Part{Due: dues[i/2]}, true
			}
			made = append(made, now)
			return answer.Part{Due: dues[i/2], Bytes: []byte("x")}, true
		}
	}}
	for name, body := range map[string]answer.Body{"plain": tells, "throttled": tells.Throttled(1e6),
		"delayed": tells.Delayed(0)} {
		t.Run(name, func(t *testing.T) {
			now, made = 0, nil
			var got []byte
			for part := range all(body) {
				now = max(now, part.Due.Truncate(time.Second))
				got = append(got, part.Bytes...)
			}
			if !slices.Equal(made, dues) || string(got) != "xxx" {
				t.Errorf("the parts were made at %v and are %q, want %v and xxx", made, got, dues)
			}
		})
	}
}

// A body can be opened by many requests at a time.
func TestPartsTwice(t *testing.T) {
	for name, b := range map[string]answer.Body{
		"whole":     {Whole: bytes.Repeat([]byte("x"), 100_000)},
		"padding":   answer.Padding(100_000),
		"delayed":   answer.Padding(100_000).Delayed(time.Second),
		"throttled": answer.Padding(5000).Throttled(1e5),
	} {
		t.Run(name, func(t *testing.T) {
			one, other := b.Parts(time.Now), b.Parts(time.Now)
			for i := 0; ; i++ {
				p, ok := one()
				q, also := other()
				if p.Due != q.Due || !bytes.Equal(p.Bytes, q.Bytes) || ok != also {
					t.Fatalf("part %d: got %v at %v, and %v at %v", i, ok, p.Due, also, q.Due)
				}
				if !ok {
					return
				}
			}
		})
	}
}

func TestFromProblemSendsWhatWriteDoes(t *testing.T) {
	busy := problem.RateLimited.New("a < b & %q", "c")
	busy.RetryAfter, busy.Call = 1200*time.Millisecond, "a"
	for _, p := range []*problem.Problem{busy, problem.PoolFull.New("full"), problem.NotFound.New("no such path"),
		{Status: 599}} {
		want := httptest.NewRecorder()
		want.Header().Set("Retry-After", "x")
		want.Header().Set("X-A", "stays")
		got := want.Header().Clone()
		if err := p.Write(want); err != nil {
			t.Fatal(err)
		}
		a := answer.FromProblem(p)
		a.SetHeader(got)
		got.Set("Content-Length", strconv.FormatInt(a.Body.Size(), 10)) // as the sender sets it
		if a.Status != want.Code || !reflect.DeepEqual(got, want.Header()) ||
			string(a.Body.Whole) != want.Body.String() {
			t.Errorf("%d: got %d %v %s, want %d %v %s", p.Status, a.Status, got, a.Body.Whole, want.Code, want.Header(),
				want.Body)
		}
	}
}
