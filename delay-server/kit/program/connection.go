package program

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// connections follows the connections of a server, to end those of HTTP/2 whose
// clients reset too many requests or take no answers.
type connections struct {
	log     *slog.Logger
	timeout time.Duration // for a client to take an answer
	streams int           // requests of one connection at once
	open    sync.Map      // of *connection by net.Conn
}

// connection is one of connections. The fields are for HTTP/2; those of HTTP/1.1
// take as little memory as they can.
type connection struct {
	net.Conn
	limit sync.Once // makes resets
	// resets has a burst of as many requests as the connection may have at once,
	// since all of them may time out together, and as many more each second.
	resets *rate.Limiter
	due    atomic.Int64 // when an answer was last due, in Unix nanoseconds; 0 while requests wait
	ended  atomic.Bool
}

type connectionKey struct{}

// context is http.Server's ConnContext.
func (cs *connections) context(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{Conn: conn}
	cs.open.Store(conn, c)
	return context.WithValue(ctx, connectionKey{}, c)
}

// idler is a connection that is told when its server begins to wait for the next
// request: all of the response before has been written.
type idler interface{ Idle() }

// state is http.Server's ConnState. net/http resets a stream of HTTP/2 whose
// write deadline passes. A connection that is idle only because of that is ended:
// its client reads nothing.
func (cs *connections) state(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateIdle:
		if idle, ok := conn.(idler); ok {
			idle.Idle()
		}
		c, ok := cs.open.Load(conn)
		if !ok {
			return
		}
		due := c.(*connection).due.Load()
		if due != 0 && time.Since(time.Unix(0, due)) >= cs.timeout {
			cs.end(c.(*connection), "answers not read")
		}
	case http.StateHijacked, http.StateClosed:
		cs.open.Delete(conn)
	}
}

// reset counts a request that its client has reset, and ends the connection of
// one that resets too many.
func (cs *connections) reset(c *connection) {
	c.limit.Do(func() { c.resets = rate.NewLimiter(rate.Limit(cs.streams), cs.streams) })
	if !c.resets.Allow() {
		cs.end(c, "too many requests reset")
	}
}

func (cs *connections) end(c *connection, reason string) {
	if !c.ended.Swap(true) {
		cs.log.Debug("connection ended", "client", c.RemoteAddr(), "reason", reason)
		_ = c.Close()
	}
}

// wasReset reports whether a request of HTTP/2 was reset: its context is not
// cancelled for a cause of the server's.
func wasReset(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled)
}
