package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flash.test/delay-server/server"
)

// An attendee types a name, runs the program exactly as the page shows it, reads what is
// wrong, runs the solution, and passes.
func TestExercisesInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.Navigate(base+"/exercises#retry"), until(`document.querySelector("[aria-current=step]")`))
	const current = `[...document.querySelectorAll(".exercise")].filter(e => !e.hidden)`
	if got := evaluate[string](t, tab, current+`.map(e => e.dataset.id).join()`); got != "retry" {
		t.Errorf("the address names retry, and the page shows %q", got)
	}
	if got := text(t, tab, `[data-id=retry] .verdict`); !strings.HasPrefix(got, "Type your name above") {
		t.Errorf("without a name: %q", got)
	}

	do(t, tab, chromedp.SetValue("#name", "an na"), chromedp.Evaluate[chromedp.Void](`takeName()`))
	if got := text(t, tab, "#name-status"); !strings.HasPrefix(got, "Use letters") {
		t.Errorf("after an invalid name: %q", got)
	}
	do(t, tab, chromedp.SetValue("#name", "anna"), chromedp.Evaluate[chromedp.Void](`takeName()`))
	if got := text(t, tab, `[data-id=retry] .verdict`); got != "Run it: the server is watching." {
		t.Errorf("before the first try: %q", got)
	}
	shown := func(kind string) string {
		return evaluate[string](t, tab, `document.querySelector("#`+kind+`-retry-python").textContent`)
	}
	if got := shown("start"); !strings.Contains(got, `"`+base+`"`) || !strings.Contains(got, `NAME = "anna"`) {
		t.Errorf("the program has not the URL and the name:\n%s", got)
	}
	if got := evaluate[string](t, tab, `document.querySelector("[data-id=retry] .download").href`); got !=
		base+"/exercises/retry/start/exercise-retry.py?name=anna" {
		t.Errorf("the link to download it is %s", got)
	}

	run := func(kind string) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "exercise-retry.py")
		if err := os.WriteFile(file, []byte(shown(kind)), 0o600); err != nil {
			t.Fatal(err)
		}
		runProgram(t, "python", file)
	}
	run("start")
	do(t, tab, until(`document.querySelector("[data-id=retry] .verdict .failed")`))
	if got := text(t, tab, `[data-id=retry] .verdict`); !strings.Contains(got, "Not yet") ||
		!strings.Contains(got, "ms or more") {
		t.Errorf("after the start: %q", got)
	}
	const drawn = `document.querySelector("[data-id=retry] .shown").shadowRoot?.querySelector("svg") != null`
	do(t, tab, until(drawn))
	picture(t, tab, "exercises-failed")

	run("solution")
	do(t, tab, until(`document.querySelector("[data-id=retry] .verdict .passed")`), until(drawn),
		until(`document.querySelector("[data-step=retry].passed")`))
	if got := text(t, tab, `[data-id=retry] .older`); !strings.Contains(got, "Not yet") {
		t.Errorf("the try before: %q", got)
	}
	picture(t, tab, "exercises-passed")

	do(t, tab, chromedp.Click("[data-id=retry] .next"), until(current+`[0].dataset.id === "retry-after"`))
	do(t, tab, chromedp.Focus("[data-id=retry-after] [role=tab]"), chromedp.KeyEvent(kb.ArrowRight),
		until(`document.activeElement.dataset.language === "javascript"`))
	do(t, tab, chromedp.Reload(), until(`document.querySelector("[data-step=retry].passed")`))
	if got := evaluate[string](t, tab, current+`[0].querySelector("[aria-selected=true]").textContent + " " + `+
		`byId("name").value`); got != "JavaScript anna" {
		t.Errorf("the page does not keep the language and the name: %q", got)
	}
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}
