package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLive measures how late waits of a second are while 50 viewers look at
// /admin/live, beside the same without viewers. 8,000 connections of one process wait,
// each in its phase of a second. p99-ratio is the ratio of the two p99 overshoots, which a
// client sees, and cpu-ratio of the processor times, clients included. -benchtime 5x takes
// the medians of five rounds of both.
func BenchmarkLive(b *testing.B) {
	const connections, viewers = 8_000, 50
	for _, bc := range []struct{ name, target string }{
		{"no run", "/delay/1000"},
		{"100 runs", "/delay/1000?run=r%d"},
	} {
		b.Run(bc.name, func(b *testing.B) {
			config := DefaultConfig()
			config.MaxInFlightPerClient = connections
			_, base, _ := start(b, config, io.Discard)
			var conns []net.Conn
			for range connections {
				conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
				if err != nil {
					b.Fatal(err)
				}
				defer conn.Close()
				conns = append(conns, conn)
			}
			target := func(i int) string {
				if !strings.Contains(bc.target, "%d") {
					return bc.target
				}
				return fmt.Sprintf(bc.target, i%100)
			}
			overshoots(b, conns, target) // warms up
			var alone, watched, cpuAlone, cpuWatched []float64
			round := func(late, cpu *[]float64) {
				before := processorTime(b)
				*late = append(*late, p99(overshoots(b, conns, target)))
				*cpu = append(*cpu, processorTime(b)-before)
			}
			for b.Loop() {
				round(&alone, &cpuAlone)
				leave := openViewers(b, base, viewers)
				round(&watched, &cpuWatched)
				leave()
			}
			b.ReportMetric(median(alone), "p99-ms-alone")
			b.ReportMetric(median(watched), "p99-ms-watched")
			b.ReportMetric(median(watched)/median(alone), "p99-ratio")
			b.ReportMetric(median(cpuWatched)/median(cpuAlone), "cpu-ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// overshoots sends a request on each connection, over a second, and returns by how much
// each response was late, in milliseconds.
func overshoots(b *testing.B, conns []net.Conn, target func(i int) string) []float64 {
	late := make([]float64, len(conns))
	var wg sync.WaitGroup
	begin := time.Now()
	for i, conn := range conns {
		wg.Go(func() {
			time.Sleep(time.Until(begin.Add(time.Second * time.Duration(i) / time.Duration(len(conns)))))
			sent := time.Now()
			_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target(i))
			if err != nil {
				b.Error(err)
				return
			}
			in := bufio.NewReaderSize(conn, 512)
			reply, err := http.ReadResponse(in, nil)
			late[i] = float64(time.Since(sent)-time.Second) / 1e6
			if err != nil || reply.StatusCode != http.StatusOK {
				b.Errorf("got %v, %v", reply, err)
				return
			}
			_, _ = io.Copy(io.Discard, reply.Body)
		})
	}
	wg.Wait()
	return late
}

// openViewers opens streams, half of them of a run each, and reads them until leave.
func openViewers(b *testing.B, base string, n int) (leave func()) {
	var reading sync.WaitGroup
	var bodies []io.Closer
	for i := range n {
		url := base + "/admin/live"
		if i%2 == 1 {
			url += fmt.Sprintf("?run=r%d", i)
		}
		reply, err := newClient(b).Get(url)
		if err != nil || reply.StatusCode != http.StatusOK {
			b.Fatalf("GET %s: %v, %v", url, reply, err)
		}
		bodies = append(bodies, reply.Body)
		reading.Go(func() { _, _ = io.Copy(io.Discard, reply.Body) })
	}
	return func() {
		for _, body := range bodies {
			_ = body.Close()
		}
		reading.Wait()
	}
}

// processorTime returns the processor time of this process, in seconds.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func p99(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)*99/100]
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
