//go:build linux

package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Memory returns the resident memory of the server and its children in bytes, with shared
// pages counted once (PSS). The kernel walks their pages, which takes milliseconds. Memory
// of the kernel's sockets is not included.
func (p *Process) Memory() (int64, error) {
	pids, err := p.family()
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0, err
		}
		n, err := pss(string(text))
		if err != nil {
			return 0, fmt.Errorf("smaps_rollup of process %d: %w", pid, err)
		}
		sum += n
	}
	return sum, nil
}

// pss returns the "Pss:" of a smaps_rollup in bytes.
func pss(rollup string) (int64, error) { return kilobytes(rollup, "Pss:") }

// kilobytes returns the value of the line called name in bytes.
func kilobytes(text, name string) (int64, error) {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no line %s in kB", name)
}

// Resident returns the resident memory of the server and its children in bytes, and its
// peak since ResetPeak. Shared pages count for each process. It takes microseconds.
func (p *Process) Resident() (now, peak int64, err error) {
	err = p.each(func(pid int) error {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return err
		}
		rss, err1 := kilobytes(string(text), "VmRSS:")
		hwm, err2 := kilobytes(string(text), "VmHWM:")
		now += rss
		peak += hwm
		return errors.Join(err1, err2)
	})
	return now, peak, err
}

// ResetPeak sets the peak of Resident to the current memory.
func (p *Process) ResetPeak() error {
	const resetPeak = "5" // proc_pid_clear_refs(5)
	return p.each(func(pid int) error {
		return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(resetPeak), 0)
	})
}

// Descriptors returns how many files and sockets the server and its children have open.
func (p *Process) Descriptors() (n int, err error) {
	err = p.each(func(pid int) error {
		dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return err
		}
		defer dir.Close()
		names, err := dir.Readdirnames(-1)
		n += len(names)
		return err
	})
	return n, err
}

func (p *Process) each(do func(pid int) error) error {
	pids, err := p.family()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := do(pid); err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// CPU returns the CPU time of the server and its children, user and system.
func (p *Process) CPU() (time.Duration, error) {
	pids, err := p.family()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil {
			return 0, err
		}
		sum += s.cpu
	}
	return sum, nil
}

// family returns the process and its children. It looks for them once: all have started
// when a server answers.
func (p *Process) family() ([]int, error) {
	if p.pids != nil {
		return p.pids, nil
	}
	pids := []int{p.cmd.Process.Pid}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && slices.Contains(pids[:1], s.parent) { // others may have ended
			pids = append(pids, pid)
		}
	}
	p.pids = pids
	return pids, nil
}

// stat is a part of /proc/PID/stat.
type stat struct {
	parent int
	cpu    time.Duration
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// tick is the unit of times in /proc/PID/stat: USER_HZ, 100 a second on every
// architecture that Go runs on.
const tick = time.Second / 100

// parseStat reads the fields after the program's name, which may contain spaces and
// parentheses.
func parseStat(text []byte) (stat, error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return stat{}, fmt.Errorf("stat %q: want 13 fields or more after the name", text)
	}
	parent, err1 := strconv.Atoi(fields[1])
	user, err2 := strconv.ParseInt(fields[11], 10, 64)
	system, err3 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return stat{}, fmt.Errorf("stat %q: want numbers in the fields 4, 14 and 15", text)
	}
	return stat{parent: parent, cpu: time.Duration(user+system) * tick}, nil
}
