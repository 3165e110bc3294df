package sweep_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"flash.test/demo-api/internal/sweep"
)

const ms = time.Millisecond

var (
	measured = []sweep.Point{{Calls: 1, Concurrent: 100 * ms, Sequential: 100 * ms}, {Calls: 2, Concurrent: 101 * ms, Sequential: 200 * ms}}
	whole    = append(measured[:2:2], sweep.Point{Calls: 1000, Concurrent: 300 * ms, Expected: 100 * time.Second})
	unknown  = []sweep.Point{{Calls: 3, Concurrent: time.Microsecond}}
)

// texts returns what an SVG says, in its order, and fails where it is no XML.
func texts(t *testing.T, svg []byte) string {
	t.Helper()
	var said []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return strings.Join(said, "|")
		} else if err != nil {
			t.Fatalf("the SVG is malformed: %v", err)
		}
		if text, ok := token.(xml.CharData); ok && len(bytes.TrimSpace(text)) > 0 {
			said = append(said, string(text))
		}
	}
}

func TestChartSaysWhatWasMeasured(t *testing.T) {
	const expected, knee = "expected and not measured", "no longer flat"
	for _, tc := range []struct {
		name      string
		points    []sweep.Point
		has, lack []string
	}{
		{"all measured", measured, []string{"Calls & waits", "calls", "total time", "|1|2|", "100ms", "one after another", "all at once"}, []string{expected, knee}},
		{"not all measured, and a knee", whole, []string{"|1|2|1000|", "100ms", "1s", "10s", "100s", expected, knee}, nil},
		{"one point, all at once", unknown, []string{"|3|", "1µs", "all at once"}, []string{"one after another", expected, knee}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var svg bytes.Buffer
			if err := sweep.Chart(&svg, "svg", "Calls & waits", 0, tc.points); err != nil {
				t.Fatal(err)
			}
			said := "|" + texts(t, svg.Bytes()) + "|"
			for _, want := range tc.has {
				if !strings.Contains(said, want) {
					t.Errorf("Chart() says %s\nwant %q in it", said, want)
				}
			}
			for _, lack := range tc.lack {
				if strings.Contains(said, lack) {
					t.Errorf("Chart() says %s\nwant no %q in it", said, lack)
				}
			}
			if !bytes.Contains(svg.Bytes(), []byte("sans-serif")) {
				t.Error("Chart(): no font for a machine that lacks the first")
			}
		})
	}
}

// Each line is there in its colour.
func TestChartAsPNG(t *testing.T) {
	for _, tc := range []struct {
		name         string
		points       []sweep.Point
		orange, blue bool
	}{
		{"both lines", whole, true, true},
		{"all at once alone", unknown, false, true},
	} {
		var file bytes.Buffer
		if err := sweep.Chart(&file, "png", "Calls", 0, tc.points); err != nil {
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
			t.Errorf("%s: %v, %d pixels of one after another, %d of all at once; want 800 by 500 or more, %t, %t", tc.name, size, orange, blue, tc.orange, tc.blue)
		}
	}
}

func TestChartCannotBeDrawn(t *testing.T) {
	if err := sweep.Chart(io.Discard, "bmp", "", 0, measured); err == nil {
		t.Error("Chart(bmp): no error")
	}
	pipe, closed := io.Pipe()
	pipe.Close()
	if err := sweep.Chart(closed, "svg", "", 0, measured); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Chart to a closed pipe = %v, want %v", err, io.ErrClosedPipe)
	}
}
