package sweep

import (
	"bytes"
	"fmt"
	"image/color"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	sequentialColour = color.RGBA{R: 0xb4, G: 0x50, B: 0x1e, A: 0xff}
	concurrentColour = color.RGBA{R: 0x1d, G: 0x5f, B: 0xb4, A: 0xff}
	softColour       = color.RGBA{R: 0x58, G: 0x63, B: 0x76, A: 0xff}
	gridColour       = color.RGBA{R: 0xdf, G: 0xe4, B: 0xea, A: 0xff}

	idealSequentialColour = color.RGBA{R: 0xe3, G: 0xb9, B: 0xa2, A: 0xff}
	idealConcurrentColour = color.RGBA{R: 0xa2, G: 0xbe, B: 0xe3, A: 0xff}
)

// Chart writes an image of points, one or more, in the format "svg" or "png". Both
// axes are logarithmic: the sum of equal waits is a rising straight line, and the
// slowest wait a flat one until a limit bends it. Estimates are dashed. The lines of
// ideal, which may be empty, are below the measured ones. A limit of 0 is no
// limit. The error is from writing.
func Chart(w io.Writer, format, title string, limit int, points []Point, ideal []IdealPoint) error {
	const margin = 6 * vg.Millimeter
	image, err := draw.NewFormattedCanvas(24*vg.Centimeter, 15*vg.Centimeter, format)
	if err != nil {
		return fmt.Errorf("draw a chart: %w", err)
	}
	canvas := draw.New(image)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())

	p := newPlot(title)
	p.X.Tick.Marker, p.Y.Tick.Marker = countTicks(counts(points, ideal)), timeTicks{}
	addIdeal(p, ideal)
	addLines(p, ConcurrentTitle(limit), points)
	addKnee(p, points)
	p.X.Min, p.X.Max = p.X.Min/1.2, p.X.Max*1.2 // a logarithmic axis of one value panics
	p.Y.Min, p.Y.Max = p.Y.Min/2, p.Y.Max*2
	p.Draw(draw.Crop(canvas, margin, -margin, margin, -margin))

	var drawn bytes.Buffer
	if _, err := image.WriteTo(&drawn); err != nil {
		return fmt.Errorf("draw a chart: %w", err)
	}
	// The viewer of an SVG may not have this font.
	const family, families = "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,sans-serif;"
	_, err = w.Write(bytes.ReplaceAll(drawn.Bytes(), []byte(family), []byte(families)))
	return err
}

// newPlot returns a plot with axes and a grid.
func newPlot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.TextStyle.Font.Size = 15
	p.Title.Padding = 4 * vg.Millimeter
	p.X.Label.Text, p.Y.Label.Text = "calls", "total time"
	sans := func(fonts ...*font.Font) {
		for _, f := range fonts {
			f.Variant = "Sans"
		}
	}
	sans(&p.Title.TextStyle.Font, &p.Legend.TextStyle.Font)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		sans(&axis.Label.TextStyle.Font, &axis.Tick.Label.Font)
		axis.Scale = plot.LogScale{}
		axis.Padding = 0
		axis.Label.Padding = 2 * vg.Millimeter
		axis.Color, axis.Tick.Color = softColour, softColour
		axis.Label.TextStyle.Color, axis.Tick.Label.Color = softColour, softColour
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs, p.Legend.YOffs = 4*vg.Millimeter, -2*vg.Millimeter
	p.Legend.Padding = 2 * vg.Millimeter

	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColour, gridColour
	p.Add(grid)
	return p
}

// counts returns the counts of the longer of points and ideal.
func counts(points []Point, ideal []IdealPoint) (counts []int) {
	if len(ideal) > len(points) {
		for _, p := range ideal {
			counts = append(counts, p.Calls)
		}
		return counts
	}
	for _, p := range points {
		counts = append(counts, p.Calls)
	}
	return counts
}

// addIdeal draws the lines of points, if there are any.
func addIdeal(p *plot.Plot, points []IdealPoint) {
	if len(points) < 2 {
		return
	}
	var sequential, concurrent plotter.XYs
	for _, point := range points {
		x := float64(point.Calls)
		sequential = append(sequential, plotter.XY{X: x, Y: float64(point.Sequential)})
		concurrent = append(concurrent, plotter.XY{X: x, Y: float64(point.Concurrent)})
	}
	for _, line := range []*plotter.Line{
		{XYs: sequential, LineStyle: draw.LineStyle{Color: idealSequentialColour, Width: 4}},
		{XYs: concurrent, LineStyle: draw.LineStyle{Color: idealConcurrentColour, Width: 4}},
	} {
		p.Add(line)
	}
	p.Legend.Add("if only the waits took time", &plotter.Line{LineStyle: draw.LineStyle{Color: gridColour, Width: 4}})
}

func addLines(p *plot.Plot, concurrentTitle string, points []Point) {
	var sequential, expected, concurrent plotter.XYs
	for _, point := range points {
		at := func(y float64) plotter.XY { return plotter.XY{X: float64(point.Calls), Y: y} }
		concurrent = append(concurrent, at(float64(point.Concurrent)))
		switch {
		case point.Sequential > 0:
			sequential = append(sequential, at(float64(point.Sequential)))
			expected = sequential[len(sequential)-1:]
		case point.Expected > 0:
			expected = append(expected, at(float64(point.Expected)))
		}
	}
	for _, line := range []struct {
		name   string
		xys    plotter.XYs
		colour color.Color
		mark   draw.GlyphDrawer
		dashes []vg.Length
	}{
		{"one after another", sequential, sequentialColour, draw.CircleGlyph{}, nil},
		{"one after another, estimated", expected, sequentialColour, nil, []vg.Length{4, 4}},
		{concurrentTitle, concurrent, concurrentColour, draw.BoxGlyph{}, nil},
	} {
		if len(line.xys) == 0 || line.mark == nil && len(line.xys) == 1 {
			continue
		}
		style := draw.LineStyle{Color: line.colour, Width: 2, Dashes: line.dashes}
		drawn := &plotter.Line{XYs: line.xys, LineStyle: style}
		p.Add(drawn)
		if line.mark == nil {
			p.Legend.Add(line.name, drawn)
			continue
		}
		glyph := draw.GlyphStyle{Color: line.colour, Radius: 3.5, Shape: line.mark}
		marks := &plotter.Scatter{XYs: line.xys, GlyphStyle: glyph}
		p.Add(marks)
		p.Legend.Add(line.name, drawn, marks)
	}
}

// addKnee labels the knee, if there is one.
func addKnee(p *plot.Plot, points []Point) {
	knee, ok := Knee(points)
	if !ok {
		return
	}
	at := plotter.XYs{{X: float64(knee.Calls), Y: float64(knee.Concurrent)}}
	style := p.Legend.TextStyle
	style.Color, style.XAlign, style.YAlign = concurrentColour, draw.XRight, draw.YBottom
	p.Add(&plotter.Labels{
		XYs: at, Labels: []string{"no longer flat"}, TextStyle: []draw.TextStyle{style},
		Offset: vg.Point{X: -2 * vg.Millimeter, Y: 2 * vg.Millimeter},
	})
}
