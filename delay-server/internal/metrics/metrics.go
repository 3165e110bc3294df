// Package metrics serves GET /metrics: the waits that the journal reports, and the
// pools.
package metrics

import (
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

// Metrics counts waits. Use New.
type Metrics struct {
	waits     map[journal.Outcome]prometheus.Counter
	overshoot prometheus.Histogram
	handler   http.Handler
}

// New returns metrics of waits and pools. waiting returns how many requests wait.
func New(waiting func() int, pools *gate.Pools) *Metrics {
	waits := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "delay_server_waits_total",
		Help: "Waits that have ended, by outcome: answered, faulted (as requested), client_closed, shutdown, " +
			"refused (by MAX_IN_FLIGHT, a pool, a rate limit or a barrier of other parties), " +
			"rejected (an invalid request), " +
			"timed_out (at a barrier or a hold), failed (with a barrier or a hold, or by an internal error).",
	}, []string{"outcome"})
	m := &Metrics{
		waits: make(map[journal.Outcome]prometheus.Counter, len(journal.Outcomes)),
		overshoot: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "delay_server_overshoot_seconds",
			Help: "How much longer than requested a wait took.",
			Buckets: []float64{
				50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1,
			},
		}),
	}
	for _, o := range journal.Outcomes {
		m.waits[o] = waits.WithLabelValues(string(o))
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "delay_server_waiting",
			Help: "Requests that wait now, or are being answered.",
		}, func() float64 { return float64(waiting()) }),
		waits,
		m.overshoot,
		&poolCollector{pools: pools, requests: map[string]bool{}, scenarios: map[string]bool{}},
	)
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return m
}

// ServeHTTP answers the metrics in the format of Prometheus.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

// Observe counts a wait that has ended.
func (m *Metrics) Observe(w journal.Wait) {
	m.waits[w.Outcome].Inc()
	if w.Outcome == journal.Answered || w.Outcome == journal.Faulted {
		m.overshoot.Observe((w.Waited - w.Held - w.Asked).Seconds())
	}
}

var (
	poolBusy = prometheus.NewDesc("delay_server_pool_busy_workers",
		"Workers of the pool that serve a request now. The first 100 pools that requests name and the first 1000 of "+
			"scenarios have a label each; all others share the label \"other pools\". "+
			"Pools of runs are summed up by name.",
		[]string{"pool"}, nil)
	poolQueued = prometheus.NewDesc("delay_server_pool_queued",
		"Requests that wait for a worker of the pool, with the same labels.", []string{"pool"}, nil)
)

// The maximum numbers of labels for names of pools. Prometheus keeps a time series for
// each label.
const (
	MaxPoolLabels         = 100   // for pools of requests
	MaxScenarioPoolLabels = 1_000 // for pools of scenarios
)

// otherPools is the label of the pools beyond the maximum. No pool can have a name with a
// space.
const otherPools = "other pools"

// poolCollector collects the pools that exist now. The label of a pool is its name, up to
// the maximum number of labels.
type poolCollector struct {
	pools *gate.Pools

	mu                  sync.Mutex
	requests, scenarios map[string]bool // names that have a label
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- poolBusy
	descs <- poolQueued
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(metrics chan<- prometheus.Metric) {
	send := func(p gate.PoolState) {
		metrics <- prometheus.MustNewConstMetric(poolBusy, prometheus.GaugeValue, float64(p.Busy), p.Name)
		metrics <- prometheus.MustNewConstMetric(poolQueued, prometheus.GaugeValue, float64(p.Queued), p.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	others := gate.PoolState{Name: otherPools}
	for _, p := range c.pools.States() {
		if c.hasLabel(p) {
			send(p)
			continue
		}
		others.Busy += p.Busy
		others.Queued += p.Queued
	}
	if others.Busy > 0 {
		send(others)
	}
}

// hasLabel reports whether the name of the pool has a label. It adds one if there are
// fewer than the maximum.
func (c *poolCollector) hasLabel(p gate.PoolState) bool {
	names, max := c.requests, MaxPoolLabels
	if p.Operator {
		names, max = c.scenarios, MaxScenarioPoolLabels
	}
	if !names[p.Name] && len(names) < max {
		names[strings.Clone(p.Name)] = true // the name is part of a whole request
	}
	return names[p.Name]
}
