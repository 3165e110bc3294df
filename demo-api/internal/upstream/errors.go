package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// What kind of failure an *Error is.
var (
	// ErrUnreachable is that there was no answer, or only a part of one.
	ErrUnreachable = errors.New("delay-server cannot be reached")
	// ErrTooSlow is that the whole answer did not come within the timeout.
	ErrTooSlow = errors.New("delay-server is too slow")
)

// errTimeout is the cause that ends a request at its timeout.
var errTimeout = errors.New("timeout")

// Error is a request that was not answered. Its text is fit for a client.
type Error struct {
	Kind   error  // ErrUnreachable or ErrTooSlow
	Reason string // such as "connection refused", in this package's words
	Cause  error  // in the words of whoever failed: for a log
}

// Error returns the kind and the reason.
func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Kind, e.Reason) }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }

// failure words err, with which a request to c under ctx ended.
func (c *Client) failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return &Error{ErrTooSlow, fmt.Sprintf("no answer from %s within %v (TIMEOUT)", c.base, c.timeout), err}
	case ctx.Err() != nil:
		return fmt.Errorf("request to %s ended early: %w", c.base, context.Cause(ctx))
	default:
		return &Error{ErrUnreachable, c.base + ": " + reason(err), err}
	}
}

// reason says in a few words why a connection failed.
func reason(err error) string {
	var (
		lookup *net.DNSError
		record tls.RecordHeaderError
		cert   *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "host not found"
	case errors.As(err, &lookup):
		return "host name lookup failed"
	case errors.As(err, &record):
		return "it does not speak TLS"
	case errors.As(err, &cert):
		return "its certificate is not trusted"
	}
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			return known.words
		}
	}
	return "no valid answer"
}

var reasons = []struct {
	err   error
	words string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection closed before the whole answer came"},
	{syscall.EPIPE, "connection closed before the whole answer came"},
	{io.EOF, "connection closed before the whole answer came"},
	{io.ErrUnexpectedEOF, "connection closed before the whole answer came"},
	{syscall.EHOSTUNREACH, "no route to the host"},
	{syscall.ENETUNREACH, "no route to the network"},
	{syscall.EMFILE, "this machine allows no more open files (ulimit -n)"},
	{syscall.ENFILE, "this machine allows no more open files"},
	{syscall.EADDRNOTAVAIL, "this machine has no local port left"},
}
