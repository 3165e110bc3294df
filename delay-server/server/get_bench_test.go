package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkWaitsBesideDownloads measures how late waits are, alone and while fifty clients
// download from /get: as fast as loopback is, and together a gigabit a second, as a room's
// network is at best. Clients and server share the process and its processors.
func BenchmarkWaitsBesideDownloads(b *testing.B) {
	dir := b.TempDir()
	content := make([]byte, 30<<20)
	for name, data := range map[string][]byte{
		"program":    content,
		"SHA256SUMS": fmt.Appendf(nil, "%x  program\n", sha256.Sum256(content)),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
	config := DefaultConfig()
	config.BundleDir = dir
	srv, base, _ := start(b, config, io.Discard)
	srv.bundle.Check()
	for name, rate := range map[string]float64{"loopback": 0, "gigabit": 125e6} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				alone := overshoot(b, base)
				ctx, stop := context.WithCancel(b.Context())
				var downloads sync.WaitGroup
				var bytes atomic.Int64
				begun := time.Now()
				for range 50 {
					downloads.Go(func() {
						for ctx.Err() == nil {
							download(ctx, base+"/get/program", rate/50, &bytes)
						}
					})
				}
				beside := overshoot(b, base)
				b.ReportMetric(float64(bytes.Load())/1e6/time.Since(begun).Seconds(), "MB/s")
				stop()
				downloads.Wait()
				b.ReportMetric(alone, "p99-ms-alone")
				b.ReportMetric(beside, "p99-ms-beside")
				b.ReportMetric(beside/alone, "ratio")
			}
		})
	}
}

// download reads url at a rate in bytes a second, or as fast as it can if rate is 0, and
// adds what it read to count.
func download(ctx context.Context, url string, rate float64, count *atomic.Int64) {
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return
	}
	defer res.Body.Close()
	part := make([]byte, 64<<10)
	begun, read := time.Now(), 0.0
	for {
		n, err := res.Body.Read(part)
		count.Add(int64(n))
		if err != nil {
			return
		}
		if read += float64(n); rate > 0 {
			time.Sleep(time.Until(begun.Add(time.Duration(read / rate * float64(time.Second)))))
		}
	}
}

var waited = regexp.MustCompile(`waited;dur=([0-9.]+)`)

// overshoot returns the 99th percentile of how much longer than asked the server waited,
// in milliseconds, over a thousand waits of a hundred clients.
func overshoot(b *testing.B, base string) float64 {
	const asked = 50
	var mu sync.Mutex
	var late []float64
	var clients sync.WaitGroup
	for range 100 {
		clients.Go(func() {
			for range 10 {
				res, err := http.Get(base + "/delay/" + strconv.Itoa(asked))
				if err != nil {
					b.Error(err)
					return
				}
				res.Body.Close()
				m := waited.FindStringSubmatch(res.Header.Get("Server-Timing"))
				if m == nil {
					b.Errorf("Server-Timing is %q", res.Header.Get("Server-Timing"))
					return
				}
				took, _ := strconv.ParseFloat(m[1], 64)
				mu.Lock()
				late = append(late, took-asked)
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if len(late) == 0 {
		b.Fatal("no wait ended")
	}
	slices.Sort(late)
	return late[len(late)*99/100]
}
