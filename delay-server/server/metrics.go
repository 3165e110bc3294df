package server

import (
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
)

// metrics is what GET /metrics shows, read from the journal's events.
type metrics struct {
	waits     map[journal.Outcome]prometheus.Counter
	overshoot prometheus.Histogram
	handler   echo.HandlerFunc
}

func newMetrics(j *journal.Journal, pools *gate.Pools) *metrics {
	waits := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "delay_server_waits_total",
		Help: "Waits that have ended, by outcome: answered, faulted (as asked), client_closed, shutdown, refused (by MAX_IN_FLIGHT, a pool, a rate limit or a barrier of other parties), timed_out (at a barrier or a hold), failed (with a barrier or a hold, or by an error of the server's own).",
	}, []string{"outcome"})
	m := &metrics{
		waits: make(map[journal.Outcome]prometheus.Counter, len(journal.Outcomes)),
		overshoot: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "delay_server_overshoot_seconds",
			Help:    "How much later than asked a wait was over.",
			Buckets: []float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1},
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
		}, func() float64 { return float64(j.Waiting()) }),
		waits,
		m.overshoot,
		&poolCollector{pools: pools, named: map[string]bool{}},
	)
	m.handler = echo.WrapHandler(http.Handler(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	return m
}

func (m *metrics) observe(w journal.Wait) {
	m.waits[w.Outcome].Inc()
	if w.Outcome == journal.Answered || w.Outcome == journal.Faulted {
		m.overshoot.Observe((w.Waited - w.Held - w.Asked).Seconds())
	}
}

var (
	poolBusy   = prometheus.NewDesc("delay_server_pool_busy_workers", "Workers of the pool that serve a request now. A pool that requests name has a label of its own if it is among the first 100 seen; those beyond are one, \"other pools\".", []string{"pool"}, nil)
	poolQueued = prometheus.NewDesc("delay_server_pool_queued", "Requests that wait for a worker of the pool, labelled as the workers are.", []string{"pool"}, nil)
)

// mostPoolLabels is how many names of requests' pools become labels, as long as
// the server runs: a time series is kept for each label.
const mostPoolLabels = 100

// otherPools is the label of the pools whose names are no labels. No pool can
// have a name with a space.
const otherPools = "other pools"

// poolCollector shows the pools that live at the time of asking. An operator's
// have their names as labels, and so have the first mostPoolLabels that it sees
// of requests.
type poolCollector struct {
	pools *gate.Pools

	mu    sync.Mutex
	named map[string]bool // names of requests' pools that are labels
}

// Describe implements prometheus.Collector.
func (c *poolCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- poolBusy
	descs <- poolQueued
}

// Collect implements prometheus.Collector.
func (c *poolCollector) Collect(collected chan<- prometheus.Metric) {
	show := func(p gate.PoolState) {
		collected <- prometheus.MustNewConstMetric(poolBusy, prometheus.GaugeValue, float64(p.Busy), p.Name)
		collected <- prometheus.MustNewConstMetric(poolQueued, prometheus.GaugeValue, float64(p.Queued), p.Name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	others := gate.PoolState{Name: otherPools}
	for _, p := range c.pools.States() {
		if p.Operator || c.isNamed(p.Name) {
			show(p)
			continue
		}
		others.Busy += p.Busy
		others.Queued += p.Queued
	}
	if others.Busy > 0 {
		show(others)
	}
}

// isNamed reports whether the name of a request's pool is a label, and makes it
// one while there are fewer than mostPoolLabels.
func (c *poolCollector) isNamed(name string) bool {
	if !c.named[name] && len(c.named) < mostPoolLabels {
		c.named[strings.Clone(name)] = true // it is a part of a whole request
	}
	return c.named[name]
}
