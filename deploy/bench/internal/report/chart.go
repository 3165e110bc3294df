package report

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Chart describes a chart of one load.
type Chart struct {
	File   string // without .svg
	Title  string
	Load   string
	Metric Metric // a bar for each server; "" draws overshoot over percentiles
}

var (
	softColour = color.RGBA{R: 0x58, G: 0x63, B: 0x76, A: 0xff}
	gridColour = color.RGBA{R: 0xdf, G: 0xe4, B: 0xea, A: 0xff}

	// palette has a colour for each server, by its place in Results.Servers.
	palette = []color.RGBA{
		{R: 0x1d, G: 0x5f, B: 0xb4, A: 0xff}, {R: 0x6f, G: 0xa8, B: 0xdc, A: 0xff},
		{R: 0x2e, G: 0x8b, B: 0x57, A: 0xff},
		{R: 0xb4, G: 0x50, B: 0x1e, A: 0xff}, {R: 0x8e, G: 0x44, B: 0xad, A: 0xff},
		{R: 0x7f, G: 0x7f, B: 0x7f, A: 0xff},
	}
)

// Has reports whether r has values for c.
func (r *Results) Has(c Chart) bool {
	for _, s := range r.Samples {
		_, measured := s.Values[c.Metric]
		if s.Load == c.Load && (measured || c.Metric == "" && len(s.Overshoot) > 0) {
			return true
		}
	}
	return false
}

// Draw draws a chart that r has values for, as SVG.
func (r *Results) Draw(w io.Writer, c Chart) error {
	const margin = 6 * vg.Millimeter
	image, err := draw.NewFormattedCanvas(24*vg.Centimeter, 13*vg.Centimeter, "svg")
	if err != nil {
		return fmt.Errorf("draw a chart: %w", err)
	}
	canvas := draw.New(image)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	inner := draw.Crop(canvas, margin, -margin, margin, -margin)
	p := newPlot(c.Title)
	if c.Metric == "" {
		legend := r.addCurves(p, c.Load)
		const right = 50 * vg.Millimeter // beside the curves, not over them
		legend.Draw(draw.Crop(inner, inner.Size().X-right+margin, 0, 0, -12*vg.Millimeter))
		inner = draw.Crop(inner, 0, -right, 0, 0)
	} else {
		r.addBars(p, c)
	}
	p.Draw(inner)
	var drawn bytes.Buffer
	if _, err := image.WriteTo(&drawn); err != nil {
		return fmt.Errorf("draw a chart: %w", err)
	}
	// A viewer may not have this font.
	_, err = w.Write(bytes.ReplaceAll(drawn.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,sans-serif;")))
	return err
}

// newPlot returns a plot with axes and a grid.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size = 15
	p.Title.Padding = 4 * vg.Millimeter
	p.Title.TextStyle.Font.Variant = "Sans"
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Variant, axis.Tick.Label.Font.Variant = "Sans", "Sans"
		axis.Label.Padding = 2 * vg.Millimeter
		axis.Color, axis.Tick.Color = softColour, softColour
		axis.Label.TextStyle.Color, axis.Tick.Label.Color = softColour, softColour
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColour, gridColour
	p.Add(grid)
	return p
}

// minDrawn is the smallest overshoot drawn, in milliseconds: a logarithmic axis has no 0.
const minDrawn = 0.01

// addCurves draws the overshoot of each server over percentiles, the median of rounds, and
// returns the legend. The axis is 1 ÷ (1 − share), so that p90, p99 and p99.9 are equally
// far apart.
func (r *Results) addCurves(p *plot.Plot, load string) plot.Legend {
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding = true, true, 1.5*vg.Millimeter
	legend.TextStyle.Font.Variant = "Sans"
	p.X.Label.Text, p.Y.Label.Text = "percentile", "overshoot, ms" // the plot would shrink for longer labels
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = percentileTicks, plot.LogTicks{Prec: -1}
	low, high := math.Inf(1), minDrawn
	for i, server := range r.Servers {
		var line plotter.XYs
		for at, percent := range Percents {
			var values []float64
			for _, s := range r.of(load, server.Name) {
				if len(s.Overshoot) > at {
					values = append(values, s.Overshoot[at].MS)
				}
			}
			if len(values) == 0 || percent == 100 {
				continue
			}
			y := max(SpreadOf(values).Median, minDrawn)
			low, high = min(low, y), max(high, y)
			line = append(line, plotter.XY{X: 100 / (100 - percent), Y: y})
		}
		if len(line) == 0 {
			continue
		}
		drawn := &plotter.Line{XYs: line, LineStyle: draw.LineStyle{Color: colour(i), Width: 2}}
		p.Add(drawn)
		legend.Add(server.Name, drawn)
	}
	p.X.Min, p.X.Max = 1, 10_000
	// Whole decades, so that the axis has ticks.
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Floor(math.Log10(high))+1)
	return legend
}

// percentileTicks marks percentiles on the axis of 1 ÷ (1 − share).
var percentileTicks = plot.ConstantTicks{
	{Value: 1, Label: "0"}, {Value: 2, Label: "50"}, {Value: 10, Label: "90"}, {Value: 100, Label: "99"},
	{Value: 1000, Label: "99.9"}, {Value: 10_000, Label: "99.99"},
}

// addBars draws a bar for each server: the median of rounds, with a line from
// the smallest to the largest.
func (r *Results) addBars(p *plot.Plot, c Chart) {
	p.Y.Label.Text = c.Metric.Title()
	scale := about[c.Metric].scale
	var names []string
	for i, server := range r.Servers {
		spread := SpreadOf(r.Values(Source{c.Load, server.Name, c.Metric}))
		if spread.N == 0 {
			continue
		}
		x := float64(len(names))
		names = append(names, server.Name)
		p.Add(&plotter.BarChart{Values: plotter.Values{spread.Median / scale}, XMin: x,
			Width: 14 * vg.Millimeter, Color: colour(i)})
		p.Add(&plotter.Line{
			XYs:       plotter.XYs{{X: x, Y: spread.Min / scale}, {X: x, Y: spread.Max / scale}},
			LineStyle: draw.LineStyle{Color: softColour, Width: 1.5},
		})
		style := p.Y.Label.TextStyle
		style.Rotation = 0
		style.XAlign, style.YAlign = draw.XCenter, draw.YBottom
		p.Add(&plotter.Labels{
			XYs: plotter.XYs{{X: x, Y: spread.Max / scale}}, Labels: []string{c.Metric.format(spread.Median)},
			TextStyle: []draw.TextStyle{style},
			Offset:    vg.Point{Y: vg.Millimeter},
		})
	}
	p.NominalX(names...)
	p.X.Tick.Label.Font.Variant = "Sans"
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.1
	p.X.Min, p.X.Max = -0.6, float64(len(names))-0.4
	p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) []plot.Tick {
		ticks := plot.DefaultTicks{}.Ticks(low, high)
		for i, tick := range ticks {
			if tick.Label != "" {
				ticks[i].Label = strconv.FormatFloat(tick.Value, 'f', -1, 64)
			}
		}
		return ticks
	})
}

func colour(i int) color.Color { return palette[i%len(palette)] }
