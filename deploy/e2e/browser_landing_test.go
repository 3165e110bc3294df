package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"flash.test/delay-server/server"
)

// idle is a JavaScript expression: no request of the builder is in flight.
const idle = `byId("send").textContent === "Send"`

// openBuilder opens the landing page with the request of a fragment.
func openBuilder(t *testing.T, fragment string) (tab context.Context, base string, wrong func() []string) {
	t.Helper()
	base = serveDelays(t, func(*server.Config) {})
	tab, wrong = newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.Navigate(base+"/"+fragment), until(`document.readyState === "complete"`))
	return tab, base, wrong
}

// send sends the request, and waits until its answer has ended.
func send(t *testing.T, tab context.Context) {
	t.Helper()
	do(t, tab, chromedp.Click("#send"), until(idle))
}

// request shows the request of a fragment.
func request(t *testing.T, tab context.Context, fragment string) {
	t.Helper()
	evaluate[bool](t, tab, fmt.Sprintf(`restore(%q)`, fragment))
}

// typed is a JavaScript expression that types a value into a field as a user does.
func typed(selector, value string) string {
	return fmt.Sprintf(`(() => {
		const input = document.querySelector(%q);
		input.value = %q;
		input.dispatchEvent(new Event("input", { bubbles: true }));
		return true;
	})()`, selector, value)
}

func TestLandingPageInABrowser(t *testing.T) {
	tab, _, wrong := openBuilder(t, "")
	begin := time.Now()
	evaluate[bool](t, tab, typed("#path input", "300"))
	send(t, tab)
	took := time.Since(begin)
	if got := text(t, tab, "#status"); got != "200 OK" {
		t.Errorf("after sending 300: the status is %q, want 200 OK", got)
	}
	if got := text(t, tab, "#chunks"); !strings.Contains(got, `"delay":"300 ms"`) {
		t.Errorf("after sending 300: the body is %q, want Flash's answer", got)
	}
	waited, seen := milliseconds(t, text(t, tab, "#waited")), milliseconds(t, text(t, tab, "#seen"))
	if waited < 300 || seen < waited || time.Duration(seen)*time.Millisecond > took {
		t.Errorf("after sending 300: waited %v ms, seen %v ms, within %v; want 300 ≤ waited ≤ seen", waited, seen, took)
	}
	if got := text(t, tab, "#asked"); got != "300 ms" {
		t.Errorf("after sending 300: asked is %q", got)
	}
	picture(t, tab, "landing-answered")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}

	evaluate[bool](t, tab, typed("#path input", "soon"))
	send(t, tab)
	if got := text(t, tab, "#status"); got != "400 Bad Request" {
		t.Errorf("after sending soon: the status is %q, want 400 Bad Request", got)
	}
	if got := text(t, tab, "#path .error"); !strings.HasPrefix(got, `delay "soon" is invalid (unknown form): use `) {
		t.Errorf("after sending soon: the field says %q, want the server's detail", got)
	}
}

func milliseconds(t *testing.T, text string) float64 {
	t.Helper()
	ms, err := strconv.ParseFloat(strings.TrimSuffix(text, " ms"), 64)
	if err != nil {
		t.Errorf("%q is no number of milliseconds", text)
	}
	return ms
}
