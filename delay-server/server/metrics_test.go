package server

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"flash.test/delay-server/internal/metrics"
	"flash.test/delay-server/kit/wiretest"
)

const maxPoolLabels = metrics.MaxPoolLabels

// Each label is a time series in Prometheus, so requests can only create a limited number.
func TestPoolLabelsAreLimited(t *testing.T) {
	const requests = 130
	config, _ := withScenario(t, `routes: [{path: /a, delay: 1m, pool: {name: zz-operator, workers: 1}}]`)
	srv, base, _ := start(t, config, t.Output())
	client := newClient(t)
	var first []string
	for _, generation := range []string{"a", "z"} {
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		get := func(path string) {
			wg.Go(func() {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
				if err != nil {
					t.Error(err)
					return
				}
				if reply, err := client.Do(req); err == nil {
					reply.Body.Close()
					t.Errorf("GET %s: status %d, want a wait", path, reply.StatusCode)
				}
			})
		}
		get("/a")
		for i := range requests {
			get(fmt.Sprintf("/delay/1m?pool=%s%d&workers=1", generation, i))
		}
		wiretest.Eventually(t, "all wait", func() bool { return srv.engine.Journal.Waiting() == requests+1 })
		_, metrics := do(t, client, "GET", base+"/metrics", nil)
		leave()
		wg.Wait()
		wiretest.Eventually(t, "no request waits", func() bool { return srv.engine.Journal.Waiting() == 0 })

		var labels []string
		busy := regexp.MustCompile(`pool_busy_workers\{pool="(.*?)"\} 1\n`)
		for _, found := range busy.FindAllStringSubmatch(metrics, -1) {
			labels = append(labels, found[1])
		}
		if !slices.Contains(labels, "zz-operator") {
			t.Errorf("%s: the scenario's pool has no label:\n%s", generation, grep(metrics, "pool_busy"))
		}
		if first == nil {
			first = labels
		}
		others := requests + 1 - len(labels)
		want := fmt.Sprintf("delay_server_pool_busy_workers{pool=\"other pools\"} %d\n", others)
		if len(first) != maxPoolLabels+1 || !strings.Contains(metrics, want) {
			t.Errorf("%s: %d labels first, want %d, and %s in\n%s",
				generation, len(first), maxPoolLabels+1, want, grep(metrics, "pool_busy"))
		}
		for _, label := range labels {
			if !slices.Contains(first, label) {
				t.Errorf("%s: new label %s, want none after the first %d", generation, label, maxPoolLabels)
			}
		}
	}
	reply, body := do(t, client, "GET", base+"/delay/0?pool=other%20pools&workers=1", nil)
	if reply.StatusCode != http.StatusBadRequest {
		t.Errorf("a pool with the name of the label: got %d %s, want 400", reply.StatusCode, body)
	}
}
