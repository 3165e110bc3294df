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

// What kind of failure an *Error is.
var (
	// ErrUnreachable is that there was no answer, or only a part of one, or that
	// the database answered with an error.
	ErrUnreachable = errors.New("cannot be reached")
	// ErrTooSlow is that the whole answer did not come within the timeout.
	ErrTooSlow = errors.New("is too slow")
)

// errTimeout is the cause that ends a request at its timeout.
var errTimeout = errors.New("timeout")

// Error is a request that was not answered. Its text is fit for a client.
type Error struct {
	Who    string // "delay-server" or "database"
	Kind   error  // ErrUnreachable or ErrTooSlow
	Reason string // such as "connection refused", in this package's words
	Cause  error  // in the words of whoever failed: for a log
}

// Error returns who failed, the kind and the reason.
func (e *Error) Error() string { return fmt.Sprintf("%s %v: %s", e.Who, e.Kind, e.Reason) }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Cause} }

// peer is who is asked.
type peer struct {
	who     string        // "delay-server" or "database"
	address string        // that names it to a client
	timeout time.Duration // of one request
}

// within returns ctx with the peer's timeout.
func (p peer) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, p.timeout, errTimeout)
}

// failure words err, with which a request to p under ctx ended.
func (p peer) failure(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errTimeout):
		return &Error{p.who, ErrTooSlow, fmt.Sprintf("no answer from %s within %v (TIMEOUT)", p.address, p.timeout), err}
	case ctx.Err() != nil:
		return fmt.Errorf("request to %s ended early: %w", p.address, context.Cause(ctx))
	default:
		return &Error{p.who, ErrUnreachable, p.address + ": " + reason(err), err}
	}
}

// reason says in a few words why a connection failed.
func reason(err error) string {
	var (
		lookup *net.DNSError
		record tls.RecordHeaderError
		cert   *tls.CertificateVerificationError
		answer *pgconn.PgError
	)
	switch {
	case errors.As(err, &answer):
		return refusal(answer.Code)
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

// refusal says what PostgreSQL means by a code. Its own words are for the log:
// they name users and databases.
func refusal(code string) string {
	switch {
	case strings.HasPrefix(code, "28"):
		return "it refuses the user or the password"
	case code == "3D000":
		return "it has no database of that name"
	case code == "53300":
		return "it has no connection left; DATABASE_CONNECTIONS says how many are used"
	case code == "57014":
		return "it cancelled the query"
	case code == "57P01", code == "57P02":
		return "it shut down during the query"
	case code == "57P03":
		return "it is starting up or shutting down"
	default:
		return "it answered with an error, SQLSTATE " + code
	}
}
