//go:build linux

package peer

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Memory returns the resident memory of the server and its children in bytes,
// what they share counted once (PSS). It has the kernel walk their pages, which
// takes milliseconds. What the kernel holds for their sockets is not in it.
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

// pss returns the bytes of the line "Pss:" of a smaps_rollup.
func pss(rollup string) (int64, error) {
	for line := range strings.Lines(rollup) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "Pss:" && fields[2] == "kB" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("no line Pss in kB")
}

// CPU returns the time that the server and its children have spent on
// processors, in the kernel too.
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

// family returns the process and its children. They are looked for once: all
// are there when a server answers.
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

// parseStat reads the fields behind the program's name, which may have spaces
// and parentheses itself.
func parseStat(text []byte) (stat, error) {
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return stat{}, fmt.Errorf("stat %q: want 13 fields or more behind the name", text)
	}
	parent, err1 := strconv.Atoi(fields[1])
	user, err2 := strconv.ParseInt(fields[11], 10, 64)
	system, err3 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return stat{}, fmt.Errorf("stat %q: want numbers in the fields 4, 14 and 15", text)
	}
	return stat{parent: parent, cpu: time.Duration(user+system) * tick}, nil
}
