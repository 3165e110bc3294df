package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"flash.test/delay-server/kit/wiretest"
)

// example is a command of /doc with its output.
type example struct {
	line   string // for sh
	exit   int    // curl's exit status
	answer string // its output; "" if the page does not show it
	unless int    // the status without the setting that it needs; 0 if it needs none
}

var (
	preformatted = regexp.MustCompile(`(?s)<pre[^>]*>(.*?)</pre>`)
	tag          = regexp.MustCompile(`<[^>]*>`)
	remark       = regexp.MustCompile(`\s+# (.*)$`)
	exitStatus   = regexp.MustCompile(`^\((\d+)\) `)
	continued    = regexp.MustCompile(`&\n?$`)
	needs        = regexp.MustCompile(`^(\d{3}) without `)
)

// plainText returns the text of a piece of HTML.
func plainText(of string) string { return html.UnescapeString(tag.ReplaceAllString(of, "")) }

// examples returns the curl commands of a page. The lines after a command, up to the
// next, are its output.
func examples(t *testing.T, page string) []example {
	t.Helper()
	var all []example
	for _, block := range preformatted.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(block[1], "curl ") {
			continue
		}
		goesOn := false // the previous line ends in && or &
		for line := range strings.Lines(plainText(block[1])) {
			if goesOn {
				e := &all[len(all)-1]
				e.line += "\n" + strings.TrimSuffix(line, "\n")
				goesOn = continued.MatchString(line)
				continue
			}
			if !strings.HasPrefix(line, "curl ") {
				all[len(all)-1].answer += line
				continue
			}
			goesOn = continued.MatchString(line)
			e := example{line: strings.TrimSpace(remark.ReplaceAllString(strings.TrimSuffix(line, "\n"), ""))}
			if m := remark.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
				switch said := m[1]; {
				case exitStatus.MatchString(said):
					e.exit, _ = strconv.Atoi(exitStatus.FindStringSubmatch(said)[1])
				case needs.MatchString(said):
					e.unless, _ = strconv.Atoi(needs.FindStringSubmatch(said)[1])
				default:
					t.Fatalf("%s\n# %s: want (exit status) or status without a setting", e.line, said)
				}
			}
			all = append(all, e)
		}
	}
	return all
}

// measured matches times, which differ each time.
var measured = regexp.MustCompile(`((?:queued|waited);dur=|"timestamp":)[0-9.]+`)

// withoutTimes returns text without trailing space and with measured times replaced.
func withoutTimes(text string) string {
	return strings.TrimRight(measured.ReplaceAllString(text, "$1…"), " \n")
}

// block returns the text of the pre element with the id.
func block(t *testing.T, page, id string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, `<pre id="`+id+`">`)
	if !found {
		t.Fatalf("/doc has no <pre id=%q>", id)
	}
	inner, _, _ := strings.Cut(rest, "</pre>")
	return plainText(inner)
}

func TestManualExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("curl is not installed")
	}
	_, plain, _ := start(t, DefaultConfig(), io.Discard)
	_, page := do(t, newClient(t), "GET", plain+"/doc", nil)

	dir := t.TempDir()
	for name, id := range map[string]string{"checkout.csv": "recording", "shop.yaml": "shop"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(block(t, page, id)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := DefaultConfig()
	config.RecordingsDir, config.Scenario = dir, filepath.Join(dir, "shop.yaml")
	config.ProxyHosts = []string{"127.0.0.1"}
	full := startWithTLS(t, config)

	for name, base := range map[string]string{"with default settings": plain, "with what it needs": full} {
		_, page := do(t, newClient(t), "GET", base+"/doc", nil)
		all := examples(t, page)
		if len(all) < 25 {
			t.Fatalf("/doc has %d curl commands, want 25 or more", len(all))
		}
		for i, e := range all {
			t.Run(fmt.Sprintf("%s %d", name, i), func(t *testing.T) {
				t.Parallel()
				if strings.Contains(e.line, `{"freeze":true}`) || strings.Contains(e.line, `{"reset":true}`) {
					_, alone, _ := start(t, DefaultConfig(), io.Discard) // its clock is not shared
					e.line = strings.ReplaceAll(e.line, base, alone)
				}
				if base == plain && e.unless != 0 {
					e.answer = ""
				}
				got := e.run(t)
				if want := withoutTimes(e.answer); want != "" && withoutTimes(got) != want {
					t.Errorf("%s\nprints\n%s\n/doc says\n%s", e.line, withoutTimes(got), want)
				}
				want := fmt.Sprintf(`"status":%d`, e.unless)
				if base == plain && e.unless != 0 && !strings.Contains(got, want) {
					t.Errorf("%s\nprints\n%s\n/doc says %s without a setting", e.line, got, want)
				}
			})
		}
	}
}

// TestManualShowsTheToken runs the commands of the admin API against a server with
// an ADMIN_TOKEN.
func TestManualShowsTheToken(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") == "" {
		t.Skip("curl is not installed")
	}
	config := DefaultConfig()
	config.AdminToken = "s3cret"
	_, base, _ := start(t, config, io.Discard)
	_, page := do(t, newClient(t), "GET", base+"/doc", nil)
	t.Setenv("ADMIN_TOKEN", config.AdminToken)
	n := 0
	for _, e := range examples(t, page) {
		if !strings.Contains(e.line, "/admin/") {
			continue
		}
		n++
		if got, want := withoutTimes(e.run(t)), withoutTimes(e.answer); got != want {
			t.Errorf("%s\nprints\n%s\n/doc says\n%s", e.line, got, want)
		}
	}
	if n < 4 {
		t.Errorf("/doc has %d curl commands of the admin API, want 4 or more", n)
	}
}

// run runs the command by a shell and returns its output.
func (e example) run(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", e.line)
	cmd.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != e.exit {
		t.Errorf("%s\nexit status %d, want %d\n%s%s", e.line, got, e.exit, &stdout, &stderr)
	}
	return stdout.String()
}

// TestManualIsComplete checks that /doc describes every path, parameter and metric,
// and that its links have a target.
func TestManualIsComplete(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	_, page := do(t, client, "GET", base+"/doc", nil)

	var names []string
	for path, item := range readOpenAPI(t).Paths {
		if path != "/" && path != "/doc" && path != "/assets/{name}" {
			names = append(names, path)
		}
		for _, p := range item.Parameters {
			if p.In == "query" {
				names = append(names, p.Name)
			}
		}
	}
	for _, p := range readOpenAPI(t).Components.Parameters {
		if p.In != "path" {
			names = append(names, p.Name)
		}
	}
	_, metrics := do(t, client, "GET", base+"/metrics", nil)
	for _, m := range regexp.MustCompile(`# TYPE (delay_server_\w+)`).FindAllStringSubmatch(metrics, -1) {
		names = append(names, m[1])
	}
	for _, name := range names {
		if !regexp.MustCompile(`<code>` + regexp.QuoteMeta(name) + `(=[^<]*)?</code>`).MatchString(page) {
			t.Errorf("/doc does not explain %s", name)
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(page, ` id="`+link[1]+`"`) {
			t.Errorf("/doc links to #%s, which does not exist", link[1])
		}
	}
}
