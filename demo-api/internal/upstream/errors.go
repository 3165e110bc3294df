package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// The kinds of an *Error.
var (
	// ErrUnreachable means that there was no complete response, or that the
	// database responded with an error.
	ErrUnreachable = errors.New("cannot be reached")
	// ErrTimeout means that there was no complete response within the timeout.
	ErrTimeout = errors.New("timed out")
	// ErrUnexpected means that the response was complete, and not what an app sends.
	ErrUnexpected = errors.New("gave an unexpected response")
)

// errDeadline is the cause of a context whose timeout has passed.
var errDeadline = errors.New("deadline exceeded")

// Error is a failed request. Its text contains no secrets.
type Error struct {
	Service string // "delay-server", "database" or "app"
	Kind    error  // ErrUnreachable, ErrTimeout or ErrUnexpected
	Reason  string // such as "connection refused"
	Cause   error  // for the log: may contain names of users and databases
}

// Error returns the service, the kind and the reason.
func (e *Error) Error() string { return fmt.Sprintf("%s %v: %s", e.Service, e.Kind, e.Reason) }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }

// service is the server or database that requests go to.
type service struct {
	name    string        // "delay-server", "database" or "app"
	address string        // shown to clients
	timeout time.Duration // of one request
}

// withTimeout returns ctx with the timeout of s.
func (s service) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout, errDeadline)
}

// wrap returns the error of a request to s under ctx that failed with err.
func (s service) wrap(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errDeadline):
		reason := fmt.Sprintf("no response from %s within %v (TIMEOUT)", s.address, s.timeout)
		return &Error{s.name, ErrTimeout, reason, err}
	case ctx.Err() != nil:
		return fmt.Errorf("request to %s cancelled: %w", s.address, context.Cause(ctx))
	default:
		return &Error{s.name, ErrUnreachable, s.address + ": " + reason(err), err}
	}
}

// reason returns in a few words why a connection failed.
func reason(err error) string {
	var (
		lookup *net.DNSError
		record tls.RecordHeaderError
		cert   *tls.CertificateVerificationError
		pgErr  *pgconn.PgError
	)
	switch {
	case errors.As(err, &pgErr):
		return sqlStateReason(pgErr.Code)
	case errors.As(err, &lookup) && lookup.IsNotFound:
		return "host not found"
	case errors.As(err, &lookup):
		return "host name lookup failed"
	case errors.As(err, &record):
		return "the server does not speak TLS"
	case errors.As(err, &cert):
		return "the certificate is not trusted"
	}
	for _, known := range reasons {
		if errors.Is(err, known.err) {
			return known.text
		}
	}
	return "invalid response"
}

var reasons = []struct {
	err  error
	text string
}{
	{syscall.ECONNREFUSED, "connection refused"},
	{syscall.ECONNRESET, "connection closed before the end of the response"},
	{syscall.EPIPE, "connection closed before the end of the response"},
	{io.EOF, "connection closed before the end of the response"},
	{io.ErrUnexpectedEOF, "connection closed before the end of the response"},
	{syscall.EHOSTUNREACH, "no route to the host"},
	{syscall.ENETUNREACH, "no route to the network"},
	{syscall.EMFILE, "too many open files (ulimit -n)"},
	{syscall.ENFILE, "too many open files on this machine"},
	{syscall.EADDRNOTAVAIL, "no free local port"},
}

// sqlStateReason returns the meaning of an SQLSTATE code. PostgreSQL's own message
// may contain names of users and databases.
func sqlStateReason(code string) string {
	switch {
	case strings.HasPrefix(code, "28"):
		return "user or password rejected"
	case code == "3D000":
		return "no database of that name"
	case code == "53300":
		return "too many connections; lower DATABASE_CONNECTIONS"
	case code == "57014":
		return "the database cancelled the query"
	case code == "57P01", code == "57P02":
		return "the database shut down during the query"
	case code == "57P03":
		return "the database is starting up or shutting down"
	default:
		return "error with SQLSTATE " + code
	}
}
