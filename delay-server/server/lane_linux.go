package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"

	"flash.test/delay-server/internal/fastlane"
)

// openLanes puts a lane in the place of each listener of plain TCP, where the
// settings want one. All lns are closed where the error is not nil.
func (s *Server) openLanes(lns []net.Listener) (listeners, error) {
	// A scenario may answer any path, and a collector is told of each request.
	if !s.config.Fastlane || s.scenario != nil || s.config.OTLPEndpoint != "" {
		return listeners{all: lns}, nil
	}
	opened := listeners{all: make([]net.Listener, len(lns))}
	for i, ln := range lns {
		tcp, plain := ln.(*net.TCPListener)
		if !plain {
			opened.all[i] = ln
			continue
		}
		lane, err := fastlane.Listen(tcp, s.laneConfig())
		if err != nil {
			for _, ln := range slices.Concat(lns, opened.all[:i]) {
				_ = ln.Close()
			}
			return listeners{}, fmt.Errorf("open the fast lane (FASTLANE=false does without): %w", err)
		}
		opened.all[i] = lane
		opened.http1 = append(opened.http1, lane.HTTP1())
		opened.lanes = append(opened.lanes, lane)
	}
	return opened, nil
}

func (s *Server) laneConfig() fastlane.Config {
	header := http.Header{"X-Content-Type-Options": nosniff}
	s.origins.allow(header, "")
	telling := []string{"X-Run-Id", "Traceparent"}
	if !s.origins.everyone {
		telling = append(telling, "Origin")
	}
	return fastlane.Config{
		Clock:        s.clock,
		Journal:      s.journal,
		Log:          s.log,
		MaxDelay:     s.config.MaxDelay,
		Limit:        s.limit,
		Header:       header,
		Telling:      telling,
		Canonical:    s.config.FlashCompat,
		Paths:        s.log.Enabled(context.Background(), slog.LevelDebug),
		ReadTimeout:  s.config.ReadTimeout,
		IdleTimeout:  s.config.IdleTimeout,
		WriteTimeout: s.config.WriteTimeout,
		Cut: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			s.origins.allow(w.Header(), "")
			_ = errCut.Write(w) // to a buffer
		}),
	}
}
