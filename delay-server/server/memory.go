package server

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	mostInFlight  = 100_000 // what MAX_IN_FLIGHT is where memory allows it
	leastInFlight = 100     // what it is in however little memory

	// A request that waits in net/http takes about 17 KB with its connection, and up
	// to 30 KB between the parts of its body; the rest is for connections whose
	// requests are refused. In event loops it takes less than 1 KB.
	waitSize = 32 << 10

	// The rest of the server takes the larger of a third of the memory and this.
	restSize = 30 << 20
)

// inFlight returns what MAX_IN_FLIGHT is by default where memory is limited to so
// many bytes, 0 for no limit.
func inFlight(memory uint64) int {
	if memory == 0 {
		return mostInFlight
	}
	var free uint64
	if rest := max(memory/3, restSize); memory > rest {
		free = memory - rest
	}
	return int(min(max(free/waitSize, leastInFlight), mostInFlight))
}

// defaultInFlight returns what MAX_IN_FLIGHT is by default, and logs it where
// the memory limit of the process's cgroup, as a container has one, makes it less
// than usual.
func defaultInFlight(log *slog.Logger) int {
	memory, err := memlimit.FromCgroup()
	if err != nil {
		memory = 0 // no limit is known, as on other systems than Linux
	}
	n := inFlight(memory)
	if n < mostInFlight {
		log.Info("MAX_IN_FLIGHT defaults by the memory limit; set it to choose", "MAX_IN_FLIGHT", n, "limit_MiB", memory>>20)
	}
	return n
}
