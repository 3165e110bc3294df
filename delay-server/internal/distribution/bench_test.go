package distribution

import (
	"io"
	"testing"
	"time"

	"flash.test/delay-server/delay"
)

func BenchmarkWriteSVG(b *testing.B) {
	for _, form := range []string{"1000", "lognormal:120ms,900ms", "weighted:150us:10,2ms:5,0.5s:1"} {
		b.Run(form, func(b *testing.B) {
			d, err := delay.Parse(form)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := WriteSVG(io.Discard, d, 10*time.Minute); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
