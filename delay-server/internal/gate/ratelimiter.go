package gate

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// RateLimiter is a token bucket. Use NewRateLimiter. A nil RateLimiter admits every
// request.
type RateLimiter struct{ limiter *rate.Limiter }

// NewRateLimiter returns a limiter that admits burst requests at once, and then
// perSecond requests a second. perSecond is above 0.
func NewRateLimiter(perSecond float64, burst int) *RateLimiter {
	return &RateLimiter{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// RateError is returned if a RateLimiter does not admit a request.
type RateError struct {
	PerSecond float64
	Burst     int
	After     time.Duration // until the next request can be admitted
}

// Error gives the limit.
func (e *RateError) Error() string {
	return fmt.Sprintf("limit of %.6g requests per second exceeded (burst %d)", e.PerSecond, e.Burst)
}

// Enter admits a request at the time now, or returns a *RateError.
func (r *RateLimiter) Enter(now time.Time) error {
	if r == nil || r.limiter.AllowN(now, 1) {
		return nil
	}
	missing := 1 - r.limiter.TokensAt(now)
	perSecond := float64(r.limiter.Limit())
	return &RateError{perSecond, r.limiter.Burst(), time.Duration(missing / perSecond * float64(time.Second))}
}
