package gate

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// RateLimiter admits a burst of requests at once and so many a second after it:
// a token bucket. Use NewRateLimiter; a nil RateLimiter admits every request.
type RateLimiter struct{ limiter *rate.Limiter }

// NewRateLimiter returns a limiter that admits burst requests at once and
// perSecond, which is above 0, after them.
func NewRateLimiter(perSecond float64, burst int) *RateLimiter {
	return &RateLimiter{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// RateError is returned where more come than a RateLimiter admits.
type RateError struct {
	PerSecond float64
	Burst     int
	After     time.Duration // from now until one more is admitted, where no other comes
}

// Error says what is admitted.
func (e *RateError) Error() string {
	return fmt.Sprintf("limit of %.6g requests per second exceeded (burst %d)", e.PerSecond, e.Burst)
}

// Enter admits a request that comes now, or returns a *RateError.
func (r *RateLimiter) Enter(now time.Time) error {
	if r == nil || r.limiter.AllowN(now, 1) {
		return nil
	}
	missing := 1 - r.limiter.TokensAt(now)
	perSecond := float64(r.limiter.Limit())
	return &RateError{perSecond, r.limiter.Burst(), time.Duration(missing / perSecond * float64(time.Second))}
}
