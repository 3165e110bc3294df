//go:build linux

package peer

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"fortio.org/fortio/fhttp"
	"github.com/labstack/echo/v4"
	"github.com/mccutchen/go-httpbin/v2/httpbin"
)

// ServeArgument is the first argument that makes this program a server. The arguments of
// Serve follow.
const ServeArgument = "serve"

// maxWait is the limit of waits for the peers that have one.
const maxWait = time.Minute

// Serve serves a Go peer, GoHTTPBin, Fortio or Echo, at addr until the process ends, just
// as the peer's own program does.
func Serve(name, addr string) error {
	switch name {
	case Fortio:
		if err := fhttp.MaxDelay.SetV(maxWait); err != nil {
			return fmt.Errorf("fortio's maximum delay: %w", err)
		}
		if fhttp.HTTPServerWithHandler("echo", addr, http.HandlerFunc(fhttp.EchoHandler)) == nil {
			return fmt.Errorf("fortio cannot listen on %s", addr)
		}
		select {}
	case GoHTTPBin:
		server := http.Server{Addr: addr, Handler: httpbin.New(httpbin.WithMaxDuration(maxWait))}
		return server.ListenAndServe()
	case Echo:
		server := http.Server{Addr: addr, Handler: plainEcho(), Protocols: new(http.Protocols)}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(true)
		return server.ListenAndServe()
	default:
		return fmt.Errorf("server %q is invalid: use %s, %s or %s", name, GoHTTPBin, Fortio, Echo)
	}
}

// plainEcho is the simplest handler: sleep, then answer.
func plainEcho() http.Handler {
	e := echo.New()
	e.Match([]string{http.MethodGet, http.MethodHead, http.MethodPost}, "/delay/:ms", func(c echo.Context) error {
		ms, err := strconv.Atoi(c.Param("ms"))
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
		time.Sleep(time.Duration(ms) * time.Millisecond)
		return c.Blob(http.StatusOK, echo.MIMEApplicationJSON,
			fmt.Appendf(nil, `{"status":200,"message":"Mock response from Flash","delay":"%d ms"}`, ms))
	})
	return e
}
