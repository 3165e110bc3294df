//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"flash.test/deploy/bench/internal/drive"
	"flash.test/deploy/bench/internal/peer"
)

// reading is the measurement of a server and its well-behaved clients over some time.
type reading struct {
	span        time.Duration
	memory      int64 // maximum bytes resident
	left        int64 // bytes resident at the end
	descriptors int   // maximum
	open        int   // descriptors at the end
	goroutines  int   // maximum; 0 if the server does not say
	cpu         time.Duration
	p50, p99    time.Duration // of the well-behaved client
	answers     int64
	failed      int64
	failure     string // the first
	asked       int    // requests for /readyz
	ready       int    // of them answered 200
}

// measure attacks a server, and measures it during the attack and afterwards. Its twin, the
// same server without an attack, shows what an idle server costs on an equally busy
// machine.
func measure(ctx context.Context, o options, a attack, t target) (r *result, err error) {
	s := &site{path: a.paths[t], lines: a.lines, scale: o.scale}
	r = &result{attack: a, target: t}
	var log *os.File
	if a.log {
		if s.log, log, err = os.Pipe(); err != nil {
			return nil, err
		}
		defer s.log.Close()
		go io.Copy(s, s.log) // until Close: a full pipe would block the server
	}
	p, err := t.server(o, a, log).Start(ctx)
	log.Close() // the server has its own; ignore the error if there is none
	if err != nil {
		return nil, err
	}
	defer func() {
		how, over := p.Ended()
		stopped := p.Stop()
		switch {
		case !over:
			err = errors.Join(err, stopped)
		case !a.ends:
			r.add("the server ended: " + how)
		}
	}()
	twin, err := t.server(o, attack{}, nil).Start(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, twin.Stop()) }()

	s.addr, s.addr2, s.process = p.Addr, p.Addr2, p
	defer s.leave()
	r.during, r.idle, err = watchBoth(ctx, p, twin, t, func(ctx context.Context) error {
		striking, stop := context.WithTimeout(ctx, o.scale.strike)
		defer stop()
		if err := a.strike(striking, s); err != nil {
			r.add(err.Error())
		}
		// Measure a short strike for just as long: a percentile needs enough answers.
		if _, over := p.Ended(); !over {
			<-striking.Done()
		}
		if a.check != nil {
			note, err := a.check(ctx, s)
			r.note = note
			if err != nil {
				r.add(err.Error())
			}
		}
		if a.held {
			return sleep(ctx, o.scale.held())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("attacked: %w", err)
	}
	s.leave()
	r.sent, r.conns = s.sent.Load(), s.opened()
	if _, over := p.Ended(); over {
		return r, nil
	}
	r.after, r.idleAfter, err = watchBoth(ctx, p, twin, t, func(ctx context.Context) error {
		return sleep(ctx, o.scale.after)
	})
	if err != nil {
		return nil, fmt.Errorf("after the attack: %w", err)
	}
	r.judge()
	return r, nil
}

// watchBoth measures a server and its twin while do runs.
func watchBoth(ctx context.Context, p, twin *peer.Process, t target,
	do func(context.Context) error) (attacked, idle reading, err error) {
	done, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var ofTwin error
	wg.Go(func() {
		idle, ofTwin = watch(ctx, twin, t, func(context.Context) error { <-done.Done(); return nil })
	})
	attacked, err = watch(ctx, p, t, func(ctx context.Context) error { defer stop(); return do(ctx) })
	stop() // if do did not run
	wg.Wait()
	return attacked, idle, errors.Join(err, ofTwin)
}

const (
	clients = 10 // well-behaved
	every   = 100 * time.Millisecond
	limit   = 5 * time.Second // after which their request has failed
)

// watch measures a server, and its well-behaved clients, while do runs.
func watch(ctx context.Context, p *peer.Process, t target, do func(context.Context) error) (r reading, err error) {
	if err := p.ResetPeak(); err != nil {
		return r, err
	}
	before, err := p.CPU()
	if err != nil {
		return r, err
	}
	start := time.Now()
	watching, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	tallies := make([]*drive.Tally, clients)
	request := drive.Request{Host: p.Addr.String(), Path: t.path(wait)}
	for i := range tallies {
		wg.Go(func() {
			// Spread over the interval, they do not delay each other.
			if sleep(watching, every*time.Duration(i)/clients) == nil {
				tallies[i] = drive.Steady{Every: every, Asked: wait, Limit: limit,
					From: i}.Run(watching, p.Addr, request)
			}
		})
	}
	var sampled error
	wg.Go(func() { sampled = r.sample(watching, p, t) })
	err = do(ctx)
	r.span = time.Since(start)
	err = errors.Join(err, r.take(p, before))
	stop()
	wg.Wait()
	all := drive.NewTally()
	for _, tally := range tallies {
		if tally != nil {
			all.Merge(tally)
		}
	}
	r.answers, r.failed, r.failure = all.Answers, all.Errors, all.FirstError
	r.p50, r.p99 = wait+all.Percentile(50), wait+all.Percentile(99)
	if err := errors.Join(err, sampled); err != nil && !hasEnded(p) {
		return r, err
	}
	return r, ctx.Err() // a server that has ended cannot be read
}

// hasEnded reports whether a server that could not be read has ended, which is known a
// moment after its process is gone.
func hasEnded(p *peer.Process) bool {
	for range 100 {
		if _, over := p.Ended(); over {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// take reads what the process has cost since its CPU time was before.
func (r *reading) take(p *peer.Process, before time.Duration) (err error) {
	if r.left, r.memory, err = p.Resident(); err != nil {
		return err
	}
	if r.open, err = p.Descriptors(); err != nil {
		return err
	}
	after, err := p.CPU()
	r.cpu = after - before
	return err
}

// sample reads the descriptors and goroutines of a server and asks for /readyz until ctx is
// done.
func (r *reading) sample(ctx context.Context, p *peer.Process, t target) error {
	client := http.Client{Transport: &http.Transport{}, Timeout: limit}
	defer client.CloseIdleConnections()
	base := "http://" + p.Addr.String()
	for ; ctx.Err() == nil; sleep(ctx, 250*time.Millisecond) {
		n, err := p.Descriptors()
		if err != nil {
			return err
		}
		r.descriptors = max(r.descriptors, n)
		status, _, err := get(ctx, &client, base+"/readyz")
		if ctx.Err() != nil {
			return nil // the request was cancelled
		}
		r.asked++
		if err == nil && status == http.StatusOK {
			r.ready++
		}
		if t == delayServer || t == netHTTP {
			if _, text, err := get(ctx, &client, base+"/metrics"); err == nil {
				r.goroutines = max(r.goroutines, metric(text, "go_goroutines"))
			}
		}
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	reply, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	return reply.StatusCode, string(text), err
}

// metric returns the value of a metric without labels, or 0.
func metric(text, name string) int {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			f, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int(f)
		}
	}
	return 0
}

// sleep waits for d, or returns an error when ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
