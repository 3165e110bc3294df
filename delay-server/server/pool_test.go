package server

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

func TestPoolQueuesRefusesAndReports(t *testing.T) {
	const wait = 300 * time.Millisecond
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	url := fmt.Sprintf("%s/delay/%d?pool=db&workers=2&queue=2", base, wait.Milliseconds())
	var wg sync.WaitGroup
	begin := time.Now()
	for range 4 {
		wg.Go(func() {
			reply, _ := do(t, client, "GET", url, nil)
			if reply.StatusCode != 200 || !strings.Contains(reply.Header.Get("Server-Timing"), ", queued;dur=") {
				t.Errorf("got %d, Server-Timing %q, want 200 and queued", reply.StatusCode, reply.Header.Get("Server-Timing"))
			}
		})
	}
	wiretest.Eventually(t, "four are in the pool", func() bool { return srv.journal.Waiting() == 4 })
	if reply, body := do(t, client, "GET", url, nil); reply.StatusCode != 503 || reply.Header.Get("Retry-After") != "1" || !strings.Contains(body, `"type":"/problems/pool-full"`) {
		t.Errorf("the fifth: got %d %s, want 503", reply.StatusCode, body)
	}
	if reply, body := do(t, client, "GET", strings.Replace(url, "workers=2", "workers=3", 1), nil); reply.StatusCode != 409 || !strings.Contains(body, `"type":"/problems/pool-mismatch"`) {
		t.Errorf("another definition: got %d %s, want 409", reply.StatusCode, body)
	}
	if _, metrics := do(t, client, "GET", base+"/metrics", nil); !strings.Contains(metrics, `delay_server_pool_busy_workers{pool="db"} 2`) || !strings.Contains(metrics, `delay_server_pool_queued{pool="db"} 2`) {
		t.Errorf("the metrics do not say that 2 are busy and 2 queued:\n%s", grep(metrics, "delay_server_pool"))
	}
	wg.Wait()
	if took := time.Since(begin); took < 2*wait {
		t.Errorf("4 requests of %v by 2 workers took %v, want %v or more", wait, took, 2*wait)
	}
	if _, metrics := do(t, client, "GET", base+"/metrics", nil); strings.Contains(metrics, "delay_server_pool_busy_workers{") {
		t.Errorf("an empty pool lives on:\n%s", grep(metrics, "delay_server_pool"))
	}
}

// A full pool says when the first of its workers is free again.
func TestAFullPoolSaysWhenAWorkerIsFree(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	const pool = "&run=p&pool=db&workers=2&queue=1"
	full := func(name, want string) {
		t.Helper()
		if reply, body := do(t, client, "GET", base+"/delay/0?pool=db&workers=2&queue=1", nil); reply.StatusCode != 503 || reply.Header.Get("Retry-After") != want {
			t.Errorf("%s: got %d %s, Retry-After %q, want 503, %q", name, reply.StatusCode, body, reply.Header.Get("Retry-After"), want)
		}
	}
	ask(t, client, 1, base+"/delay/30000?"+pool)
	s.waiting("p", 1)
	ask(t, client, 1, base+"/delay/2000?body_delay=6000"+pool)
	s.waiting("p", 2)
	s.advance(time.Second)
	ask(t, client, 1, base+"/delay/10000?"+pool) // queued
	s.waiting("p", 3)
	full("8 s from 0 are 7 s from 1", "7")
	s.advance(500 * time.Millisecond)
	full("a fraction is rounded up", "7")
	s.advance(6500 * time.Millisecond)
	s.waiting("p", 2)
	ask(t, client, 1, base+"/delay/0?"+pool) // queued behind
	s.waiting("p", 3)
	full("the one that was queued is served now", "10")
}
