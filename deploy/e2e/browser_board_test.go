package e2e

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"flash.test/delay-server/server"
)

// callsAs calls the server as an attendee: so many calls of a run at once, each of the path.
func callsAs(t *testing.T, base, path, run string, concurrency int) {
	t.Helper()
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	var calls sync.WaitGroup
	for range concurrency {
		calls.Go(func() {
			reply, err := direct.Get(base + path + separator + "run=" + url.QueryEscape(run))
			if err != nil {
				t.Error(err)
				return
			}
			reply.Body.Close()
		})
	}
	calls.Wait()
}

// row is a JavaScript expression: the row of a name on the board.
func row(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll(".row")].find((row) =>
		row.querySelector(".name").textContent === %q)`, name)
}

// hasMark is a JavaScript expression: the row of a name has a mark for an exercise, from 0.
func hasMark(name string, exercise int, kind string) string {
	return fmt.Sprintf(`%s?.querySelectorAll(".marks .sign")[%d].classList.contains(%q)`, row(name), exercise, kind)
}

func TestBoardInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	const markup = `<img/src=x/onerror=alert(1)>`
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/board"),
		until(`document.querySelector("#exercises").children.length === 7`))
	picture(t, tab, "board-empty")

	callsAs(t, base, "/delay/200", "anna.concurrent.1", 3)
	for range 3 {
		callsAs(t, base, "/delay/200", "ben.concurrent.1", 1)
	}
	callsAs(t, base, "/delay/100", markup, 2)
	do(t, tab, until(hasMark("anna", 0, "passed")), until(hasMark("ben", 0, "failed")),
		until(hasMark(markup, 0, "none")))
	if got := evaluate[string](t, tab, row("anna")+`.querySelector(".figure").textContent`); !strings.HasSuffix(got,
		" ×") {
		t.Errorf("anna's figure is %q, want a speed-up", got)
	}
	if got := evaluate[string](t, tab, row("ben")+`.querySelector(".words").textContent`); !strings.Contains(got,
		"never more than 1 request in flight") {
		t.Errorf("ben's verdict is %q", got)
	}
	if got := evaluate[int](t, tab, `document.querySelectorAll("#people img").length`); got != 0 {
		t.Error("a name became an element")
	}
	order := evaluate[[]string](t, tab, `[...document.querySelectorAll(".row .name")].map((name) => name.textContent)`)
	if fmt.Sprint(order) != fmt.Sprint([]string{"anna", "ben", markup}) {
		t.Errorf("the people are in the order %q", order)
	}
	picture(t, tab, "board-three")

	do(t, tab, chromedp.Evaluate[chromedp.Void](row("ben")+`.click()`),
		until(`document.querySelector("#waterfall").shadowRoot.querySelectorAll(".bar").length === 3`))
	if got := text(t, tab, "#details"); !strings.Contains(got, "never more than 1 request") {
		t.Errorf("ben's details are %q", got)
	}
	picture(t, tab, "board-person")
	do(t, tab, chromedp.Click("#person-close"))

	// The room is frozen, and let go.
	do(t, tab, chromedp.Click("#freeze"), until(`document.querySelector("#freeze").textContent === "Let it go"`),
		until(`!document.querySelector("#frozen").hidden`))
	var stopped sync.WaitGroup
	stopped.Go(func() { callsAs(t, base, "/delay/300", "cleo.concurrent.1", 3) })
	do(t, tab, until(row("cleo")+`?.querySelectorAll(".bars .waiting").length === 3`),
		until(hasMark("cleo", 0, "running")))
	picture(t, tab, "board-frozen")
	do(t, tab, chromedp.Click("#freeze"), until(`document.querySelector("#frozen").hidden`))
	stopped.Wait()
	do(t, tab, until(hasMark("cleo", 0, "passed")))

	// A try that goes on after it has passed is judged again.
	callsAs(t, base, "/delay/0", "cleo.concurrent.1", 1)
	do(t, tab, until(hasMark("cleo", 0, "failed")))
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// Fifty people fit on a projector's screen.
func TestBoardOfFiftyInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	for i := range 50 {
		name := fmt.Sprintf("attendee-%d", i+1)
		if i == 20 {
			name = strings.Repeat("a-long-name-", 15)
		}
		if i%2 == 0 {
			callsAs(t, base, "/delay/20", name+".concurrent.1", 3)
		}
		if i%3 == 0 {
			callsAs(t, base, "/delay/0?status=503", name+".retry.1", 1)
		}
		if i%5 == 0 {
			callsAs(t, base, "/delay/1", name+".bounded.1", 15)
		}
		callsAs(t, base, "/delay/5", name, 1+i%6)
	}
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/board"),
		until(hasMark("attendee-49", 0, "passed")), until(`!document.querySelector(".marks .running")`))
	const below = `Math.max(...[...document.querySelectorAll(".row")].map((row) => row.getBoundingClientRect().bottom))`
	if bottom := evaluate[float64](t, tab, below); bottom > 720 {
		t.Errorf("the last row ends at %.0f pixels, want 720 at most", bottom)
	}
	pictureBy(t, tab, "board-fifty", chromedp.CaptureScreenshot())
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Click("#freeze"),
		until(`!document.querySelector("#frozen").hidden`))
	if bottom := evaluate[float64](t, tab, below); bottom > 720 {
		t.Errorf("frozen, the last row ends at %.0f pixels, want 720 at most", bottom)
	}
	pictureBy(t, tab, "board-fifty-frozen", chromedp.CaptureScreenshot())
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// The board connects again after the connection was cut.
func TestBoardReconnectsInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	target, _ := url.Parse(base)
	proxy := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
	}})
	t.Cleanup(proxy.Close)
	tab, _ := newTab(t, strings.TrimPrefix(proxy.URL, "http://"))
	callsAs(t, base, "/delay/1", "anna", 1)
	do(t, tab, chromedp.Navigate(proxy.URL+"/board"), until(row("anna")+` !== undefined`))
	do(t, tab, chromedp.Evaluate[chromedp.Void](`globalThis.reasons = [];
		new MutationObserver(() => reasons.push(document.querySelector("#status").textContent))
			.observe(document.querySelector("#status"), { childList: true })`))
	proxy.CloseClientConnections()
	callsAs(t, base, "/delay/1", "ben", 1)
	do(t, tab, until(row("ben")+` !== undefined`), until(`document.querySelector("#status").textContent === ""`))
	if got := evaluate[[]string](t, tab, `reasons`); len(got) != 2 || !strings.HasPrefix(got[0], "Not connected: ") {
		t.Errorf("the page said %q, want why it is not connected, then nothing", got)
	}
}

// With ADMIN_TOKEN the board asks for it, unless it is public; then only the clock does.
func TestBoardWithATokenInABrowser(t *testing.T) {
	for _, public := range []bool{false, true} {
		base := serveDelays(t, func(c *server.Config) {
			c.AdminToken = "secret"
			if public {
				c.Board = &public
			}
		})
		callsAs(t, base, "/delay/1", "anna", 2)
		tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
		give := func(value string) {
			do(t, tab, until(`!document.querySelector("#token").hidden`), chromedp.SetValue("#token-value", value),
				chromedp.Click("#token button:not([type])"))
		}
		do(t, tab, chromedp.Navigate(base+"/board"))
		if public {
			do(t, tab, until(row("anna")+` !== undefined`), chromedp.Click("#freeze"))
		}
		give("wrong")
		do(t, tab, until(`document.querySelector("#token-status").textContent === "This token is wrong."`))
		give("tökén✓")
		give("secret")
		do(t, tab, until(row("anna")+` !== undefined`))
		if !public {
			do(t, tab, chromedp.Click("#freeze"))
		}
		do(t, tab, until(`!document.querySelector("#frozen").hidden`),
			chromedp.Evaluate[chromedp.Void](row("anna")+`.click()`),
			until(`document.querySelector("#waterfall").shadowRoot.querySelectorAll(".bar").length === 2`))
	}
}

// A board at localhost shows the address that others can use.
func TestBoardAtLocalhostInABrowser(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.Host = "192.0.2.7" })
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	callsAs(t, base, "/delay/1", "anna", 1)
	others := strings.Replace(base, "127.0.0.1", "192.0.2.7", 1)
	do(t, tab, chromedp.Navigate(base+"/board"), until(row("anna")+` !== undefined`))
	if got, want := text(t, tab, "#join"), "curl '"+others+"/delay/1000?run=your-name'"; got != want {
		t.Errorf("the board says %s, want %s", got, want)
	}
	picture(t, tab, "board-localhost")
	noErrors(t, wrong)
}
