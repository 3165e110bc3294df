//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flash.test/deploy/bench/internal/peer"
	"flash.test/deploy/bench/internal/report"
)

// The Go peers run this program, which is the test binary in a test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == peer.ServeArgument {
		main()
	}
	os.Exit(m.Run())
}

// Each Go server gets one short load, from the command line to the files.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, progress strings.Builder
	args := []string{"--short", "--rounds", "1", "--only", "one-1ms", "--servers",
		"delay-server-nethttp,go-httpbin,fortio,echo", "--out", dir}
	if err := run(t.Context(), args, &out, &progress); err != nil {
		t.Fatalf("run(%q): %v\n%s", args, err, progress.String())
	}
	file, err := os.ReadFile(filepath.Join(dir, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	var results report.Results
	if err := json.Unmarshal(file, &results); err != nil {
		t.Fatal(err)
	}
	var measured []string
	for _, s := range results.Samples {
		measured = append(measured, s.Load+" "+s.Server)
		if s.Failed != "" || s.Errors > 0 || s.Early > 0 || s.Answers < 100 {
			t.Errorf("%s: %d answers, %d early, %d errors (%s) %s", measured[len(measured)-1], s.Answers, s.Early,
				s.Errors, s.FirstError, s.Failed)
		}
		if s.Values[report.P50] <= 0 {
			t.Errorf("%s: values %v, want an overshoot", s.Server, s.Values)
		}
	}
	want := []string{"one-1ms delay-server-nethttp", "one-1ms go-httpbin", "one-1ms fortio", "one-1ms echo"}
	if !slices.Equal(measured, want) {
		t.Errorf("measured %q\nwant %q", measured, want)
	}
	table, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil || string(table) != out.String() || !strings.Contains(out.String(), "## one-1ms") {
		t.Errorf("results.md: %v; want what is on stdout:\n%s", err, out.String())
	}
}

// Every server that supports a variant of a load answers it correctly.
func TestVariants(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "delay-server")
	if err := build(t.Context(), binary); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	evenly := cpu(100, 100*ms) // as even, with shorter waits
	evenly.name = "even-100"
	small := map[string]load{"even-10000": evenly, "wait-10000": waiting(20), "zero-64": zero(2, 50*ms),
		"cpu-6000": cpu(100, 100*ms)}
	for _, l := range loads(false) {
		if l.of == "" {
			continue
		}
		plain, ok := small[l.of]
		if !ok {
			t.Fatalf("%s varies %s, which this test does not know", l.name, l.of)
		}
		for _, s := range peer.Servers(binary, self) {
			few := plain.as(l.variant)
			if few.name != l.name || few.fits(s) != l.fits(s) {
				t.Errorf("%s: as() has the name %s", l.name, few.name)
			}
			if !l.fits(s) || s.Missing != "" || s.Name == peer.NetHTTP && plain.name != "wait-20" {
				continue
			}
			t.Run(l.name+" "+s.Name, func(t *testing.T) {
				t.Parallel()
				sample := few.sample(t.Context(), s)
				if sample.Failed != "" || sample.Errors > 0 || sample.Early > 0 && s.Name != peer.Nginx {
					t.Errorf("%d early, %d errors (%s) %s", sample.Early, sample.Errors,
						sample.FirstError, sample.Failed)
				}
				if _, ok := sample.Values[l.metrics[0]]; !ok ||
					plain.metrics[0] != report.Memory && sample.Answers == 0 {
					t.Errorf("%d answers, values %v; want %s", sample.Answers, sample.Values, l.metrics[0])
				}
			})
		}
	}
}

// A short run measures a peer only if a target compares it, or if the command line names
// it.
func TestSkips(t *testing.T) {
	for _, tc := range []struct {
		options
		load, server string
		want         bool
	}{
		{options{}, "one-1ms", peer.Fortio, false},
		{options{short: true}, "one-1ms", peer.Fortio, true},
		{options{short: true}, "one-1ms", peer.EventLoop, false},
		{options{short: true}, "zero-64", peer.Fortio, false},
		{options{short: true}, "zero-run", peer.EventLoop, false},
		{options{short: true}, "zero-run", peer.NetHTTP, true},
		{options{short: true, servers: []string{peer.Fortio}}, "one-1ms", peer.Fortio, false},
	} {
		if got := tc.skips(load{name: tc.load}, peer.Server{Name: tc.server}); got != tc.want {
			t.Errorf("short %t, servers %q: skips(%s, %s) = %t", tc.short, tc.servers, tc.load, tc.server, got)
		}
	}
}

// An HTTP/2 load is only for servers that support HTTP/2.
func TestMeasureHTTP2(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	servers, err := choose("server", peer.Servers("", self), []string{peer.GoHTTPBin, peer.Echo},
		func(s peer.Server) string { return s.Name })
	if err != nil {
		t.Fatal(err)
	}
	results, err := measure(t.Context(), options{rounds: 1, loads: []load{http2(80, 2)}}, servers, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(results.Samples) != 1 {
		t.Fatalf("measure over HTTP/2: %d samples, want one", len(results.Samples))
	}
	s := results.Samples[0]
	if s.Server != peer.Echo || s.Answers != 80*waves || s.Errors > 0 || s.Early > 0 || s.Values[report.Memory] <= 0 {
		t.Errorf("measure over HTTP/2: %+v; want %d answers of %s", s, 80*waves, peer.Echo)
	}
}

func TestReadOptions(t *testing.T) {
	names := func(ls []load) (names []string) {
		for _, l := range ls {
			names = append(names, l.name)
		}
		return names
	}
	for _, tc := range []struct {
		args  []string
		loads []string
		err   string
	}{
		{[]string{"--only", "once"}, []string{"once-1000", "once-10000"}, ""},
		{[]string{"--only", "zero-64,one-10ms"}, []string{"one-10ms", "zero-64"}, ""},
		{[]string{"--only", "zero"},
			[]string{"zero-64", "zero-run", "zero-trace", "zero-status", "zero-uniform", "zero-scenario"}, ""},
		{[]string{"--only", "wait-sse,cpu"}, []string{"wait-sse", "cpu-6000", "cpu-run-uniform"}, ""},
		{[]string{"--only", "on"}, nil, `unknown load "on"`},
		{[]string{"--rounds", "0"}, nil, "use 1 or more"},
		{[]string{"loads"}, nil, `unknown argument "loads"`},
	} {
		o, err := readOptions(tc.args, io.Discard)
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("readOptions(%q): error %v, want %q", tc.args, err, tc.err)
			}
		case err != nil || !slices.Equal(names(o.loads), tc.loads):
			t.Errorf("readOptions(%q): %q, %v; want %q", tc.args, names(o.loads), err, tc.loads)
		}
	}
	if _, err := readOptions([]string{"--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("readOptions(--help): %v", err)
	}
}

// A full name selects that server alone, even if other names begin with it.
func TestChooseServers(t *testing.T) {
	got, err := choose("server", []string{"delay-server", "delay-server-nethttp", "nginx"}, []string{"delay-server"},
		func(s string) string { return s })
	if err != nil || !slices.Equal(got, []string{"delay-server"}) {
		t.Errorf("choose(delay-server) = %q, %v", got, err)
	}
}

// Every target and chart names an existing load and one of its metrics.
func TestTargetsAreMeasured(t *testing.T) {
	metrics := map[string][]report.Metric{}
	for _, l := range loads(false) {
		metrics[l.name] = l.metrics
	}
	var servers []string
	for _, s := range peer.Servers("", "") {
		servers = append(servers, s.Name)
	}
	for _, target := range table.Targets {
		for _, s := range []report.Source{target.What, target.Of} {
			if s != (report.Source{}) &&
				(!slices.Contains(metrics[s.Load], s.Metric) || !slices.Contains(servers, s.Server)) {
				t.Errorf("target %q: no load measures %+v", target.Text, s)
			}
		}
	}
	for _, c := range charts {
		if m, ok := metrics[c.Load]; !ok || c.Metric != "" && !slices.Contains(m, c.Metric) {
			t.Errorf("chart %q: no load measures %s of %q", c.Title, c.Metric, c.Load)
		}
	}
}
