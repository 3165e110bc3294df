package sweep_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flash.test/demo-api/internal/sweep"
)

func TestParseCounts(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		want     []int
	}{
		{"one", "7", []int{7}},
		{"a list", "1,10,100", []int{1, 10, 100}},
		{"with spaces", " 1, 10 ,100", []int{1, 10, 100}},
		{"doubled", "1,…,8", []int{1, 2, 4, 8}},
		{"doubled, in ASCII", "1,...,8", []int{1, 2, 4, 8}},
		{"the last is not a double", "1,…,10", []int{1, 2, 4, 8, 10}},
		{"two doubles, then …", "1,2,4,…,1000", []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000}},
		{"nothing between", "5,…,6", []int{5, 6}},
		{"doubled twice", "1,…,4,8,…,20", []int{1, 2, 4, 8, 16, 20}},
		{"the maximum", "1000", []int{1000}},
	} {
		if got, err := sweep.ParseCounts(tc.in, 1000); err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: ParseCounts(%q) = %v, %v, want %v", tc.name, tc.in, got, err, tc.want)
		}
	}
}

func TestBadCounts(t *testing.T) {
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprint(i + 1)
	}
	for _, tc := range []struct{ name, in, want string }{
		{"empty", "", `"" is invalid`},
		{"blank", " ", `"" is invalid`},
		{"a word", "abc", `"abc" is invalid`},
		{"a word among numbers", "1,abc", `"abc" is invalid`},
		{"zero", "0", `"0" is invalid`},
		{"negative", "-1", `"-1" is invalid`},
		{"a sign", "+1", `"+1" is invalid`},
		{"a fraction", "1.5", `"1.5" is invalid`},
		{"above the maximum", "1,1001", `"1001" is invalid`},
		{"above any integer", "99999999999999999999", `"99999999999999999999" is invalid`},
		{"long numbers are shortened", strings.Repeat("9", 5000), `"99999999999999999999" is invalid`},
		{"a final comma", "1,", `"" is invalid`},
		{"twice the same", "2,2", "2 after 2 is invalid"},
		{"descending", "4,2", "2 after 4 is invalid"},
		{"… first", "…,8", "… has no number before it"},
		{"… last", "1,…", "… has no number after it"},
		{"… twice", "1,…,...,8", "… has no number before it"},
		{"… after no double", "10,20,30,…,100", "… doubles, but 20,30 does not"},
		{"ten thousand", strings.Join(many, ","), "more than 100 numbers"},
	} {
		_, err := sweep.ParseCounts(tc.in, 1000)
		want := tc.want + "; use up to 100 ascending numbers from 1 to 1000, such as 1,10,100 or 1,…,1000"
		if err == nil || err.Error() != want {
			t.Errorf("%s: ParseCounts(%.30q): %v\nwant %s", tc.name, tc.in, err, want)
		}
	}
}

func TestDoubling(t *testing.T) {
	for max, want := range map[int][]int{1: {1}, 2: {1, 2}, 5: {1, 2, 4, 5}} {
		if got, err := sweep.ParseCounts(sweep.Doubling(max), max); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseCounts(Doubling(%d)) = %v, %v, want %v", max, got, err, want)
		}
	}
}

// The counts ascend within the limits, or the error is short.
func FuzzParseCounts(f *testing.F) {
	for _, seed := range []string{
		"1", "1,2,4,…,1000", "1,...,7", "…", ",", "0", "1,,2", "9,8", strings.Repeat("9", 99), "\x80,…",
	} {
		f.Add(seed, 1000)
	}
	f.Fuzz(func(t *testing.T, in string, max int) {
		counts, err := sweep.ParseCounts(in, max)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("ParseCounts(%q, %d): an error of %d bytes", in, max, len(err.Error()))
			}
			return
		}
		for i, n := range counts {
			if n < 1 || n > max || i > 0 && n <= counts[i-1] {
				t.Errorf("ParseCounts(%q, %d) = %v, want ascending from 1 to %[2]d", in, max, counts)
			}
		}
		if len(counts) == 0 || len(counts) > 100 {
			t.Errorf("ParseCounts(%q, %d): %d counts, want 1 to 100", in, max, len(counts))
		}
	})
}
