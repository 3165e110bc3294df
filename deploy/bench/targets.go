//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flash.test/deploy/bench/internal/peer"
	"flash.test/deploy/bench/internal/report"
)

// table has the targets for delay-server.
var table = report.Table{
	NotEarly: []string{peer.EventLoop, peer.NetHTTP},
	Base:     []string{peer.Nginx, peer.Echo},
	Targets: slices.Concat([]report.Target{
		below("10 ms, one client: median overshoot", "one-10ms", report.P50, peer.Nginx),
		below("10,000 waiting 1 s each, arriving evenly: p99 overshoot", "even-10000", report.P99, peer.Nginx),
		atMost(1.0/3, "at most a third of go-httpbin's", "10,000 waiting 1 s each, arriving evenly: p99 overshoot",
			"even-10000", report.P99, peer.GoHTTPBin),
		below("the same, arriving all at once: time from the first due to the last answer", "once-10000",
			report.Last, peer.Nginx),
		atMost(1.0/5, "at most a fifth of nginx's", "memory for each of 10,000 waiting", "wait-10000",
			report.Memory, peer.Nginx),
		{Text: "memory for each of 10,000 waiting: plain", Want: "at most 0.3 KB",
			What: eventLoop("wait-10000", report.Memory), Bound: 0.3 * 1024},
	},
		variants("wait-", func(v variant) report.Target {
			return report.Target{Text: "memory for each of 10,000 waiting: " + v.row, Want: "under 1 KB",
				What: eventLoop("wait-"+v.name, report.Memory), Bound: 1 << 10, Strict: true}
		}),
		[]report.Target{
			atLeast(1, "at least nginx's", "`/delay/0`, 64 connections: requests a second", peer.EventLoop, peer.Nginx),
			atLeast(3, "three times go-httpbin's", "`/delay/0`, 64 connections: requests a second",
				peer.EventLoop, peer.GoHTTPBin),
		},
		variants("zero-", func(v variant) report.Target {
			t := ofPlain("64 connections, no wait: requests a second: ", v, "zero-64", report.Rate, 0.7)
			t.Want, t.AtLeast = "at least 0.7 of plain", true
			return t
		}),
		variants("even-", func(v variant) report.Target {
			return ofPlain("10,000 waiting 1 s each, arriving evenly: p99 overshoot: ", v,
				"even-10000", report.P99, 1.3)
		}),
		[]report.Target{
			atMost(2, "at most twice nginx's", "CPU for 6,000 waits a second", "cpu-6000", report.CPU, peer.Nginx),
		},
		variants("cpu-", func(v variant) report.Target {
			return ofPlain("CPU for 6,000 waits a second: ", v, "cpu-6000", report.CPU, 1.5)
		}),
		[]report.Target{
			{
				Text: "in net/http: memory for each of 10,000 waiting", Want: "at most a plain Echo handler's",
				What: report.Source{Load: "wait-10000", Server: peer.NetHTTP, Metric: report.Memory},
				Of:   report.Source{Load: "wait-10000", Server: peer.Echo, Metric: report.Memory}, Bound: 1,
			},
			atLeast(1, "at least fortio's", "in net/http: `/delay/0`, 64 connections: requests a second",
				peer.NetHTTP, peer.Fortio),
			grows("CPU for each request", report.CPUEach),
			grows("memory for each waiting", report.Memory),
			grows("p99 overshoot", report.P99),
		}),
}

// variants returns a target for each variant of the loads whose names begin with kind.
func variants(kind string, target func(variant) report.Target) (targets []report.Target) {
	for _, l := range loads(false) {
		if l.of != "" && strings.HasPrefix(l.name, kind) {
			targets = append(targets, target(l.variant))
		}
	}
	return targets
}

// ofPlain bounds delay-server's figure under a variant by a multiple of its figure under
// the plain load.
func ofPlain(text string, v variant, load string, metric report.Metric, bound float64) report.Target {
	kind, _, _ := strings.Cut(load, "-")
	return report.Target{
		Text: text + v.row, Want: fmt.Sprintf("at most %v of plain", bound),
		What: eventLoop(kind+"-"+v.name, metric), Of: eventLoop(load, metric), Bound: bound,
	}
}

// charts are the charts of a run.
var charts = []report.Chart{
	{File: "overshoot-one-10ms", Title: "10 ms, one client", Load: "one-10ms"},
	{File: "overshoot-even-10000", Title: "10,000 waiting 1 s each, arriving evenly", Load: "even-10000"},
	{File: "overshoot-once-10000", Title: "10,000 waiting 1 s each, arriving at once", Load: "once-10000"},
	{File: "throughput", Title: "/delay/0, 64 connections", Load: "zero-64", Metric: report.Rate},
	{File: "memory", Title: "Memory for each of 10,000 waiting", Load: "wait-10000", Metric: report.Memory},
	{File: "cpu", Title: "CPU for 6,000 waits of 100 ms a second", Load: "cpu-6000", Metric: report.CPU},
}

// eventLoop is a metric of delay-server with default settings.
func eventLoop(load string, metric report.Metric) report.Source {
	return report.Source{Load: load, Server: peer.EventLoop, Metric: metric}
}

// atMost bounds delay-server's figure by a multiple of a peer's.
func atMost(bound float64, want, text, load string, metric report.Metric, of string) report.Target {
	what := eventLoop(load, metric)
	return report.Target{Text: text, Want: want, What: what,
		Of: report.Source{Load: load, Server: of, Metric: metric}, Bound: bound}
}

// grows bounds how much more a request costs with 15,000 waiting than with 1,000, by the
// ratio of the depths of two heaps.
func grows(text string, metric report.Metric) report.Target {
	bound := math.Log(15_000) / math.Log(1000)
	return report.Target{
		Text: text + ": with 15,000 waiting against 1,000",
		Want: fmt.Sprintf("flat: at most log 15,000 ÷ log 1,000 = %.2f", bound),
		What: eventLoop("flat-15000", metric), Of: eventLoop("flat-1000", metric), Bound: bound,
	}
}

// below requires a smaller figure than a peer's.
func below(text, load string, metric report.Metric, of string) report.Target {
	t := atMost(1, "below "+of+"'s", text, load, metric, of)
	t.Strict = true
	return t
}

// atLeast requires a multiple of a peer's requests a second.
func atLeast(bound float64, want, text, server, of string) report.Target {
	rate := func(server string) report.Source {
		return report.Source{Load: "zero-64", Server: server, Metric: report.Rate}
	}
	return report.Target{Text: text, Want: want, What: rate(server), Of: rate(of), Bound: bound, AtLeast: true}
}
