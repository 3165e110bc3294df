package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestSpreadOf(t *testing.T) {
	for _, tc := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{3}, Spread{3, 3, 3, 1}},
		{[]float64{9, 1, 2}, Spread{2, 1, 9, 3}},
		{[]float64{4, 1, 2, 8}, Spread{3, 1, 8, 4}},
	} {
		if got := SpreadOf(tc.values); got != tc.want {
			t.Errorf("SpreadOf(%v) = %+v, want %+v", tc.values, got, tc.want)
		}
	}
}

// results has three rounds of two servers: ours is at 10, 20, 60, the peer at
// 20, 10, 20. The ratio of the medians would be 1, the median of the ratios is 2.
func results() *Results {
	r := &Results{
		Rounds: 3,
		Servers: []Server{{Name: "ours", About: "1.0"}, {Name: "peer", About: "2.0"},
			{Name: "gone", Missing: "not installed"}},
		Loads: []Load{{Name: "even", About: "Some wait", Metrics: []Metric{P99, Memory}}},
	}
	for i, v := range [][2]float64{{10, 20}, {20, 10}, {60, 20}} {
		for j, server := range []string{"ours", "peer"} {
			s := Sample{Load: "even", Server: server, Round: i + 1, Answers: 100,
				Values: map[Metric]float64{P99: v[j], Memory: 2048 * v[j]}}
			for _, p := range Percents {
				s.Overshoot = append(s.Overshoot, Quantile{p, p / 10})
			}
			r.Samples = append(r.Samples, s)
		}
	}
	return r
}

var ours, peer = Source{"even", "ours", P99}, Source{"even", "peer", P99}

func TestRatiosAreOfOneRound(t *testing.T) {
	r := results()
	if got, want := SpreadOf(r.Ratios(ours, peer)), (Spread{2, 0.5, 3, 3}); got != want {
		t.Errorf("ratios %+v, want %+v", got, want)
	}
	r.Samples = r.Samples[1:] // ours failed in the first round
	if got, want := SpreadOf(r.Ratios(ours, peer)), (Spread{2.5, 2, 3, 2}); got != want {
		t.Errorf("ratios without ours in round 1: %+v, want %+v", got, want)
	}
	r.Samples[1].Values[P99], r.Samples[2].Values[P99] = 1, 0 // 1 ÷ 0 is no ratio
	if got := r.Ratios(ours, peer); len(got) != 1 || math.IsInf(got[0], 0) {
		t.Errorf("ratios with a peer at 0: %v, want only round 3", got)
	}
}

func TestJudge(t *testing.T) {
	nobody := Source{"even", "gone", P99}
	for _, tc := range []struct {
		name string
		t    Target
		want string
	}{
		{"a ratio in all rounds", Target{What: ours, Of: peer, Bound: 4}, "yes"},
		{"in no round", Target{What: ours, Of: peer, Bound: 0.4}, "no"},
		{"by the median, not in each round", Target{What: ours, Of: peer, Bound: 2}, "yes, in 2 of 3 rounds"},
		{"the bound itself, strictly", Target{What: ours, Of: peer, Bound: 2, Strict: true}, "no, in 1 of 3 rounds"},
		{"at least", Target{What: ours, Of: peer, Bound: 2, AtLeast: true}, "yes, in 2 of 3 rounds"},
		{"at least, in no round", Target{What: ours, Of: peer, Bound: 4, AtLeast: true}, "no"},
		{"the figure itself", Target{What: ours, Bound: 20}, "yes, in 2 of 3 rounds"},
		{"nothing measured", Target{What: nobody, Bound: 20}, "not measured"},
		{"a peer that was not measured", Target{What: ours, Of: nobody, Bound: 20}, "not measured"},
	} {
		if got := results().Judge(tc.t).Met; got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	r := results()
	r.Samples[0].Early, r.Samples[0].WorstEarlyMS = 3, 0.25
	r.Samples[1].Errors, r.Samples[1].FirstError, r.Samples[1].Held = 2, "status 500", 7
	r.Samples = append(r.Samples, Sample{Load: "even", Server: "peer", Round: 4, Failed: "it does not answer"})
	table := Table{
		NotEarly: []string{"ours", "peer", "gone"}, Base: []string{"gone", "peer"},
		Targets: []Target{
			{Text: "tail", Want: "below peer's", What: ours, Of: peer, Bound: 1, Strict: true},
			{Text: "memory", Want: "under 64 KB", What: Source{"even", "ours", Memory}, Bound: 64 << 10},
		},
	}
	var got strings.Builder
	if err := r.Markdown(&got, table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"- **gone**: : not measured: not installed",
		"| early answers | none, in any load | ours: 3 of 300; peer: 0 of 300 | no |",
		"| tail | below peer's | 2.00 (0.500–3.00) | no, in 1 of 3 rounds |",
		"| memory | under 64 KB | 40.0 (20.0–120) KB | yes, in 2 of 3 rounds |",
		"| | p99, ms | ÷ peer | memory for each waiting, KB | early (worst) | errors |\n|---|--:|--:|--:|--:|--:|\n",
		"| ours | 20.0 (10.0–60.0) | 2.00 (0.500–3.00) | 40.0 (20.0–120) | 3 (0.250 ms) | 0 |",
		"| peer | 20.0 (10.0–20.0) | 1.00 (1.00–1.00) | 40.0 (20.0–40.0) | 0 | 2 |",
		"- peer: the first of 2 errors: status 500",
		"- peer: 7 requests were sent late",
		"- peer, round 4: it does not answer",
	} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("Markdown() lacks %q:\n%s", want, got.String())
		}
	}

	got.Reset()
	r.Samples = nil
	if err := r.Markdown(&got, table); err != nil || strings.Count(got.String(), "| not measured |") != 3 {
		t.Errorf("Markdown() of nothing: %v; want three targets not measured:\n%s", err, got.String())
	}
}

// Variants of a load are rows of one table, with their ratios to the plain load.
func TestMarkdownOfVariants(t *testing.T) {
	r := results()
	r.Loads[0].Row = "plain"
	r.Loads = append(r.Loads, Load{Name: "even-run", Metrics: []Metric{P99}, Of: "even", Row: "a run"},
		Load{Name: "even-head", Metrics: []Metric{P99}, Of: "even", Row: "HEAD"})
	for i, v := range []float64{20, 10, 30} {
		r.Samples = append(r.Samples,
			Sample{Load: "even-run", Server: "ours", Round: i + 1, Values: map[Metric]float64{P99: v}, Early: int64(i),
				WorstEarlyMS: 0.5, Errors: 1, FirstError: "status 500"})
	}
	var got strings.Builder
	if err := r.Markdown(&got, Table{Base: []string{"peer"}}); err != nil {
		t.Fatal(err)
	}
	const want = "\n## even, by request\n\np99, ms, for the same load with other requests.\n\n| | ours | ÷ " +
		"plain |\n|---|--:|--:|\n" +
		"| plain | 20.0 (10.0–60.0) | – |\n| a run | 20.0 (10.0–30.0) | 0.500 (0.500–2.00) |\n| HEAD | – | – |\n" +
		"\n- even-run, ours: the first of 3 errors: status 500\n- even-run, ours: 3 early, by up to 0.500 ms\n"
	if !strings.HasSuffix(got.String(), want) {
		t.Errorf("Markdown() ends\n%s\nwant\n%s", got.String()[max(0, got.Len()-len(want)):], want)
	}
	if strings.Contains(got.String(), "## even-run") {
		t.Errorf("a variant has a table of its own:\n%s", got.String())
	}

	got.Reset()
	r.Loads = r.Loads[1:] // --only even-run,even-head
	if err := r.Markdown(&got, Table{}); err != nil || !strings.Contains(got.String(), "| a run | 20.0 (10.0–30.0) |") {
		t.Errorf("Markdown() without the plain load: %v\n%s", err, got.String())
	}
}

func TestJSON(t *testing.T) {
	var file bytes.Buffer
	if err := results().JSON(&file); err != nil {
		t.Fatal(err)
	}
	var got Results
	if err := json.Unmarshal(file.Bytes(), &got); err != nil || len(got.Samples) != 6 ||
		got.Samples[4].Values[P99] != 60 {
		t.Errorf("JSON read again: %+v, %v", got.Samples, err)
	}
}

func TestDraw(t *testing.T) {
	r := results()
	for _, tc := range []struct {
		chart Chart
		has   []string
	}{
		{Chart{Title: "A & B", Load: "even"},
			[]string{"A & B", "percentile", "|90|", "|99.9|", "overshoot, ms", "|ours|", "|peer|"}},
		{Chart{Title: "Memory", Load: "even", Metric: Memory},
			[]string{"Memory", "memory for each waiting, KB", "|ours|", "|peer|", "|40.0|"}},
	} {
		var svg bytes.Buffer
		if err := r.Draw(&svg, tc.chart); err != nil {
			t.Fatal(err)
		}
		said := texts(t, svg.Bytes())
		for _, want := range tc.has {
			if !strings.Contains(said, want) {
				t.Errorf("%s: the chart says %s\nwant %q in it", tc.chart.Title, said, want)
			}
		}
		if strings.Contains(said, "gone") {
			t.Errorf("%s: the chart names a server that was not measured: %s", tc.chart.Title, said)
		}
	}
	for chart, want := range map[Chart]bool{
		{Load: "even"}: true, {Load: "even", Metric: Memory}: true,
		{Load: "even", Metric: Rate}: false, {Load: "odd"}: false,
	} {
		if r.Has(chart) != want {
			t.Errorf("Has(%+v) = %t", chart, !want)
		}
	}
}

// texts returns the text of an SVG.
func texts(t *testing.T, svg []byte) string {
	t.Helper()
	said := "|"
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return said
		} else if err != nil {
			t.Fatalf("the SVG is malformed: %v", err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			said += string(text) + "|"
		}
	}
}
