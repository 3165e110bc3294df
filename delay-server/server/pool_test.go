package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestPool(t *testing.T) {
	const wait = 300 * time.Millisecond
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	url := fmt.Sprintf("%s/delay/%d?pool=db&workers=2&queue=2&run=r", base, wait.Milliseconds())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			reply, _ := do(t, client, "GET", url, nil)
			if reply.StatusCode != 200 || !strings.Contains(reply.Header.Get("Server-Timing"), ", queued;dur=") {
				t.Errorf("got %d, Server-Timing %q, want 200 with queued",
					reply.StatusCode, reply.Header.Get("Server-Timing"))
			}
		})
	}
	s.waiting("r", 4)
	s.timed(2)
	reply, body := do(t, client, "GET", strings.Replace(url, "&run=r", "", 1), nil)
	if !strings.Contains(body, `"type":"/problems/pool-full"`) || reply.Header.Get("Retry-After") != "1" {
		t.Errorf("fifth request: got %s, Retry-After %q", body, reply.Header.Get("Retry-After"))
	}
	_, body = do(t, client, "GET", base+"/delay/0?pool=db&workers=3&queue=2", nil)
	if !strings.Contains(body, `"type":"/problems/pool-mismatch"`) {
		t.Errorf("other workers: got %s", body)
	}
	_, metrics := do(t, client, "GET", base+"/metrics", nil)
	for _, want := range []string{
		`delay_server_pool_busy_workers{pool="db"} 2`,
		`delay_server_pool_queued{pool="db"} 2`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server_pool"))
		}
	}
	s.advance(2 * wait)
	wg.Wait()
	if run := s.settled("r"); run.Requests != 4 || run.Wall != 2*wait {
		t.Errorf("%d requests of %v by 2 workers took %v, want 4 and %v", run.Requests, wait, run.Wall, 2*wait)
	}
	_, metrics = do(t, client, "GET", base+"/metrics", nil)
	if strings.Contains(metrics, "delay_server_pool_busy_workers{") {
		t.Errorf("want no empty pool in the metrics, got:\n%s", grep(metrics, "delay_server_pool"))
	}
}

// TestPoolRetryAfter checks that a full pool's Retry-After is the time until a worker
// is free.
func TestPoolRetryAfter(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	const pool = "&run=p&pool=db&workers=2&queue=1"
	full := func(name, want string) {
		t.Helper()
		reply, body := do(t, client, "GET", base+"/delay/0?pool=db&workers=2&queue=1", nil)
		if got := reply.Header.Get("Retry-After"); reply.StatusCode != 503 || got != want {
			t.Errorf("%s: got %s, Retry-After %q, want %q", name, body, got, want)
		}
	}
	ask(t, client, 1, base+"/delay/30000?"+pool)
	s.waiting("p", 1)
	ask(t, client, 1, base+"/delay/2000?body_delay=6000"+pool)
	s.waiting("p", 2)
	s.advance(time.Second)
	ask(t, client, 1, base+"/delay/10000?"+pool) // queued
	s.waiting("p", 3)
	full("a worker is free at 8 s, now is 1 s", "7")
	s.advance(500 * time.Millisecond)
	full("fraction is rounded up", "7")
	s.advance(6500 * time.Millisecond)
	s.waiting("p", 2)
	ask(t, client, 1, base+"/delay/0?"+pool) // queued behind
	s.waiting("p", 3)
	full("queued request got the worker", "10")
}
