package server

import (
	"io"
	"log/slog"
	"testing"
)

func TestInFlightByMemory(t *testing.T) {
	const MiB = 1 << 20
	for _, tc := range []struct {
		name   string
		memory uint64
		want   int
	}{
		{"no limit", 0, 100_000},
		{"less than the server needs without requests", 16 * MiB, 100},
		{"as much as the server needs without requests", 30 * MiB, 100},
		{"a little more", 32 * MiB, 100},
		{"64 MiB", 64 * MiB, 1088},
		{"90 MiB", 90 * MiB, 1920},
		{"1 GiB", 1024 * MiB, 21845},
		{"more than 100,000 requests need", 8 << 30, 100_000},
		{"the maximum", 1<<64 - 1, 100_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := inFlight(tc.memory); got != tc.want {
				t.Errorf("inFlight(%d) = %d, want %d", tc.memory, got, tc.want)
			}
		})
	}
}

func TestMaxInFlightDefaultsToMemory(t *testing.T) {
	for _, tc := range []struct {
		name      string
		set, want int
	}{
		{"automatic", 0, defaultInFlight(slog.New(slog.DiscardHandler))},
		{"chosen", 200_000, 200_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := DefaultConfig()
			config.MaxInFlight = tc.set
			srv, _, _ := start(t, config, io.Discard)
			if got := srv.config.MaxInFlight; got != tc.want {
				t.Errorf("MAX_IN_FLIGHT=%d: limit %d, want %d", tc.set, got, tc.want)
			}
			if got, want := srv.config.clientShare(), max(tc.want/2, min(tc.want, 1000)); got != want {
				t.Errorf("MAX_IN_FLIGHT=%d: limit %d per client, want %d", tc.set, got, want)
			}
		})
	}
}
