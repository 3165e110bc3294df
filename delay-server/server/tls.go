package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/authority"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// openAuthority opens that of TLS_DIR; nil without TLS_HOSTS.
func openAuthority(config Config, log *slog.Logger) (*authority.Authority, error) {
	if !config.TLS() {
		return nil, nil
	}
	ca, err := authority.Open(config.TLSDir, config.TLSHosts, time.Now, log)
	if err != nil {
		return nil, fmt.Errorf("TLS_DIR: %w", err)
	}
	return ca, nil
}

// TLS returns ln with TLS, for Serve, by the certificate for TLS_HOSTS, without
// which it may not be called. A client chooses HTTP/2 or HTTP/1.1.
func (s *Server) TLS(ln net.Listener) net.Listener {
	return tls.NewListener(program.Fair(ln), &tls.Config{
		GetCertificate: s.ca.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1"},
	})
}

// caPEM answers the certificate that clients have to trust.
func (s *Server) caPEM(c echo.Context) error {
	if s.ca == nil {
		return problem.New(http.StatusNotFound, "this server has no TLS, and no authority; accepted: with TLS_HOSTS")
	}
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	c.Response().Header().Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "application/x-pem-file", s.ca.PEM())
}
