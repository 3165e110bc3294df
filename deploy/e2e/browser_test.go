package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"flash.test/delay-server/server"
)

// newTab opens a tab of a headless Chromium. The function it returns lists errors on the
// console and requests to other hosts than the allowed one. Without Chromium the test is
// skipped, or fails with REQUIRE_BROWSER=1.
func newTab(t *testing.T, allowed string) (tab context.Context, wrong func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path, err = exec.LookPath("google-chrome")
	}
	if err != nil {
		if os.Getenv("REQUIRE_BROWSER") == "1" {
			t.Fatalf("REQUIRE_BROWSER=1: %v", err)
		}
		t.Skipf("no browser: %v", err)
	}
	ctx, cancel := chromedp.NewContext(t.Context(),
		chromedp.WithAllocatorOptions(chromedp.ExecPath(path), chromedp.NoSandbox))
	t.Cleanup(cancel)

	var mu sync.Mutex
	var seen []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			seen = append(seen, fmt.Sprintf("exception: %+v", e.ExceptionDetails))
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				seen = append(seen, "console: "+e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err != nil || u.Host != allowed {
				seen = append(seen, "request to "+e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	enable := chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, errNetwork := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		_, errLog := cdp.Call(ctx, target, log.Enable, cdp.Empty{})
		return errors.Join(errNetwork, errLog)
	})
	if err := chromedp.Do(ctx, enable); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	return limited, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

// text returns the text of an element.
func text(t *testing.T, tab context.Context, selector string) string {
	t.Helper()
	got, err := chromedp.Run(tab, chromedp.Text(selector))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLandingPageInABrowser(t *testing.T) {
	base := serveDelays(t, func(*server.Config) {})
	tab, wrong := newTab(t, strings.TrimPrefix(base, "http://"))
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, steps...); err != nil {
			t.Fatal(err)
		}
	}
	try := func(delay string) chromedp.Action[chromedp.Void] {
		return chromedp.Steps(
			chromedp.SetValue("#delay", delay),
			chromedp.Click("form button"),
			chromedp.Poll[chromedp.Void](`!document.querySelector("form button").disabled`),
		)
	}
	begin := time.Now()
	do(chromedp.Navigate(base+"/"), try("300"))
	took := time.Since(begin)
	if got := text(t, tab, "#result"); !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"delay":"300 ms"`) {
		t.Errorf("after sending 300: the page says %q, want 200 OK and Flash's answer", got)
	}
	waited, seen := milliseconds(t, text(t, tab, "#waited")), milliseconds(t, text(t, tab, "#seen"))
	if waited < 300 || seen < waited || time.Duration(seen)*time.Millisecond > took {
		t.Errorf("after sending 300: waited %v ms, seen %v ms, within %v; want 300 ≤ waited ≤ seen", waited, seen, took)
	}
	if got := wrong(); len(got) > 0 {
		t.Errorf("the page: %s", strings.Join(got, "\n"))
	}

	do(try("soon"))
	if got := text(t, tab, "#result"); !strings.HasPrefix(got, "400 Bad Request") ||
		!strings.Contains(got, "/problems/invalid-delay") {
		t.Errorf("after sending soon: the page says %q, want 400 and its problem", got)
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
