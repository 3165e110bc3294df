package drive

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestTally(t *testing.T) {
	const ms = time.Millisecond
	a, b := NewTally(), NewTally()
	for i := range 100 {
		took := 100*ms + time.Duration(i+1)*ms
		a.Answer(100*ms, took, took)
	}
	b.Answer(100*ms, 99*ms, 150*ms) // connecting took long, and then it was early
	b.Fail(errors.New("first"))
	b.Fail(errors.New("second"))
	b.Held = 3
	a.Merge(b)
	for p, want := range map[float64]time.Duration{50: 50 * ms, 99: 99 * ms, 100: 100 * ms} {
		if got := a.Percentile(p); got < want*998/1000 || got > want*1002/1000 {
			t.Errorf("Percentile(%v) = %v, want %v to three digits", p, got, want)
		}
	}
	if a.Answers != 101 || a.Early != 1 || a.WorstEarly != ms || a.Errors != 2 || a.FirstError != "first" || a.Held != 3 {
		t.Errorf("merged: %d answers, %d early by %v, %d errors (%s), %d held", a.Answers, a.Early, a.WorstEarly, a.Errors, a.FirstError, a.Held)
	}
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	q := newQueue(3)
	for round := range 5 {
		for i := range 3 {
			q.push(round + i)
		}
		for i := range 3 {
			if got, ok := q.pop(); !ok || got != round+i {
				t.Fatalf("pop() = %d, %t; want %d", got, ok, round+i)
			}
		}
		if _, ok := q.pop(); ok {
			t.Fatal("pop() of an empty queue")
		}
	}
}

func TestParseWrk(t *testing.T) {
	const plain = `Running 1s test @ http://127.0.0.1:1/delay/0
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.34ms    1.96ms  37.62ms   92.86%
    Req/Sec    37.99k     6.18k   50.65k    65.00%
  75891 requests in 1.01s, 14.62MB read
`
	const rate = "Requests/sec:  75127.30\nTransfer/sec:     14.47MB\n"
	for _, tc := range []struct {
		name, out       string
		answers, errors int64
		perSecond       float64 // wrk's, less those that are no answers
		ok              bool
	}{
		{"all well", plain + rate, 75891, 0, 75127.30, true},
		{"other statuses", plain + "  Non-2xx or 3xx responses: 91\n" + rate, 75800, 91, 75037.22, true},
		{"errors of sockets", plain + "  Socket errors: connect 1, read 2, write 3, timeout 4\n" + rate, 75891, 10, 75127.30, true},
		{"both", plain + "  Socket errors: connect 0, read 2, write 0, timeout 0\n  Non-2xx or 3xx responses: 1\n" + rate, 75890, 3, 75126.31, true},
		{"no end", plain, 0, 0, 0, false},
		{"nothing", "", 0, 0, 0, false},
	} {
		tally, perSecond, err := parseWrk(tc.out)
		switch {
		case (err == nil) != tc.ok:
			t.Errorf("parseWrk, %s: error %v", tc.name, err)
		case tc.ok && (tally.Answers != tc.answers || tally.Errors != tc.errors || math.Abs(perSecond-tc.perSecond) > 0.01):
			t.Errorf("parseWrk, %s: %d answers, %d errors, %.2f a second; want %d, %d, %.2f", tc.name, tally.Answers, tally.Errors, perSecond, tc.answers, tc.errors, tc.perSecond)
		}
	}
}
