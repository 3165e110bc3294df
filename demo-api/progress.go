package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progressBar is the last line of a terminal during a sweep. A library for it
// would add three modules.
type progressBar struct {
	w      io.Writer
	counts []int // of calls
	start  time.Time

	mu   sync.Mutex
	done int // measured counts
}

// startProgress draws a bar until stop is called. It draws nothing if w is not a
// terminal.
func startProgress(w io.Writer, counts []int) (b *progressBar, stop func()) {
	b = &progressBar{w: io.Discard, counts: counts, start: time.Now()}
	if !isTerminal(w) {
		return b, func() {}
	}
	b.w = w
	return b, b.run()
}

// run redraws b, which updates its time, until stop is called.
func (b *progressBar) run() (stop func()) {
	const interval = 100 * time.Millisecond
	stopped := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		for {
			b.printAbove(b.w, "")
			select {
			case <-time.After(interval):
			case <-stopped:
				fmt.Fprint(b.w, clearLine)
				return
			}
		}
	})
	return func() { close(stopped); drawing.Wait() }
}

// advance counts one more measured count.
func (b *progressBar) advance() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
}

const clearLine = "\r\x1b[K"

// printAbove prints text to stdout in place of the bar, and the bar below it. Text
// is empty or ends with a newline.
func (b *progressBar) printAbove(stdout io.Writer, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprint(b.w, clearLine)
	fmt.Fprint(stdout, text)
	if n := len(b.counts); b.done < n {
		elapsed := time.Since(b.start).Seconds()
		fmt.Fprintf(b.w, "%s  %d of %d: %d calls … %.1fs", blocks(b.done, n), b.done, n, b.counts[b.done], elapsed)
	}
}

// blocks returns a bar filled to done of total.
func blocks(done, total int) string {
	const width = 24
	full := width * done / total
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
