package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"

	"flash.test/delay-server/kit/program"
)

// outline returns the elements of an SVG, each with its class, in order. The error
// of a malformed document fails the test.
func outline(t *testing.T, svg []byte) []string {
	t.Helper()
	var elements []string
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return elements
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		if start, ok := token.(xml.StartElement); ok {
			element := start.Name.Local
			for _, attr := range start.Attr {
				if attr.Name.Local == "class" {
					element += "." + attr.Value
				}
			}
			elements = append(elements, element)
		}
	}
}

// drawn returns an outline without the grid, whose ticks depend on the times.
func drawn(elements []string) []string {
	return slices.DeleteFunc(elements, func(e string) bool { return e == "path.grid" || e == "text.tick" })
}

func TestRace(t *testing.T) {
	out := filepath.Join(t.TempDir(), "race.svg")
	var stdout, stderr bytes.Buffer
	args := []string{"race", "--delay", "40ms", "--out", out}
	if err := demoAPI.Run(t.Context(), args, nil, &stdout, &stderr); err != nil || stderr.Len() > 0 {
		t.Fatalf("race: %v, stderr %q", err, &stderr)
	}
	form := regexp.MustCompile(`^One after another  (\d+\.\d\d) s\nAll at once        (\d+\.\d\d) s\nPicture: `)
	times := form.FindStringSubmatch(stdout.String())
	if times == nil {
		t.Fatalf("race printed\n%swant the two times and the file", &stdout)
	}
	if times[1] < "0.20" || times[2] < "0.04" || times[2] >= times[1] {
		t.Errorf("5 calls of 40 ms: %s s one after another, %s s at once", times[1], times[2])
	}
	svg, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../deploy/race.svg")
	if err != nil {
		t.Fatal(err)
	}
	got := drawn(outline(t, svg))
	if want := drawn(outline(t, committed)); !slices.Equal(got, want) {
		t.Errorf("race draws %v, deploy/race.svg has %v: run demo-api race --out deploy/race.svg", got, want)
	}
	if n := strings.Count(strings.Join(got, " "), "rect.bar"); n != 10 {
		t.Errorf("the picture has %d bars, want 5 in each of 2 lanes", n)
	}
}

func TestRaceErrors(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	noFolder := filepath.Join(t.TempDir(), "no", "race.svg")
	for _, tc := range []struct {
		name, want string
		environ    []string
		args       []string
	}{
		{name: "no calls", args: []string{"--calls", "0"}, want: "--calls: 0 is invalid"},
		{name: "too many calls", args: []string{"--calls", "21"}, want: "--calls: 21 is invalid"},
		{name: "not a delay", args: []string{"--delay", "soon"}, want: "--delay: "},
		{name: "too long", args: []string{"--delay", "1h"}, want: "MAX_DELAY"},
		{name: "not a URL", args: []string{"--against", "localhost:5001"}, want: "--against: "},
		{name: "a random delay of an app", args: []string{"--against", down.URL, "--delay", "random"},
			want: "--against and a random --delay conflict"},
		{name: "no app", args: []string{"--against", down.URL}, want: "race: app cannot be reached: "},
		{name: "an argument", args: []string{"fast"}, want: `unknown argument "fast"`},
		{name: "no server", environ: []string{"DELAY_SERVER_URL=" + down.URL}, want: "race: "},
		{name: "no folder", args: []string{"--delay=1", "--out", noFolder}, want: "race --out: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			args := append([]string{"race"}, tc.args...)
			err := demoAPI.Run(t.Context(), args, tc.environ, io.Discard, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("race %v: got error %v, want it to contain %q", tc.args, err, tc.want)
			}
			if flags := strings.HasPrefix(tc.want, "--"); flags && !errors.Is(err, program.ErrUsage) {
				t.Errorf("race %v: got error %v, want a usage error", tc.args, err)
			}
		})
	}
}

// Both lanes wait for the same samples of a distribution.
func TestRaceSamples(t *testing.T) {
	srv := delaytest.NewServer(t)
	out := filepath.Join(t.TempDir(), "race.svg")
	args := []string{"race", "--calls", "12", "--delay", "uniform:1ms,30ms", "--out", out}
	environ := []string{"DELAY_SERVER_URL=" + srv.URL}
	if err := demoAPI.Run(t.Context(), args, environ, io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	waits := askedWaits(t, srv)
	if n := len(waits); n < 24 || !slices.Equal(sorted(waits[n-24:n-12]), sorted(waits[n-12:])) {
		t.Errorf("asked waits, one after another and then all at once:\n%v\nwant the same twelve twice", waits)
	}
}

// askedWaits returns the delays of all requests, in order of arrival.
func askedWaits(t *testing.T, srv *delaytest.Server) (waits []time.Duration) {
	t.Helper()
	journal, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	all, err := journal.Runs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range all.Runs {
		known, err := journal.AwaitSettled(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, wait := range known.Waits {
			waits = append(waits, wait.Asked)
		}
	}
	return waits
}

func sorted(waits []time.Duration) []time.Duration { return slices.Sorted(slices.Values(waits)) }
