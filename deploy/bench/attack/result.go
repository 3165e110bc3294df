//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// bounds are how much more than an idle server an attacked one may cost. Zero
// fields are those of the usual bounds.
type bounds struct {
	memory     float64 // growth at the most, in multiples of what it has idle
	goroutines float64 // the most, in multiples of those idle
	calls      float64 // descriptors of calls that the attacked server makes meanwhile
	p99        float64 // of the well-behaved client, in multiples of that idle
	cpu        float64 // in a second after the attack, in multiples of that idle
}

// usual bounds leave room for noise: see README.md.
var usual = bounds{memory: 1.5, goroutines: 10, p99: 8, cpu: 20}

const (
	// A connection of net/http has 2 goroutines, and about 20 KB: 1,000 have what
	// an idle server has.
	connGoroutines = 2
	connMemory     = 1.0 / 1000

	// mostOpen is how many descriptors an attacked server may have besides those
	// of the attackers' connections, and after they have gone, in multiples of
	// those idle.
	mostOpen = 1.25

	// mostFailed is the share of the well-behaved client's requests that may fail.
	mostFailed = 0.01
)

// or returns b with the zero fields from other.
func (b bounds) or(other bounds) bounds {
	for _, f := range []struct{ to, from *float64 }{
		{&b.memory, &other.memory}, {&b.goroutines, &other.goroutines}, {&b.p99, &other.p99}, {&b.cpu, &other.cpu}, {&b.calls, &other.calls},
	} {
		if *f.to == 0 {
			*f.to = *f.from
		}
	}
	return b
}

// result is one round of one attack.
type result struct {
	attack          attack
	target          target
	sent            int64
	conns           int     // that the attackers opened
	during, after   reading // the attack
	idle, idleAfter reading // of the twin, at the same times
	note            string
	over            []string // the bounds that it is over, in words
}

func (r *result) add(over string) { r.over = append(r.over, over) }

// judge compares what was read with the bounds.
func (r *result) judge() {
	b := r.attack.bounds.or(usual)
	check := func(what string, got, bound float64) {
		if got > bound {
			r.add(fmt.Sprintf("%s %.3g, bound %.3g", what, got, bound))
		}
	}
	conns := float64(r.conns)
	check("memory ×", r.memory(), b.memory+connMemory*conns)
	check("goroutines ×", ratio(float64(r.during.goroutines)-connGoroutines*conns, float64(r.idle.goroutines)), b.goroutines)
	check("p99 ×", r.p99(), b.p99)
	check("failed", max(r.during.share(), r.after.share()), max(mostFailed, r.idle.share()))
	check("CPU after ×", ratio(r.after.load(), r.idleAfter.load()), b.cpu)
	open := mostOpen * float64(r.idle.descriptors)
	check("descriptors", float64(r.during.descriptors), open+conns+b.calls)
	if r.attack.held {
		check("descriptors still open", float64(r.during.open), open)
	}
	check("descriptors after", float64(r.after.open), open)
	if r.during.ready < r.during.asked {
		r.add(fmt.Sprintf("ready %d of %d", r.during.ready, r.during.asked))
	}
}

// memory returns the growth at the most in multiples of what the server has idle.
func (r *result) memory() float64 {
	return ratio(float64(max(r.during.memory, r.after.memory)-r.idle.left), float64(r.idle.left))
}

func (r *result) p99() float64 { return ratio(float64(r.during.p99), float64(r.idle.p99)) }

// load returns the CPU seconds of a second. A hundredth is the least that the
// kernel counts.
func (r *reading) load() float64 { return max(r.cpu.Seconds()/r.span.Seconds(), 0.01) }

// share returns the share of requests that failed.
func (r *reading) share() float64 { return ratio(float64(r.failed), float64(r.failed+r.answers)) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

const tableHead = `| attack | server | sent | memory, MB: idle, most, left | growth ÷ idle | descriptors: idle, most, held, left | goroutines: idle, most | p50, p99 idle, ms | p50, p99 attacked, ms | p99 ÷ idle | failed | ready | CPU s: attacked, after (idle) | |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
`

// row returns the result as a row of the table.
func (r *result) row() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
	mb := func(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e6) }
	if r.during.open == 0 { // it has ended
		return fmt.Sprintf("| %s | %s | %d |%s %s |", r.attack.name, r.target, r.sent, strings.Repeat(" – |", 10), r.verdict())
	}
	cells := []string{
		r.attack.name, string(r.target), fmt.Sprint(r.sent),
		mb(r.idle.left) + ", " + mb(max(r.during.memory, r.after.memory)) + ", " + mb(r.after.left), fmt.Sprintf("%.2f", r.memory()),
		fmt.Sprintf("%d, %d, %d, %d", r.idle.descriptors, r.during.descriptors, r.during.open, r.after.open),
		fmt.Sprintf("%d, %d", r.idle.goroutines, r.during.goroutines),
		ms(r.idle.p50) + ", " + ms(r.idle.p99), ms(r.during.p50) + ", " + ms(r.during.p99), fmt.Sprintf("%.1f", r.p99()),
		fmt.Sprintf("%d of %d", r.during.failed, r.during.failed+r.during.answers),
		fmt.Sprintf("%d of %d", r.during.ready, r.during.asked),
		fmt.Sprintf("%.2f, %.2f (%.2f)", r.during.cpu.Seconds(), r.after.cpu.Seconds(), r.idleAfter.cpu.Seconds()),
		r.verdict(),
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// verdict is "ok", or what is over its bound.
func (r *result) verdict() string {
	note := ""
	if r.note != "" {
		note = " (" + r.note + ")"
	}
	if len(r.over) == 0 {
		return "ok" + note
	}
	return "over: " + strings.Join(r.over, "; ") + note
}
