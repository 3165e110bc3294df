//go:build linux

package peer

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const numbers = " S 7 1 1 0 -1 0 0 0 0 0 150 50 9 9 20 0 1 0"
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"a plain name", "12 (nginx)" + numbers, true},
		{"a name with spaces and parentheses", "12 (a) b) (c)" + numbers, true},
		{"cut short", "12 (nginx) S 7 1", false},
		{"no numbers", "12 (nginx) S x 1 1 0 -1 0 0 0 0 0 x 50 9", false},
		{"nothing", "", false},
	} {
		got, err := parseStat([]byte(tc.text))
		if (err == nil) != tc.ok || tc.ok && got != (stat{parent: 7, cpu: 2 * time.Second}) {
			t.Errorf("parseStat, %s: %+v, %v", tc.name, got, err)
		}
	}
}

func TestPSS(t *testing.T) {
	got, err := pss("00400000-7ff ---p 00000000 00:00 0 [rollup]\nRss:  1764 kB\nPss:   419 kB\nPss_Dirty: 112 kB\n")
	if err != nil || got != 419<<10 {
		t.Errorf("pss() = %d, %v; want 419 KB", got, err)
	}
	if _, err := pss("Rss: 1764 kB\n"); err == nil {
		t.Error("pss() without a line Pss: no error")
	}
}

// Memory and CPU grow by what a process uses, and its children are found.
func TestUsageOfThisProcess(t *testing.T) {
	child := exec.Command("sleep", "100")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p := Process{cmd: &exec.Cmd{Process: self}}
	before, err := p.Memory()
	if err != nil {
		t.Fatal(err)
	}
	if len(p.pids) < 2 || p.pids[0] != self.Pid || p.pids[1] != child.Process.Pid {
		t.Errorf("processes %v: want %d and its child %d", p.pids, self.Pid, child.Process.Pid)
	}
	const size = 64 << 20
	touched := make([]byte, size)
	for i := range touched {
		touched[i] = 1
	}
	after, err := p.Memory()
	if err != nil || after-before < size*9/10 {
		t.Errorf("Memory() grew by %d, %v, with %d more; want about that", after-before, err, size)
	}
	runtime.KeepAlive(touched)

	start, err := p.CPU()
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for spent := time.Duration(0); spent < 50*time.Millisecond; {
		now, err := p.CPU()
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("CPU() after ten busy seconds: %v more than before, %v", now-start, err)
		}
		spent = now - start
	}
}

// The peak is since the last reset, and each open file counts as a descriptor.
func TestPeakAndDescriptors(t *testing.T) {
	child := exec.Command("sh", "-c", `exec 7</dev/null; echo ready; exec sleep 100`)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p := Process{cmd: child, pids: []int{child.Process.Pid}}
	if n, err := p.Descriptors(); err != nil || n < 4 {
		t.Errorf("Descriptors() = %d, %v; want the standard three and one", n, err)
	}

	self := Process{pids: []int{os.Getpid()}}
	const size = 64 << 20
	touched := make([]byte, size)
	for i := range touched {
		touched[i] = 1
	}
	now, peak, err := self.Resident()
	if err != nil || now < size || peak < now-now/10 {
		t.Errorf("Resident() = %d, at most %d, %v; want %d or more", now, peak, err, size)
	}
	runtime.KeepAlive(touched)
	touched = nil
	debug.FreeOSMemory()
	if err := self.ResetPeak(); err != nil {
		t.Fatal(err)
	}
	if _, later, err := self.Resident(); err != nil || later > peak-size/2 {
		t.Errorf("Resident() after ResetPeak(): at most %d, %v; want about %d less than %d", later, err, size, peak)
	}
}
