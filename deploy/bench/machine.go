//go:build linux

package main

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"flash.test/deploy/bench/internal/report"
)

// machine describes this machine. A field that cannot be read is "unknown".
func machine(ctx context.Context) report.Machine {
	return report.Machine{
		Processors: runtime.NumCPU(),
		Model:      processor(),
		Kernel:     firstLine(os.ReadFile("/proc/sys/kernel/osrelease")),
		Go:         runtime.Version(),
		Commit:     firstLine(exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()),
		Date:       time.Now().UTC().Format(time.DateOnly),
	}
}

// processor returns the model of the first processor.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return firstLine([]byte(strings.TrimSpace(model)), err)
		}
	}
	return "unknown"
}

func firstLine(text []byte, err error) string {
	line, _, _ := strings.Cut(string(text), "\n")
	if err != nil || line == "" {
		return "unknown"
	}
	return line
}
