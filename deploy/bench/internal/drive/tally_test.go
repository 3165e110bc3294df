package drive

import (
	"errors"
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
	if a.Answers != 101 || a.Early != 1 || a.WorstEarly != ms || a.Errors != 2 ||
		a.FirstError != "first" || a.Held != 3 {
		t.Errorf("merged: %d answers, %d early by %v, %d errors (%s), %d held", a.Answers, a.Early, a.WorstEarly,
			a.Errors, a.FirstError, a.Held)
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
