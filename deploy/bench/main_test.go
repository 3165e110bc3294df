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

// The Go peers are this program: in a test, the test's binary.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == peer.ServeArgument {
		main()
	}
	os.Exit(m.Run())
}

// One short load of each Go server, from the command line to the files.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out, progress strings.Builder
	args := []string{"--short", "--rounds", "1", "--only", "one-1ms", "--servers", "delay-server-no-lane,go-httpbin,fortio,echo", "--out", dir}
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
			t.Errorf("%s: %d answers, %d early, %d errors (%s) %s", measured[len(measured)-1], s.Answers, s.Early, s.Errors, s.FirstError, s.Failed)
		}
		if s.Values[report.P50] <= 0 {
			t.Errorf("%s: values %v, want an overshoot", s.Server, s.Values)
		}
	}
	want := []string{"one-1ms delay-server-no-lane", "one-1ms go-httpbin", "one-1ms fortio", "one-1ms echo"}
	if !slices.Equal(measured, want) {
		t.Errorf("measured %q\nwant %q", measured, want)
	}
	table, err := os.ReadFile(filepath.Join(dir, "results.md"))
	if err != nil || string(table) != out.String() || !strings.Contains(out.String(), "## one-1ms") {
		t.Errorf("results.md: %v; want what is on stdout:\n%s", err, out.String())
	}
}

// A load of HTTP/2 is for servers that speak it.
func TestMeasureHTTP2(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	servers, err := choose("server", peer.Servers("", self), []string{peer.GoHTTPBin, peer.Echo}, func(s peer.Server) string { return s.Name })
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
		{[]string{"--only", "on"}, nil, `load "on" is not known`},
		{[]string{"--rounds", "0"}, nil, "want 1 or more"},
		{[]string{"loads"}, nil, `argument "loads" is not known`},
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

// A name that begins another name is that server alone.
func TestChooseServers(t *testing.T) {
	got, err := choose("server", []string{"delay-server", "delay-server-no-lane", "nginx"}, []string{"delay-server"}, func(s string) string { return s })
	if err != nil || !slices.Equal(got, []string{"delay-server"}) {
		t.Errorf("choose(delay-server) = %q, %v", got, err)
	}
}

// Every target and chart is of a load that there is, with a metric that it has.
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
			if s != (report.Source{}) && (!slices.Contains(metrics[s.Load], s.Metric) || !slices.Contains(servers, s.Server)) {
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
