package server

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// quietZone is the number of modules that a QR code leaves free on each side.
const quietZone = 4

// qrCode returns a QR code of text as an SVG element, or "" if text is too long for one.
// It is black on white in dark pages too, since not all readers accept the inverse.
func qrCode(text string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	size := code.Size + 2*quietZone
	var svg strings.Builder
	fmt.Fprintf(&svg, `<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="QR code of %s" `+
		`shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`,
		size, size, template.HTMLEscapeString(text), size, size)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for code.Black(x, y) { // false outside the code
				x++
			}
			if x > from {
				fmt.Fprintf(&svg, "M%d %dh%dv1h-%dz", from+quietZone, y+quietZone, x-from, x-from)
			}
		}
	}
	svg.WriteString(`"/></svg>`)
	return template.HTML(svg.String())
}
