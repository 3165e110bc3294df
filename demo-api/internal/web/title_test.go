package web_test

import (
	"testing"

	"flash.test/demo-api/internal/web"
)

func TestConcurrentTitle(t *testing.T) {
	for _, tc := range []struct {
		name         string
		calls, limit int
		want         string
	}{
		{"no limit", 20, 0, "All at once"},
		{"a limit as high as calls", 20, 20, "All at once"},
		{"no calls", 0, 5, "All at once"},
		{"one", 2, 1, "One at a time"},
		{"two", 3, 2, "Two at once"},
		{"ten", 20, 10, "Ten at once"},
		{"above ten", 20, 11, "11 at once"},
	} {
		if got := web.ConcurrentTitle(tc.calls, tc.limit); got != tc.want {
			t.Errorf("%s: ConcurrentTitle(%d, %d) = %q, want %q", tc.name, tc.calls, tc.limit, got, tc.want)
		}
	}
}
