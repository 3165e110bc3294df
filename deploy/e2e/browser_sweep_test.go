package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// swept is a JavaScript expression: the button starts a sweep, so none is running.
const swept = `document.querySelector("#form button").textContent === "Sweep"`

// points is a JavaScript expression: the number of points in the chart.
func points(way string) string {
	return `document.querySelectorAll("#chart .mark.` + way + `").length`
}

func TestSweepInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 900),
		chromedp.Navigate(base+"/sweep?calls=1,...,8,1000&delay=150&limit=100"))
	picture(t, tab, "sweep-before")

	const box = `(() => { const { top, height } = document.querySelector("#chart").getBoundingClientRect();
		return [top + scrollY, height]; })()`
	do(t, tab, chromedp.Evaluate[chromedp.Void]("drawChart()")) // the event of the last resize may be yet to come
	before := evaluate[[]float64](t, tab, box)
	do(t, tab, chromedp.Click("#form button"), until(points("concurrent")+" >= 2"))
	if got := evaluate[[]float64](t, tab, box); !slices.Equal(got, before) {
		t.Errorf("the chart's top and height are %v before the sweep and %v while it runs", before, got)
	}
	if evaluate[bool](t, tab, swept) {
		t.Error("after two points of five: the button says Sweep, want Stop")
	}
	do(t, tab, until(swept))
	for way, want := range map[string]int{"sequential": 4, "concurrent": 5} {
		if got := evaluate[int](t, tab, points(way)); got != want {
			t.Errorf("the chart has %d points of %s, want %d: 1000 calls of 150 ms in turn are over the budget", got,
				way, want)
		}
	}
	rows := evaluate[[][]string](t, tab,
		`[...document.querySelectorAll("#figures tbody tr")]
			.map((row) => [...row.cells].map((cell) => cell.textContent))`)
	for i, calls := range []string{"1", "2", "4", "8", "1000"} {
		minInTurn := []time.Duration{150, 300, 600, 1200, 150_000}[i] * time.Millisecond
		turn := inSeconds(t, strings.TrimPrefix(rows[i][1], "≈ "))
		if rows[i][0] != calls || turn < minInTurn || strings.HasPrefix(rows[i][1], "≈") != (calls == "1000") ||
			inSeconds(t, rows[i][2]) < 150*time.Millisecond {
			t.Errorf("row %d is %q, want %s calls, %v or more in turn, 150ms or more at once", i,
				rows[i], calls, minInTurn)
		}
	}
	if at := inSeconds(t, rows[4][2]); at < 1500*time.Millisecond {
		t.Errorf("1000 calls at once, 100 in flight: %v, want 1.5s or more", at)
	}
	if said := text(t, tab, "#result"); !strings.Contains(said, "At most 100 at once, 1000 calls took "+rows[4][2]) ||
		!strings.Contains(said, "From 1000 calls on, at most 100 at once is no longer flat.") {
		t.Errorf("the page says %q of %q", said, rows)
	}
	picture(t, tab, "sweep-after")

	do(t, tab, chromedp.SetValue("#delay", "20s"), chromedp.Click("#form button"),
		until(`document.querySelector("#now").textContent.includes("0 of 5 measured")`))
	do(t, tab, chromedp.Click("#form button"), until(swept))
	if said := text(t, tab, "#result"); said != "Stopped after 0 of 5." {
		t.Errorf("stopped, the page says %q", said)
	}
	// The calls end when the test says so, until there are three points.
	steer, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Eventually(t, "the call of the stopped sweep has ended", func() bool {
		clock, err := steer.Clock(t.Context())
		return err == nil && clock.Waiting == 0
	})
	if _, err := steer.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, tab, chromedp.SetValue("#delay", "50"), chromedp.Click("#form button"))
	for _, waiting := range []int{1, 1, 1, 1, 2, 1, 1, 1, 1, 4} { // 1, 2 and 4 calls, in both ways
		if _, err := steer.AwaitClock(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		if _, err := steer.Advance(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	do(t, tab, until(points("concurrent")+" === 3"))
	do(t, tab, chromedp.Click("#form button"), until(swept))
	if said := text(t, tab, "#result"); !strings.HasPrefix(said,
		"Stopped after 3 of 5. At most 100 at once, 4 calls took ") {
		t.Errorf("stopped after 3 points, the page says %q", said)
	}
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}

	do(t, tab, chromedp.SetValue("#calls", "4,2"), chromedp.Click("#form button"),
		chromedp.WaitVisible("#calls-note.bad"))
	if said := text(t, tab, "#calls-note"); !strings.Contains(said, "2 after 4 is invalid; use ") {
		t.Errorf("of calls 4,2 the page says %q", said)
	}
	picture(t, tab, "sweep-bad")
}
