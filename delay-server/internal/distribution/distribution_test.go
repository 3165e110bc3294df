package distribution

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delay"
)

func parse(t *testing.T, text string) delay.Delay {
	t.Helper()
	d, err := delay.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	recording, err := delay.NewRecording([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if d, err = d.With(map[string]delay.Recording{"NAME": recording}); err != nil {
		t.Fatal(err)
	}
	return d
}

// The histogram and the quantiles are of the samples that the server draws, with and
// without a cut at MAX_DELAY.
func TestHistogramIsOfSamples(t *testing.T) {
	for _, tc := range []struct {
		delay string
		max   time.Duration
	}{
		{"random", time.Hour}, {"random", 4500 * time.Millisecond}, {"uniform:100ms,900ms", time.Hour},
		{"uniform:100ms,900ms", 150 * time.Millisecond}, {"normal:50ms,100ms", time.Hour},
		{"lognormal:120ms,900ms", time.Hour}, {"lognormal:120ms,900ms", 200 * time.Millisecond},
		{"exponential:200ms", time.Hour}, {"pareto:100ms,1.5", 2 * time.Second}, {"pareto:100ms,0.1", time.Minute},
		{"weighted:150us:10,2ms:5,0.5s:1", time.Hour}, {"percentiles:p50=100ms,p90=300ms,p99=1.2s", time.Hour},
		{"recorded:NAME", time.Hour}, {"recorded:NAME", 3 * time.Second},
	} {
		t.Run(tc.delay+" up to "+tc.max.String(), func(t *testing.T) {
			b := bound(parse(t, tc.delay), tc.max)
			const n = 20000
			const tolerance = 0.02 // over five standard deviations
			rng, end := rand.New(rand.NewPCG(1, 2)), max(b.quantile(0.99), bins)
			var sampled [bins]float64
			for range n {
				sample, _ := b.SampleWithin(rng, tc.max)
				for i := range sampled {
					if float64(sample) <= float64(end)*float64(i+1)/bins {
						sampled[i] += 1.0 / n
						break
					}
				}
			}
			drawn, upToDrawn, upToSampled := b.histogram(end), 0.0, 0.0
			for i := range drawn {
				upToDrawn, upToSampled = upToDrawn+drawn[i], upToSampled+sampled[i]
				if math.Abs(upToDrawn-upToSampled) > tolerance {
					t.Fatalf("up to bar %d of %d: %.3f of the samples are drawn, want %.3f", i+1, bins, upToDrawn,
						upToSampled)
				}
			}
		})
	}
}

func TestEachFormIsDrawn(t *testing.T) {
	delays := []string{"0", "0.000001", "2500000h", "weighted:1s:0.2", "uniform:0,0", "pareto:1,0.001"}
	for _, form := range delay.Forms {
		delays = append(delays, form.Example)
	}
	for _, text := range delays {
		d := parse(t, text)
		for _, maxDelay := range []time.Duration{math.MaxInt64, 10 * time.Minute, max(d.Min(), 1)} {
			var svg, again bytes.Buffer
			if err := WriteSVG(&svg, d, maxDelay); err != nil {
				t.Fatal(err)
			}
			if err := WriteSVG(&again, d, maxDelay); err != nil || again.String() != svg.String() {
				t.Errorf("%s: a second drawing differs", text)
			}
			if err := isXML(svg.String()); err != nil {
				t.Errorf("%s: %v in\n%s", text, err, svg.String())
			}
			for _, wrong := range []string{"NaN", "Inf", "ZgotmplZ", `="-`} {
				if strings.Contains(svg.String(), wrong) {
					t.Errorf("%s up to %v: %s in\n%s", text, maxDelay, wrong, svg.String())
				}
			}
		}
	}
}

func isXML(text string) error {
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestPicture(t *testing.T) {
	for _, tc := range []struct {
		delay string
		max   time.Duration
		title string
		fixed string
		marks int
	}{
		{"1.5s", time.Hour, "Always 1.5 s", "1500", 0},
		{"lognormal:120ms,900ms", time.Hour, "lognormal:120,900: p50 120 ms, p90 364 ms, p99 900 ms", "", 3},
		{"random", 3500 * time.Millisecond,
			"random: p50 2 s, p90 3 s, p99 3 s, at most 3.5 s (MAX_DELAY)", "", 4},
		{"weighted:2m:0.5", time.Hour, "weighted:120000:0.5: p50 0 ms, p90 0 ms, p99 0 ms", "", 3},
	} {
		p := draw(parse(t, tc.delay), tc.max)
		if p.Title != tc.title || p.Fixed != tc.fixed || len(p.Marks) != tc.marks || p.Bars == "" {
			t.Errorf("%s: %+v, want %q, %q and %d marks", tc.delay, p, tc.title, tc.fixed, tc.marks)
		}
		for i := range p.Marks {
			if x := p.Marks[i].LabelX; x < left || x > right || i > 0 && x-p.Marks[i-1].LabelX < labelWidth-0.1 {
				t.Errorf("%s: the labels overlap or are outside: %+v", tc.delay, p.Marks)
			}
		}
	}
}
