package upstream

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// Failures that a test cannot cause on every machine.
func TestReason(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"an unknown host", &net.DNSError{Err: "no such host", IsNotFound: true}, "host not found"},
		{"a failed lookup", &net.DNSError{Err: "server misbehaving", IsTemporary: true}, "host name lookup failed"},
		{"files", os.NewSyscallError("socket", syscall.EMFILE), "too many open files (ulimit -n)"},
		{"ports", os.NewSyscallError("connect", syscall.EADDRNOTAVAIL), "no free local port"},
		{"routes", os.NewSyscallError("connect", syscall.EHOSTUNREACH), "no route to the host"},
		{"any other error", fmt.Errorf("something %d", 7), "invalid response"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fmt.Errorf("round trip: %w", &net.OpError{Op: "dial", Net: "tcp", Err: tc.err})
			if got := reason(err); got != tc.want {
				t.Errorf("reason(%v) = %q, want %q", err, got, tc.want)
			}
		})
	}
}
