package gate

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Rate admits so many requests a second, and a burst of them at once: a token
// bucket. Use NewRate; a nil Rate admits every request.
type Rate struct{ limiter *rate.Limiter }

// NewRate returns a rate that admits burst at once and, once they have come,
// perSecond, which is above 0.
func NewRate(perSecond float64, burst int) *Rate {
	return &Rate{rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// RateError is returned where more come than a Rate admits.
type RateError struct {
	PerSecond float64
	Burst     int
	After     time.Duration // from now until one more is admitted, where no other comes
}

// Error says what is admitted.
func (e *RateError) Error() string {
	return fmt.Sprintf("the limit is %.6g requests a second, after a burst of %d", e.PerSecond, e.Burst)
}

// Enter admits a request that comes now, or returns a *RateError.
func (r *Rate) Enter(now time.Time) error {
	if r == nil || r.limiter.AllowN(now, 1) {
		return nil
	}
	missing := 1 - r.limiter.TokensAt(now)
	perSecond := float64(r.limiter.Limit())
	return &RateError{perSecond, r.limiter.Burst(), time.Duration(missing / perSecond * float64(time.Second))}
}
