//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"flash.test/deploy/bench/internal/drive"
)

// fine is a result at all bounds.
func fine() *result {
	idle := reading{span: time.Second, left: 20e6, memory: 20e6, descriptors: 40, open: 40, goroutines: 10,
		cpu: 10 * time.Millisecond, p50: wait, p99: 12 * time.Millisecond, answers: 100, asked: 4, ready: 4}
	r := &result{attack: attack{held: true}, conns: 100, idle: idle, idleAfter: idle, during: idle, after: idle}
	r.during.memory = 20e6 + 20e6*3/2
	r.during.goroutines = 10*10 + 200
	r.during.p99 = 8 * idle.p99
	r.during.descriptors = 50 + 100
	r.during.open, r.after.open = 50, 50
	r.during.answers, r.during.failed = 99, 1
	r.after.cpu = 200 * time.Millisecond
	return r
}

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(r *result)
		over   string // the beginning of what is over; "" for nothing
	}{
		{"at the bounds", func(*result) {}, ""},
		{"memory", func(r *result) { r.during.memory += 3e6 }, "memory × 1.65"},
		{"memory after", func(r *result) { r.after.memory = 60e6 }, "memory × 2"},
		{"memory, with the attack's bound",
			func(r *result) { r.during.memory += 3e6; r.attack.bounds.memory = 2 }, ""},
		{"goroutines", func(r *result) { r.during.goroutines += 5 }, "goroutines × 10.5"},
		{"a server without a metric of goroutines",
			func(r *result) { r.idle.goroutines, r.during.goroutines = 0, 0 }, ""},
		{"p99", func(r *result) { r.during.p99 += time.Millisecond }, "p99 × 8.08"},
		{"failed requests", func(r *result) { r.during.failed++ }, "failed 0.0198"},
		{"CPU after", func(r *result) { r.after.cpu += 50 * time.Millisecond }, "CPU after × 25"},
		{"descriptors", func(r *result) { r.during.descriptors++ }, "descriptors 151"},
		{"connections still open", func(r *result) { r.during.open++ }, "descriptors still open 51"},
		{"connections that may be open", func(r *result) { r.during.open++; r.attack.held = false }, ""},
		{"descriptors after", func(r *result) { r.after.open++ }, "descriptors after 51"},
		{"not ready", func(r *result) { r.during.ready-- }, "ready 3 of 4"},
	} {
		r := fine()
		tc.change(r)
		r.judge()
		if tc.over == "" && len(r.over) > 0 ||
			tc.over != "" && (len(r.over) != 1 || !strings.HasPrefix(r.over[0], tc.over)) {
			t.Errorf("judge, %s: over %q, want %q", tc.name, r.over, tc.over)
		}
		if cells := strings.Count(r.row(), "|"); cells != strings.Count(strings.Split(tableHead, "\n")[0], "|") {
			t.Errorf("row, %s: %d cells: %s", tc.name, cells, r.row())
		}
	}
}

// The load of a server without measurable CPU time is the smallest that the kernel counts.
func TestLoadHasAMinimum(t *testing.T) {
	if r := (reading{span: time.Second}); r.load() != 0.01 {
		t.Errorf("load of no CPU time: %v", r.load())
	}
}

func TestReadOptions(t *testing.T) {
	for _, tc := range []struct {
		args    []string
		attacks []string
		targets []target
		err     string
	}{
		{[]string{"-only", "window-doc,rapid"}, []string{"window-doc", "rapid-reset"},
			[]target{delayServer, demoAPI}, ""},
		{[]string{"-only", "fill", "-nginx", "-nethttp"}, []string{"fill"},
			[]target{delayServer, demoAPI, netHTTP, nginx}, ""},
		{[]string{"-only", "nothing"}, nil, nil, `unknown attack "nothing"`},
		{[]string{"-rounds", "0"}, nil, nil, "use 1 or more"},
		{[]string{"window"}, nil, nil, `unknown argument "window"`},
	} {
		o, err := readOptions(tc.args, io.Discard)
		var names []string
		for _, a := range o.attacks {
			names = append(names, a.name)
		}
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("readOptions(%q): error %v, want %q", tc.args, err, tc.err)
			}
		case err != nil || !slices.Equal(names, tc.attacks) || !slices.Equal(o.targets, tc.targets):
			t.Errorf("readOptions(%q): %q at %q, %v; want %q at %q", tc.args, names, o.targets,
				err, tc.attacks, tc.targets)
		}
	}
	if _, err := readOptions([]string{"--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("readOptions(--help): %v", err)
	}
}

// A header larger than a frame is sent as HEADERS and CONTINUATIONs, and decodes to the
// same fields.
func TestGetInFrames(t *testing.T) {
	c := &conn2{next: 1, block: drive.RequestHeader("a", "/delay/0")}
	c.Framer = http2.NewFramer(&c.out, &c.out)
	const fields = 40_000
	c.get(bytes.Repeat([]byte{age}, fields))
	c.get(nil)

	var kinds []http2.FrameType
	var block []byte
	for _, want := range []http2.FrameType{http2.FrameHeaders, http2.FrameContinuation, http2.FrameContinuation} {
		frame, err := c.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, frame.Header().Type)
		switch f := frame.(type) {
		case *http2.HeadersFrame:
			block = append(block, f.HeaderBlockFragment()...)
		case *http2.ContinuationFrame:
			block = append(block, f.HeaderBlockFragment()...)
		}
		if frame.Header().Type != want {
			t.Fatalf("frames %v: want %v now", kinds, want)
		}
	}
	read, err := hpack.NewDecoder(0, nil).DecodeFull(block)
	if err != nil || len(read) != 4+fields || read[3].Value != "/delay/0" ||
		read[4] != (hpack.HeaderField{Name: "age"}) {
		t.Errorf("%d fields, %v: want %d, the first of GET /delay/0", len(read), err, 4+fields)
	}
	if frame, err := c.ReadFrame(); err != nil || frame.Header().StreamID != 3 ||
		!frame.(*http2.HeadersFrame).HeadersEnded() {
		t.Errorf("the next request: %v, %v; want one frame of stream 3", frame, err)
	}
}

// Go's own server accepts the attackers' HTTP/1.1 and HTTP/2. When it closes a connection,
// the attack does not fail.
func TestStrikes(t *testing.T) {
	t.Parallel()
	protocols := map[string]int{}
	requests := make(chan string, 100_000)
	server := httptest.NewUnstartedServer(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { requests <- r.Proto }))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // attacks are logged
	server.Start()
	defer server.Close()
	addr := netip.MustParseAddrPort(server.Listener.Addr().String())
	for _, a := range attacks {
		if a.log || a.ends {
			continue
		}
		s := &site{addr: addr, addr2: addr, path: "/", scale: scale{size: 0.01, strike: 50 * time.Millisecond}}
		ctx, stop := context.WithCancel(t.Context())
		struck := make(chan error)
		go func() { struck <- a.strike(ctx, s) }()
		for by := time.Now().Add(10 * time.Second); s.sent.Load() == 0 && time.Now().Before(by); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(20 * time.Millisecond) // for some more requests
		stop()
		s.leave() // unblock a write that the server does not read
		if err := <-struck; err != nil {
			t.Errorf("%s: %v", a.name, err)
		}
		if s.sent.Load() == 0 || s.opened() == 0 {
			t.Errorf("%s sent %d on %d connections in 10 s", a.name, s.sent.Load(), s.opened())
		}
		for len(requests) > 0 {
			protocols[<-requests]++
		}
	}
	if protocols["HTTP/1.1"] == 0 || protocols["HTTP/2.0"] == 0 {
		t.Errorf("requests that arrived: %v; want some of HTTP/1.1 and of HTTP/2.0", protocols)
	}
}

// Every attack has a target and a strike, and its name is unique at the target.
func TestAttacks(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range attacks {
		if a.strike == nil || len(a.paths) == 0 {
			t.Errorf("attack %s: no strike or no target", a.name)
		}
		for at := range a.paths {
			if key := a.name + " at " + string(at); seen[key] {
				t.Errorf("attack %s is there twice", key)
			} else {
				seen[key] = true
			}
		}
	}
}

func TestMetric(t *testing.T) {
	const text = "# HELP go_goroutines Number\ngo_goroutines_max 7\ngo_goroutines 13\n"
	if got := metric(text, "go_goroutines"); got != 13 {
		t.Errorf("metric = %d, want 13", got)
	}
	if got := metric(text, "go_threads"); got != 0 {
		t.Errorf("metric that is not there = %d, want 0", got)
	}
}
