package spelling_test

import (
	"strings"
	"testing"

	"flash.test/delay-server/kit/spelling"
)

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 runs": spelling.Count(0, "run"), "1 retry": spelling.Count(1, "retry"),
		"2 retries": spelling.Count(2, "retry"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"status", "size", "rate", "run", "db"}
	for _, tc := range []struct{ name, word, want string }{
		{"known word", "status", ""},
		{"known word similar to another", "rate", ""},
		{"letters swapped", "stauts", "status"},
		{"letter omitted", "staus", "status"},
		{"letter added", "sizes", "size"},
		{"letter replaced", "sixe", "size"},
		{"letters swapped at the end", "statsu", "status"},
		{"two typing errors", "sttaus2", ""},
		{"unrelated word", "utm_source", ""},
		{"cache buster", "_", ""},
		{"similar to a word of two characters", "cb", ""},
		{"its characters swapped", "bd", "db"},
		{"empty", "", ""},
		{"10 kB", strings.Repeat("status", 2000), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := spelling.Suggest(tc.word, known); got != tc.want {
				t.Errorf("Suggest(%q) = %q, want %q", tc.word, got, tc.want)
			}
		})
	}
}

func TestQuote(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"short", "abc", `"abc"`},
		{"control characters are made visible", "a\r\nb", `"a\r\nb"`},
		{"long", strings.Repeat("x", 1000), `"` + strings.Repeat("x", 80) + `"… (1000 bytes)`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := spelling.Quote(tc.in); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
