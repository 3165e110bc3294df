package server

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	maxInFlight = 100_000 // default of MAX_IN_FLIGHT if memory allows it
	minInFlight = 100     // default with little memory

	// requestSize is the memory to allow for each request. A waiting request in net/http
	// takes about 17 KB with its connection, and up to 30 KB between the parts of its
	// body. The rest is for connections with rejected requests. In an event loop a
	// request takes less than 1 KB.
	requestSize = 32 << 10

	// The rest of the server takes a third of the memory, and at least this.
	minRest = 30 << 20
)

// inFlight returns the default of MAX_IN_FLIGHT for a memory limit in bytes; 0 is no
// limit.
func inFlight(memory uint64) int {
	if memory == 0 {
		return maxInFlight
	}
	var free uint64
	if rest := max(memory/3, minRest); memory > rest {
		free = memory - rest
	}
	return int(min(max(free/requestSize, minInFlight), maxInFlight))
}

// defaultInFlight returns the default of MAX_IN_FLIGHT. It logs the default if the
// memory limit of the cgroup or container makes it less than maxInFlight.
func defaultInFlight(log *slog.Logger) int {
	memory, err := memlimit.FromCgroup()
	if err != nil {
		memory = 0 // no limit is known, as on systems other than Linux
	}
	n := inFlight(memory)
	if n < maxInFlight {
		log.Info("MAX_IN_FLIGHT is set by the memory limit", "MAX_IN_FLIGHT", n, "limit_MiB", memory>>20)
	}
	return n
}
