package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/program"
)

// runSweepCommand runs demo-api sweep and returns its output.
func runSweepCommand(ctx context.Context, environ []string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	err = demoAPI.Run(ctx, append([]string{"sweep"}, args...), environ, &out, &errs)
	return out.String(), errs.String(), err
}

// row is a row of the table. A time that was not measured is 0.
type row struct {
	calls                  int
	sequential, concurrent time.Duration
	speedup, rate          float64
}

var rowRegexp = regexp.MustCompile(`(?m)^ +(\d+)  +([\d.]+ m?s|–|≈ [\d.]+ m?s) +([\d.]+ m?s) +([\d.]+×|–) +([\d.]+)$`)

// table returns the rows of the table in stdout.
func table(t *testing.T, stdout string) (rows []row) {
	t.Helper()
	for _, m := range rowRegexp.FindAllStringSubmatch(stdout, -1) {
		var r row
		r.calls, _ = strconv.Atoi(m[1])
		r.sequential, _ = time.ParseDuration(strings.ReplaceAll(m[2], " ", ""))
		r.concurrent, _ = time.ParseDuration(strings.ReplaceAll(m[3], " ", ""))
		r.speedup, _ = strconv.ParseFloat(strings.TrimSuffix(m[4], "×"), 64)
		r.rate, _ = strconv.ParseFloat(m[5], 64)
		rows = append(rows, r)
	}
	return rows
}

// On a busy machine, it tries up to three times for calls that overlap.
func TestSweep(t *testing.T) {
	for range 3 {
		if speedup := checkSweep(t); speedup >= 4 {
			return
		}
	}
	t.Error("16 calls at once are less than 4 times as fast as one after another, in each of 3 sweeps")
}

var estimate = regexp.MustCompile(` ≈ ([\d.]+) s `)

// checkSweep checks a sweep, and returns the speed-up of 16 calls.
func checkSweep(t *testing.T) (speedup float64) {
	t.Helper()
	const wait = 50 * time.Millisecond
	out := filepath.Join(t.TempDir(), "sweep.svg")
	stdout, stderr, err := runSweepCommand(t.Context(), nil,
		"--calls", "1,2,4,…,16,1000", "--delay=50ms", "--limit", "500", "--out", out)
	if err != nil || stderr != "" {
		t.Fatalf("sweep: %v, stderr %q", err, stderr)
	}
	rows := table(t, stdout)
	if len(rows) != 6 {
		t.Fatalf("sweep printed\n%s\nwant six rows", stdout)
	}
	for i, calls := range []int{1, 2, 4, 8, 16} {
		r := rows[i]
		if r.calls != calls || r.sequential < wait*time.Duration(calls) || r.concurrent < wait {
			t.Errorf("row %d: %+v, want %d calls of %v: at least the sum and one of them", i, r, calls, wait)
		}
		if got := float64(r.sequential) / float64(r.concurrent); r.speedup < got-0.1 || r.speedup > got+0.1 {
			t.Errorf("row %d: %+v, want a speed-up of %.1f", i, r, got)
		}
	}
	if r := rows[5]; r.calls != 1000 || r.sequential != 0 || r.concurrent < 2*wait || r.speedup != 0 {
		t.Errorf("1000 calls, 500 at once: %+v, want two waits or more, and no sequential time", r)
	}
	if m := estimate.FindStringSubmatch(stdout); m == nil {
		t.Errorf("sweep printed\n%s\nwant an estimate of 1000 calls one after another", stdout)
	} else if seconds, err := strconv.ParseFloat(m[1], 64); err != nil || seconds < 1000*wait.Seconds() {
		t.Errorf("an estimate of %s s, %v; want 1000 calls of %v or more", m[1], err, wait)
	}
	for _, want := range []string{
		"Calls of 50ms, at most 500 at once, delay-server at http://127.0.0.1:", " (in this process)\n",
		"over 10s (--budget)", "Chart: " + out + "\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("sweep printed\n%s\nwant %q in it", stdout, want)
		}
	}
	svg, err := os.ReadFile(out)
	title := []byte("Calls of 50ms, at most 500 at once")
	if err != nil || xml.Unmarshal(svg, new(struct{})) != nil || !bytes.Contains(svg, title) {
		t.Errorf("the chart: %v, %d bytes, want an SVG with a title", err, len(svg))
	}
	return rows[4].speedup
}

func TestSweepOfExternalDelayServer(t *testing.T) {
	var requests atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/delay/") {
			requests.Add(1)
		}
	}))
	defer elsewhere.Close()
	out := filepath.Join(t.TempDir(), "chart.PNG")
	environ := []string{"DELAY_SERVER_URL=" + elsewhere.URL}
	stdout, _, err := runSweepCommand(t.Context(), environ, "--calls=1,3", "--delay=random", "--out="+out)
	if err != nil || len(table(t, stdout)) != 2 || requests.Load() != 2*(1+3) {
		t.Errorf("sweep: %v, %d calls made, printed\n%s\nwant 8 calls and two rows", err, requests.Load(), stdout)
	}
	if strings.Contains(stdout, "in this process") {
		t.Errorf("sweep printed %q, want no embedded delay-server", stdout)
	}
	file, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Errorf("the chart: %v, want a PNG", err)
	}
}

// Both ways wait for the same samples of a distribution, at each count.
func TestSweepSamples(t *testing.T) {
	srv := delaytest.NewServer(t)
	environ := []string{"DELAY_SERVER_URL=" + srv.URL}
	if _, _, err := runSweepCommand(t.Context(), environ, "--calls=3,5", "--delay=uniform:1ms,30ms"); err != nil {
		t.Fatal(err)
	}
	waits := askedWaits(t, srv)
	if len(waits) != 2*3+2*5 {
		t.Fatalf("delay-server saw %d calls, want 16", len(waits))
	}
	three, five := sorted(waits[:3]), sorted(waits[6:11])
	if !slices.Equal(three, sorted(waits[3:6])) || !slices.Equal(five, sorted(waits[11:])) ||
		!slices.Equal(three, sorted(waits[6:9])) {
		t.Errorf("asked waits of 3, 3, 5 and 5 calls:\n%v\nwant the same ones", waits)
	}
}

// An existing chart stays until the new one is complete.
func TestSweepReplacesChart(t *testing.T) {
	busyHandler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	busy := httptest.NewServer(busyHandler)
	defer busy.Close()
	dir := t.TempDir()
	out := filepath.Join(dir, "chart.svg")
	if err := os.WriteFile(out, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"DELAY_SERVER_URL=" + busy.URL}
	if _, _, err := runSweepCommand(t.Context(), environ, "--calls=1,2", "--out="+out); err == nil {
		t.Error("sweep of a server that returns 503: got no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // Ctrl-C before the first measurement
	_, _, _ = runSweepCommand(ctx, nil, "--calls=1,2", "--out="+out)
	if got, err := os.ReadFile(out); err != nil || string(got) != "old" {
		t.Errorf("the old chart: got %.40q, %v; want it unchanged", got, err)
	}
	if _, _, err := runSweepCommand(t.Context(), nil, "--calls=1,2", "--delay=1", "--out="+out); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || !bytes.Contains(got, []byte("<svg")) {
		t.Errorf("the new chart: got %.40q, %v; want an SVG", got, err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("the directory has %v, %v; want only the chart", files, err)
	}
}

func TestSweepHelp(t *testing.T) {
	stdout, _, err := runSweepCommand(t.Context(), []string{"MAX_CALLS=64"}, "--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--calls COUNTS  1,…,64", "--delay DELAY   100ms", "--budget TIME   10s", "--out FILE      (none)",
		"--limit CALLS   0",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("sweep --help printed\n%s\nwant %q in it", stdout, want)
		}
	}
}

func TestBadSweep(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none", "sweep.svg")
	for _, tc := range []struct {
		name, args string
		status     int
		err        string
	}{
		{"an unknown flag", "--cals 1", 2, "flag provided but not defined: -cals"},
		{"an argument", "1,2", 2, `unknown argument "1,2"`},
		{"no calls", "--calls 0", 2, `--calls: "0" is invalid; use up to 100 ascending numbers from 1 to 1000`},
		{"calls above MAX_CALLS", "--calls 1,1001", 2, `--calls: "1001" is invalid`},
		{"no delay", "--delay soon", 2, `--delay: delay "soon"`},
		{"a delay above MAX_DELAY", "--delay 11m", 2, `--delay: "11m" is too long: use at most 10m0s (MAX_DELAY)`},
		{"a negative limit", "--limit -1", 2, "--limit: -1 is invalid: use 1 or more, or 0 for no limit"},
		{"a word as limit", "--limit x", 2, `invalid value "x" for flag -limit`},
		{"no budget", "--budget 0s", 2, "--budget: 0s is invalid: use more than 0"},
		{"another format", "--out a.pdf", 2, `--out: "a.pdf" is invalid: use a name that ends in .svg or .png`},
		{"a format without a name", "--out svg", 2, `--out: "svg" is invalid`},
		{"two errors", "--delay soon --out x.gif", 2, `--out: "x.gif"`},
		{"a missing directory, before any call", "--delay 5m --out " + missing, 1, "sweep --out: open "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			stdout, _, err := runSweepCommand(t.Context(), nil, strings.Fields(tc.args)...)
			if program.ExitStatus(err) != tc.status || !strings.Contains(fmt.Sprint(err), tc.err) || stdout != "" {
				t.Errorf("sweep %s = %v, status %d, printed %q; want %s, status %d, nothing",
					tc.args, err, program.ExitStatus(err), stdout, tc.err, tc.status)
			}
			if tc.status == 2 && !strings.Contains(err.Error(), "demo-api sweep --help shows usage") {
				t.Errorf("sweep %s = %v, want it to name --help", tc.args, err)
			}
		})
	}
}

// A sweep that ends early prints and draws its measurements.
func TestSweepEndsEarly(t *testing.T) {
	errGone := errors.New("gone")
	for _, tc := range []struct {
		name  string
		after int64 // calls that succeed
		rows  int
	}{
		{"at the third count", 2*(1+2) + 1, 2},
		{"at the first count", 1, 0},
	} {
		for _, how := range []string{"cancelled", "rejected"} {
			t.Run(how+" "+tc.name, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				var requests atomic.Int64
				slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if requests.Add(1) <= tc.after {
						return
					}
					if how == "rejected" {
						w.WriteHeader(429)
						return
					}
					cancel(errGone)
					<-r.Context().Done()
				}))
				defer slow.Close()
				out := filepath.Join(t.TempDir(), "sweep.svg")
				environ := []string{"DELAY_SERVER_URL=" + slow.URL}
				stdout, _, err := runSweepCommand(ctx, environ, "--calls=1,2,4", "--out="+out)
				if program.ExitStatus(err) != 1 {
					t.Errorf("sweep: status %d, want 1", program.ExitStatus(err))
				}
				reason := map[string]string{"cancelled": "gone", "rejected": "got status 429 Too Many Requests"}[how]
				for _, want := range []string{fmt.Sprintf("after %d of 3 counts", tc.rows), reason} {
					if !strings.Contains(fmt.Sprint(err), want) {
						t.Errorf("sweep = %v, want %s in it", err, want)
					}
				}
				if got := len(table(t, stdout)); got != tc.rows {
					t.Errorf("sweep printed\n%s\nwant %d rows", stdout, tc.rows)
				}
				if _, err := os.Stat(out); (err == nil) != (tc.rows > 0) {
					t.Errorf("the chart of %d rows: %v", tc.rows, err)
				}
			})
		}
	}
}

// The bar is redrawn every tenth of a second.
func TestProgressBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		b := &progressBar{w: &screen, counts: []int{1, 4}, start: time.Now()}
		stop := b.run()
		synctest.Wait()
		time.Sleep(150 * time.Millisecond)
		synctest.Wait()
		b.advance()
		b.printAbove(&screen, "row 1\n")
		b.advance()
		b.printAbove(&screen, "row 2\n")
		stop()
		const empty, half = "░░░░░░░░░░░░░░░░░░░░░░░░", "████████████░░░░░░░░░░░░"
		const clear = "\r\x1b[K"
		want := clear + empty + "  0 of 2: 1 calls … 0.0s" +
			clear + empty + "  0 of 2: 1 calls … 0.1s" +
			clear + "row 1\n" + half + "  1 of 2: 4 calls … 0.1s" +
			clear + "row 2\n" + clear
		if got := screen.String(); got != want {
			t.Errorf("the terminal received\n%q\nwant\n%q", got, want)
		}
	})
}
