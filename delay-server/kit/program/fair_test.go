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

// atOnce is a connection of TCP whose reads do not wait.
type atOnce struct{ net.TCPConn }

func (*atOnce) Read(p []byte) (int, error) { return len(p), nil }

// What is runnable when a connection is read has run when the read returns: the time of a
// goroutine on one processor is far longer than a read.
func TestFairConnectionsYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	conn, err := Fair(oneConn{conn: &atOnce{}}).Accept()
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
	if yielded < 25 { // nearly all, but the race detector has the scheduler choose at random; without a yield, none
		t.Errorf("after %d of 100 reads what was runnable had run, want 25 or more", yielded)
	}
}

// net/http looks for the type of a connection of TLS.
func TestFairLeavesTLS(t *testing.T) {
	conn, err := Fair(oneConn{conn: &tls.Conn{}}).Accept()
	if _, ok := conn.(*tls.Conn); !ok || err != nil {
		t.Errorf("Accept = %T, %v, want *tls.Conn", conn, err)
	}
}
