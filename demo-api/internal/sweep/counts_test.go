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
		{"with blanks", " 1, 10 ,100", []int{1, 10, 100}},
		{"doubled", "1,…,8", []int{1, 2, 4, 8}},
		{"doubled, in ASCII", "1,...,8", []int{1, 2, 4, 8}},
		{"the last need not be a double", "1,…,10", []int{1, 2, 4, 8, 10}},
		{"as one writes it", "1,2,4,…,1000", []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000}},
		{"nothing between", "5,…,6", []int{5, 6}},
		{"doubled twice", "1,…,4,8,…,20", []int{1, 2, 4, 8, 16, 20}},
		{"the most", "1000", []int{1000}},
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
		{"empty", "", `"" is no such number`},
		{"blank", " ", `"" is no such number`},
		{"a word", "abc", `"abc" is no such number`},
		{"a word among numbers", "1,abc", `"abc" is no such number`},
		{"none", "0", `"0" is no such number`},
		{"negative", "-1", `"-1" is no such number`},
		{"a sign", "+1", `"+1" is no such number`},
		{"a fraction", "1.5", `"1.5" is no such number`},
		{"one too many", "1,1001", `"1001" is no such number`},
		{"beyond any integer", "99999999999999999999", `"99999999999999999999" is no such number`},
		{"very long: cut", strings.Repeat("9", 5000), `"99999999999999999999" is no such number`},
		{"a comma behind", "1,", `"" is no such number`},
		{"twice the same", "2,2", "2 comes after 2"},
		{"descending", "4,2", "2 comes after 4"},
		{"… first", "…,8", "… has no number before it"},
		{"… last", "1,…", "… has no number behind it"},
		{"… twice", "1,…,...,8", "… has no number before it"},
		{"… of what does not double", "10,20,30,…,100", "… doubles, and 20,30 does not"},
		{"ten thousand", strings.Join(many, ","), "these are more than 100"},
	} {
		_, err := sweep.ParseCounts(tc.in, 1000)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want+"; accepted: up to 100 ascending numbers from 1 to 1000, as in 1,10,100, or doubled between two, as in 1,…,1000") {
			t.Errorf("%s: ParseCounts(%.30q): %v\nwant %s; accepted: …", tc.name, tc.in, err, tc.want)
		}
	}
}

func TestDoubling(t *testing.T) {
	for most, want := range map[int][]int{1: {1}, 2: {1, 2}, 5: {1, 2, 4, 5}} {
		if got, err := sweep.ParseCounts(sweep.Doubling(most), most); err != nil || !slices.Equal(got, want) {
			t.Errorf("ParseCounts(Doubling(%d)) = %v, %v, want %v", most, got, err, want)
		}
	}
}

// What is read ascends within its limits; what is not is an error of bounded length.
func FuzzParseCounts(f *testing.F) {
	for _, seed := range []string{"1", "1,2,4,…,1000", "1,...,7", "…", ",", "0", "1,,2", "9,8", strings.Repeat("9", 99), "\x80,…"} {
		f.Add(seed, 1000)
	}
	f.Fuzz(func(t *testing.T, in string, most int) {
		counts, err := sweep.ParseCounts(in, most)
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("ParseCounts(%q, %d): an error of %d bytes", in, most, len(err.Error()))
			}
			return
		}
		for i, n := range counts {
			if n < 1 || n > most || i > 0 && n <= counts[i-1] {
				t.Errorf("ParseCounts(%q, %d) = %v, want ascending from 1 to %[2]d", in, most, counts)
			}
		}
		if len(counts) == 0 || len(counts) > 100 {
			t.Errorf("ParseCounts(%q, %d): %d counts, want 1 to 100", in, most, len(counts))
		}
	})
}
