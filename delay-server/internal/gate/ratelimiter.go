package gate

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Rate is a number of requests in a time.
type Rate struct {
	Requests int64         // at least 1
	Window   time.Duration // above 0

	// Burst is how many requests a token bucket holds: it admits them at once, and then
	// Requests in each Window, evenly. The default 0 is a fixed window, which begins with
	// its first request and admits Requests.
	Burst int64
}

// Interval returns the time in which a token bucket gains one request, rounded up.
func (r Rate) Interval() time.Duration {
	return (r.Window + time.Duration(r.Requests) - 1) / time.Duration(r.Requests)
}

// Size returns how many requests r admits at once.
func (r Rate) Size() int64 {
	if r.Burst > 0 {
		return r.Burst
	}
	return r.Requests
}

// String returns a text such as "10 requests in 1s (burst 5)".
func (r Rate) String() string {
	noun := "requests"
	if r.Requests == 1 {
		noun = "request"
	}
	if r.Burst > 0 {
		return fmt.Sprintf("%d %s in %v (burst %d)", r.Requests, noun, r.Window, r.Burst)
	}
	return fmt.Sprintf("%d %s in a window of %v", r.Requests, noun, r.Window)
}

// Quota is what a RateLimiter leaves to a key after a request.
type Quota struct {
	Remaining int64         // requests that are admitted at once
	Reset     time.Duration // until a bucket gains one request, or a window ends
}

// RateError is returned if a RateLimiter does not admit a request.
type RateError struct {
	Rate  Rate
	After time.Duration // until the next request can be admitted
}

// Error gives the limit.
func (e *RateError) Error() string { return fmt.Sprintf("limit of %v exceeded", e.Rate) }

// maxRateKeys is the maximum number of keys of all limiters together, which take 16 MB.
const maxRateKeys = 100_000

// RateLimits has the state of all rate limiters. Use NewRateLimits.
//
// It forgets the least recently used of more than 100,000 keys, whose requests then
// count anew. To exceed a limit in this way, a client has to use as many other keys.
type RateLimits struct {
	mu     sync.Mutex
	states *simplelru.LRU[rateKey, rateState]
}

// RateKey is what a RateLimiter counts by. It has hashes, so that no name of a run and no
// value of a header is kept.
type RateKey struct {
	Run   uint64 // of requests of a run that count on its own clock; else 0
	Value uint64
}

// rateKey is a key of a limiter.
type rateKey struct {
	limiter uint64
	RateKey
}

// rateState is the state of a key. The zero state is of a key without requests.
type rateState struct {
	until time.Time // a bucket is full again, or the window ends
	count int64     // requests in the window
}

// NewRateLimits returns a RateLimits without keys.
func NewRateLimits() *RateLimits {
	states, err := simplelru.NewLRU[rateKey, rateState](maxRateKeys, nil)
	if err != nil {
		panic(err) // maxRateKeys is not positive
	}
	return &RateLimits{states: states}
}

// RateLimiter limits the requests of each key. It is safe for concurrent use.
type RateLimiter struct {
	limits *RateLimits
	id     uint64
	rate   Rate
}

// Limiter returns a limiter. Limiters with the same id count together, and must have the
// same rate. The bucket of a rate must fill within 292 years.
func (l *RateLimits) Limiter(id uint64, rate Rate) *RateLimiter { return &RateLimiter{l, id, rate} }

// Rate returns the limiter's rate.
func (r *RateLimiter) Rate() Rate { return r.rate }

// Enter admits a request of the key at the time now, or returns a *RateError. All
// requests of a key must have the same clock.
func (r *RateLimiter) Enter(key RateKey, now time.Time) (Quota, error) {
	r.limits.mu.Lock()
	defer r.limits.mu.Unlock()
	k := rateKey{r.id, key}
	s, _ := r.limits.states.Get(k) // marks it as the most recently used
	if s.until.Before(now) {
		s = rateState{until: now}
	}
	enter := s.enterWindow
	if r.rate.Burst > 0 {
		enter = s.enterBucket
	}
	quota, admitted := enter(r.rate, now)
	if !admitted {
		return quota, &RateError{r.rate, quota.Reset}
	}
	r.limits.states.Add(k, s)
	return quota, nil
}

// enterBucket is the generic cell rate algorithm: s.until says how much of the bucket is
// missing.
func (s *rateState) enterBucket(rate Rate, now time.Time) (Quota, bool) {
	interval := rate.Interval()
	missing := s.until.Sub(now)
	full := time.Duration(rate.Burst) * interval
	if missing > full-interval {
		return Quota{0, missing - (full - interval)}, false
	}
	missing += interval
	s.until = now.Add(missing)
	return Quota{int64((full - missing) / interval), (missing-1)%interval + 1}, true
}

// enterWindow counts a request in the current window, or begins one.
func (s *rateState) enterWindow(rate Rate, now time.Time) (Quota, bool) {
	if !now.Before(s.until) {
		s.until, s.count = now.Add(rate.Window), 0
	}
	reset := s.until.Sub(now)
	if s.count == rate.Requests {
		return Quota{0, reset}, false
	}
	s.count++
	return Quota{rate.Requests - s.count, reset}, true
}

// Forget forgets the state of all keys with the hash of a run, as Run or as Value, in all
// limiters, and reports whether there was any. It looks at all keys, which takes some
// milliseconds if they are 100,000.
func (l *RateLimits) Forget(run uint64) (forgotten bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.states.Keys() {
		if k.Run == run || k.Value == run {
			l.states.Remove(k)
			forgotten = true
		}
	}
	return forgotten
}

// ForgetAll forgets the state of all keys.
func (l *RateLimits) ForgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states.Purge()
}
