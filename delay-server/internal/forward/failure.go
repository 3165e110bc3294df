package forward

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"syscall"

	"flash.test/delay-server/kit/problem"
)

// upstreamError returns a *problem.Problem that wraps err for the log only: err may
// name addresses that clients must not see.
func (p *Proxy) upstreamError(err error, host string) error {
	if errors.As(err, new(*problem.Problem)) {
		return err // from the request's body
	}
	kind, reason := p.explain(err)
	return fmt.Errorf("%w: %w", kind.New("host %s %s", problem.Quote(host), reason), err)
}

func (p *Proxy) explain(err error) (kind problem.Type, reason string) {
	var (
		timeout   net.Error
		operation *net.OpError
	)
	timedOut := errors.As(err, &timeout) && timeout.Timeout()
	dialing := errors.As(err, &operation) && operation.Op == "dial"
	unresolved := errors.As(err, new(*net.DNSError))
	within := fmt.Sprintf("within %v (PROXY_TIMEOUT)", p.timeout)
	switch {
	case errors.As(err, new(*addressError)):
		return problem.UpstreamNotAllowed,
			"has an address that is not public; add the address or a range to PROXY_HOSTS"
	case timedOut && unresolved:
		return problem.UpstreamTimeout, "was not resolved " + within
	case timedOut && dialing:
		return problem.UpstreamTimeout, "did not accept the connection " + within
	case timedOut:
		return problem.UpstreamTimeout, "did not take the request and begin its response " + within
	case unresolved:
		return problem.UpstreamFailed, "has no address"
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem.UpstreamFailed, "refused the connection"
	case dialing:
		return problem.UpstreamFailed, "cannot be reached"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return problem.UpstreamFailed, "has a certificate that this server does not trust"
	case errors.As(err, new(tls.RecordHeaderError)):
		return problem.UpstreamFailed, "does not speak TLS; use http:// for it"
	default:
		return problem.UpstreamFailed, "broke off the connection or sent no HTTP response"
	}
}
