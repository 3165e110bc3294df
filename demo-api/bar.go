package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// bar is the last line of a terminal, which says how far a sweep is. A library
// for it would be three modules, for less than is here.
type bar struct {
	to     io.Writer
	counts []int // of calls
	start  time.Time

	mu   sync.Mutex
	done int // counts that are measured
}

// startBar draws a bar until stop is called; on no terminal it draws nothing.
func startBar(to io.Writer, counts []int) (b *bar, stop func()) {
	b = &bar{to: io.Discard, counts: counts, start: time.Now()}
	if !isTerminal(to) {
		return b, func() {}
	}
	b.to = to
	return b, b.run()
}

// run draws b again and again, so that its time moves on, until stop is called.
func (b *bar) run() (stop func()) {
	const redraw = 100 * time.Millisecond
	ended := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		for {
			b.above(b.to, "")
			select {
			case <-time.After(redraw):
			case <-ended:
				fmt.Fprint(b.to, clearLine)
				return
			}
		}
	})
	return func() { close(ended); drawing.Wait() }
}

// measured counts one more.
func (b *bar) measured() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
}

const clearLine = "\r\x1b[K"

// above writes text, whole lines or nothing, in the place of the bar, and the
// bar below it.
func (b *bar) above(stdout io.Writer, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprint(b.to, clearLine)
	fmt.Fprint(stdout, text)
	if b.done < len(b.counts) {
		fmt.Fprintf(b.to, "%s  %d of %d: %d calls … %.1fs", blocks(b.done, len(b.counts)), b.done, len(b.counts), b.counts[b.done], time.Since(b.start).Seconds())
	}
}

// blocks returns a bar of which done of all are full.
func blocks(done, all int) string {
	const width = 24
	full := width * done / all
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
