package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/kit/wiretest"
	"flash.test/delay-server/server"
)

// startLive runs a server, whose admin API every client may use, and opens /live.
func startLive(t *testing.T) (base string, steer *admin.Client, tab context.Context, wrong func() []string) {
	t.Helper()
	base = serveDelays(t, func(c *server.Config) { c.AdminToken = "none" })
	steer, err := admin.New(base)
	if err != nil {
		t.Fatal(err)
	}
	tab, wrong = newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/live"), until(connected))
	return base, steer, tab, wrong
}

// sendInBackground sends a request, and cancels it at the end of the test.
func sendInBackground(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		response, err := direct.Do(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	}()
}

func noErrors(t *testing.T, wrong func() []string) {
	t.Helper()
	for _, w := range wrong() {
		t.Error(w)
	}
}

// JavaScript expressions.
const (
	connected = `document.body.classList.contains("connected")`
	waterfall = `document.querySelector(".waterfall").shadowRoot.querySelector("svg")`
	barCount  = `[...stage.bars.rows.values()].filter((bar) => !bar.ended).length`

	// painted is the number of pixels in the colour of a run, or of the area.
	painted = `((run) => {
		const canvas = document.querySelector("#picture"), one = document.createElement("canvas").getContext("2d");
		one.fillStyle = colorOf(run, getComputedStyle(canvas).accentColor);
		one.fillRect(0, 0, 1, 1);
		const [r, g, b] = one.getImageData(0, 0, 1, 1).data;
		const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
		let pixels = 0;
		for (let i = 0; i < data.length; i += 4) {
			const distance = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
			if (data[i + 3] > 250 && distance < 12) pixels++;
		}
		return pixels;
	})`
)

func waitingIs(n int) string {
	return fmt.Sprintf(`document.querySelector("#waiting").textContent === "%d"`, n)
}

// Bars move to the right until they are due. They stand still while the clock is frozen,
// by the button or the space bar, and jump when it is advanced.
func TestLiveBarsInABrowser(t *testing.T) {
	base, steer, tab, wrong := startLive(t)
	do(t, tab, until(`document.querySelector("#empty").checkVisibility()`))
	do(t, tab, chromedp.Click("#freeze"), until(`document.querySelector("#freeze").innerText.startsWith("Resume")`))
	if clock, err := steer.Clock(t.Context()); err != nil || !clock.Frozen {
		t.Fatalf("after a click on Freeze the clock is %+v, %v, want frozen", clock, err)
	}
	do(t, tab, chromedp.Click("#send"), until(waitingIs(3)), chromedp.SetValue("#advance-by", "5s"),
		chromedp.Click("#advance button"), until(waitingIs(0)))
	for range 3 {
		sendInBackground(t, base+"/delay/1000?run=anna")
	}
	settled := until(`stage.requested === false && ` + barCount + ` === 3`)
	do(t, tab, until(waitingIs(3)), settled)
	begin := evaluate[int](t, tab, painted+`("anna")`)

	do(t, tab, chromedp.SetValue("#advance-by", "600ms"), chromedp.Click("#advance button"),
		until(painted+`("anna") > `+fmt.Sprint(4*begin+1000)), settled)
	frozen := evaluate[int](t, tab, painted+`("anna")`)
	do(t, tab, chromedp.Evaluate[chromedp.Void](`{
		globalThis.frames = 0;
		const next = () => { if (++frames < 20) requestAnimationFrame(next); };
		next();
	}`), until(`frames === 20`))
	if later := evaluate[int](t, tab, painted+`("anna")`); later != frozen {
		t.Errorf("20 frames later %d pixels are painted, not %d; want bars that stand still", later, frozen)
	}
	do(t, tab, chromedp.SetValue("#advance-by", "soon"), chromedp.Click("#advance button"),
		until(`document.querySelector("#outcome.bad")?.textContent.includes('advance "soon" is invalid')`))
	do(t, tab, chromedp.SetValue("#advance-by", "400"), chromedp.Click("#advance button"), until(waitingIs(0)))

	do(t, tab, chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`), chromedp.KeyEvent(" "),
		until(`document.querySelector("#freeze").innerText.startsWith("Freeze")`))
	sendInBackground(t, base+"/delay/60000?run=ben")
	do(t, tab, until(barCount+` === 1 && `+painted+`("ben") > 10`))
	before := evaluate[int](t, tab, painted+`("ben")`)
	do(t, tab, until(painted+`("ben") > `+fmt.Sprint(before+10)))

	do(t, tab, chromedp.SetValue("#scale-to", "0.0001"), chromedp.Click("#scale button"), until(waitingIs(0)))
	if got := text(t, tab, "#clock-state"); got != "Clock runs 10,000 times as fast" {
		t.Errorf("at scale 0.0001 the page says %q", got)
	}
	do(t, tab, until(`document.querySelector("#empty").checkVisibility() && !stage.requested`)) // no frame without bars
	got := wrong()
	if len(got) != 1 || !strings.Contains(got[0], "400") { // of the wrong advance
		t.Errorf("the page: %q", got)
	}
}

// With reduced motion the page draws only states.
func TestLiveReducedMotionInABrowser(t *testing.T) {
	base, _, tab, wrong := startLive(t)
	do(t, tab, emulateMotion("reduce"))
	sendInBackground(t, base+"/delay/60000?run=anna")
	do(t, tab, until(waitingIs(1)), chromedp.Evaluate[chromedp.Void](`{
		globalThis.states = globalThis.frames = 0;
		const { show, draw } = stage;
		stage.show = (state) => { states++; return show.call(stage, state); };
		stage.draw = () => { frames++; return draw.call(stage); };
	}`), until(`states >= 5`))
	if frames := evaluate[string](t, tab, `frames <= states ? "" : frames + " of " + states`); frames != "" {
		t.Errorf("frames and states: %s; want a frame for each state", frames)
	}
	noErrors(t, wrong)
}

func TestLiveHoldsInABrowser(t *testing.T) {
	base, steer, tab, wrong := startLive(t)
	for i := range 3 {
		sendInBackground(t, fmt.Sprintf("%s/hold/lunch?run=guest-%d", base, i))
	}
	sendInBackground(t, base+"/hold/run:own?run=anna")
	sendInBackground(t, base+"/barrier/all?parties=3&run=anna")
	sendInBackground(t, base+"/delay/600000?pool=db&workers=1&queue=2&run=anna")
	sendInBackground(t, base+"/delay/600000?pool=db&workers=1&queue=2&run=anna")
	do(t, tab, until(waitingIs(7)), until(barCount+` === 7`))
	queue := evaluate[string](t, tab, `[...document.querySelectorAll("#pools .queue i")].map(
		(place) => place.className || "free").join()`)
	if queue != "full,free" {
		t.Errorf("the queue of pool db shows %s, want full,free", queue)
	}
	for selector, want := range map[string]string{
		"#holds li:first-child": "guest-0",
		"#barriers li":          "1 of 3 are here",
		"#pools li":             "1 of 1 busy, 1 of 2 queued",
	} {
		if got := text(t, tab, selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want … %s …", selector, got, want)
		}
	}
	picture(t, tab, "live-holds")
	do(t, tab, chromedp.Click(`[aria-label="Release one request of hold lunch, the oldest"]`), until(waitingIs(6)))
	if hold, err := steer.Hold(t.Context(), "lunch"); err != nil || hold.Waiting != 2 {
		t.Errorf("after Release one: got %+v, %v, want 2 waiting", hold, err)
	}
	do(t, tab, chromedp.Click(`[aria-label="Release all requests of hold lunch"]`), until(waitingIs(4)),
		chromedp.Click(`[aria-label="Release all requests of hold run:own of run anna"]`), until(waitingIs(3)),
		until(`document.querySelector("#holds").hidden`))
	noErrors(t, wrong)
}

func TestLiveFilterInABrowser(t *testing.T) {
	base, _, tab, wrong := startLive(t)
	for _, run := range []string{"anna", "anna", "ben"} {
		sendInBackground(t, base+"/delay/600000?run="+run)
	}
	sendInBackground(t, base+"/delay/soon?run=ben") // a problem
	only := func(run string) string {
		return fmt.Sprintf(`[...stage.bars.rows.values()].every(({ request }) => request.run === "%s")`, run)
	}
	do(t, tab, until(waitingIs(3)), until(`!document.querySelector("#problems").hidden`),
		chromedp.Click(`#problems [aria-label="Show only run ben"]`), until(waitingIs(1)), until(only("ben")),
		chromedp.Click("#all-runs"), until(waitingIs(3)),
		chromedp.Click(`#runs [aria-label="Show only run anna"]`), until(waitingIs(2)), until(only("anna")),
		until(`document.querySelectorAll("#runs tbody").length === 1`), until(`location.search === "?run=anna"`))
	if got := text(t, tab, "h1"); !strings.Contains(got, "requests wait now in run anna") {
		t.Errorf("the heading says %q", got)
	}
	do(t, tab, chromedp.Evaluate[chromedp.Void](`history.back()`), until(waitingIs(3)),
		chromedp.SendKeys("#filter-run", "ben"+kb.Enter), until(waitingIs(1)), until(only("ben")),
		chromedp.Navigate(base+"/live?run=anna"), until(waitingIs(2)),
		until(`document.querySelector(".waterfall") !== null`))

	do(t, tab, until(waterfall)) // it opens by itself
	fill := evaluate[string](t, tab, `getComputedStyle(`+waterfall+`.querySelector(".waiting .bar")).fill`)
	if fill == "rgb(0, 0, 0)" {
		t.Error("the waterfall has no style")
	}
	picture(t, tab, "live-filter")
	noErrors(t, wrong)
}

func TestLiveTokenInABrowser(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.AdminToken = "right" })
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	given := func(token string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys("#token-value", token+kb.Enter)
	}
	do(t, tab, chromedp.Navigate(base+"/live"), chromedp.WaitVisible("#token"), given("wrong"),
		until(`document.querySelector("#token-status").textContent === "This token is wrong."`))
	if evaluate[bool](t, tab, connected) || text(t, tab, "#waiting") != "–" {
		t.Error("with a wrong token the page shows a state")
	}
	picture(t, tab, "live-token")
	do(t, tab, given("tökén✓"), until(`document.querySelector("#token-value").value === "tökén✓"`),
		until(`document.querySelector("#token-status").textContent === "This token is wrong."`),
		chromedp.Evaluate[chromedp.Void](`document.querySelector("#token-value").value = ""`))
	do(t, tab, given("right"), until(connected), until(`document.querySelector("#token").hidden`),
		chromedp.Click("#freeze"), until(`document.querySelector("#freeze").innerText.startsWith("Resume")`))
	for _, w := range wrong() {
		if !strings.Contains(w, "401") {
			t.Error(w)
		}
	}
}

// A server beyond loopback lets everybody look. Its buttons need the token, and the
// question for it can be cancelled.
func TestLiveTokenForButtonsInABrowser(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.Host = "0.0.0.0" })
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.Navigate(base+"/live"), until(connected), chromedp.Click("#freeze"),
		chromedp.WaitVisible("#token"), chromedp.Click("#token-cancel"),
		until(`document.querySelector("#outcome.bad")?.textContent === "This needs the token of the admin API."`),
		until(`document.querySelector("#token").hidden && document.activeElement.id === "freeze"`))
	if !evaluate[bool](t, tab, connected) {
		t.Error("without a token for the button the page is not connected any more")
	}
}

func TestLiveMarkupInABrowser(t *testing.T) {
	const name = "<img/src=x/onerror=alert(1)>"
	base, _, tab, wrong := startLive(t)
	escaped := url.QueryEscape(name)
	sendInBackground(t, base+"/hold/"+url.PathEscape(name)+"?run="+escaped)
	sendInBackground(t, base+"/barrier/all?parties=2&run="+escaped)
	sendInBackground(t, base+"/delay/soon?run="+escaped)
	do(t, tab, until(waitingIs(2)), until(`!document.querySelector("#problems").hidden`), chromedp.Click("#runs .run"),
		until(waterfall))
	for _, panel := range []string{"#runs tbody", "#barriers", "#holds", "#problems"} {
		got := evaluate[string](t, tab, `document.querySelector("`+panel+`").textContent`)
		if !strings.Contains(got, name) {
			t.Errorf("%s says %q, want the name %s", panel, got, name)
		}
	}
	if n := evaluate[int](t, tab, `document.querySelectorAll("img").length +
		document.querySelector(".waterfall").shadowRoot.querySelectorAll("img, image").length`); n > 0 {
		t.Errorf("the name has become %d elements", n)
	}
	do(t, tab, chromedp.Click(`#runs td .quiet`), until(`location.search !== ""`), until(waitingIs(2)))
	noErrors(t, wrong)
}

// A server that ends, and starts again; a computer that was asleep; a hidden page.
func TestLiveReconnectsInABrowser(t *testing.T) {
	ln := wiretest.Listen(t)
	ctx, stop := context.WithCancel(t.Context())
	serveUntil(t, ctx, ln, func(*server.Config) {})
	front := newLiveFront(t, "http://"+ln.Addr().String())
	tab, _ := newTab(t, strings.TrimPrefix(front.URL, "http://")) // the console has the failures
	sendInBackground(t, front.URL+"/delay/600000?run=anna")
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(front.URL+"/live"), until(waitingIs(1)))

	stop()
	do(t, tab, until(`!`+connected),
		until(`document.querySelector("#connection").textContent.startsWith("Not connected")`))
	if got := evaluate[string](t, tab, `document.querySelector("#waiting").textContent`); got != "–" {
		t.Errorf("without the server the page says that %s wait", got)
	}
	do(t, tab, until(barCount+` === 0 && !stage.requested`))
	picture(t, tab, "live-away")
	again, err := net.Listen("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	serveUntil(t, t.Context(), again, func(*server.Config) {})
	do(t, tab, until(connected), until(waitingIs(0)))

	before := front.opened.Load()
	do(t, tab, chromedp.Evaluate[chromedp.Void](`{ const now = Date.now; Date.now = () => now() + 60000; }`))
	wiretest.Eventually(t, "the page connects again after a minute of sleep",
		func() bool { return front.opened.Load() > before })
	do(t, tab, until(connected))

	hide := func(hidden bool) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(
			`Object.defineProperty(document, "hidden", { configurable: true, get: () => %t });
			document.dispatchEvent(new Event("visibilitychange"));`, hidden))
	}
	do(t, tab, hide(true))
	wiretest.Eventually(t, "a hidden page has no stream", func() bool { return front.open.Load() == 0 })
	do(t, tab, hide(false))
	wiretest.Eventually(t, "a page that is visible again has one", func() bool { return front.open.Load() == 1 })
	do(t, tab, until(connected))
}

// liveFront is a proxy that counts streams of /admin/live.
type liveFront struct {
	*httptest.Server
	opened, open atomic.Int64
}

func newLiveFront(t *testing.T, base string) *liveFront {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, 0),
	}
	f := &liveFront{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/admin/live" {
			f.opened.Add(1)
			f.open.Add(1)
			defer f.open.Add(-1)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// Beyond 400 requests in flight the page shows their number over time.
func TestLiveAreaInABrowser(t *testing.T) {
	const all = 10_000
	base := serveDelays(t, func(c *server.Config) {
		c.AdminToken, c.MaxInFlightPerClient, c.MaxInFlightPerConnection = "none", all, all
	})
	steer, err := admin.New(base)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steer.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 720), chromedp.Navigate(base+"/live"), until(connected))

	transport := &http.Transport{Protocols: new(http.Protocols), MaxConnsPerHost: 1} // HTTP/2 needs one socket
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	clients := http.Client{Transport: transport}
	var answered sync.WaitGroup
	for i := range all {
		answered.Go(func() {
			r := newRequest(t, http.MethodGet, fmt.Sprintf("%s/delay/1000?run=guest-%d", base, i%50), "")
			response, err := clients.Do(r)
			if err == nil {
				response.Body.Close()
			} else if t.Context().Err() == nil {
				t.Error(err)
			}
		})
	}
	do(t, tab, until(`document.querySelector("#waiting").textContent === "10,000"`), until(`stage.showsArea`),
		until(painted+`("") > 200`))
	if label := evaluate[string](t, tab, `stage.description()`); !strings.Contains(label, "10,000 requests wait") {
		t.Errorf("the picture's description is %q", label)
	}
	pictureBy(t, tab, "live-area", chromedp.CaptureScreenshot())
	if _, err := steer.Advance(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	answered.Wait()
	do(t, tab, until(waitingIs(0)), until(`!stage.showsArea`))
	noErrors(t, wrong)
}
