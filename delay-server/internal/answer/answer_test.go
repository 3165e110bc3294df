package answer_test

import (
	"bytes"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/problem"
)

// of returns a body of the parts, of unknown length.
func of(parts ...answer.Part) answer.Body {
	return answer.Body{Length: -1, Open: func() func() (answer.Part, bool) {
		i := -1
		return func() (answer.Part, bool) {
			if i++; i >= len(parts) {
				return answer.Part{}, false
			}
			return parts[i], true
		}
	}}
}

// all opens b and returns its parts one by one.
func all(b answer.Body) iter.Seq[answer.Part] {
	return func(yield func(answer.Part) bool) {
		next := b.Parts()
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
				t.Errorf("Padding(%d): a part of %d bytes is due at %v, want some at 0", size, len(part.Bytes), part.Due)
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

func TestDelayedMovesEachPart(t *testing.T) {
	b := of(answer.Part{Bytes: []byte("a")}, answer.Part{Due: time.Second, Bytes: []byte("b")})
	var due []time.Duration
	for part := range all(b.Delayed(5 * time.Second)) {
		due = append(due, part.Due)
	}
	if want := []time.Duration{5 * time.Second, 6 * time.Second}; !slices.Equal(due, want) {
		t.Errorf("parts are due at %v, want %v", due, want)
	}
}

func TestThrottledIsNeverFasterThanTheRate(t *testing.T) {
	for _, rate := range []float64{1, 50, 1000, 1e6, 1e12} {
		const size = 5000
		sent, last := 0, time.Duration(0)
		for part := range all(answer.Padding(size).Throttled(rate)) {
			due := part.Due
			sent += len(part.Bytes)
			least := time.Duration(float64(sent) / rate * float64(time.Second))
			if due < least || due > least+time.Millisecond {
				t.Fatalf("at %v bytes a second, %d bytes are due at %v, want %v", rate, sent, due, least)
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

func TestSendSleepsUntilEachPartIsDue(t *testing.T) {
	var slept []time.Duration
	s := answer.Sender{Elapsed: notYet, Sleep: func(due time.Duration) error { slept = append(slept, due); return nil }}
	rec := httptest.NewRecorder()
	a := answer.Answer{Status: 200}
	a.Flash(time.Second)
	a.Body = a.Body.Delayed(3 * time.Second)
	if err := s.Send(rec, httptest.NewRequest("GET", "/", nil), a); err != nil {
		t.Fatal(err)
	}
	if want := []time.Duration{3 * time.Second}; !slices.Equal(slept, want) {
		t.Errorf("slept until %v, want %v", slept, want)
	}
	if want := `{"status":200,"message":"Mock response from Flash","delay":"1000 ms"}`; rec.Body.String() != want {
		t.Errorf("got %s, want %s", rec.Body, want)
	}
}

func TestSendEndsWhereTheSleepDoes(t *testing.T) {
	gone := errors.New("gone")
	s := answer.Sender{Elapsed: notYet, Sleep: func(due time.Duration) error {
		if due > time.Second {
			return gone
		}
		return nil
	}}
	rec := httptest.NewRecorder()
	a := answer.Answer{Status: 200, Body: answer.Padding(1000).Throttled(100)}
	if err := s.Send(rec, httptest.NewRequest("GET", "/", nil), a); !errors.Is(err, gone) {
		t.Errorf("got %v, want %v", err, gone)
	}
	if n := rec.Body.Len(); n != 100 || !bytes.HasPrefix(rec.Body.Bytes(), []byte("0123456789")) {
		t.Errorf("%d bytes came in the first second at 100 a second, want 100", n)
	}
}

// An empty part is a wait alone, with a rate too.
func TestAnEmptyPartIsAWaitAlone(t *testing.T) {
	now := time.Duration(0)
	var told []time.Duration
	dues := []time.Duration{0, time.Second, 3 * time.Second}
	tells := answer.Body{Length: -1, Open: func() func() (answer.Part, bool) {
		i := -1
		return func() (answer.Part, bool) {
			i++
			switch {
			case i == 2*len(dues):
				return answer.Part{}, false
			case i%2 == 0:
				return answer.Part{Due: dues[i/2]}, true
			}
			told = append(told, now)
			return answer.Part{Due: dues[i/2], Bytes: []byte("x")}, true
		}
	}}
	for name, body := range map[string]answer.Body{"plain": tells, "throttled": tells.Throttled(1e6), "delayed": tells.Delayed(0)} {
		t.Run(name, func(t *testing.T) {
			now, told = 0, nil
			s := answer.Sender{Elapsed: notYet, Sleep: func(due time.Duration) error { now = due.Truncate(time.Second); return nil }}
			rec := httptest.NewRecorder()
			if err := s.Send(rec, httptest.NewRequest("GET", "/", nil), answer.Answer{Status: 200, Body: body}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(told, dues) || rec.Body.String() != "xxx" {
				t.Errorf("the parts were made at %v and are %q, want %v and xxx", told, rec.Body, dues)
			}
		})
	}
}

// A body that promises no length is cut by what its parts are, and by its end.
func TestTruncateOfNoLengthSendsAllPartsAndNoEnd(t *testing.T) {
	rec := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler || rec.Body.String() != "ab" {
			t.Errorf("got the body %q and the panic %v, want ab and %v", rec.Body, p, http.ErrAbortHandler)
		}
	}()
	body := of(answer.Part{Bytes: []byte("a")}, answer.Part{Bytes: []byte("b")})
	s := answer.Sender{Elapsed: notYet}
	_ = s.Send(rec, httptest.NewRequest("GET", "/", nil), answer.Answer{Status: 200, Body: body, Fault: answer.Truncate})
}

// Constant plans are shared: a body is opened by many requests at a time.
func TestOpenedTwiceABodyIsTheSame(t *testing.T) {
	for name, b := range map[string]answer.Body{
		"whole":     {Whole: bytes.Repeat([]byte("x"), 100_000)},
		"padding":   answer.Padding(100_000),
		"delayed":   answer.Padding(100_000).Delayed(time.Second),
		"throttled": answer.Padding(5000).Throttled(1e5),
	} {
		t.Run(name, func(t *testing.T) {
			one, other := b.Parts(), b.Parts()
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
	busy := problem.New(429, "a < b & %q", "c")
	busy.RetryAfter, busy.Call = 1200*time.Millisecond, "a"
	for _, p := range []*problem.Problem{busy, problem.New(503, "full"), problem.New(404, "nothing is there"), problem.New(599, "")} {
		want, got := httptest.NewRecorder(), httptest.NewRecorder()
		for _, rec := range []*httptest.ResponseRecorder{want, got} {
			rec.Header().Set("Retry-After", "x")
			rec.Header().Set("X-A", "stays")
		}
		if err := p.Write(want); err != nil {
			t.Fatal(err)
		}
		s := answer.Sender{Elapsed: notYet}
		if err := s.Send(got, httptest.NewRequest("GET", "/", nil), answer.FromProblem(p)); err != nil {
			t.Fatal(err)
		}
		if got.Code != want.Code || !reflect.DeepEqual(got.Header(), want.Header()) || got.Body.String() != want.Body.String() {
			t.Errorf("%d: got %d %v %s, want %d %v %s", p.Status, got.Code, got.Header(), got.Body, want.Code, want.Header(), want.Body)
		}
	}
}

// notYet is a clock by which nothing is due but what is due at once.
func notYet() time.Duration { return 0 }
