package forward

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/answer"
)

// response is the response to a forwarded request. It calls begins before it begins, and
// beforeLastByte before the last byte is sent.
type response struct {
	*echo.Response
	head           bool  // the request is HEAD: no body follows
	left           int64 // bytes of the body to come; negative if unknown
	noBody         bool  // the status has no body, even if the target sends one
	begins         func(int, http.Header)
	beforeLastByte func()
}

// WriteHeader implements http.ResponseWriter. Echo would take an informational
// response for the final one.
func (r *response) WriteHeader(code int) {
	if code < http.StatusOK {
		r.Writer.WriteHeader(code)
		return
	}
	r.begins(code, r.Header())
	var err error
	if r.left, err = strconv.ParseInt(r.Header().Get("Content-Length"), 10, 64); err != nil {
		r.left = -1
	}
	r.noBody = !answer.HasBody(code)
	if code == http.StatusResetContent { // net/http sends what a target sends with it as a body
		r.Header().Set("Content-Length", "0")
	}
	if r.left == 0 || r.head || r.noBody {
		r.beforeLastByte()
	}
	r.Response.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (r *response) Write(p []byte) (n int, err error) {
	if r.noBody {
		return len(p), nil
	}
	if r.left -= int64(len(p)); r.left == 0 {
		r.beforeLastByte()
	}
	return r.Response.Write(p)
}

// FlushError is Flush for http.ResponseController.
func (r *response) FlushError() error { return http.NewResponseController(r.Writer).Flush() }
