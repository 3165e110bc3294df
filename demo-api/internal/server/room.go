package server

import (
	"net/http"
	"sync/atomic"
	"time"

	"flash.test/delay-server/kit/problem"
)

// room bounds the calls in flight, over all requests.
type room struct {
	most  int64
	taken atomic.Int64
}

// take makes room for n calls at once, until leave is called. The error is a
// *problem.Problem, 503, where there is not enough: nothing waits for room.
func (r *room) take(n int) (leave func(), err error) {
	if taken := r.taken.Add(int64(n)); taken > r.most {
		r.taken.Add(-int64(n))
		p := problem.New(http.StatusServiceUnavailable, "this request makes up to %d calls at once, and %d of the %d that this server makes (MAX_IN_FLIGHT) are taken; try again, with fewer calls or a limit",
			n, taken-int64(n), r.most)
		p.RetryAfter = time.Second
		return nil, p
	}
	return func() { r.taken.Add(-int64(n)) }, nil
}

// full reports whether there is no room for a call.
func (r *room) full() bool { return r.taken.Load() >= r.most }
