package server

import (
	"fmt"
	"net"

	"flash.test/delay-server/internal/eventloop"
)

// openLoops opens event loops on the listeners of plain TCP, unless EVENT_LOOP is
// false. On error it closes all lns.
func (s *Server) openLoops(lns []net.Listener) (listeners, error) {
	// Only net/http traces requests.
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
		Limit:        s.requests.Limit,
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
		return listeners{}, fmt.Errorf("open event loops (EVENT_LOOP=false serves without them): %w", err)
	}
	opened.all = append(opened.all, loops)
	opened.http1 = append(opened.http1, loops.HTTP1())
	opened.loops = append(opened.loops, loops)
	return opened, nil
}
