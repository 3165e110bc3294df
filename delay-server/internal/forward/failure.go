package forward

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"flash.test/delay-server/kit/problem"
)

// failed returns what err is to the client, a *problem.Problem that wraps err
// for the log alone: it may name addresses that are not the client's business.
func (p *Proxy) failed(err error, host string) error {
	var known *problem.Problem
	if errors.As(err, &known) {
		return err // of the request's body
	}
	status, reason := p.explain(err)
	return fmt.Errorf("%w: %w", problem.New(status, "proxy target %s %s", problem.Quote(host), reason), err)
}

func (p *Proxy) explain(err error) (status int, reason string) {
	var (
		refused     *refusedError
		name        *net.DNSError
		operation   *net.OpError
		timeout     net.Error
		certificate *tls.CertificateVerificationError
		noTLS       tls.RecordHeaderError
	)
	late := errors.As(err, &timeout) && timeout.Timeout()
	dialled := errors.As(err, &operation) && operation.Op == "dial"
	switch {
	case errors.As(err, &refused):
		return http.StatusForbidden, "leads to an address that is neither public nor listed in this server's PROXY_HOSTS; accepted: a public one, or one that PROXY_HOSTS lists as an address or a range, such as 10.1.2.3 or 10.0.0.0/8"
	case late && errors.As(err, &name):
		return http.StatusGatewayTimeout, fmt.Sprintf("was not found by name within %v, this server's PROXY_TIMEOUT", p.timeout)
	case late && dialled:
		return http.StatusGatewayTimeout, fmt.Sprintf("did not take the connection within %v, this server's PROXY_TIMEOUT", p.timeout)
	case late:
		return http.StatusGatewayTimeout, fmt.Sprintf("did not take the request and begin its reply within %v, this server's PROXY_TIMEOUT", p.timeout)
	case errors.As(err, &name):
		return http.StatusBadGateway, "has a name that leads to no address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return http.StatusBadGateway, "refuses connections: nothing listens at that port"
	case dialled:
		return http.StatusBadGateway, "cannot be connected to"
	case errors.As(err, &certificate):
		return http.StatusBadGateway, "has a certificate that this server does not trust"
	case errors.As(err, &noTLS):
		return http.StatusBadGateway, "does not speak TLS; accepted: http:// for one that does not"
	default:
		return http.StatusBadGateway, "broke off the connection, or replied what is no HTTP"
	}
}
