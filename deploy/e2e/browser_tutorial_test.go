package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flash.test/delay-server/server"
)

func TestTutorialInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 900))
	var turn, once time.Duration
	for try := 0; try < 3 && once >= turn; try++ { // a busy machine may stall
		do(t, tab, chromedp.Navigate(base+"/tutorial"))
		if try == 0 {
			checkExpected(t, tab)
		}
		do(t, tab, chromedp.Click(`section:has(#step-4) .start`),
			until(`document.querySelector("#times tr:last-child td:last-child").textContent !== "–"`))
		turn = inSeconds(t, text(t, tab, `section:has(#step-4) [data-figure=sequential]`))
		once = inSeconds(t, text(t, tab, `section:has(#step-4) [data-figure=concurrent]`))
		if turn < 1500*time.Millisecond || once < time.Second {
			t.Errorf("a query of 500ms beside a call of 1s: the text says %v and %v, want 1.5s and 1s, or little more",
				turn, once)
		}
	}
	if once >= turn {
		t.Errorf("at once took %v, in turn %v, in the last of 3 tries; want less time at once", once, turn)
	}
	for _, lane := range []string{"sequential", "concurrent"} {
		const terminal = `section:has(#step-4) .half[data-lane=%s] pre`
		if got := text(t, tab, fmt.Sprintf(terminal, lane)); !strings.Contains(got, `{"r1":200,"db":200}`) {
			t.Errorf("%s: the terminal says %q, want the answer", lane, got)
		}
	}
	checkWaterfalls(t, tab)
	if got := evaluate[int](t, tab, `document.querySelectorAll(".progress .done").length`); got != 1 {
		t.Errorf("after a run of one step: %d are marked, want 1", got)
	}
	do(t, tab, chromedp.Click(`section:has(#step-3) .run:last-of-type .start`),
		until(`document.querySelector("#times tr:nth-child(4) td:last-child").textContent !== "–"`))
	picture(t, tab, "tutorial")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// checkExpected checks the waterfalls before the first run.
func checkExpected(t *testing.T, tab context.Context) {
	t.Helper()
	got := evaluate[[]string](t, tab,
		`[...document.querySelectorAll("section:has(#step-4) svg")].map((image) => image.getAttribute("aria-label"))`)
	want := []string{
		"One after another, expected: 2 calls in 1.500 s; r1 from 0.0 ms to 1.000 s; db from 1.000 s to 1.500 s",
		"All at once, expected: 2 calls in 1.000 s; r1 from 0.0 ms to 1.000 s; db from 0.0 ms to 0.500 s",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("before the run of step 4: got waterfalls %q, want %q", got, want)
	}
	if bars := evaluate[int](t, tab, `document.querySelectorAll("section:has(#step-1) svg").length`); bars != 0 {
		t.Errorf("step 1 makes no calls: got %d waterfalls", bars)
	}
}

// checkWaterfalls checks the waterfalls of step 4 after its run: the second call begins
// where the first ends, or beside it, on one scale.
func checkWaterfalls(t *testing.T, tab context.Context) {
	t.Helper()
	type bar struct{ Left, Right float64 }
	bars := func(lane string) []bar {
		return evaluate[[]bar](t, tab, fmt.Sprintf(`[...document.querySelectorAll(
			"section:has(#step-4) .waterfall.%s svg:not(.expected) .bar")].map((bar) => {
				const left = parseFloat(bar.getAttribute("x"));
				return { Left: left, Right: left + parseFloat(bar.getAttribute("width")) };
			})`, lane))
	}
	turn, once := bars("sequential"), bars("concurrent")
	if len(turn) != 2 || len(once) != 2 {
		t.Fatalf("got bars %v and %v, want 2 in each lane", turn, once)
	}
	if turn[1].Left < turn[0].Right-0.01 || turn[1].Right < 99 {
		t.Errorf("one after another: got bars %v, want the second after the first, to the end of the scale", turn)
	}
	if once[1].Left > once[0].Right || once[1].Right > once[0].Right || once[0].Right > 99 {
		t.Errorf("all at once: got bars %v, want the second within the first, which ends before the scale", once)
	}
}

// The language chosen in one step is shown in all, by keyboard too, and after a reload.
func TestTutorialTabsInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	shown := func() string {
		return evaluate[string](t, tab, `[...document.querySelectorAll("[role=tabpanel]:not([hidden])")]
			.map((panel) => panel.dataset.language).join(" ")`)
	}
	all := func(language string) string { return strings.TrimSpace(strings.Repeat(language+" ", 5)) }
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(base+"/tutorial"))
	if got := shown(); got != all("python") {
		t.Errorf("first: got %q, want Python in all steps", got)
	}
	do(t, tab, chromedp.Click("#tab-3-java"))
	if got := shown(); got != all("java") {
		t.Errorf("after a click on Java in step 3: got %q, want Java in all steps", got)
	}
	for _, press := range []struct{ key, want, focused string }{
		{kb.ArrowRight, "go", "tab-3-go"}, {kb.ArrowRight, "python", "tab-3-python"}, {kb.ArrowLeft, "go", "tab-3-go"},
		{kb.Home, "python", "tab-3-python"}, {kb.End, "go", "tab-3-go"}, {kb.ArrowLeft, "java", "tab-3-java"},
	} {
		do(t, tab, chromedp.KeyEvent(press.key))
		if got, at := shown(), evaluate[string](t, tab, `document.activeElement.id`); got != all(press.want) ||
			at != press.focused {
			t.Errorf("after %q: got %q, focus on %s; want %s, focus on %s", press.key, got, at, press.want,
				press.focused)
		}
	}
	do(t, tab, chromedp.Navigate(base+"/tutorial"))
	if got := shown(); got != all("java") {
		t.Errorf("after a reload: got %q, want Java", got)
	}
	do(t, tab, chromedp.Evaluate[chromedp.Void](`location.hash = "#app"`),
		until(`document.querySelector(".progress [aria-current=step]")?.hash === "#app"`))
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// The copy button copies the file, and says so.
func TestTutorialCopiesInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	source, err := os.ReadFile(filepath.Join(root, "deploy/tutorial/python/app.py"))
	if err != nil {
		t.Fatal(err)
	}
	const clipboard = `navigator.clipboard.writeText = async (text) => { globalThis.copied = text; }`
	do(t, tab, chromedp.Navigate(base+"/tutorial"), chromedp.Evaluate[chromedp.Void](clipboard),
		chromedp.Click("[data-copy=app-python]"),
		until(`document.querySelector("[data-copy=app-python]").textContent === "Copied"`))
	if got := evaluate[string](t, tab, `copied`); got != string(source) {
		t.Errorf("the button copied %d bytes, want the file of %d bytes", len(got), len(source))
	}
	do(t, tab, chromedp.Evaluate[chromedp.Void](
		`navigator.clipboard.writeText = async () => { throw new Error("not allowed"); };
		document.addEventListener("copy", () => { globalThis.copied = getSelection().toString(); });`))
	for i, button := range []struct{ browser, want string }{
		{``, "Copied"},
		{`document.execCommand = () => false`, "Press Ctrl+C"},
		{`Object.defineProperty(navigator, "platform", { value: "MacIntel" })`, "Press ⌘C"},
	} {
		id := []string{"save", "start", "try"}[i] + "-python"
		do(t, tab, chromedp.Evaluate[chromedp.Void](button.browser), chromedp.Click("[data-copy="+id+"]"),
			until(`document.querySelector("[data-copy=`+id+`]").textContent === "`+button.want+`"`))
		if !evaluate[bool](t, tab, `getSelection().toString() === document.getElementById("`+id+`").textContent`) {
			t.Errorf("without a clipboard: the button says %s, and the command is not selected", button.want)
		}
	}
	if !evaluate[bool](t, tab, `copied === document.getElementById("save-python").textContent`) {
		t.Error("without navigator.clipboard: the command is not copied")
	}
}

// No button is over the code, and no line of a step is cut on a projector.
func TestTutorialCodeInABrowser(t *testing.T) {
	base := startDemoAPI(t, serveDelays(t, func(*server.Config) {}))
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/tutorial"))
	for _, language := range languages {
		do(t, tab, chromedp.Click("#tab-1-"+language.name))
		got := evaluate[[]string](t, tab, `[...document.querySelectorAll("figure")].flatMap((figure) => {
			const pre = figure.querySelector("pre"), { id } = pre.firstElementChild;
			if (pre.clientWidth === 0) return [];
			const { bottom } = figure.querySelector(".copy").getBoundingClientRect();
			const covered = bottom > pre.getBoundingClientRect().top;
			const cut = !id.startsWith("app-") && pre.scrollWidth > pre.clientWidth;
			return covered || cut ? [id + (covered ? " is covered" : " is cut")] : [];
		})`)
		if len(got) > 0 {
			t.Errorf("%s: %q", language.name, got)
		}
	}
}
