package program

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// ClientGone reports whether err, the error of handling r, was caused by the client:
// it closed the connection, reset the stream, or did not read in time.
func ClientGone(r *http.Request, err error) bool {
	for _, gone := range []error{
		context.Canceled, os.ErrDeadlineExceeded, net.ErrClosed, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	ctx := r.Context()
	if r.ProtoMajor == 2 { // net/http may return another error just before it cancels the context
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return errors.Is(context.Cause(ctx), context.Canceled)
}
