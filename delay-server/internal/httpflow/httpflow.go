// Package httpflow serves waiting requests through net/http: the request's goroutine runs
// its flow. Package eventloop does the same for requests that its loops read.
package httpflow

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/cors"
	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/internal/forward"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/httpkit"
)

// Handler serves requests. Its fields are all that a request may use.
type Handler struct {
	Engine      *flow.Engine
	Planner     *plan.Planner
	Limit       *gate.Shares // MAX_IN_FLIGHT
	Proxy       *forward.Proxy
	CORS        cors.Policy
	Log         *slog.Logger
	ReadTimeout time.Duration // for a request's body
	Trace       bool          // requests may have spans

	// Rejection returns what the journal records of the response to an error of a plan or a
	// body. It is zero for an error that is not recorded.
	Rejection func(error) journal.Response
}

// Serve answers a request to an endpoint that waits.
func (h *Handler) Serve(c echo.Context) error {
	if done, err := h.serveWithoutWait(c); done {
		return err
	}
	return h.run(c, nil)
}

// ServeTemplate answers a request by a template of the scenario.
func (h *Handler) ServeTemplate(c echo.Context, t *plan.Template) error { return h.run(c, t) }

// serveWithoutWait answers OPTIONS, which is for preflights, and rejects CONNECT and
// TRACE, which are about the connection. For any other method it returns false. Inlined,
// it would grow the stack of each waiting request.
//
//go:noinline
func (h *Handler) serveWithoutWait(c echo.Context) (done bool, err error) {
	switch c.Request().Method {
	case http.MethodConnect, http.MethodTrace:
		return true, httpkit.MethodNotAllowed(c, cors.AnyMethod)
	case http.MethodOptions:
		return true, h.ServePreflight(c, cors.AnyMethod)
	default:
		return false, nil
	}
}

// ServePreflight answers OPTIONS at a path that takes the methods.
func (h *Handler) ServePreflight(c echo.Context, methods string) error {
	header := c.Response().Header()
	h.CORS.SetPreflight(header, c.Request(), methods)
	header.Set(echo.HeaderAllow, methods)
	return c.NoContent(http.StatusNoContent)
}

// SetCORS is middleware that lets the pages of CORS_ORIGINS read errors. A flow sets
// the headers itself when its response is due: set before, they would take 350
// bytes for each waiting request.
func (h *Handler) SetCORS(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			h.CORS.SetHeaders(c.Response().Header(), c.Request().Header.Get("Origin"))
		}
		return err
	}
}

// Full returns the error if the limit does not admit a request of r's client, or nil.
func (h *Handler) Full(r *http.Request) error {
	client := h.Limit.Client(httpkit.RemoteAddr(r))
	defer client.Release()
	if err := client.Full(); err != nil {
		return h.Engine.Full(err)
	}
	return nil
}
