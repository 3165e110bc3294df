package answer_test

import (
	"testing"
	"time"

	"flash.test/delay-server/internal/answer"
)

func TestTiming(t *testing.T) {
	const omitted = answer.Omitted
	for _, tc := range []struct {
		name   string
		timing answer.Timing
		want   string
	}{
		{"a plain wait", answer.Timing{Asked: time.Second, Queued: omitted, Held: omitted,
			Waited: 1000210 * time.Microsecond, Real: omitted}, "asked;dur=1000, waited;dur=1000.21"},
		{"a cut sample", answer.Timing{Asked: time.Second, Cut: true, Queued: omitted, Held: omitted,
			Waited: time.Second, Real: omitted}, `asked;dur=1000;desc="cut at MAX_DELAY", waited;dur=1000`},
		{"all zero", answer.Timing{}, "asked;dur=0, queued;dur=0, held;dur=0, waited;dur=0, real;dur=0"},
	} {
		if got := string(tc.timing.Append([]byte("<"))); got != "<"+tc.want {
			t.Errorf("%s: Append = %s, want <%s", tc.name, got, tc.want)
		}
	}
}
