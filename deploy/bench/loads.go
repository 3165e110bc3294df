//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"flash.test/deploy/bench/internal/drive"
	"flash.test/deploy/bench/internal/peer"
	"flash.test/deploy/bench/internal/report"
)

// load is one kind of load.
type load struct {
	name    string
	about   string
	metrics []report.Metric
	http2   bool // only for servers that speak it
	conns   int  // maximum at once
	variant variant
	of      string // the plain load that this one is a variant of; "" for none

	// run puts the load on a server that has just started.
	run func(context.Context, target) (*drive.Tally, values, error)
}

// fits reports whether a server supports the load.
func (l load) fits(s peer.Server) bool {
	_, ok := l.variant.pathAt(s)
	return ok && (!l.http2 || s.HTTP2)
}

// values are the metrics that a tally does not have.
type values map[report.Metric]float64

// target is a running server.
type target struct {
	peer.Server
	*peer.Process
	variant variant
}

// request returns the request that asks t for a wait.
func (t target) request(wait time.Duration) drive.Request {
	r := t.variant.request
	path, _ := t.variant.pathAt(t.Server)
	r.Host, r.Path = t.Addr.String(), path(wait)
	return r
}

// settle returns when the server has used no CPU for 0.4 s, or after ten seconds.
func (t target) settle(ctx context.Context) error {
	before, err := t.CPU()
	for idle, all := 0, 0; err == nil && idle < 4 && all < 100; all++ {
		time.Sleep(100 * ms)
		var now time.Duration
		if now, err = t.CPU(); now == before {
			idle++
		} else {
			before, idle = now, 0
		}
		err = errors.Join(err, context.Cause(ctx))
	}
	return err
}

const (
	ms     = time.Millisecond
	second = time.Second
)

var overshoot = []report.Metric{report.P50, report.P99, report.P999, report.Max}

// loads returns all loads. Short loads take a fifth of the time and of the requests.
func loads(short bool) []load {
	part := 1
	if short {
		part = 5
	}
	counted := 4 * second / time.Duration(part)
	loads := []load{oneClient(1*ms, 2000/part), oneClient(10*ms, 400/part),
		oneClient(100*ms, 40/part), even(1000, counted)}
	add := func(plain load, variants ...variant) {
		loads = append(loads, plain)
		for _, v := range variants {
			loads = append(loads, plain.as(v))
		}
	}
	add(even(10_000, counted), withRun, withTrace, withStatus, withUniform, withLognormal, ofScenario)
	loads = append(loads, once(1000), once(10_000))
	add(waiting(10_000), withRun, withTrace, withStatus, withLognormal, withPool, atBarrier, inHold, ofScenario,
		withHEAD, withPOST, betweenEvents)
	add(zero(64, max(3*second/time.Duration(part), second)), withRun, withTrace, withStatus, withUniform, ofScenario)
	add(cpu(6000, counted), withRunAndUniform)
	return append(loads,
		churn(2000, counted),
		http2(10_000, 40),
		flat(1000, counted), flat(5000, counted), flat(10_000, counted), flat(15_000, counted),
	)
}

// oneClient is one client that asks n times for a wait.
func oneClient(wait time.Duration, n int) load {
	return load{
		name:    fmt.Sprintf("one-%v", wait),
		about:   fmt.Sprintf("One client asks for %v, %d times in a row, on one connection", wait, n),
		metrics: overshoot, conns: 1,
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			tally, err := drive.Sequential(ctx, t.Addr, t.request(wait), wait, n)
			return tally, nil, err
		},
	}
}

// even is n requests a second that wait a second each.
func even(n int, counted time.Duration) load {
	e := drive.Even{Rate: float64(n), Asked: second, Warm: 2 * second, Counted: counted}
	return load{
		name: fmt.Sprintf("even-%d", n),
		about: fmt.Sprintf(
			"%d requests a second arrive evenly and wait 1 s each, so that %d wait at any time; %v counted", n, n,
			counted),
		metrics: []report.Metric{report.P99, report.P50, report.P999, report.Max, report.CPU, report.Memory},
		conns:   e.Conns(),
		run:     func(ctx context.Context, t target) (*drive.Tally, values, error) { return runEven(ctx, t, e) },
	}
}

// cpu is rate requests a second that wait 100 ms each.
func cpu(rate int, counted time.Duration) load {
	e := drive.Even{Rate: float64(rate), Asked: 100 * ms, Warm: 500 * ms, Counted: counted}
	return load{
		name: fmt.Sprintf("cpu-%d", rate),
		about: fmt.Sprintf("%d requests a second arrive evenly and wait 100 ms each; %v counted. Processors: the "+
			"CPU time of the server in a second", rate, counted),
		metrics: []report.Metric{report.CPU, report.CPUEach, report.P50, report.P99},
		conns:   e.Conns(),
		run:     func(ctx context.Context, t target) (*drive.Tally, values, error) { return runEven(ctx, t, e) },
	}
}

// flatRate is the request rate of all flat loads, so that they differ only in how many
// requests wait.
const flatRate = 5000

// flat chooses the wait so that n requests wait at any time.
func flat(n int, counted time.Duration) load {
	wait := time.Duration(n) * second / flatRate
	e := drive.Even{Rate: flatRate, Asked: wait, Warm: wait + 500*ms, Counted: counted}
	return load{
		name: fmt.Sprintf("flat-%d", n),
		about: fmt.Sprintf(
			"%d requests a second arrive evenly and wait %v each, so that %d wait at any time; %v counted",
			flatRate, wait, n, counted),
		metrics: []report.Metric{report.CPUEach, report.Memory, report.P50, report.P99},
		conns:   e.Conns(),
		run:     func(ctx context.Context, t target) (*drive.Tally, values, error) { return runEven(ctx, t, e) },
	}
}

// runEven measures the CPU time during the counted time, and how much the memory has grown
// at its end.
func runEven(ctx context.Context, t target, e drive.Even) (*drive.Tally, values, error) {
	empty, err := t.Memory()
	if err != nil {
		return nil, nil, err
	}
	var before, after time.Duration
	var start, end time.Time
	var full int64
	var errs [3]error
	e.Begin = func() { start = time.Now(); before, errs[0] = t.CPU() }
	e.End = func() {
		end = time.Now()
		after, errs[1] = t.CPU()
		full, errs[2] = t.Memory()
	}
	tally, err := e.Run(ctx, t.Addr, t.request(e.Asked))
	if err := errors.Join(append(errs[:], err)...); err != nil {
		return nil, nil, err
	}
	spent, during := (after - before).Seconds(), end.Sub(start).Seconds()
	return tally, values{
		report.CPU:     spent / during,
		report.CPUEach: spent / during / e.Rate * 1e6,
		report.Memory:  float64(full-empty) / (e.Rate * e.Asked.Seconds()),
	}, nil
}

// once is n requests for a second at the same time.
func once(n int) load {
	return load{
		name: fmt.Sprintf("once-%d", n),
		about: fmt.Sprintf("%d connections are open; on each a request for 1 s is written, on one after the other "+
			"without a pause; %d times. Time: from when the first is due to when the last answer is read. Memory: "+
			"growth from before the connections were opened to when all wait", n, waves),
		metrics: []report.Metric{report.Last, report.Written, report.Memory, report.P50, report.P99, report.Max},
		conns:   n,
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			return runWaves(t, n, func(waiting func()) (*drive.Tally, []drive.Wave, error) {
				o := drive.Once{Conns: n, Asked: second, Waves: waves, Waiting: waiting}
				return o.Run(ctx, t.Addr, t.request(second))
			})
		},
	}
}

// http2 is once over HTTP/2: streams requests, spread over conns connections.
func http2(streams, conns int) load {
	n := streams / conns
	return load{
		name: fmt.Sprintf("h2-%d", streams),
		about: fmt.Sprintf("The same over HTTP/2 without TLS: %d connections, each with %d streams that are "+
			"opened with one write", conns, n),
		metrics: []report.Metric{report.Last, report.Written, report.Memory, report.P50, report.P99, report.Max},
		conns:   conns, http2: true,
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			return runWaves(t, streams, func(waiting func()) (*drive.Tally, []drive.Wave, error) {
				s := drive.Streams{Conns: conns, Each: n, Asked: second, Waves: waves, Waiting: waiting}
				return s.Run(ctx, t.Addr2, t.Path(second))
			})
		},
	}
}

// waves is how often once and http2 send all their requests.
const waves = 3

// runWaves measures how much the memory has grown when n requests wait, and the median time
// from the first due to the last answer.
func runWaves(t target, n int,
	run func(waiting func()) (*drive.Tally, []drive.Wave, error)) (*drive.Tally, values, error) {
	empty, err := t.Memory()
	if err != nil {
		return nil, nil, err
	}
	var full int64
	var memoryErr error
	tally, seen, err := run(func() { full, memoryErr = t.Memory() })
	if err := errors.Join(err, memoryErr); err != nil {
		return nil, nil, err
	}
	var last, written []float64
	for _, wave := range seen {
		last = append(last, milliseconds(wave.Span))
		written = append(written, milliseconds(wave.Written))
	}
	return tally, values{
		report.Last:    report.SpreadOf(last).Median,
		report.Written: report.SpreadOf(written).Median,
		report.Memory:  float64(full-empty) / float64(n),
	}, nil
}

// churn is rate clients a second that connect, wait 100 ms and close. Every fourth closes
// after 50 ms.
func churn(rate float64, during time.Duration) load {
	c := drive.Churn{Rate: rate, Asked: 100 * ms, LeaveEvery: 4, During: during}
	return load{
		name: "churn",
		about: fmt.Sprintf("%v clients a second arrive evenly for %v, each on a connection of its own, and ask "+
			"for %v; one in %d leaves after half of that. Overshoot includes connecting. Memory kept: growth from "+
			"before to a second after the last has gone", rate, during, c.Asked, c.LeaveEvery),
		metrics: []report.Metric{report.P50, report.P99, report.P999, report.Max, report.CPUEach, report.MemoryAfter},
		conns:   c.Conns(),
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			empty, err := t.Memory()
			if err != nil {
				return nil, nil, err
			}
			before, err := t.CPU()
			if err != nil {
				return nil, nil, err
			}
			tally, left, err := c.Run(ctx, t.Addr, t.request(c.Asked))
			if err != nil {
				return nil, nil, err
			}
			time.Sleep(second)
			after, err := t.CPU()
			if err != nil {
				return nil, nil, err
			}
			kept, err := t.Memory()
			return tally, values{
				report.CPUEach:     (after - before).Seconds() / float64(tally.Answers+int64(left)) * 1e6,
				report.MemoryAfter: float64(kept - empty),
			}, err
		},
	}
}

// waiting is n requests that wait for longer than measuring them takes.
func waiting(n int) load {
	p := drive.Park{Conns: n, Asked: time.Minute}
	return load{
		name: fmt.Sprintf("wait-%d", n),
		about: fmt.Sprintf("%d connections ask for %v each; when all wait and the server has nothing to do, its "+
			"memory is measured, and they leave", n, p.Asked),
		metrics: []report.Metric{report.Memory}, conns: n,
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			empty, err := t.Memory()
			if err != nil {
				return nil, nil, err
			}
			var full int64
			var errs [2]error
			p.Stream = t.variant.stream
			p.Waiting = func() {
				errs[0] = t.settle(ctx)
				full, errs[1] = t.Memory()
			}
			tally, err := p.Run(ctx, t.Addr, t.request(p.Asked))
			return tally, values{report.Memory: float64(full-empty) / float64(n)}, errors.Join(append(errs[:], err)...)
		},
	}
}

// zero is n clients that ask for a wait of 0, again and again.
func zero(n int, during time.Duration) load {
	return load{
		name:    fmt.Sprintf("zero-%d", n),
		about:   fmt.Sprintf("%d connections ask for no wait, again as soon as they are answered, for %v", n, during),
		metrics: []report.Metric{report.Rate, report.CPUEach}, conns: n,
		run: func(ctx context.Context, t target) (*drive.Tally, values, error) {
			before, err := t.CPU()
			if err != nil {
				return nil, nil, err
			}
			tally, rate, err := drive.Saturate(ctx, t.Addr, t.request(0), n, during)
			if err != nil {
				return nil, nil, err
			}
			after, err := t.CPU()
			return tally, values{report.Rate: rate,
				report.CPUEach: (after - before).Seconds() / float64(tally.Answers) * 1e6}, err
		},
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
