package program

import (
	"crypto/tls"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

type oneConn struct {
	net.Listener
	conn net.Conn
}

func (ln oneConn) Accept() (net.Conn, error) { return ln.conn, nil }

// nonblocking is a TCP connection whose reads return at once.
type nonblocking struct{ net.TCPConn }

func (*nonblocking) Read(p []byte) (int, error) { return len(p), nil }

// A read lets runnable goroutines run first. On one processor, a goroutine that does
// not yield runs far longer than a read.
func TestFairConnectionsYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	conn, err := Fair(oneConn{conn: &nonblocking{}}).Accept()
	if err != nil {
		t.Fatal(err)
	}
	yielded := 0
	for range 100 {
		var ran atomic.Bool
		go func() { ran.Store(true) }()
		if n, err := conn.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Fatalf("Read = %d, %v, want 1 and no error", n, err)
		}
		if ran.Load() {
			yielded++
		}
	}
	if yielded < 25 { // nearly all; fewer with the race detector, which randomizes scheduling; none without a yield
		t.Errorf("%d of 100 reads let a runnable goroutine run, want 25 or more", yielded)
	}
}

// net/http looks for connections of type *tls.Conn.
func TestFairLeavesTLS(t *testing.T) {
	conn, err := Fair(oneConn{conn: &tls.Conn{}}).Accept()
	if _, ok := conn.(*tls.Conn); !ok || err != nil {
		t.Errorf("Accept = %T, %v, want *tls.Conn", conn, err)
	}
}
