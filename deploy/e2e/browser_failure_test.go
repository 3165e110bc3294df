package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"flash.test/delay-server/server"
)

// isBad is a JavaScript expression: the element has the colour of failures.
func isBad(selector string) string {
	return `(() => {
		const probe = document.createElement("p");
		probe.className = "bad";
		document.body.append(probe);
		const bad = getComputedStyle(probe).color;
		probe.remove();
		return getComputedStyle(document.querySelector("` + selector + `")).color === bad;
	})()`
}

// If calls fail, a page says so in the colour of failures, and compares nothing.
func TestFailuresInABrowser(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	}))
	defer refusing.Close()
	base := startDemoAPI(t, refusing.URL)
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://")) // the console has the 502s

	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/?calls=2&delay=10"),
		chromedp.Click("#form button"), until(raced))
	if said := text(t, tab, "#result"); !strings.HasPrefix(said, "A call failed: ") ||
		!evaluate[bool](t, tab, isBad("#result")) {
		t.Errorf("a race that failed: the page says %q, want that, in the colour of a failure", said)
	}
	picture(t, tab, "race-failed")

	do(t, tab, chromedp.Navigate(base+"/sweep?calls=1,2&delay=10"), chromedp.Click("#form button"), until(swept),
		until(`document.querySelector("#result").textContent !== ""`))
	if said := text(t, tab, "#result"); !strings.HasPrefix(said, "Failed at 1 call: ") ||
		!evaluate[bool](t, tab, isBad("#result")) {
		t.Errorf("a sweep that failed: the page says %q, want that, in the colour of a failure", said)
	}
	if evaluate[bool](t, tab, `document.querySelector("#chart").getClientRects().length > 0`) {
		t.Error("a sweep that measured nothing shows an empty chart")
	}
	picture(t, tab, "sweep-failed")

	do(t, tab, chromedp.Navigate(base+"/tutorial"), chromedp.Click(`button[data-query="calls=2&delay=1000"]`),
		until(`document.querySelector(".run p.bad") !== null`))
	panel := evaluate[string](t, tab, `document.querySelector(".run p.bad").closest(".run").innerText`)
	if !strings.Contains(panel, "No response: ") || strings.Contains(panel, "the sum") ||
		!evaluate[bool](t, tab, isBad(".run p.bad")) {
		t.Errorf("a step that failed: the page says %q, want the failure in place of the sentence", panel)
	}
	// Nothing waits in the first step: there is nothing to compare.
	do(t, tab, chromedp.Click(`button[data-query="calls=0"]`),
		until(`document.querySelector('#times [data-query="calls=0"]').cells[2].textContent !== "–"`))
	if row := evaluate[string](t, tab,
		`document.querySelector('#times [data-query="calls=0"]').innerText`); !strings.HasSuffix(row, "–") {
		t.Errorf("times of no calls: got %q, want no speed-up", row)
	}
	picture(t, tab, "tutorial-failed")
}

// Ticks have different labels whatever the span, and the last tick has one.
func TestAxisOfARaceInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	const labels = `(() => {
		const said = [], canvas = document.querySelector("#sequential canvas");
		const fill = CanvasRenderingContext2D.prototype.fillText;
		CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
			if (this.canvas === canvas && / m?s$/.test(text)) said.push([text, x, x + this.measureText(text).width]);
			return fill.call(this, text, x, y);
		};
		lanes.sequential.draw(SCALE);
		CanvasRenderingContext2D.prototype.fillText = fill;
		return said;
	})()`
	for _, width := range []int64{1280, 360} {
		do(t, tab, chromedp.EmulateViewport(width, 720), chromedp.Navigate(base+"/?calls=3&delay=10"))
		for _, scale := range []string{"0.02", "0.3", "0.9999", "1", "7", "49.7", "300", "999", "1000", "2001.5",
			"4999", "60000", "3600000"} {
			said := evaluate[[][]any](t, tab, strings.ReplaceAll(labels, "SCALE", scale))
			seen, next := map[string]bool{}, float64(width)
			for _, label := range said { // from the right
				text, from, to := label[0].(string), label[1].(float64), label[2].(float64)
				if seen[text] || from < 0 || to > next {
					t.Errorf(
						"an axis of %s ms on %d pixels has the labels %v: want them distinct, beside each other, "+
							"and whole", scale, width, said)
					break
				}
				seen[text], next = true, from
			}
			if len(said) < 2 {
				t.Errorf("an axis of %s ms on %d pixels has the labels %v, want two or more", scale, width, said)
			}
		}
	}
}
