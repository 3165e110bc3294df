package journal

import (
	"bufio"
	_ "embed" // the template
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/delay"
	"flash.test/delay-server/kit/spelling"
)

//go:embed waterfall.svg.tmpl
var waterfallSVG string

// The escapes of html/template are valid in XML too.
var svgTemplate = template.Must(template.New("waterfall.svg").Parse(waterfallSVG))

// The layout in pixels.
const (
	barsLeft, barsRight = 284.0, 644.0
	barsTop             = 168.0 // of the first row
	rowHeight           = 24.0
	markHeight          = 18.0 // of a line below a row
	maxMark             = 130  // characters of such a line
	minGap              = 3.0  // of a gap that is drawn
	maxTicks            = 7
)

// WriteSVG draws the run as an SVG with figures, a time axis and a bar for each wait. The
// SVG has no external references, and supports light and dark mode. The error is from
// out.
func (r Run) WriteSVG(out io.Writer) error {
	p := r.picture()
	w := bufio.NewWriter(out)
	if err := svgTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("waterfall of run %q: %w", r.ID, err)
	}
	return w.Flush()
}

// picture is the data of the template.
type picture struct {
	Run, Summary   string
	Headline       string
	Bottom, Height float64 // Bottom is the end of the rows
	Figures        []figure
	Ticks          []tick
	Rows           []row
	Notes          []note
}

type figure struct {
	X         float64
	Value, Of string
}

type tick struct {
	X     float64
	Label string
}

type row struct {
	Y                      float64
	Class, State, Sign     string
	Label, Title           string
	Asked, Waited          string
	X, Queued, Served, Len float64 // start and length of the queued part, and of the rest
	GapX, GapLen           float64 // the gap before; 0 for none
	Gap                    string  // its length, if there is room for it
	GapMiddle              float64 // where Gap is
	Marks                  []note  // at Y
}

type note struct {
	Y    float64
	Text string
}

func (r Run) picture() picture {
	p := picture{Run: shorten(escape(r.ID), maxTitle), Figures: r.figures(), Ticks: ticks(r.Wall)}
	notes := r.notes()
	numbered, queued, gap, y := r.numbered(), false, false, barsTop
	for i, e := range r.drawn() {
		row := e.row(y, r.Wall, e.label(numbered))
		y += rowHeight
		if mark := r.Marks[i]; mark != "" {
			for _, line := range remark(mark, maxMark) {
				row.Marks = append(row.Marks, note{y - row.Y, line})
				y += markHeight
			}
		}
		p.Rows = append(p.Rows, row)
		queued, gap = queued || e.Queued > 0, gap || row.GapLen > 0
	}
	if gap {
		notes = append(notes, "a dashed line is the gap after the request before")
	}
	if queued {
		notes = append(notes, "the pale part of a bar is the time in a pool's queue")
	}
	p.Bottom = y
	p.Height = p.Bottom + 16
	for _, text := range notes {
		p.Notes = append(p.Notes, note{p.Height + 8, text})
		p.Height += 20
	}
	for i, f := range p.Figures {
		if i > 0 {
			p.Summary += ", "
		}
		p.Summary += f.Value + " " + f.Of
	}
	if numbered || r.PeakInFlight < 2 { // else a figure says it
		p.Headline = r.Headline()
	}
	return p
}

func (r Run) figures() []figure {
	requests := "requests"
	if r.Requests == 1 {
		requests = "request"
	}
	if r.Waiting > 0 {
		requests += fmt.Sprintf(", %d still waiting", r.Waiting)
	}
	figures := []figure{
		{Value: strconv.Itoa(r.Requests), Of: requests},
		{Value: strconv.Itoa(r.PeakInFlight), Of: "peak in flight"},
		{Value: milliseconds(r.Wall) + " ms", Of: "from first to last"},
		{Value: milliseconds(r.Sum) + " ms", Of: "of waiting in sum"},
	}
	retries := r.retries()
	switch times, ok := r.Speedup(); {
	case retries > 0:
		value, of, _ := strings.Cut(spelling.Count(retries, "retry"), " ")
		figures = append(figures, figure{Value: value, Of: of})
	case ok && r.PeakInFlight > 1:
		figures = append(figures, figure{Value: fmt.Sprintf("%.1f×", times), Of: "as fast as sequential"})
	}
	for i := range figures {
		figures[i].X = 24 + 184*float64(i)
	}
	return figures
}

// at returns the position of a time on the axis.
func at(offset, wall time.Duration) float64 {
	if wall <= 0 {
		return barsLeft
	}
	return barsLeft + (barsRight-barsLeft)*float64(offset)/float64(wall)
}

// ticks marks the axis at multiples of 1, 2 or 5 times a power of ten.
func ticks(wall time.Duration) []tick {
	step := time.Duration(1)
	for i, lead := 0, [...]time.Duration{1, 2, 5, 10}; wall/step >= maxTicks; i = (i + 1) % 3 {
		if step > math.MaxInt64/10 {
			break
		}
		step = step / lead[i] * lead[i+1]
	}
	var marks []tick
	for i := range wall/step + 1 { // i*step never overflows
		marks = append(marks, tick{at(i*step, wall), axisLabel(i * step)})
	}
	return marks
}

func axisLabel(offset time.Duration) string {
	switch {
	case offset == 0:
		return "0"
	case offset%time.Hour == 0:
		return strconv.FormatInt(int64(offset/time.Hour), 10) + " h"
	case offset%time.Second == 0:
		return strconv.FormatInt(int64(offset/time.Second), 10) + " s"
	default:
		return delay.Milliseconds(offset) + " ms"
	}
}

// signs are 10 by 10 pixels. They tell classes apart without colour.
var signs = map[string]string{
	string(Answered):     "M1.5 5.5 4 8 8.5 2.5",                  // a tick
	clientError:          "M5 1 9 8.5H1Z",                         // a triangle
	serverError:          "M5 .8 9.2 5 5 9.2 .8 5Z",               // a diamond
	string(Faulted):      "M6 .8 2.8 5.4H7L4 9.4",                 // a flash
	string(ClientClosed): "M9 5H1.5M5 1.5 1.5 5 5 8.5",            // an arrow, out
	string(Shutdown):     "M2 2H8V8H2Z",                           // a stop
	string(Refused):      "M5 1A4 4 0 1 0 5.01 1M2.2 2.2 7.8 7.8", // no entry
	string(Rejected):     "M5 1V6M5 8.8H5.01",                     // an exclamation mark
	string(TimedOut):     "M5 1A4 4 0 1 0 5.01 1M5 2.8V5L6.8 6.2", // a clock
	string(Failed):       "M2 2 8 8M8 2 2 8",                      // a cross
	"waiting":            "M1.5 5H1.51M5 5H5.01M8.5 5H8.51",       // three dots
}

func (e Entry) row(y float64, wall time.Duration, label string) row {
	waited := milliseconds(e.Waited)
	if e.Outcome == "" {
		waited = "…"
	}
	title := fmt.Sprintf("%s %s: from %s to %s ms, asked for %s ms, waited %s ms", escape(e.Method), escape(e.Path),
		milliseconds(e.Start), milliseconds(e.End), milliseconds(e.Asked), waited)
	if e.Queued > 0 {
		title += fmt.Sprintf(", queued %s ms before", milliseconds(e.Queued))
	}
	x, served := at(e.Start, wall), at(e.served(), wall)
	r := row{
		Y: y, Class: e.class(), State: e.state(), Sign: signs[e.class()],
		Label: label, Title: title + ": " + e.state(), Asked: milliseconds(e.Asked), Waited: waited,
		X: x, Queued: served - x, Served: served, Len: max(at(e.End, wall)-served, 2),
	}
	if gapX := at(e.Start-e.Gap, wall); e.Gap > 0 && x-gapX >= minGap {
		r.GapX, r.GapLen, r.GapMiddle = gapX, x-gapX, (gapX+x)/2
		if length := milliseconds(e.Gap) + " ms"; 7*float64(len(length))+8 <= r.GapLen {
			r.Gap = length
		}
	}
	return r
}
