//go:build linux

package drive_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/deploy/bench/internal/drive"
)

const ms = time.Millisecond

// good is the answer of all test servers.
const good = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

// listen serves each connection with handle until the test's end.
func listen(t *testing.T, handle func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// answering answers each request with what reply returns, one part after another.
func answering(t *testing.T, reply func() (parts []string, hangUp bool)) netip.AddrPort {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		for r := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(r)
			if err != nil || req.URL.Path != "/wait" {
				return
			}
			parts, hangUp := reply()
			for _, part := range parts {
				if _, err := conn.Write([]byte(part)); err != nil {
					return
				}
				time.Sleep(ms) // so that parts arrive separately
			}
			if hangUp {
				return
			}
		}
	})
}

// after serves requests with good after a wait.
func after(t *testing.T, wait time.Duration) netip.AddrPort {
	t.Helper()
	return answering(t, func() ([]string, bool) {
		time.Sleep(wait)
		return []string{good}, false
	})
}

// request is a request that answering reads.
func request(addr netip.AddrPort) drive.Request {
	return drive.Request{Host: addr.String(), Path: "/wait"}
}

// load puts a load on a server, with at least ten requests.
type load struct {
	name    string
	runWith func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally
}

func (l load) run(t *testing.T, addr netip.AddrPort, asked time.Duration) *drive.Tally {
	return l.runWith(t, addr, request(addr), asked)
}

var loads = []load{
	{"Sequential", func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally {
		tally, err := drive.Sequential(t.Context(), addr, request, asked, 10)
		return must(t, tally, err)
	}},
	{"Even", func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally {
		e := drive.Even{Rate: 200, Asked: asked, Counted: 200 * ms, Begin: func() {}, End: func() {}}
		tally, err := e.Run(t.Context(), addr, request)
		return must(t, tally, err)
	}},
	{"Once", func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally {
		o := drive.Once{Conns: 10, Asked: asked, Waves: 2, Waiting: func() {}}
		tally, _, err := o.Run(t.Context(), addr, request)
		return must(t, tally, err)
	}},
	{"Churn", func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally {
		c := drive.Churn{Rate: 200, Asked: asked, LeaveEvery: 1000, During: 100 * ms}
		tally, _, err := c.Run(t.Context(), addr, request)
		return must(t, tally, err)
	}},
	{"Steady", func(t *testing.T, addr netip.AddrPort, request drive.Request, asked time.Duration) *drive.Tally {
		ctx, stop := context.WithTimeout(t.Context(), 200*ms)
		defer stop()
		tallies := make([]*drive.Tally, 10) // each with a request that is under way when ctx ends
		var wg sync.WaitGroup
		for i := range tallies {
			wg.Go(func() {
				tallies[i] = drive.Steady{Every: 5 * ms, Asked: asked, Limit: 10 * time.Second,
					From: i}.Run(ctx, addr, request)
			})
		}
		wg.Wait()
		all := drive.NewTally()
		for _, tally := range tallies {
			all.Merge(tally)
		}
		return all
	}},
}

func must(t *testing.T, tally *drive.Tally, err error) *drive.Tally {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

// contains is strings.Contains, except that only "" contains "".
func contains(text, part string) bool {
	return text == part || part != "" && strings.Contains(text, part)
}
