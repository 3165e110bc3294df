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

// ClientGone reports whether err, with which the handling of r ended, comes of
// its client: it has closed the connection or reset the stream, or it has not
// read in time.
func ClientGone(r *http.Request, err error) bool {
	for _, gone := range []error{
		context.Canceled, os.ErrDeadlineExceeded, net.ErrClosed, io.ErrClosedPipe, syscall.EPIPE, syscall.ECONNRESET,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	ctx := r.Context()
	if r.ProtoMajor == 2 { // net/http may return an error of its own just before it cancels the context
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return errors.Is(context.Cause(ctx), context.Canceled)
}
