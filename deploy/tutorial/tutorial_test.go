package tutorial

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Each app has an excerpt for each step. Step 2 has one for each way.
func TestExcerpts(t *testing.T) {
	for _, app := range Apps {
		var got []string
		for _, e := range app.Excerpts() {
			got = append(got, fmt.Sprint(e.Step, e.Way))
			if e.Caption == "" || e.Source == "" || strings.HasPrefix(e.Source, " ") {
				t.Errorf("%s: excerpt %+v: want a caption, and a source without indentation", app.Title, e)
			}
		}
		want := []string{"1", "2one after another", "2all at once", "3", "4"}
		if app.Language == "python" { // two decorated functions
			want = slices.Concat([]string{"1one after another", "1all at once"}, want[1:])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got excerpts %q, want %q", app.Title, got, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	app := App{Source: `
class App {
    // Step 2, all at once: the waits overlap.
    static int all() {

        return 1;
    }

    static int other() {
`}
	want := Excerpt{2, "all at once", "the waits overlap.", "static int all() {\n\n    return 1;\n}"}
	if got := app.Excerpts(); len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
