package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"flash.test/delay-server/server"
)

// everyPage lists the pages of both programs.
var everyPage = []struct{ name, program, path string }{
	{"landing", "delay-server", "/"},
	{"live", "delay-server", "/live"},
	{"board", "delay-server", "/board"},
	{"get", "delay-server", "/get"},
	{"exercises", "delay-server", "/exercises"},
	{"doc", "delay-server", "/doc"},
	{"problems", "delay-server", "/problems"},
	{"problem", "delay-server", "/problems/pool-full"},
	{"race", "demo-api", "/"},
	{"tutorial", "demo-api", "/tutorial"},
	{"sweep", "demo-api", "/sweep"},
}

// Every page is readable on every screen in both colour schemes, works by keyboard, has a
// name for each control, uses no other host, and has no error on the console. Pages with
// more on them have tests of their own.
func TestEveryPageInABrowser(t *testing.T) {
	base := map[string]string{"delay-server": serveDelays(t, func(c *server.Config) {
		c.AdminToken, c.BundleDir = "none", smallBundle(t)
	})}
	base["demo-api"] = startDemoAPI(t, base["delay-server"])
	go func() { // something to show
		response, err := http.Get(base["delay-server"] + "/hold/shown?run=anna&timeout=10m")
		if err == nil {
			response.Body.Close()
		}
	}()
	for _, page := range everyPage {
		t.Run(page.name, func(t *testing.T) {
			url := base[page.program]
			tab, wrong := newTab(t, strings.TrimPrefix(url, "http://"))
			do(t, tab, emulateMotion("reduce"), chromedp.EmulateViewport(screens[0].width, screens[0].height),
				chromedp.Navigate(url+page.path))
			checkOutline(t, tab)
			checkMotion(t, tab)
			checkKeyboard(t, tab)
			checkNames(t, tab)
			pictureBy(t, tab, page.name, chromedp.CaptureScreenshot())
			for _, scheme := range []string{"light", "dark"} {
				do(t, tab, emulateScheme(scheme))
				for _, faint := range evaluate[[]string](t, tab, faintTexts) {
					t.Errorf("in the %s scheme: contrast of %s", scheme, faint)
				}
			}
			for _, w := range wrong() {
				t.Error(w)
			}
		})
	}
}

func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return emulateMedia("prefers-color-scheme", scheme)
}

func emulateMotion(motion string) chromedp.Action[chromedp.Void] {
	return emulateMedia("prefers-reduced-motion", motion)
}

func emulateMedia(name, value string) chromedp.Action[chromedp.Void] {
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: name, Value: value}}}
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	})
}

// checkOutline checks the title, the language, the headings and the landmarks.
func checkOutline(t *testing.T, tab context.Context) {
	t.Helper()
	for _, part := range []struct{ selector, want string }{
		{"html[lang=en]", "1"}, {"head title:not(:empty)", "1"}, {"h1", "1"}, {"main", "1"}, {"header nav", "1"},
	} {
		got := evaluate[int](t, tab, fmt.Sprintf("document.querySelectorAll(%q).length", part.selector))
		if fmt.Sprint(got) != part.want {
			t.Errorf("the page has %d %s, want %s", got, part.selector, part.want)
		}
	}
	if skipped := evaluate[string](t, tab, `(() => {
		let level = 0;
		for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5")) {
			const next = Number(heading.tagName[1]);
			if (next > level + 1) return heading.textContent;
			level = next;
		}
		return "";
	})()`); skipped != "" {
		t.Errorf("heading %q skips a level", skipped)
	}
	if twice := evaluate[[]string](t, tab, `(() => {
		const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
		return ids.filter((id, i) => ids.indexOf(id) !== i);
	})()`); len(twice) > 0 {
		t.Errorf("IDs that are there twice: %v", twice)
	}
}

// checkMotion checks that nothing moves if the user prefers that.
func checkMotion(t *testing.T, tab context.Context) {
	t.Helper()
	if moving := evaluate[int](t, tab, `document.getAnimations().filter(
		(animation) => animation.effect.getComputedTiming().duration > 1).length`); moving > 0 {
		t.Errorf("%d animations run with reduced motion", moving)
	}
}

// checkKeyboard presses Tab until each control was focused, and checks that one sees it.
func checkKeyboard(t *testing.T, tab context.Context) {
	t.Helper()
	controls := evaluate[int](t, tab, `(() => {
		const focusable = "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary";
		globalThis.unreached = new Set([...document.querySelectorAll(focusable)].filter((element) =>
			element.tabIndex >= 0 && element.checkVisibility({ visibilityProperty: true }) &&
			!(element.type === "radio" && !element.checked)));
		globalThis.unseen = new Set();
		return unreached.size;
	})()`)
	const focused = `(() => {
		const element = document.activeElement;
		unreached.delete(element);
		const style = getComputedStyle(element);
		if (element !== document.body && style.outlineStyle === "none" && style.boxShadow === "none") {
			unseen.add(element.outerHTML.slice(0, 80));
		}
		return unreached.size;
	})()`
	left := controls
	for range 2*controls + 10 { // some panels can be focused too, since they scroll
		if left == 0 {
			break
		}
		do(t, tab, chromedp.KeyEvent(kb.Tab))
		left = evaluate[int](t, tab, focused)
	}
	if missed := evaluate[[]string](t, tab, `[...unreached].map((element) => element.outerHTML.slice(0, 80))`); len(
		missed) > 0 {
		t.Errorf("%d of %d controls are not reached by Tab: %q", len(missed), controls, missed)
	}
	if unseen := evaluate[[]string](t, tab, `[...unseen]`); len(unseen) > 0 {
		t.Errorf("no focus is seen on %q", unseen)
	}
}

// named are the roles whose nodes need a name.
const named = " button link textbox searchbox combobox checkbox radio slider spinbutton switch tab img image " +
	"progressbar meter canvas Canvas dialog listbox menuitem "

// checkNames checks that each control and picture in the accessibility tree has a name.
func checkNames(t *testing.T, tab context.Context) {
	t.Helper()
	tree := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		got, err := cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			return err
		}
		for _, node := range got.Nodes {
			role, name := axText(node.Role), axText(node.Name)
			if !node.Ignored && strings.Contains(named, " "+role+" ") && strings.TrimSpace(name) == "" {
				t.Errorf("a %s has no name (backend node %d)", role, node.BackendDOMNodeID)
			}
		}
		return nil
	})
	do(t, tab, tree)
}

// axText returns a text of the accessibility tree.
func axText(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	return strings.Trim(string(value.Value), `"`)
}

// faintTexts is a JavaScript expression: visible texts whose contrast is below WCAG 2.2's
// level AA, 4.5, or 3 for large text.
const faintTexts = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (color) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const over = (top, bottom) => {
		const alpha = top[3] / 255;
		return [0, 1, 2].map((i) => top[i] * alpha + bottom[i] * (1 - alpha)).concat(255);
	};
	const background = (element) => {
		const layers = [];
		for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
		return layers.reduceRight((bottom, top) => over(top, bottom), rgba("canvas"));
	};
	const luminance = (color) => {
		const [r, g, b] = color.slice(0, 3).map((c) => c / 255).map((c) =>
			c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const faint = new Map();
	for (const element of document.body.querySelectorAll("*")) {
		const texts = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data);
		const text = texts.join("").trim();
		if (text === "" || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
		if (element.closest("svg, :disabled, noscript")) continue;
		const style = getComputedStyle(element), behind = background(element);
		const a = luminance(over(rgba(style.color), behind)), b = luminance(behind);
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		if (contrast < (large ? 3 : 4.5)) {
			const kind = element.tagName + "." + element.className;
			if (!faint.has(kind)) faint.set(kind, kind + " \"" + text.slice(0, 30) + "\" is " + contrast.toFixed(2));
		}
	}
	return [...faint.values()];
})()`
