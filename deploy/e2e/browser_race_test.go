package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	admin "flash.test/delay-server/client"
	"flash.test/delay-server/server"
)

// The screens that pages are made for. With `go test -artifacts` their pictures
// are kept.
var screens = []struct {
	name          string
	width, height int64
	scheme        string // prefers-color-scheme
}{
	{"desktop-light", 1440, 900, "light"},
	{"desktop-dark", 1440, 900, "dark"},
	{"projector-light", 1280, 720, "light"},
	{"projector-dark", 1280, 720, "dark"},
	{"large-light", 1920, 1080, "light"},
	{"phone-light", 360, 740, "light"},
	{"phone-dark", 360, 740, "dark"},
}

// picture takes pictures of the page on all screens, and checks that the page is not wider
// than the screen.
func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	pictureBy(t, tab, name, chromedp.FullScreenshot(100))
}

// pictureBy is picture for pages that are too long for a full screenshot.
func pictureBy(t *testing.T, tab context.Context, name string, take chromedp.Action[[]byte]) {
	t.Helper()
	for _, s := range screens {
		do(t, tab, chromedp.EmulateViewport(s.width, s.height), emulateScheme(s.scheme))
		if wide := evaluate[int64](t, tab, `document.documentElement.scrollWidth`); wide > s.width {
			t.Errorf("%s on %s: the page is %d pixels wide, want %d at most", name, s.name, wide, s.width)
		}
		png, err := chromedp.Run(tab, take)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+"-"+s.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	do(t, tab, chromedp.EmulateViewport(screens[0].width, screens[0].height))
}

func do(t *testing.T, tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		t.Fatal(err)
	}
}

func evaluate[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	got, err := chromedp.Run(tab, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return got
}

// until polls until a JavaScript expression is true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](expression)
}

// raced is a JavaScript expression: the button starts a race, so none is running.
const raced = `document.querySelector("#form button").textContent === "Race"`

// drawn returns the number of bars in a lane, and their area: the number of pixels of about
// the colour of bars, times the milliseconds that the lane is wide.
const drawn = `(id) => {
	const canvas = document.querySelector("#" + id + " canvas");
	const [r, g, b] = getComputedStyle(canvas).color.match(/\d+/g).map(Number);
	const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
	let bars = 0, pixels = 0, above = 0;
	for (let y = 0; y < height; y++) {
		let inLine = 0;
		for (let i = 4 * width * y; i < 4 * width * (y + 1); i += 4) {
			const distance = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
			if (data[i + 3] > 100 && distance < 24) inLine++;
		}
		if (inLine > 0 && above === 0) bars++;
		pixels += inLine;
		above = inLine;
	}
	return { bars, area: pixels * scale };
}`

// The lanes grow with each call while the race runs. Each call of the sequential lane ends
// when the test has seen its bar.
func TestLanesGrowInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	steer, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steer.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(base+"/?calls=3&delay=300"),
		chromedp.Click("#form button"))
	last := 0.0
	for over, waiting := range []int{1 + 3, 1, 1} {
		if _, err := steer.AwaitClock(t.Context(), waiting); err != nil {
			t.Fatal(err)
		}
		do(t, tab, until(fmt.Sprintf(`(() => {
			const sequential = (%[1]s)("sequential"), concurrent = (%[1]s)("concurrent");
			return Number.parseInt(document.querySelector("#sequential .count").textContent) === %[2]d &&
				sequential.bars === %[2]d + 1 && sequential.area > %[3]f && concurrent.bars === 3;
		})()`, drawn, over, last)))
		last = evaluate[float64](t, tab, `(`+drawn+`)("sequential").area`)
		if _, err := steer.Advance(t.Context(), 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	do(t, tab, until(raced))
}

func TestRaceInABrowser(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	base := startDemoAPI(t, slow)
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(base+"/?calls=3&delay=500"))
	picture(t, tab, "before")

	begin := time.Now()
	do(t, tab, chromedp.Click("#form button"), until(raced))
	took := time.Since(begin)

	journal, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	all, err := journal.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Runs) != 2 {
		t.Fatalf("delay-server saw %d runs, want one for each lane", len(all.Runs))
	}
	figures := map[string][]string{}
	for _, row := range []string{"total", "sum", "peak", "seen"} {
		figures[row] = evaluate[[]string](t, tab,
			`[...document.querySelectorAll("#figures [data-row=`+row+`] td")].map((cell) => cell.textContent)`)
	}
	for _, run := range all.Runs {
		lane, peak := 0, "1"
		if strings.HasSuffix(run.ID, "-concurrent") {
			lane, peak = 1, "3"
		}
		total, sum := inSeconds(t, figures["total"][lane]), inSeconds(t, figures["sum"][lane])
		if total < run.Wall-time.Millisecond || sum < run.Sum-time.Millisecond ||
			run.PeakInFlight != []int{1, 3}[lane] {
			t.Errorf("%s: the page says %v, sum %v; the journal %v, %v, peak %d", run.ID, total, sum, run.Wall,
				run.Sum, run.PeakInFlight)
		}
		if figures["peak"][lane] != peak || figures["seen"][lane] != "delay-server" {
			t.Errorf("%s: the page says peak %s, seen by %s, want %s, delay-server", run.ID, figures["peak"][lane],
				figures["seen"][lane], peak)
		}
	}
	turn, once := inSeconds(t, figures["total"][0]), inSeconds(t, figures["total"][1])
	if turn < 1500*time.Millisecond || once < 500*time.Millisecond || once >= turn || turn > took {
		t.Errorf("totals: %v in turn, %v at once, within %v; want 1.5s and 500ms, or little more", turn, once, took)
	}
	said := strings.ReplaceAll(text(t, tab, "#result"), "\u00a0", " ")
	factor, _, _ := strings.Cut(said, " ")
	got, err := strconv.ParseFloat(factor, 64)
	if err != nil || math.Abs(got-float64(turn)/float64(once)) > 0.05 || !strings.Contains(said, figures["total"][0]) {
		t.Errorf("the page says %q of %v and %v", said, turn, once)
	}
	if got := text(t, tab, "#concurrent-output"); !strings.Contains(got,
		"curl '"+base+"/async_get_data?calls=3&delay=500'") || !strings.Contains(got, `{"r1":200,"r2":200,"r3":200}`) {
		t.Errorf("the lane says %q, want the curl line and the answer", got)
	}
	picture(t, tab, "after")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

func inSeconds(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatalf("%q is no time: %v", text, err)
	}
	return d
}

// The page of a race that is stopped, fails or is cut off.
func TestRaceInABrowserOtherwise(t *testing.T) {
	slow := serveDelays(t, func(*server.Config) {})
	front := newFront(t, startDemoAPI(t, slow))
	tab, _ := newTab(t, strings.TrimPrefix(front.URL, "http://"))
	click := chromedp.Click("#form button")
	open := func(query string) {
		t.Helper()
		do(t, tab, chromedp.Navigate(front.URL+"/"+query))
	}
	says := func(when, selector, want string) {
		t.Helper()
		if got := text(t, tab, selector); !strings.Contains(got, want) {
			t.Errorf("%s: the page says %q, want … %s …", when, got, want)
		}
	}

	journal, err := admin.New(slow)
	if err != nil {
		t.Fatal(err)
	}
	open("?calls=4&delay=20s")
	do(t, tab, click, until(`document.querySelector("#sequential .clock").textContent > "0.100 s"`))
	if _, err := journal.AwaitClock(t.Context(), 1+4); err != nil {
		t.Fatal(err)
	}
	do(t, tab, click, until(raced))
	says("stopped", "#result", "Stopped")
	all, err := journal.Runs(t.Context())
	if err != nil || len(all.Runs) != 2 {
		t.Fatalf("got %+v, %v, want the runs of both lanes", all, err)
	}
	for _, known := range all.Runs {
		run, err := journal.AwaitSettled(t.Context(), known.ID)
		if err != nil ||
			slices.ContainsFunc(run.Waits, func(w admin.Wait) bool { return w.Outcome != "client_closed" }) {
			t.Errorf("stopped: got %+v, %v, want all calls to have left", run.Waits, err)
		}
	}

	do(t, tab, chromedp.SetValue("#delay", "soon"), click, chromedp.WaitVisible("#delay-note.bad"))
	says("of delay soon", "#delay-note", `delay "soon" is invalid (unknown form): use milliseconds`)

	do(t, tab, chromedp.Click(`.presets li:nth-child(5) a`), chromedp.WaitVisible("#notice"))
	says("the preset of a database call", "#notice", "as long as the slowest")
	if got := evaluate[string](t, tab, `location.search`); got != "?calls=2&delay=1000&db=500" {
		t.Errorf("the preset's URL ends with %s", got)
	}

	front.events.Store("cut")
	open("?calls=3&delay=200")
	do(t, tab, click, until(raced))
	says("cut", "#result", "The event stream was cut")

	front.events.Store("none")
	do(t, tab, click, until(raced))
	says("without the stream", "#result", "as fast: all at once took")
	says("without the stream", "#figures", "unknown")
	says("without the stream", "#sequential-output", `{"r1":200,"r2":200,"r3":200}`)
	if n := front.asked.Load(); n != 4 {
		t.Errorf("the stream was asked for %d times, want once for each of 4 races: none is run twice", n)
	}
}

// front is a proxy for demo-api that breaks its event stream.
type front struct {
	*httptest.Server
	events atomic.Value // "": as it is; "cut": its first 400 bytes; "none": 502
	asked  atomic.Int64 // requests for the stream
}

func newFront(t *testing.T, base string) *front {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{}
	f.events.Store("")
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, 0),
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == "/race/events" && f.events.Load() == "cut" {
				r.Body = cutBody{io.LimitReader(r.Body, 400), r.Body}
			}
			return nil
		},
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/race/events" {
			f.asked.Add(1)
			if f.events.Load() == "none" {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// cutBody is a response body that ends early.
type cutBody struct {
	io.Reader
	io.Closer
}
