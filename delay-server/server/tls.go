package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/authority"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/program"
)

// openAuthority opens the authority in TLS_DIR. It returns nil without TLS_HOSTS.
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

// TLS returns a listener for Serve that speaks TLS on ln with the certificate for
// TLS_HOSTS, which must be set. The client chooses HTTP/2 or HTTP/1.1.
func (s *Server) TLS(ln net.Listener) net.Listener {
	return tls.NewListener(program.Fair(ln), &tls.Config{
		GetCertificate: s.ca.GetCertificate,
		NextProtos:     []string{"h2", "http/1.1"},
	})
}

// caPEM answers the certificate that clients must trust.
func (s *Server) caPEM(c echo.Context) error {
	if s.ca == nil {
		return problem.TLSDisabled.New("TLS is disabled; set TLS_HOSTS")
	}
	return httpkit.SendFile(c, "application/x-pem-file", s.ca.PEM())
}
