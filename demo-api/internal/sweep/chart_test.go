package sweep_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/demo-api/internal/sweep"
)

const ms = time.Millisecond

var (
	measured = []sweep.Point{
		{Calls: 1, Concurrent: 100 * ms, Sequential: 100 * ms},
		{Calls: 2, Concurrent: 101 * ms, Sequential: 200 * ms},
	}
	estimated = append(measured[:2:2], sweep.Point{Calls: 1000, Concurrent: 300 * ms, Expected: 100 * time.Second})
	unknown   = []sweep.Point{{Calls: 3, Concurrent: time.Microsecond}}
)

// texts returns the texts of an SVG, joined.
func texts(t *testing.T, svg []byte) string {
	t.Helper()
	var texts []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(texts, "|")
		} else if err != nil {
			t.Fatalf("the SVG is malformed: %v", err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			texts = append(texts, string(text))
		}
	}
}

func TestChartTexts(t *testing.T) {
	const estimate, knee, ideal = "estimated", "no longer flat", "if only the waits took time"
	for _, tc := range []struct {
		name      string
		points    []sweep.Point
		ideal     []sweep.IdealPoint
		want, not []string
	}{
		{"all measured", measured, nil,
			[]string{"Calls & waits", "calls", "total time", "|1|2|", "100ms", "one after another", "all at once"},
			[]string{estimate, knee, ideal}},
		{"an estimate and a knee", estimated, nil,
			[]string{"|1|2|1000|", "100ms", "1s", "10s", "100s", estimate, knee}, nil},
		{"one concurrent point", unknown, nil,
			[]string{"|3|", "1µs", "all at once"}, []string{"one after another", estimate, knee}},
		{"ideal lines of counts that were not measured", measured, []sweep.IdealPoint{
			{1, 100 * ms, 100 * ms}, {2, 200 * ms, 100 * ms}, {50, 5 * time.Second, 100 * ms},
		}, []string{"|1|2|50|", "1s", ideal}, []string{estimate, knee}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var svg bytes.Buffer
			if err := sweep.Chart(&svg, "svg", "Calls & waits", 0, tc.points, tc.ideal); err != nil {
				t.Fatal(err)
			}
			got := "|" + texts(t, svg.Bytes()) + "|"
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("Chart() has the texts %s\nwant %q in it", got, want)
				}
			}
			for _, not := range tc.not {
				if strings.Contains(got, not) {
					t.Errorf("Chart() has the texts %s\nwant no %q in it", got, not)
				}
			}
			if !bytes.Contains(svg.Bytes(), []byte("sans-serif")) {
				t.Error("Chart(): no fallback font")
			}
		})
	}
}

// The lines have different colours.
func TestChartAsPNG(t *testing.T) {
	for _, tc := range []struct {
		name         string
		points       []sweep.Point
		orange, blue bool
	}{
		{"both lines", estimated, true, true},
		{"only concurrent", unknown, false, true},
	} {
		var file bytes.Buffer
		if err := sweep.Chart(&file, "png", "Calls", 0, tc.points, nil); err != nil {
			t.Fatal(err)
		}
		image, err := png.Decode(&file)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		orange, blue := 0, 0
		size := image.Bounds()
		for x := range size.Dx() {
			for y := range size.Dy() {
				switch r, g, b, _ := image.At(x, y).RGBA(); [3]uint32{r >> 8, g >> 8, b >> 8} {
				case [3]uint32{0xb4, 0x50, 0x1e}:
					orange++
				case [3]uint32{0x1d, 0x5f, 0xb4}:
					blue++
				}
			}
		}
		if size.Dx() < 800 || size.Dy() < 500 || orange > 0 != tc.orange || blue > 0 != tc.blue {
			t.Errorf("%s: %v, %d orange and %d blue pixels; want 800 by 500 or more, orange %t, blue %t",
				tc.name, size, orange, blue, tc.orange, tc.blue)
		}
	}
}

func TestChartErrors(t *testing.T) {
	if err := sweep.Chart(io.Discard, "bmp", "", 0, measured, nil); err == nil {
		t.Error("Chart(bmp): no error")
	}
	pipe, closed := io.Pipe()
	pipe.Close()
	if err := sweep.Chart(closed, "svg", "", 0, measured, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Chart to a closed pipe = %v, want %v", err, io.ErrClosedPipe)
	}
}

func TestIdeal(t *testing.T) {
	s := sweep.Sweep{Counts: []int{1, 3, 5}, Limit: 2, Waits: []time.Duration{4 * ms, 1 * ms, 2 * ms, 1 * ms, 9 * ms}}
	want := []sweep.IdealPoint{{1, 4 * ms, 4 * ms}, {3, 7 * ms, 4 * ms}, {5, 17 * ms, 13 * ms}}
	if got := s.Ideal(); !slices.Equal(got, want) {
		t.Errorf("Ideal() = %v, want %v", got, want)
	}
	if s.Waits = nil; s.Ideal() != nil {
		t.Errorf("without waits: Ideal() = %v, want none", s.Ideal())
	}
	if s.Waits = make([]time.Duration, 5); s.Ideal() != nil {
		t.Errorf("of no wait: Ideal() = %v, want none", s.Ideal())
	}
}
