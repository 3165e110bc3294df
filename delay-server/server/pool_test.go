package server

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
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
	eventually(t, "four are in the pool", func() bool { return srv.journal.Waiting() == 4 })
	if reply, body := do(t, client, "GET", url, nil); reply.StatusCode != 503 || reply.Header.Get("Retry-After") == "" || !strings.Contains(body, `pool \"db\" is full: 2 are served and 2 wait`) {
		t.Errorf("the fifth: got %d %s, want 503", reply.StatusCode, body)
	}
	if reply, body := do(t, client, "GET", strings.Replace(url, "workers=2", "workers=3", 1), nil); reply.StatusCode != 409 || !strings.Contains(body, "is in use with workers=2 and queue=2: asked for were workers=3 and queue=2") {
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
