package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/server"
)

// presenting is a JavaScript expression: the race is shown as slides.
const presenting = `document.body.classList.contains("presenting")`

// ready is a JavaScript expression: the plan of the form is shown.
func ready(calls string) string {
	return `document.querySelector("#sequential .count").textContent === "0 of ` + calls + `" &&
		document.querySelector("#figure").className === "expected"`
}

// overflows is a JavaScript expression: selectors of elements that are not whole on the
// first screen.
func overflows(selectors ...string) string {
	return fmt.Sprintf(`%q.split(" ").filter((selector) => {
		const { top, bottom, width } = document.querySelector(selector).getBoundingClientRect();
		return top < 0 || bottom > innerHeight || width === 0;
	})`, strings.Join(selectors, " "))
}

// The keys of a presenter start races and choose presets, and are text in a field.
func TestPresenterInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	is := func(when, expression string) {
		t.Helper()
		if !evaluate[bool](t, tab, expression) {
			t.Errorf("%s: not %s", when, expression)
		}
	}
	press := func(keys string) { t.Helper(); do(t, tab, chromedp.KeyEvent(keys)) }

	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/?calls=2&delay=50"), until(ready("2")))
	if cut := evaluate[[]string](t, tab, overflows("#figure", "#sequential", "#concurrent", "#form", "#present",
		".presets", "#sequential canvas", "#concurrent .clock")); len(cut) > 0 {
		t.Errorf("a projector: %q are not on the first screen", cut)
	}
	do(t, tab, chromedp.SendKeys("#delay", "p1"))
	is("p in a field", "!("+presenting+") && document.activeElement.value.includes('p1')")
	do(t, tab, chromedp.SetValue("#delay", "50"), inputEvent("#delay"), chromedp.Blur("#delay"), until(ready("2")))
	press(" ")
	is("Space without slides", raced)

	press("p")
	is("P", presenting)
	is("P", `location.search.includes("present=1")`)
	if cut := evaluate[[]string](t, tab, overflows("#figure", "#sequential", "#concurrent", ".presets",
		"#leave")); len(cut) > 0 {
		t.Errorf("slides: %q are not on the screen", cut)
	}
	is("slides", `[..."header,footer,form,.manual,#figures".split(",")].every(
		(selector) => document.querySelector(selector).getClientRects().length === 0)`)
	press("3")
	do(t, tab, until(ready("3")))
	is("3", `location.search === "?calls=3&delay=1000&present=1"`)
	is("3", `document.querySelector(".presets [aria-current]").textContent === "A third call"`)
	press("9")
	is("9, which is no preset", ready("3"))
	picture(t, tab, "slides-before")

	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/?calls=3&delay=60&present=1"),
		until(ready("3")))
	is("?present=1", presenting)
	for _, key := range []string{" ", kb.Enter} {
		press(key)
		do(t, tab, until(`document.querySelector("#figure").className === "running"`), until(raced),
			until(`document.querySelector("#result").textContent.includes("as fast")`))
	}
	picture(t, tab, "slides-after")
	press(kb.Escape)
	is("Esc", "!("+presenting+") && !location.search.includes('present')")
	is("Esc", `document.activeElement.id === "present"`)
	do(t, tab, chromedp.Click("#present"))
	is("the button", presenting)
	do(t, tab, chromedp.Click("#leave"))
	is("the button to leave", "!("+presenting+")")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}

	do(t, tab, chromedp.Navigate(base+"/?present=yes"))
	if said := text(t, tab, "[role=alert]"); said != `present "yes" is invalid: use 1` {
		t.Errorf("?present=yes: the page says %q", said)
	}
}

// The width of a race is fixed beforehand. It doubles if the calls take longer than
// planned.
func TestScaleOfARaceInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	steer, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/?calls=80&delay=20"), until(ready("80")))
	planned := evaluate[float64](t, tab, "scale")
	if planned < 80*20 || planned > 1.5*80*20 {
		t.Errorf("80 calls of 20 ms: the lanes are %v ms wide, want the sum and a little more", planned)
	}
	// Many calls are an area: one shape for each lane, as high as the calls in flight.
	do(t, tab, chromedp.Click("#form button"), until(raced))
	if evaluate[bool](t, tab, `lanes.sequential.total < `+fmt.Sprint(planned)) {
		if got := evaluate[float64](t, tab, "scale"); got != planned {
			t.Errorf("after the race the lanes are %v ms wide, before it %v", got, planned)
		}
	}
	for lane, tall := range map[string]bool{"sequential": false, "concurrent": true} {
		high := evaluate[int](t, tab, `(`+heightOf+`)("`+lane+`")`)
		all := evaluate[int](t, tab, `document.querySelector("#`+lane+` canvas").clientHeight`)
		if high < 1 || tall != (high > all/2) {
			t.Errorf("80 calls %s: the area is %d of %d pixels high", lane, high, all)
		}
	}
	picture(t, tab, "area")

	do(t, tab, chromedp.Navigate(base+"/?calls=1000&delay=5"), until(ready("1000")))
	if got := evaluate[float64](t, tab, "scale"); got < 1000*(5+1) || got > 1.5*1000*5 {
		t.Errorf("1000 calls of 5 ms: the lanes are %v ms wide, want the sum and 1 ms or more for each call", got)
	}

	if _, err := steer.Freeze(t.Context()); err != nil { // the calls end when the test says so
		t.Fatal(err)
	}
	do(t, tab, chromedp.Navigate(base+"/?calls=1&delay=20"), until(ready("1")))
	planned = evaluate[float64](t, tab, "scale")
	do(t, tab, chromedp.Click("#form button"), until(fmt.Sprintf("scale > %f", planned)))
	if got := evaluate[float64](t, tab, fmt.Sprintf("Math.log2(scale / %f)", planned)); got != float64(int(got)) {
		t.Errorf("a late call: the lanes are 2 to the power of %v times as wide, want a whole number", got)
	}
	if _, err := steer.Unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, tab, until(raced))
}

// heightOf returns the height of the opaque pixels in a lane.
const heightOf = `(id) => {
	const canvas = document.querySelector("#" + id + " canvas");
	const [r, g, b] = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
	const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
	let rows = 0;
	for (let y = 0; y < height; y++) {
		for (let i = 4 * width * y; i < 4 * width * (y + 1); i += 4) {
			const distance = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
			if (data[i + 3] > 200 && distance < 24) { rows++; break; }
		}
	}
	return rows;
}`

// The tutorial's Python app races: its lanes are what delay-server saw.
func TestRaceAgainstPythonInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	app := startPython(t, slow)
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/?calls=3&delay=400"),
		chromedp.SendKeys("#against", app), until(ready("3")), chromedp.Click("#form button"), until(raced))
	if said := text(t, tab, "#result"); !strings.Contains(said, "as fast: all at once took") {
		t.Errorf("the page says %q", said)
	}
	for _, lane := range []string{"sequential", "concurrent"} {
		if got := evaluate[int](t, tab, `(`+drawn+`)("`+lane+`").bars`); got != 3 {
			t.Errorf("%s: %d bars, want 3", lane, got)
		}
		if got := text(t, tab, "#"+lane+"-output"); !strings.Contains(got, "curl '"+app+"/") ||
			!strings.Contains(got, `{"r1":200,"r2":200,"r3":200}`) {
			t.Errorf("%s: the page says %q, want the command and the answer of the app", lane, got)
		}
	}
	if got := evaluate[string](t, tab, `[...document.querySelectorAll("[data-row=peak] td, [data-row=seen] td")]
		.map((cell) => cell.textContent).join()`); got != "1,3,delay-server,delay-server" {
		t.Errorf("peaks and who counted them: %s", got)
	}
	picture(t, tab, "against")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}

	do(t, tab, chromedp.SetValue("#limit", "2"), chromedp.Click("#form button"), until(raced))
	if said := text(t, tab, "#result"); !strings.Contains(said, "got status 400") || !strings.Contains(said, "limit") {
		t.Errorf("with a limit, which the app has not: the page says %q", said)
	}
	do(t, tab, chromedp.SetValue("#against", "http://evil.example"), chromedp.Click("#form button"),
		chromedp.WaitVisible("#against-note.bad"))
	if said := text(t, tab, "#against-note"); !strings.Contains(said, "AGAINST_HOSTS") {
		t.Errorf("another host: the page says %q, want the setting", said)
	}
	picture(t, tab, "against-refused")
}

// startPython starts deploy/tutorial/python/app.py and returns its URL.
func startPython(t *testing.T, slow string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), requirePython(t), "app.py")
	cmd.Dir = filepath.Join(root, "deploy/tutorial/python")
	cmd.Env = []string{"PORT=0", "DELAY_SERVER_URL=" + slow, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}
	return listens(t, cmd)
}

// The ideal lines of a sweep are there before it runs, and the axes stay.
func TestIdealSweepInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	lines := `[...document.querySelectorAll("#chart .ideal")].map((line) => line.getAttribute("points")).join(" ")`
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/sweep?calls=1,...,8&delay=60&limit=4"),
		until(`document.querySelectorAll("#chart .ideal").length === 2`))
	if said := text(t, tab, "#result"); strings.ReplaceAll(said, "\u00a0", " ") !=
		"If only the waits take time, 8 calls take 480 ms one after another and 120 ms at most 4 at once." {
		t.Errorf("before the sweep the page says %q", said)
	}
	if cut := evaluate[[]string](t, tab, overflows("#chart", "#form", "#result")); len(cut) > 0 {
		t.Errorf("a projector: %q are not on the first screen", cut)
	}
	before := evaluate[string](t, tab, lines)
	do(t, tab, chromedp.Click("#form button"), until(points("concurrent")+" === 4"), until(swept))
	longest := evaluate[float64](t, tab, `Math.max(...points.map((p) => p.sequential_ms))`)
	if got := evaluate[string](t, tab, lines); longest < 2*480 && got != before {
		t.Errorf("the ideal lines moved from %s to %s", before, got)
	}
	do(t, tab, chromedp.SetValue("#delay", "uniform:1,9"), inputEvent("#delay"),
		until(`document.querySelector("#tabulated").hidden && document.querySelectorAll("#chart .ideal").length === 2`))
	picture(t, tab, "sweep-ideal")
	do(t, tab, chromedp.Click("#form button"), until(points("concurrent")+" === 4"), until(swept))
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// inputEvent tells the page that a field was edited.
func inputEvent(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(
			"document.querySelector(%q).dispatchEvent(new Event('input', { bubbles: true }))", selector)))
		return err
	})
}
