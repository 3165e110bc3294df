package exercise

import "testing"

func TestParse(t *testing.T) {
	for _, tc := range []struct{ run, name, exercise, try string }{
		{"anna.retry.k3", "anna", "retry", "k3"},
		{"anna.retry-after.1", "anna", "retry-after", "1"},
		{"anna.b.retry.1", "anna.b", "retry", "1"},
		{"<b>.retry.1", "<b>", "retry", "1"},
		{"anna", "anna", "", ""},
		{"anna.retry", "anna.retry", "", ""},
		{"anna.retry.", "anna.retry.", "", ""},
		{"anna.retri.1", "anna.retri.1", "", ""},
		{".retry.1", ".retry.1", "", ""},
		{"retry.1", "retry.1", "", ""},
		{"anna.retry.1.2", "anna.retry.1.2", "", ""},
		{"", "", "", ""},
	} {
		name, exercise, try := Default().Parse(tc.run)
		if name != tc.name || exercise != tc.exercise || try != tc.try {
			t.Errorf("%q: got %q, %q, %q, want %q, %q, %q", tc.run, name, exercise, try, tc.name, tc.exercise, tc.try)
		}
	}
}
