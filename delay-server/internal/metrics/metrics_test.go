package metrics_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/metrics"
)

type noWaker struct{}

func (noWaker) Wake() {}

// TestLabelsOfScenarios checks that pools of scenarios, which any number of runs may
// define, share a label beyond the maximum.
func TestLabelsOfScenarios(t *testing.T) {
	pools := new(gate.Pools)
	m := metrics.New(func() int { return 0 }, pools)
	for i := range metrics.MaxScenarioPoolLabels + 7 {
		spec := gate.PoolSpec{Name: fmt.Sprintf("db-%04d", i), Workers: 1, Operator: true}
		if _, err := pools.Enter(&gate.Ticket{Waker: noWaker{}}, spec, 0, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		rec := httptest.NewRecorder()
		m.ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		text := rec.Body.String()
		const label = `delay_server_pool_busy_workers{pool="db-`
		const others = `delay_server_pool_busy_workers{pool="other pools"} 7`
		if n := strings.Count(text, label); n != metrics.MaxScenarioPoolLabels || !strings.Contains(text, others) {
			t.Errorf("got %d labels, want %d and %s", n, metrics.MaxScenarioPoolLabels, others)
		}
	}
}
