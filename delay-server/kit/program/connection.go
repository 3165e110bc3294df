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

// connections tracks the connections of a server. It closes HTTP/2 connections whose
// clients reset too many requests or do not read responses.
type connections struct {
	log     *slog.Logger
	timeout time.Duration // to send a response
	streams int           // concurrent requests of a connection
	open    sync.Map      // net.Conn to *connection
}

// connection is a tracked connection. Only HTTP/2 uses the fields below used, so that
// HTTP/1.1 takes little memory.
type connection struct {
	net.Conn
	number atomic.Uint64 // see ConnectionOf; 0 for none yet
	used   atomic.Bool   // a request was sent on it

	limit sync.Once // initializes resets
	// resets limits the requests that the client resets. The burst is the number of
	// concurrent requests, all of which may time out together.
	resets *rate.Limiter
	due    atomic.Int64 // when a response was last due, in Unix nanoseconds; 0 while requests wait
	ended  atomic.Bool
}

type connectionKey struct{}

// context is http.Server's ConnContext.
func (cs *connections) context(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{Conn: conn}
	if from, ok := conn.(numbered); ok {
		number, reused := from.Connection()
		c.number.Store(number)
		c.used.Store(reused)
	}
	cs.open.Store(conn, c)
	return context.WithValue(ctx, connectionKey{}, c)
}

// numbered is a connection that another server served before: Connection returns its
// number and whether a request was sent on it.
type numbered interface {
	Connection() (number uint64, reused bool)
}

// ConnectionOf returns the number of the connection that w responds to, and whether a
// request was sent on it before. A connection without a number gets one from next, which
// returns a new number at each call. The number is 0 if HTTP does not serve w.
func ConnectionOf(w http.ResponseWriter, next func() uint64) (number uint64, reused bool) {
	for {
		switch writer := w.(type) {
		case *deadlineWriter:
			c := writer.connection
			if c == nil {
				return 0, false
			}
			if c.number.Load() == 0 {
				c.number.CompareAndSwap(0, next())
			}
			return c.number.Load(), writer.reused
		case interface{ Unwrap() http.ResponseWriter }:
			w = writer.Unwrap()
		default:
			return 0, false
		}
	}
}

// idler is a connection whose Idle method is called when the server starts to wait
// for the next request. The previous response has been written then.
type idler interface{ Idle() }

// state is http.Server's ConnState. When the write deadline of an HTTP/2 stream
// passes, net/http only resets the stream. If that makes the connection idle, state
// closes it, since its client does not read.
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
			cs.end(c.(*connection), "responses not read")
		}
	case http.StateHijacked, http.StateClosed:
		cs.open.Delete(conn)
	}
}

// reset counts a request that the client reset. It closes the connection if there are
// too many.
func (cs *connections) reset(c *connection) {
	c.limit.Do(func() { c.resets = rate.NewLimiter(rate.Limit(cs.streams), cs.streams) })
	if !c.resets.Allow() {
		cs.end(c, "too many requests reset")
	}
}

// end closes a connection and logs why.
func (cs *connections) end(c *connection, reason string) {
	if !c.ended.Swap(true) {
		cs.log.Debug("connection closed", "client", c.RemoteAddr(), "reason", reason)
		_ = c.Close()
	}
}

// wasReset reports whether the client reset the HTTP/2 request of ctx. The server
// cancels requests with other causes.
func wasReset(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled)
}
