package distribution

import (
	"bufio"
	_ "embed" // the template
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
)

//go:embed distribution.svg.tmpl
var svg string

// The escapes of html/template are valid in XML too.
var svgTemplate = template.Must(template.New("distribution.svg").Parse(svg))

// The layout in pixels.
const (
	left, right  = 8.0, 392.0 // of the bars
	top, bottom  = 48.0, 126.0
	labelWidth   = 32.0 // of the name of a quantile
	tickDistance = 70.0 // at least
)

// picture is the data of the template.
type picture struct {
	Title   string
	Fixed   string // the delay in milliseconds, or "" if it is random
	Figures []label
	Bars    string // the path of the bars
	Ticks   []label
	Marks   []label
}

type label struct {
	X           float64
	LabelX      float64 // of a mark
	Name, Value string
}

// WriteSVG draws the distribution of d's samples, which maxDelay limits as
// [delay.Delay.SampleWithin] does, with its median and its 90th and 99th percentile. A
// recorded delay has its recording. The SVG has no external references, and supports
// light and dark mode. The error is from out.
func WriteSVG(out io.Writer, d delay.Delay, maxDelay time.Duration) error {
	w := bufio.NewWriter(out)
	if err := svgTemplate.Execute(w, draw(d, maxDelay)); err != nil {
		return fmt.Errorf("distribution of %v: %w", d, err)
	}
	return w.Flush()
}

func draw(d delay.Delay, maxDelay time.Duration) picture {
	b := bound(d, maxDelay)
	end := b.quantile(0.995)
	if end == 0 {
		end = b.quantile(almostOne)
	}
	end = max(end+min(end/10, math.MaxInt64-end), bins) // a nanosecond for each bar
	position := func(t time.Duration) float64 { return left + (right-left)*min(float64(t)/float64(end), 1) }

	p := picture{Ticks: ticks(end, position)}
	if fixed, ok := d.Fixed(); ok {
		p.Title = "Always " + format(fixed)
		p.Fixed = delay.Milliseconds(fixed)
		p.Figures = []label{{X: left, Name: "always", Value: format(fixed)}}
		p.Bars = fmt.Sprintf("M%.1f %gh4V%gh-4z", position(fixed)-2, bottom, top)
		return p
	}
	p.Title = d.String() + ":"
	for i, q := range []struct {
		name string
		p    float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}} {
		t := b.quantile(q.p)
		p.Title += fmt.Sprintf(" %s %s,", q.name, format(t))
		p.Figures = append(p.Figures, label{X: left + 132*float64(i), Name: q.name, Value: format(t)})
		p.Marks = append(p.Marks, label{X: position(t), Name: q.name})
	}
	if b.share < 0.999 { // else it would not be visible
		p.Title += fmt.Sprintf(" at most %s (MAX_DELAY),", format(maxDelay))
		if maxDelay <= end {
			p.Marks = append(p.Marks, label{X: position(maxDelay), Name: "max"})
		}
	}
	p.Title = strings.TrimSuffix(p.Title, ",")
	p.Bars = bars(b.histogram(end))
	placeLabels(p.Marks)
	return p
}

// bars returns the path of bars, the highest as high as there is room.
func bars(shares [bins]float64) string {
	highest := slices.Max(shares[:])
	const width = (right - left) / bins
	var path strings.Builder
	for i, share := range shares {
		if share <= 0 {
			continue
		}
		height := max((bottom-top)*share/highest, 0.5)
		fmt.Fprintf(&path, "M%.1f %.1fv-%.1fh%.1fv%.1fz", left+float64(i)*width, bottom, height, width-1, height)
	}
	return path.String()
}

// placeLabels sets LabelX of each mark near its X, without overlaps. The marks are in
// ascending order.
func placeLabels(marks []label) {
	x := left + 12 - labelWidth
	for i := range marks {
		x = max(marks[i].X, x+labelWidth)
		marks[i].LabelX = x
	}
	x = right - 12 + labelWidth
	for i := len(marks) - 1; i >= 0; i-- {
		x = min(marks[i].LabelX, x-labelWidth)
		marks[i].X, marks[i].LabelX = round(marks[i].X), round(x)
	}
}

func round(x float64) float64 { return math.Round(x*10) / 10 }

// ticks returns the labels of the axis: multiples of 1, 2 or 5 times a power of ten.
func ticks(end time.Duration, position func(time.Duration) float64) []label {
	step := time.Nanosecond
	switch {
	case end > 100*time.Minute:
		step = time.Hour
	case end > 100*time.Second:
		step = time.Minute
	}
	for power := step; position(step)-left < tickDistance; power *= 10 {
		for _, factor := range []time.Duration{1, 2, 5} {
			if step = power * factor; position(step)-left >= tickDistance {
				break
			}
		}
	}
	all := []label{{X: left + 4, Name: "0"}}
	for i := range end / step {
		if t := step * (i + 1); position(t) < right-16 {
			all = append(all, label{X: round(position(t)), Name: format(t)})
		}
	}
	return all
}

// format returns a time with up to three digits, and its unit.
func format(d time.Duration) string {
	unit, name := time.Nanosecond, "ns"
	switch {
	case d == 0:
		return "0 ms"
	case d >= 100*time.Minute:
		unit, name = time.Hour, "h"
	case d >= 100*time.Second:
		unit, name = time.Minute, "min"
	case d >= time.Second:
		unit, name = time.Second, "s"
	case d >= time.Millisecond:
		unit, name = time.Millisecond, "ms"
	case d >= time.Microsecond:
		unit, name = time.Microsecond, "µs"
	}
	n := float64(d) / float64(unit)
	digit := math.Pow(10, min(math.Floor(math.Log10(n))-2, 0))
	text := strconv.FormatFloat(n, 'f', int(-math.Log10(digit)), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + name
}
