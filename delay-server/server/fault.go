package server

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"flash.test/delay-server/internal/answer"
)

// sendFault ends the connection, or the stream of HTTP/2, as f has it, or reports
// that net/http is to end it once the handler panics with http.ErrAbortHandler.
func sendFault(w http.ResponseWriter, r *http.Request, f answer.Fault) (abort bool, err error) {
	control := http.NewResponseController(w)
	if r.ProtoMajor >= 2 || f == answer.Empty || f == answer.Truncate {
		if f == answer.Garbage {
			_, _ = w.Write([]byte(answer.NoHTTP)) // the stream ends all the same
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
		conn = secure.NetConn() // whose end no alert of TLS announces
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok { // as a TCP connection has it
		return false, tcp.SetLinger(0)
	}
	return false, nil
}
