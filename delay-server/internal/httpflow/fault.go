package httpflow

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"flash.test/delay-server/internal/answer"
)

// sendFault ends the connection, or the HTTP/2 stream, with fault f. If abort is
// true, the handler must panic with http.ErrAbortHandler so that net/http ends it.
func sendFault(w http.ResponseWriter, r *http.Request, f answer.Fault) (abort bool, err error) {
	control := http.NewResponseController(w)
	if r.ProtoMajor >= 2 || f == answer.Empty || f == answer.Truncate {
		if f == answer.Garbage {
			_, _ = w.Write([]byte(answer.NoHTTP)) // the stream ends in any case
		}
		if f != answer.Empty {
			_ = control.Flush()
		}
		return true, nil
	}
	conn, _, err := control.Hijack()
	if err != nil {
		return false, fmt.Errorf("fault %s: %w", f, err)
	}
	defer func() { _ = conn.Close() }()
	if f == answer.Garbage {
		_, err = conn.Write([]byte(answer.NoHTTP))
		return false, err
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // so that no TLS alert announces the end
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok { // a *net.TCPConn, also within a wrapper
		return false, tcp.SetLinger(0)
	}
	return false, nil
}
