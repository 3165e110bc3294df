package upstream

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
)

// Failures that a test cannot bring about on every machine.
func TestReason(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"a name that there is not", &net.DNSError{Err: "no such host", Name: "delay-servre", IsNotFound: true}, "host not found"},
		{"a name server that fails", &net.DNSError{Err: "server misbehaving", Name: "delay-server", IsTemporary: true}, "host name lookup failed"},
		{"files", os.NewSyscallError("socket", syscall.EMFILE), "this machine allows no more open files (ulimit -n)"},
		{"ports", os.NewSyscallError("connect", syscall.EADDRNOTAVAIL), "this machine has no local port left"},
		{"routes", os.NewSyscallError("connect", syscall.EHOSTUNREACH), "no route to the host"},
		{"what has no name", fmt.Errorf("something %d", 7), "no valid answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := fmt.Errorf("round trip: %w", &net.OpError{Op: "dial", Net: "tcp", Err: tc.err})
			if got := reason(err); got != tc.want {
				t.Errorf("reason(%v) = %q, want %q", err, got, tc.want)
			}
		})
	}
}
