package gate_test

import (
	"errors"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
)

func TestRateLimiter(t *testing.T) {
	r := gate.NewRateLimiter(2, 3) // one every 500ms, after three
	begin := time.Unix(0, 0)
	for _, tc := range []struct {
		name  string
		at    time.Duration
		after time.Duration // 0 if admitted
	}{
		{"first of the burst", 0, 0},
		{"second of the burst", 0, 0},
		{"third of the burst", 0, 0},
		{"one too many", 0, 500 * time.Millisecond},
		{"refused requests do not count", 0, 500 * time.Millisecond},
		{"too early", 400 * time.Millisecond, 100 * time.Millisecond},
		{"in time", 500 * time.Millisecond, 0},
		{"none is left", 500 * time.Millisecond, 500 * time.Millisecond},
		{"after a pause, first of a burst", time.Minute, 0},
		{"after a pause, second", time.Minute, 0},
		{"after a pause, third", time.Minute, 0},
		{"after a pause, no more than a burst", time.Minute, 500 * time.Millisecond},
	} {
		err := r.Enter(begin.Add(tc.at))
		var over *gate.RateError
		switch {
		case tc.after == 0 && err != nil:
			t.Errorf("%s: Enter(%v) = %v, want it admitted", tc.name, tc.at, err)
		case tc.after > 0 && (!errors.As(err, &over) || (over.After-tc.after).Abs() > time.Microsecond):
			t.Errorf("%s: Enter(%v) = %#v, want After %v", tc.name, tc.at, err, tc.after)
		}
	}
}

func TestNilRateLimiter(t *testing.T) {
	var r *gate.RateLimiter
	for range 100 {
		if err := r.Enter(time.Unix(0, 0)); err != nil {
			t.Fatalf("Enter of a nil RateLimiter: %v", err)
		}
	}
}
