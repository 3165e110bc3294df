package server

import (
	"net/http"
	"runtime"

	"flash.test/delay-server/internal/flash"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/urlpath"
)

// limits is the server's outermost handler. It rejects a URL that is too long or an
// invalid method before routing, and limits the time for a body that no handler reads.
type limits struct{ *Server }

// ServeHTTP implements http.Handler.
func (l limits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	httpkit.LimitUnreadBody(w, r, l.config.ReadTimeout)
	// A client that pipelines and reads nothing keeps its goroutine runnable. With 20
	// such clients the p99 of other clients' /delay/10 grew 33 to 55 times, and with
	// this about twice (2 cores). After the handler, it would delay due responses.
	runtime.Gosched()
	if r = l.normalize(w, r); r != nil && !l.serveScenario(w, r) {
		l.echo.ServeHTTP(w, r)
	}
}

// normalize returns r with the path to route: paths that are equal by RFC 3986 are
// routed the same way, and so are paths that are equal to Flash with FLASH_COMPAT.
// CONNECT without a path is routed to / and rejected there. normalize returns nil if
// it has answered r. Inlined, it would grow the stack of each waiting request.
//
//go:noinline
func (l limits) normalize(w http.ResponseWriter, r *http.Request) *http.Request {
	if p := httpkit.CheckRequest(r); p != nil {
		l.write(w, p)
		return nil
	}
	u := urlpath.Normalize(r.URL)
	if l.config.FlashCompat {
		u = flash.URL(u)
	}
	return urlpath.WithURL(r, u)
}
