package answer_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
)

func TestFilled(t *testing.T) {
	for _, size := range []int64{0, 1, 63, 64, 32 << 10, 32<<10 + 1, 100_000} {
		n := int64(0)
		b := answer.Filled(size)
		for due, part := range b.Parts {
			if due != 0 {
				t.Errorf("Filled(%d): a part is due at %v, want 0", size, due)
			}
			n += int64(len(part))
		}
		if n != size || b.Length != size {
			t.Errorf("Filled(%d) has %d bytes and says %d", size, n, b.Length)
		}
	}
}

func TestLaterMovesEachPart(t *testing.T) {
	b := answer.Body{Length: 2, Parts: func(yield func(time.Duration, []byte) bool) {
		_ = yield(0, []byte("a")) && yield(time.Second, []byte("b"))
	}}
	var due []time.Duration
	for at := range b.Later(5 * time.Second).Parts {
		due = append(due, at)
	}
	if want := []time.Duration{5 * time.Second, 6 * time.Second}; !slices.Equal(due, want) {
		t.Errorf("parts are due at %v, want %v", due, want)
	}
}

func TestLimitedIsNeverFasterThanTheRate(t *testing.T) {
	for _, rate := range []float64{1, 50, 1000, 1e6, 1e12} {
		const size = 5000
		sent, last := 0, time.Duration(0)
		for due, part := range answer.Filled(size).Limited(rate).Parts {
			sent += len(part)
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
	a.Body = a.Body.Later(3 * time.Second)
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
	a := answer.Answer{Status: 200, Body: answer.Filled(1000).Limited(100)}
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
	tells := answer.Body{Length: -1, Parts: func(yield func(time.Duration, []byte) bool) {
		for _, due := range []time.Duration{0, time.Second, 3 * time.Second} {
			if !yield(due, nil) {
				return
			}
			told = append(told, now)
			if !yield(due, []byte("x")) {
				return
			}
		}
	}}
	for name, body := range map[string]answer.Body{"plain": tells, "limited": tells.Limited(1e6), "later": tells.Later(0)} {
		t.Run(name, func(t *testing.T) {
			now, told = 0, nil
			s := answer.Sender{Elapsed: notYet, Sleep: func(due time.Duration) error { now = due.Truncate(time.Second); return nil }}
			rec := httptest.NewRecorder()
			if err := s.Send(rec, httptest.NewRequest("GET", "/", nil), answer.Answer{Status: 200, Body: body}); err != nil {
				t.Fatal(err)
			}
			if want := []time.Duration{0, time.Second, 3 * time.Second}; !slices.Equal(told, want) || rec.Body.String() != "xxx" {
				t.Errorf("the parts were made at %v and are %q, want %v and xxx", told, rec.Body, want)
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
	body := answer.Body{Length: -1, Parts: func(yield func(time.Duration, []byte) bool) {
		_ = yield(0, []byte("a")) && yield(0, []byte("b"))
	}}
	s := answer.Sender{Elapsed: notYet}
	_ = s.Send(rec, httptest.NewRequest("GET", "/", nil), answer.Answer{Status: 200, Body: body, Fault: answer.Truncate})
}

// notYet is a clock by which nothing is due but what is due at once.
func notYet() time.Duration { return 0 }
