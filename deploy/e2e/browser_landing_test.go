package e2e

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

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

// The builder has a field or a chip for each parameter that OpenAPI lists, for each
// endpoint that waits.
func TestBuilderHasEveryParameter(t *testing.T) {
	tab, base, _ := openBuilder(t, "")
	document := readContract(t, base).document
	var patterns []string
	for path, item := range document.Paths.PathItems.FromOldest() {
		if item.Get == nil || !slices.ContainsFunc(item.Get.Tags, func(tag string) bool {
			return slices.Contains([]string{"waits", "go-httpbin", "events"}, tag)
		}) || strings.HasSuffix(path, "/") {
			continue
		}
		patterns = append(patterns, path)
		var want []string
		for _, p := range item.Parameters {
			if p.In == "path" || p.In == "query" {
				want = append(want, p.In+" "+p.Name)
			}
		}
		got := evaluate[[]string](t, tab, fmt.Sprintf(`(() => {
			const option = endpoints.find(({ value }) => value.replace("...", "") === %q);
			if (!option) return [];
			byId("endpoint").value = option.value;
			byId("endpoint").dispatchEvent(new Event("change"));
			return [
				...fieldsIn("path").map((field) => "path " + field.dataset.name),
				...queryFields().map((field) => "query " + field.dataset.name),
				...chips.filter((chip) => !chip.hidden && !has(chip.dataset.name))
					.map((chip) => "query " + chip.dataset.name),
			];
		})()`, path))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the builder has %q, want %q", path, got, want)
		}
	}
	if n := evaluate[int](t, tab, `endpoints.length`); n != len(patterns) {
		t.Errorf("the builder has %d endpoints, want %d: %q", n, len(patterns), patterns)
	}
}

// A shell gets the same status by the curl line as the page.
func TestBuilderCurlLine(t *testing.T) {
	tab, base, _ := openBuilder(t, "")
	for _, tc := range []struct {
		fragment, status string
	}{
		{"#/delay/1", "200 OK"},
		{"#/delay/uniform:1ms,2ms?status=418", "418 I'm a teapot"},
		{"#POST/delay/1?status=201&header=X-Note:it%27s%20%22%24HOME%22", "201 Created"},
		{"#HEAD/delay/1?status=404", "404 Not Found"},
		{"#DELETE/status/503;X-Api-Key:it's%20%60id%60", "503 Service Unavailable"},
		{"#/bytes/16", "200 OK"},
		{"#/drip?delay=0&duration=0.1&code=207", "207 Multi-Status"},
		{"#/sse?count=3&duration=0.1", "200 OK"},
		{"#/barrier/b?parties=1", "200 OK"},
		{"#/hold/h?timeout=1ms", "504 Gateway Timeout"},
		{"#/delay/1/proxy/" + strings.TrimPrefix(base, "http://") + "/healthz", "200 OK"},
		{"#/delay/soon", "400 Bad Request"},
		{"#/delay/1?stauts=503", "400 Bad Request"},
		{"#/delay/1?other=%C3%A9%20%26", "200 OK"},
		{"#/delay/1?status=", "400 Bad Request"},
		{"#/delay/", "404 Not Found"},
	} {
		request(t, tab, tc.fragment)
		if got := evaluate[string](t, tab, `location.hash`); got != strings.ReplaceAll(tc.fragment, "it's", "it%27s") {
			t.Errorf("%s: the page's fragment is %s", tc.fragment, got)
		}
		send(t, tab)
		got := text(t, tab, "#status")
		line := evaluate[string](t, tab, `byId("code").textContent`)
		reply := must(t, nil, "sh", "-c", strings.Replace(line, "curl ", "curl -s --max-time 20 ", 1))
		first, _, _ := strings.Cut(reply, "\r\n")
		if got != tc.status || first != "HTTP/1.1 "+tc.status {
			t.Errorf("%s: the page shows %q, and %s gets %q; want %q", tc.fragment, got, line, first, tc.status)
		}
	}
}

// The parts of a stream appear while it goes on, each with its time.
func TestBuilderShowsStreams(t *testing.T) {
	for _, fragment := range []string{
		"#/sse?count=5&duration=2", "#/drip?delay=0&duration=2&numbytes=5", "#/delay/0?size=500&rate=0.25",
	} {
		tab, _, wrong := openBuilder(t, fragment)
		const parts = `document.querySelectorAll("#chunks li").length`
		do(t, tab, chromedp.Click("#send"), until(`running && `+parts+` > 0`))
		early := evaluate[int](t, tab, parts)
		do(t, tab, until(idle))
		if late := evaluate[int](t, tab, parts); late <= early {
			t.Errorf("%s: %d parts were there before the end, and %d at the end", fragment, early, late)
		}
		last := milliseconds(t, strings.ReplaceAll(text(t, tab, "#chunks li:last-child time"), ",", ""))
		if last < 2000 {
			t.Errorf("%s: the last part came after %v ms, want 2000 or more", fragment, last)
		}
		marks := evaluate[string](t, tab, `byId("track-chunks").getAttribute("d")`)
		if got := text(t, tab, "#timing"); !strings.HasPrefix(got, "Header after ") || strings.Count(marks, "M") < 2 {
			t.Errorf("%s: the page says %q and draws %q", fragment, got, marks)
		}
		if strings.Contains(fragment, "sse") {
			picture(t, tab, "landing-stream")
		}
		for _, w := range wrong() {
			t.Errorf("%s: %s", fragment, w)
		}
	}
}

// A request without an answer, or without a whole one, is shown for what it is.
func TestBuilderShowsFailures(t *testing.T) {
	tab, _, _ := openBuilder(t, "")
	for _, tc := range []struct{ fragment, status, note string }{
		{"#/delay/1?fault=reset", "No answer", "without an answer"},
		{"#/delay/1?fault=empty", "No answer", "without an answer"},
		{"#/delay/1?fault=truncate&size=1000", "200 OK", "The body broke off after "},
		{"#/delay/1/url/example.com", "A redirect", "A browser does not show a redirect to a page."},
		{"#/delay/1?size=200000", "200 OK", "The page shows the first 200 parts, up to 64 KB."},
		{"#/delay/1", "200 OK", ""},
	} {
		request(t, tab, tc.fragment)
		send(t, tab)
		note := evaluate[string](t, tab, `byId("note").hidden ? "" : byId("note").textContent`)
		if got := text(t, tab, "#status"); got != tc.status || !strings.Contains(note, tc.note) ||
			tc.note == "" && note != "" {
			t.Errorf("%s: the page says %q and %q, want %q and %q", tc.fragment, got, note, tc.status, tc.note)
		}
	}
	request(t, tab, "#/bytes/100000")
	send(t, tab)
	got := evaluate[string](t, tab, `byId("chunks").textContent`)
	if !strings.Contains(got, " bytes") || len(got) > 70000 {
		t.Errorf("100,000 random bytes: the page shows %d characters: %.200s", len(got), got)
	}

	request(t, tab, "#/hold/never")
	do(t, tab, chromedp.Click("#send"), until(`running && byId("status").textContent === "Waiting …"`),
		chromedp.Click("#send"), until(idle))
	if got := text(t, tab, "#note"); !strings.HasPrefix(got, "Stopped after ") {
		t.Errorf("after Stop, the page says %q", got)
	}
	if got := text(t, tab, "#status"); got != "Stopped" {
		t.Errorf("after Stop, the status is %q", got)
	}
}

// The server's detail is at the field that it is about.
func TestBuilderShowsProblems(t *testing.T) {
	tab, _, _ := openBuilder(t, "")
	for _, tc := range []struct{ fragment, field, want string }{
		{"#/delay/1?size=1&status=999", "status", `status "999" is invalid`},
		{"#/delay/1?status=500&attempts=500,200&run=a", "status", "status and attempts conflict"},
		{"#/delay/1?stauts=500", "stauts", `unknown parameter "stauts"; did you mean "status"?`},
		{"#/barrier/b", "", "parties"},
		{"#/delay/1;X-Note:%C3%A9", "header", "The value has characters outside ASCII"},
		{"#/delay/1;Cookie:a", "header", "A browser does not let a page send Cookie."},
		{"#/delay/1;a%20b:c", "header", "This is not the name of a header."},
	} {
		request(t, tab, tc.fragment)
		send(t, tab)
		got := evaluate[[][2]string](t, tab, `[...document.querySelectorAll(".error:not([hidden])")].map((error) => {
			const field = error.closest(".field");
			return [field ? field.dataset.name ?? "header" : "", error.textContent];
		})`)
		if len(got) != 1 || got[0][0] != tc.field || !strings.Contains(got[0][1], tc.want) {
			t.Errorf("%s: the page says %q, want %q at field %q", tc.fragment, got, tc.want, tc.field)
		}
	}
	picture(t, tab, "landing-problem")
}

func TestBuilderDrawsTheDelay(t *testing.T) {
	tab, _, wrong := openBuilder(t, "#/delay/lognormal:120ms,900ms?status=503:5")
	const image = `document.querySelector("#distribution img")`
	drawn := func(title string) {
		t.Helper()
		do(t, tab, until(fmt.Sprintf(`%s.alt.includes(%q) && !%s.hidden && %s.complete && %s.naturalWidth > 0`,
			image, title, image, image, image)))
	}
	drawn("p50 120 ms, p90 364 ms, p99 900 ms")
	evaluate[bool](t, tab, typed("#path input", "1.5s"))
	drawn("Always 1.5 s")
	request(t, tab, "#/drip?delay=uniform:1,3") // in seconds
	drawn("uniform:1000,3000: p50 2 s")
	do(t, tab, chromedp.Click(`.forms [data-fill^="weighted"]`))
	drawn("weighted:")
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
	evaluate[bool](t, tab, typed("#fields input", "uniform:3"))
	do(t, tab, until(image+`.hidden && document.querySelector("#fields .error").textContent.includes("want 2: MIN")`))
}

// Chips, fields and tabs work by keyboard, and a link to the page has the request.
func TestBuilderByKeyboard(t *testing.T) {
	tab, base, wrong := openBuilder(t, "#/delay/5?status=201&header=X-A:1&header=X-B:2;X-Api-Key:k")
	got := evaluate[[]string](t, tab, `queryFields().map((field) => field.dataset.name + " " + valueOf(field))`)
	if !slices.Equal(got, []string{"status 201", "header X-A:1", "header X-B:2"}) {
		t.Errorf("the fields of a shared link are %q", got)
	}
	const focus = `document.activeElement.closest(".field")?.dataset.name`
	do(t, tab, chromedp.Focus(`#chips [data-name="workers"]:not([hidden])`), chromedp.KeyEvent(kb.Enter),
		until(focus+` === "workers" && has("pool")`), chromedp.KeyEvent("7"))
	if got := evaluate[string](t, tab, `location.hash`); !strings.Contains(got, "workers=7&pool=db;X-Api-Key:k") {
		t.Errorf("after typing 7 for workers, the fragment is %s", got)
	}
	do(t, tab, chromedp.KeyEvent(kb.Enter), until(idle+` && byId("status").textContent === "201 Created"`))
	do(t, tab, chromedp.KeyEvent(kb.Tab), until(`document.activeElement.className === "remove"`),
		chromedp.KeyEvent(kb.Enter), until(`!has("workers") && has("pool")`))

	do(t, tab, chromedp.Focus("#tab-curl"), chromedp.KeyEvent(kb.ArrowLeft),
		until(`byId("code").textContent.startsWith("import java")`), chromedp.KeyEvent(kb.ArrowRight),
		until(`byId("code").textContent.startsWith("curl")`), chromedp.KeyEvent(kb.End),
		chromedp.KeyEvent(kb.ArrowLeft), until(`byId("code").textContent.startsWith("package main")`))
	if got := evaluate[string](t, tab, `document.querySelector("[role=tab][tabindex='0']").id`); got != "tab-go" {
		t.Errorf("the tab in the order of Tab is %s, want tab-go", got)
	}
	do(t, tab, chromedp.Navigate(base+"/"), until(`byId("code").textContent.startsWith("package main")`),
		chromedp.Click(`.starts a[href*="/sse"]`), until(`byId("endpoint").value === "/sse" && has("interval")`))
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// A visitor from elsewhere gets links to the host that they used.
func TestPagesLinkToTheHostOfTheVisitor(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.DemoAPIURL = "http://localhost:5001" })
	tab, _ := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.Navigate(base+"/"))
	got := evaluate[string](t, tab, `document.querySelector("a[data-local]").href`)
	if got != "http://127.0.0.1:5001/" {
		t.Errorf("the link to demo-api leads to %s, want 127.0.0.1", got)
	}
}
