package server

import (
	"fmt"
	"net"

	"flash.test/delay-server/internal/eventloop"
)

// openLoops has event loops accept what comes on the listeners of plain TCP, where
// the settings want that. All lns are closed where the error is not nil.
func (s *Server) openLoops(lns []net.Listener) (listeners, error) {
	// net/http answers all while each request is reported to a collector.
	if !s.config.EventLoop || s.config.OTLPEndpoint != "" {
		return listeners{all: lns}, nil
	}
	var opened listeners
	var plain []*net.TCPListener
	for _, ln := range lns {
		if tcp, ok := ln.(*net.TCPListener); ok {
			plain = append(plain, tcp)
		} else {
			opened.all = append(opened.all, ln)
		}
	}
	if len(plain) == 0 {
		return opened, nil
	}
	loops, err := eventloop.Listen(eventloop.Config{
		Engine:       s.engine,
		Log:          s.log,
		Limit:        s.limit,
		Find:         s.find,
		Problem:      s.planProblem,
		ReadTimeout:  s.config.ReadTimeout,
		IdleTimeout:  s.config.IdleTimeout,
		WriteTimeout: s.config.WriteTimeout,
	}, plain...)
	if err != nil {
		for _, ln := range lns {
			_ = ln.Close()
		}
		return listeners{}, fmt.Errorf("open the event loops (EVENT_LOOP=false does without): %w", err)
	}
	opened.all = append(opened.all, loops)
	opened.http1 = append(opened.http1, loops.HTTP1())
	opened.loops = append(opened.loops, loops)
	return opened, nil
}
