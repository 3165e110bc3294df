//go:build linux

package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"flash.test/deploy/bench/internal/drive"
	"flash.test/deploy/bench/internal/peer"
)

// variant is a way to ask for a wait. The zero value is the plain GET of all servers.
type variant struct {
	name    string        // suffix of its loads' names
	row     string        // in tables
	request drive.Request // without Host and Path

	path  pathFunc            // of delay-server; nil for the plain path
	peers map[string]pathFunc // of peers that support it; nil for their plain path

	scenario bool // delay-server has one
	stream   bool // the answer begins before the wait
}

// pathFunc returns the path and query that ask for a wait.
type pathFunc = func(wait time.Duration) string

// pathAt returns the path for s. ok is false if s does not support the variant.
func (v variant) pathAt(s peer.Server) (path pathFunc, ok bool) {
	if v.name == "" {
		return s.Path, true
	}
	if path, ok = v.peers[s.Name]; s.Name == peer.EventLoop || s.Name == peer.NetHTTP {
		path, ok = v.path, true
	}
	if path == nil {
		path = s.Path
	}
	return path, ok
}

// The variants. The mean of distributions is the plain load's wait.
var (
	withStatus = variant{
		name: "status", row: "`?status=503:5`", request: drive.Request{Statuses: []int{200, 503}},
		path: query("status=503:5"),
		peers: map[string]pathFunc{peer.Fortio: func(wait time.Duration) string {
			return fmt.Sprintf(
				"/?delay=%v&status=503:5", wait)
		}},
	}
	withRun   = variant{name: "run", row: "`X-Run-Id`", request: drive.Request{Header: []string{runHeader}}}
	withTrace = variant{name: "trace", row: "`traceparent`, a new one each time", request: drive.Request{Trace: true}}

	withUniform = variant{
		name: "uniform", row: "`/delay/uniform:…`", request: drive.Request{Drawn: true}, path: uniform,
	}
	withLognormal = variant{
		name: "lognormal", row: "`/delay/lognormal:…`", request: drive.Request{Drawn: true},
		path: func(wait time.Duration) string { return fmt.Sprintf("/delay/lognormal:%v,%v", wait*95/100, 2*wait) },
	}
	withRunAndUniform = variant{
		name: "run-uniform", row: "`X-Run-Id` and `/delay/uniform:…`",
		request: drive.Request{Header: []string{runHeader}, Drawn: true}, path: uniform,
	}

	withPool  = variant{name: "pool", row: "queue of a pool: `?pool=p&workers=1`", path: query("pool=p&workers=1")}
	atBarrier = variant{
		name: "barrier", row: "`/barrier/b?parties=20000`",
		path: func(wait time.Duration) string { return fmt.Sprintf("/barrier/b?parties=20000&timeout=%v", wait) },
	}
	inHold = variant{name: "hold", row: "`/hold/h`",
		path: func(wait time.Duration) string { return fmt.Sprintf("/hold/h?timeout=%v", wait) }}

	ofScenario = variant{
		name: "scenario", row: "route of a scenario", scenario: true,
		path: func(wait time.Duration) string { return fmt.Sprintf("/wait-%v/shop-%d/products/7", wait, shops/2) },
	}
	withHEAD = variant{
		name: "head", row: "HEAD", request: drive.Request{Method: "HEAD"},
		peers: map[string]pathFunc{peer.Nginx: nil, peer.GoHTTPBin: nil, peer.Fortio: nil, peer.Echo: nil},
	}
	withPOST = variant{
		name: "post", row: "POST of 27 bytes",
		request: drive.Request{Method: "POST", Header: []string{"Content-Type: application/json"},
			Body: `{"product": 7, "count": 2}` + "\n"},
		peers: map[string]pathFunc{peer.Nginx: nil, peer.GoHTTPBin: nil, peer.Fortio: nil, peer.Echo: nil},
	}
	betweenEvents = variant{
		name: "sse", row: "`/sse` between events", stream: true, path: twoEvents,
		peers: map[string]pathFunc{peer.GoHTTPBin: twoEvents},
	}
)

const runHeader = "X-Run-Id: bench"

// query adds a query to the plain path of delay-server.
func query(q string) pathFunc {
	return func(wait time.Duration) string { return fmt.Sprintf("/delay/%d?%s", wait.Milliseconds(), q) }
}

func uniform(wait time.Duration) string {
	if wait == 0 {
		return "/delay/uniform:0,0"
	}
	return fmt.Sprintf("/delay/uniform:%v,%v", wait/2, wait*3/2)
}

// twoEvents asks for an event at once and one after the wait.
func twoEvents(wait time.Duration) string { return fmt.Sprintf("/sse?count=2&duration=%v", wait) }

// shops is the number of routes of the scenario for each wait.
const shops = 25

// scenario returns a scenario with routes for each wait.
func scenario(waits ...time.Duration) string {
	var b strings.Builder
	b.WriteString("routes:\n")
	for _, wait := range waits {
		for i := range shops {
			fmt.Fprintf(&b, "  - {method: GET, path: \"/wait-%v/shop-%d/products/{id}\", delay: %v, json: {id: 7, "+
				"name: kettle}}\n", wait, i, wait)
		}
	}
	return b.String()
}

// as returns the load as another variant.
func (l load) as(v variant) load {
	kind, _, _ := strings.Cut(l.name, "-")
	l.of = cmp.Or(l.of, l.name)
	l.name, l.variant = kind+"-"+v.name, v
	return l
}
