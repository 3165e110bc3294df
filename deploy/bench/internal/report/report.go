// Package report holds measurements and writes them: medians over rounds with their spread,
// ratios within a round, targets and charts.
package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// Results are the figures of one run.
type Results struct {
	Machine Machine  `json:"machine"`
	Servers []Server `json:"servers"`
	Loads   []Load   `json:"loads"`
	Rounds  int      `json:"rounds"`
	Samples []Sample `json:"samples"`
}

// Machine is the machine that a run was made on.
type Machine struct {
	Processors int    `json:"processors"`
	Model      string `json:"model"`
	Kernel     string `json:"kernel"`
	Go         string `json:"go"`
	Commit     string `json:"commit"` // of this repository
	Date       string `json:"date"`
}

// Server is a server of the run.
type Server struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Missing string `json:"missing,omitempty"` // why it was not measured
}

// Load is one kind of load.
type Load struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Metrics []Metric `json:"metrics"` // its metrics, the most important first

	// Of is the plain load that this one is a variant of; "" for none. Both share a table,
	// with ratios.
	Of  string `json:"of,omitempty"`
	Row string `json:"row,omitempty"` // the name in that table
}

// Sample is the measurement of one server under one load in one round.
type Sample struct {
	Load   string `json:"load"`
	Server string `json:"server"`
	Round  int    `json:"round"` // from 1

	Values    map[Metric]float64 `json:"values"`
	Overshoot []Quantile         `json:"overshoot,omitempty"`

	Answers      int64   `json:"answers"`
	Early        int64   `json:"early"`
	WorstEarlyMS float64 `json:"worst_early_ms"`
	Errors       int64   `json:"errors"`
	FirstError   string  `json:"first_error,omitempty"`
	Held         int64   `json:"held"`
	ClientCPU    float64 `json:"client_cpu"` // processors that the load generator kept busy

	Failed string `json:"failed,omitempty"` // why there are no values; "" if there are
}

// Quantile is the overshoot that Percent of the answers do not exceed.
type Quantile struct {
	Percent float64 `json:"percent"`
	MS      float64 `json:"ms"`
}

// Percents are the percentiles of Sample.Overshoot.
var Percents = []float64{10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 100}

// Metric is one figure of a load.
type Metric string

// The metrics, named by their key in the JSON.
const (
	P50         Metric = "overshoot_p50_ms"
	P99         Metric = "overshoot_p99_ms"
	P999        Metric = "overshoot_p99.9_ms"
	Max         Metric = "overshoot_max_ms"
	Last        Metric = "first_due_to_last_ms"
	Written     Metric = "written_within_ms"
	Memory      Metric = "memory_each_bytes"
	MemoryAfter Metric = "memory_after_bytes"
	Rate        Metric = "answers_per_second"
	CPU         Metric = "processors"
	CPUEach     Metric = "cpu_each_us"
)

// about says how to write a metric.
var about = map[Metric]struct {
	title string
	unit  string
	scale float64 // the unit, in units of the metric
}{
	P50:         {"overshoot p50", "ms", 1},
	P99:         {"p99", "ms", 1},
	P999:        {"p99.9", "ms", 1},
	Max:         {"max", "ms", 1},
	Last:        {"first due to last answer", "ms", 1},
	Written:     {"requests written within", "ms", 1},
	Memory:      {"memory for each waiting", "KB", 1024},
	MemoryAfter: {"memory kept", "MB", 1 << 20},
	Rate:        {"answers a second", "", 1},
	CPU:         {"processors", "", 1},
	CPUEach:     {"CPU for each request", "µs", 1},
}

// Title returns the name of a metric with its unit.
func (m Metric) Title() string {
	if unit := about[m].unit; unit != "" {
		return about[m].title + ", " + unit
	}
	return about[m].title
}

// format formats a value in the unit of the title, to three digits.
func (m Metric) format(v float64) string { return digits(v / about[m].scale) }

// digits formats v to three significant digits; a number over 100 has no fraction.
func digits(v float64) string {
	switch abs := max(v, -v); {
	case abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// JSON writes all figures.
func (r *Results) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
