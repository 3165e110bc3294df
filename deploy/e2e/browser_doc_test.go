package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"flash.test/delay-server/server"
)

// search types a query into the field of /doc and returns the addresses of what
// is found, such as "#param-status".
const search = `(query) => {
	const field = document.querySelector("#find");
	field.value = query;
	field.dispatchEvent(new Event("input"));
	return Array.from(document.querySelectorAll("#found a"), (a) => a.getAttribute("href"));
}`

// slash presses the key / and returns whether the browser would type it.
// chromedp.KeyEvent types it in any case.
const slash = `document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true, cancelable: true }))`

func TestDocInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do(t, tab, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(base+"/doc"))

	t.Run("search", func(t *testing.T) {
		for _, tc := range []struct{ name, query, want string }{
			{"a parameter", "fail_first", "#param-fail_first"},
			{"the beginning of a parameter", "body_d", "#param-body_delay"},
			{"a setting, in lower case", "max_delay", "#setting-MAX_DELAY"},
			{"a type of problem", "pool-full", "#pool-full"},
			{"a recipe, by words in any order", "answer flaky", "#flaky-answer"},
			{"words within a section", "pipelines requests", "#protocols"},
		} {
			got := evaluate[[]string](t, tab, `(`+search+`)(`+quoteJS(tc.query)+`)`)
			if len(got) == 0 || got[0] != tc.want {
				t.Errorf("%s: %q finds %v, want %s first", tc.name, tc.query, got, tc.want)
			}
		}
		got := evaluate[[]string](t, tab, `(`+search+`)("teapot")`)
		if said := text(t, tab, "#count"); len(got) != 0 || said != "No match for “teapot”" {
			t.Errorf("teapot finds %v, and the page says %q", got, said)
		}
	})
	t.Run("keys", func(t *testing.T) {
		do(t, tab, chromedp.Navigate(base+"/doc"))
		if got := evaluate[bool](t, tab, slash); got {
			t.Error("/ would be typed into the page")
		}
		do(t, tab, until(`document.activeElement.id === "find"`), chromedp.KeyEvent("MAX_DELAY\r"),
			until(`location.hash === "#setting-MAX_DELAY"`),
			until(`find.value === "" && document.activeElement.id !== "find"`))
		evaluate[bool](t, tab, slash)
		do(t, tab, chromedp.KeyEvent("pool"), until(`found.children.length > 1`),
			chromedp.KeyEvent("\x1b"), until(`find.value === "" && found.children.length === 0`))
	})
	t.Run("current section", func(t *testing.T) {
		do(t, tab, chromedp.Navigate(base+"/doc"),
			until(`document.querySelector(".contents [aria-current]")?.hash === "#slow-answer"`))
		for _, id := range []string{"slow-answer", "queue", "parameters", "problems", "settings", "runs"} {
			do(t, tab, chromedp.Evaluate[chromedp.Void](`void document.getElementById("`+id+`").scrollIntoView()`),
				until(`document.querySelector(".contents [aria-current]")?.hash === "#`+id+`"`))
		}
		if n := evaluate[int64](t, tab, `document.querySelectorAll(".contents [aria-current]").length`); n != 1 {
			t.Errorf("%d sections are marked, want 1", n)
		}
	})
	t.Run("copy", func(t *testing.T) {
		do(t, tab, chromedp.Evaluate[chromedp.Void](
			`void (navigator.clipboard.writeText = async (text) => { copied = text; })`))
		copied := func(pre string) string {
			do(t, tab, chromedp.Evaluate[chromedp.Void](`void (copied = "")`),
				chromedp.Click(pre+` + .copy`), until(`copied !== ""`))
			if got := text(t, tab, pre+` + .copy`); got != "Copied" {
				t.Errorf("%s: the button says %q, want Copied", pre, got)
			}
			return evaluate[string](t, tab, `copied`)
		}
		want := `curl -w '\n%header{server-timing}\n' ` + base + `/delay/1000`
		if got := copied("#slow-answer pre"); got != want {
			t.Errorf("a command with output: copied %q, want %q", got, want)
		}
		want = strings.Join([]string{
			"curl '" + base + "/delay/100?fault=reset'",
			"curl '" + base + "/delay/0?fault=hang' -m 0.2",
			"curl '" + base + "/delay/100?fault=truncate'",
		}, "\n")
		if got := copied("#broken-connection pre"); got != want {
			t.Errorf("commands with remarks: copied %q, want %q", got, want)
		}
		got := copied("#shop")
		if !strings.HasPrefix(got, "routes:\n") || !strings.Contains(got, "# any method without it") {
			t.Errorf("a file: copied %q, want all of it", got)
		}
	})
	do(t, tab, chromedp.Navigate(base+"/doc"))
	pictureBy(t, tab, "doc", chromedp.CaptureScreenshot())
	for _, id := range []string{"parameters", "problems"} {
		do(t, tab, chromedp.Evaluate[chromedp.Void](`location.hash = "`+id+`"`))
		pictureBy(t, tab, "doc-"+id, chromedp.CaptureScreenshot())
	}
	do(t, tab, chromedp.Evaluate[chromedp.Void](`void (`+search+`)("queue")`))
	pictureBy(t, tab, "doc-search", chromedp.CaptureScreenshot())
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}
}

// TestDocFromAFile opens /doc as a browser saves it: beside its script.
func TestDocFromAFile(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	tab, _ := newTab(t, "")
	folder := t.TempDir()
	files := map[string]string{"/doc": "doc.html", "/assets/doc.js": "doc.js", "/assets/style.css": "style.css"}
	for path, name := range files {
		res, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		page := strings.ReplaceAll(string(body), `"/assets/`, `"`)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do(t, tab, chromedp.Navigate("file://"+folder+"/doc.html"))
	if got := evaluate[[]string](t, tab, `(`+search+`)("workers")`); len(got) == 0 || got[0] != "#param-workers" {
		t.Errorf("workers finds %v, want the parameter first", got)
	}
}

func quoteJS(text string) string { return `"` + text + `"` }
