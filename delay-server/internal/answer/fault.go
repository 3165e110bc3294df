package answer

import (
	"crypto/tls"
	"fmt"
	"net/http"
)

// Fault is a way not to answer as HTTP has it. Over HTTP/2, where the
// connection is shared, each ends its own stream with RST_STREAM.
type Fault string

// The faults.
const (
	Reset    Fault = "reset"    // the connection ends with a TCP RST
	Empty    Fault = "empty"    // the connection ends without a byte
	Garbage  Fault = "garbage"  // bytes that are no HTTP, then the connection's end; over HTTP/2, a body of them, then RST_STREAM
	Truncate Fault = "truncate" // half of the body that Content-Length promises, or all parts where it promises none, then the connection's end
	Hang     Fault = "hang"     // no answer until the client leaves, or MAX_DELAY, then as Empty
)

// Faults lists all faults.
var Faults = []Fault{Reset, Empty, Garbage, Truncate, Hang}

// NoHTTP is what Garbage sends: no version of HTTP begins so.
const NoHTTP = "\x00\xff\xfe GARBAGE \x7f\x00 this is no HTTP \xff\x00\r\n\r\n"

// send ends the connection in f's way, which is not Truncate's.
func (f Fault) send(w http.ResponseWriter, r *http.Request) error {
	if r.ProtoMajor >= 2 || f == Empty {
		if f == Garbage {
			_, _ = w.Write([]byte(NoHTTP)) // the stream ends all the same
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return fmt.Errorf("fault %s: %w", f, err)
	}
	if f == Garbage {
		defer conn.Close()
		_, err = conn.Write([]byte(NoHTTP))
		return err
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // whose end no alert of TLS announces
	}
	defer conn.Close()
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok { // as a TCP connection has it
		return tcp.SetLinger(0)
	}
	return nil
}
