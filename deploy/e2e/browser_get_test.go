package e2e

import (
	"bytes"
	"context"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"flash.test/delay-server/server"
)

// The page shows the commands for the visitor's system.
func TestGetPageFindsTheSystem(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.BundleDir = smallBundle(t) })
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	for _, visitor := range []struct {
		agent, platform string
		touch           bool
		pressed, shown  string // the system, and the start of the first command
		phone           bool
		yours           string // the marked row
	}{
		{"Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36", "Linux x86_64", false,
			"Linux", "curl -O ", false, "Linux, Intel and AMD"},
		{"Mozilla/5.0 (X11; Linux aarch64; rv:140.0) Gecko/20100101 Firefox/140.0", "Linux aarch64", false,
			"Linux", "curl -O ", false, ""},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "MacIntel", false,
			"macOS", "curl -O ", false, "macOS, Apple silicon"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36", "Win32", false,
			"Windows", "Invoke-WebRequest ", false, ""},
		{"Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140.0.0.0 Mobile Safari/537.36", "Linux armv81", true,
			"Linux", "curl -O ", true, ""},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "iPhone", true,
			"Linux", "curl -O ", true, ""},
	} {
		override := emulation.SetUserAgentOverrideParams{UserAgent: visitor.agent, Platform: visitor.platform}
		do(t, tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetUserAgentOverride, override)
			return err
		}), chromedp.Navigate(base+"/get"), until(`!document.querySelector("#systems").hidden`))
		pressed := evaluate[string](t, tab, `document.querySelector("[aria-pressed=true]").textContent`)
		shown := evaluate[string](t, tab, `[...document.querySelectorAll(".code pre")]
			.filter((pre) => pre.checkVisibility()).map((pre) => pre.textContent)[0]`)
		if pressed != visitor.pressed || !strings.HasPrefix(shown, visitor.shown) {
			t.Errorf("%s: %s is pressed and %q shown, want %s and %s", visitor.agent, pressed, shown, visitor.pressed,
				visitor.shown)
		}
		phone := evaluate[bool](t, tab, `document.querySelector("#phone").checkVisibility()`)
		if phone != visitor.phone {
			t.Errorf("%s: the hint for phones is shown: %v, want %v", visitor.agent, phone, visitor.phone)
		}
		yours := evaluate[string](t, tab, `document.querySelector("tr.yours th")?.textContent ?? ""`)
		if yours != visitor.yours {
			t.Errorf("%s: row %q is marked, want %q", visitor.agent, yours, visitor.yours)
		}
	}

	do(t, tab, chromedp.Click(`[data-os=windows]`))
	if shown := evaluate[bool](t, tab, `document.querySelector("#shell-get").checkVisibility()`); shown {
		t.Error("after a click on Windows, the page shows the commands for a shell")
	}
	for _, w := range wrong() {
		t.Error(w)
	}
}

// A camera reads the address off the screen, in both colour schemes.
func TestGetPageShowsAQRCode(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.BundleDir = smallBundle(t) })
	// By a name that is not loopback for the server, so that others could use it.
	address := strings.Replace(base, "127.0.0.1", "room.localhost", 1)
	tab, wrong := newTab(t, strings.TrimPrefix(address, "http://"))
	for _, screen := range screens {
		do(t, tab, emulateScheme(screen.scheme), chromedp.EmulateViewport(screen.width, screen.height),
			chromedp.Navigate(address+"/get"), until(`!document.querySelector("#systems").hidden`))
		last := evaluate[float64](t, tab, `document.querySelector("main > [role=alert]")?.remove(),
			document.querySelector("#shell-start").getBoundingClientRect().bottom`)
		if screen.width > 600 && last > float64(screen.height) {
			t.Errorf("%s: the second command ends at %.0f pixels", screen.name, last)
		}
		if screen.width < 600 { // the code follows the address
			do(t, tab, chromedp.ScrollIntoView(".qr"))
		}
		if got := readQRCode(t, tab); got != address+"/get" {
			t.Errorf("%s: the QR code says %q, want %s/get", screen.name, got, address)
		}
	}
	for _, w := range wrong() {
		t.Error(w)
	}
}

// A page that is neither from localhost nor over TLS has no clipboard: its buttons copy the
// selection, or say which keys do.
func TestCopyWithoutAClipboardInABrowser(t *testing.T) {
	base := serveDelays(t, func(c *server.Config) { c.BundleDir = smallBundle(t) })
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	const button = `[data-copy=shell-get]`
	says := func(label string) chromedp.Action[chromedp.Void] {
		return until(`document.querySelector("` + button + `").textContent === "` + label + `"`)
	}
	do(t, tab, chromedp.Navigate(base+"/get"), until(`!document.querySelector("#systems").hidden`),
		chromedp.Evaluate[chromedp.Void](`globalThis.copied = [];
			Object.defineProperty(navigator, "clipboard", { value: undefined });
			document.addEventListener("copy", () => copied.push(getSelection().toString()));`),
		chromedp.Click(button), says("Copied"), chromedp.Click(button), says("Copied"), says("Copy"))
	want := evaluate[string](t, tab, `document.querySelector("#shell-get").textContent`)
	if got := evaluate[[]string](t, tab, `copied`); !slices.Equal(got, []string{want, want}) {
		t.Errorf("copied %q, want %q twice", got, want)
	}
	do(t, tab, chromedp.Evaluate[chromedp.Void](`document.execCommand = () => false`), chromedp.Click(button),
		says("Press Ctrl+C"))
	for _, w := range wrong() {
		t.Error(w)
	}
}

// readQRCode decodes the QR code in a picture of the screen.
func readQRCode(t *testing.T, tab context.Context) string {
	t.Helper()
	shot, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	hints := map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	code, err := qrcode.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		t.Errorf("no QR code on the screen: %v", err)
		return ""
	}
	return code.GetText()
}
