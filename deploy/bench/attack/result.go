//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// bounds limit what an attacked server may cost, compared with an idle server. A zero field
// stands for the usual bound.
type bounds struct {
	memory     float64 // growth, as a multiple of the idle server's memory
	goroutines float64 // as a multiple of the idle server's
	calls      float64 // descriptors for calls of the attacked server
	p99        float64 // of the well-behaved clients, as a multiple of the idle server's
	cpu        float64 // in a second after the attack, as a multiple of the idle server's
}

// usual bounds leave room for noise: see README.md.
var usual = bounds{memory: 1.5, goroutines: 10, p99: 8, cpu: 20}

const (
	// A connection of net/http has 2 goroutines and about 20 KB: 1,000 connections have as
	// much memory as an idle server.
	connGoroutines = 2
	connMemory     = 1.0 / 1000

	// maxOpen bounds the descriptors of an attacked server, without the attackers'
	// connections, as a multiple of the idle server's.
	maxOpen = 1.25

	// maxFailed is the share of the well-behaved clients' requests that may fail.
	maxFailed = 0.01
)

// or returns b with the zero fields from other.
func (b bounds) or(other bounds) bounds {
	for _, f := range []struct{ to, from *float64 }{
		{&b.memory, &other.memory}, {&b.goroutines, &other.goroutines}, {&b.p99, &other.p99}, {&b.cpu, &other.cpu},
		{&b.calls, &other.calls},
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
	conns           int     // opened by the attackers
	during, after   reading // the attack
	idle, idleAfter reading // of the twin, at the same times
	note            string
	over            []string // the bounds exceeded, in words
}

func (r *result) add(over string) { r.over = append(r.over, over) }

// judge compares the readings with the bounds.
func (r *result) judge() {
	b := r.attack.bounds.or(usual)
	check := func(what string, got, bound float64) {
		if got > bound {
			r.add(fmt.Sprintf("%s %.3g, bound %.3g", what, got, bound))
		}
	}
	conns := float64(r.conns)
	check("memory ×", r.memory(), b.memory+connMemory*conns)
	check("goroutines ×", ratio(float64(r.during.goroutines)-connGoroutines*conns, float64(r.idle.goroutines)),
		b.goroutines)
	check("p99 ×", r.p99(), b.p99)
	check("failed", max(r.during.share(), r.after.share()), max(maxFailed, r.idle.share()))
	check("CPU after ×", ratio(r.after.load(), r.idleAfter.load()), b.cpu)
	open := maxOpen * float64(r.idle.descriptors)
	check("descriptors", float64(r.during.descriptors), open+conns+b.calls)
	if r.attack.held {
		check("descriptors still open", float64(r.during.open), open)
	}
	check("descriptors after", float64(r.after.open), open)
	if r.during.ready < r.during.asked {
		r.add(fmt.Sprintf("ready %d of %d", r.during.ready, r.during.asked))
	}
}

// memory returns the maximum growth as a multiple of the idle server's memory.
func (r *result) memory() float64 {
	return ratio(float64(max(r.during.memory, r.after.memory)-r.idle.left), float64(r.idle.left))
}

func (r *result) p99() float64 { return ratio(float64(r.during.p99), float64(r.idle.p99)) }

// load returns the CPU seconds of a second, at least 0.01, the smallest unit that the
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

const tableHead = "| attack | server | sent | memory, MB: idle, max, left | growth ÷ idle " +
	"| descriptors: idle, max, held, left | goroutines: idle, max | p50, p99 idle, ms | p50, p99 attacked, ms " +
	"| p99 ÷ idle | failed | ready | CPU s: attacked, after (idle) | |\n" +
	"|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n"

// row returns the result as a row of the table.
func (r *result) row() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }
	mb := func(n int64) string { return fmt.Sprintf("%.0f", float64(n)/1e6) }
	if r.during.open == 0 { // it has ended
		return fmt.Sprintf("| %s | %s | %d |%s %s |", r.attack.name, r.target, r.sent,
			strings.Repeat(" – |", 10), r.verdict())
	}
	cells := []string{
		r.attack.name, string(r.target), fmt.Sprint(r.sent),
		mb(r.idle.left) + ", " + mb(max(r.during.memory, r.after.memory)) + ", " + mb(r.after.left),
		fmt.Sprintf("%.2f", r.memory()),
		fmt.Sprintf("%d, %d, %d, %d", r.idle.descriptors, r.during.descriptors, r.during.open, r.after.open),
		fmt.Sprintf("%d, %d", r.idle.goroutines, r.during.goroutines),
		ms(r.idle.p50) + ", " + ms(r.idle.p99), ms(r.during.p50) + ", " + ms(r.during.p99),
		fmt.Sprintf("%.1f", r.p99()),
		fmt.Sprintf("%d of %d", r.during.failed, r.during.failed+r.during.answers),
		fmt.Sprintf("%d of %d", r.during.ready, r.during.asked),
		fmt.Sprintf("%.2f, %.2f (%.2f)", r.during.cpu.Seconds(), r.after.cpu.Seconds(), r.idleAfter.cpu.Seconds()),
		r.verdict(),
	}
	return "| " + strings.Join(cells, " | ") + " |"
}

// verdict returns "ok" or the bounds exceeded.
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
