//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"flash.test/deploy/bench/internal/drive"
	"flash.test/deploy/bench/internal/peer"
	"flash.test/deploy/bench/internal/report"
)

// measure runs all loads on all servers in each round. Each round rotates the order of
// servers and reverses the order of loads, so that none is always first. Failures are in
// the results; the error is context.Cause of ctx.
func measure(ctx context.Context, o options, servers []peer.Server, progress io.Writer) (*report.Results, error) {
	results := &report.Results{Machine: machine(ctx), Rounds: o.rounds}
	var present []peer.Server
	for _, s := range servers {
		results.Servers = append(results.Servers, report.Server{Name: s.Name, About: s.About, Missing: s.Missing})
		if s.Missing == "" {
			present = append(present, s)
			continue
		}
		fmt.Fprintf(progress, "%s is left out: %s\n", s.Name, s.Missing)
	}
	for _, l := range o.loads {
		row := l.variant.row
		if row == "" {
			row = "plain"
		}
		results.Loads = append(results.Loads,
			report.Load{Name: l.name, About: l.about, Metrics: l.metrics, Of: l.of, Row: row})
	}
	for round := range o.rounds {
		loads := slices.Clone(o.loads)
		if round%2 == 1 {
			slices.Reverse(loads)
		}
		for _, l := range loads {
			for i := range present {
				s := present[(i+round)%len(present)]
				if !l.fits(s) || o.skips(l, s) {
					continue
				}
				sample := l.sample(ctx, s)
				if ctx.Err() != nil {
					return results, context.Cause(ctx)
				}
				sample.Load, sample.Server, sample.Round = l.name, s.Name, round+1
				results.Samples = append(results.Samples, sample)
				fmt.Fprintln(progress, sample.Line(l.metrics))
			}
		}
	}
	return results, nil
}

// skips reports whether a short run skips a load on a server because no target compares it.
func (o options) skips(l load, s peer.Server) bool {
	return o.short && len(o.servers) == 0 && s.Name != peer.EventLoop &&
		!slices.ContainsFunc(table.Targets, func(t report.Target) bool {
			return t.What.Load == l.name && t.What.Server == s.Name || t.Of.Load == l.name && t.Of.Server == s.Name
		})
}

// sample starts a server and puts the load on it.
func (l load) sample(ctx context.Context, s peer.Server) report.Sample {
	if err := drive.CheckOpenFiles(l.conns); err != nil {
		return report.Sample{Failed: err.Error()}
	}
	if l.variant.scenario {
		s = s.With(scenario(0, 100*ms, second, time.Minute))
	}
	process, err := s.Start(ctx)
	if err != nil {
		return report.Sample{Failed: err.Error()}
	}
	start, spent := time.Now(), clientCPU()
	tally, values, err := l.run(ctx, target{s, process, l.variant})
	busy := float64(clientCPU()-spent) / float64(time.Since(start))
	if err := errors.Join(err, process.Stop()); err != nil {
		return report.Sample{Failed: err.Error()}
	}
	sample := report.Sample{
		Values:  map[report.Metric]float64{},
		Answers: tally.Answers, Early: tally.Early, WorstEarlyMS: milliseconds(tally.WorstEarly),
		Errors: tally.Errors, FirstError: tally.FirstError, Held: tally.Held,
		ClientCPU: busy,
	}
	if tally.Overshoot.TotalCount() > 0 {
		for _, percent := range report.Percents {
			sample.Overshoot = append(sample.Overshoot,
				report.Quantile{Percent: percent, MS: milliseconds(tally.Percentile(percent))})
		}
		for metric, percent := range map[report.Metric]float64{report.P50: 50, report.P99: 99,
			report.P999: 99.9, report.Max: 100} {
			sample.Values[metric] = milliseconds(tally.Percentile(percent))
		}
	}
	for metric, value := range values {
		sample.Values[metric] = value
	}
	return sample
}

// clientCPU returns the CPU time of this process and of its children that have ended, the
// servers measured before.
func clientCPU() (spent time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return 0
		}
		spent += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return spent
}
