package server

import (
	"net/http"

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
		Help: "Waits that have ended, by outcome: answered, faulted (as asked), left (by the client), cut (by a shutdown), refused (by MAX_IN_FLIGHT, a pool, a rate limit or a barrier of other parties), timed_out (at a barrier or a hold), failed (with a barrier or a hold).",
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
		poolCollector{pools},
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
	poolBusy   = prometheus.NewDesc("delay_server_pool_busy_workers", "Workers of the pool that serve a request now.", []string{"pool"}, nil)
	poolQueued = prometheus.NewDesc("delay_server_pool_queued", "Requests that wait for a worker of the pool.", []string{"pool"}, nil)
)

// poolCollector shows the pools that live at the time of asking.
type poolCollector struct{ pools *gate.Pools }

// Describe implements prometheus.Collector.
func (c poolCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- poolBusy
	descs <- poolQueued
}

// Collect implements prometheus.Collector.
func (c poolCollector) Collect(collected chan<- prometheus.Metric) {
	for _, p := range c.pools.States() {
		collected <- prometheus.MustNewConstMetric(poolBusy, prometheus.GaugeValue, float64(p.Busy), p.Name)
		collected <- prometheus.MustNewConstMetric(poolQueued, prometheus.GaugeValue, float64(p.Queued), p.Name)
	}
}
