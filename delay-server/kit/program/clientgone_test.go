package program_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"
	"testing/synctest"

	"flash.test/delay-server/kit/program"
)

func TestClientLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // over HTTP/2, ClientGone waits for the context to end
		alive := t.Context()
		left, leave := context.WithCancel(alive)
		leave()
		ended, end := context.WithCancelCause(alive)
		end(errors.New("out of memory"))
		late, stop := context.WithTimeout(alive, 0)
		defer stop()
		unknown := errors.New("feature not supported")
		for _, tc := range []struct {
			name string
			ctx  context.Context
			err  error
			want bool
		}{
			{"cancelled", left, context.Canceled, true},
			{"a broken pipe", alive, &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, true},
			{"a reset", alive, fmt.Errorf("send body: %w", syscall.ECONNRESET), true},
			{"not read in time", alive, fmt.Errorf("send body: %w", os.ErrDeadlineExceeded), true},
			{"a closed connection", alive, net.ErrClosed, true},
			{"a closed pipe", alive, io.ErrClosedPipe, true},
			{"another error, after the client left", left, errors.New("http2: stream closed"), true},
			{"unknown", alive, unknown, false},
			{"end of file", alive, io.ErrUnexpectedEOF, false},
			{"a full disk", alive, syscall.ENOSPC, false},
			{"no file descriptor", alive, &net.OpError{Op: "dial", Err: syscall.EMFILE}, false},
			{"the server's deadline", late, context.DeadlineExceeded, false},
			{"the server's cause", ended, context.Cause(ended), false},
			{"body longer than declared", alive, http.ErrContentLength, false},
		} {
			for _, major := range []int{1, 2} {
				r := httptest.NewRequestWithContext(tc.ctx, http.MethodGet, "/", nil)
				r.ProtoMajor = major
				if got := program.ClientGone(r, tc.err); got != tc.want {
					t.Errorf("%s, HTTP/%d: ClientGone(%v) = %v, want %v", tc.name, major, tc.err, got, tc.want)
				}
			}
		}
	})
}
