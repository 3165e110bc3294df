package verdicts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cristalhq/hedgedhttp"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/sony/gobreaker/v2"
)

// clients has clients in Go by name. A client sends the requests of one operation to a
// URL.
type clients map[string]func(url string) error

func (c clients) send(client, url string) error { return c[client](url) }

// inGo has clients of three libraries. go-retryablehttp is the retry library of
// HashiCorp's tools, and gobreaker the breaker that other libraries build on.
// hedgedhttp does nothing but hedge. None of them brings other modules into a test
// but go-cleanhttp.
var inGo = clients{
	"backoff":             retry(retryablehttp.DefaultBackoff),
	"constant-backoff":    retry(constantBackoff),
	"retry-after":         retry(retryablehttp.DefaultBackoff),
	"no-retry-after":      retry(ignoreRetryAfter),
	"hedge":               hedge(http.DefaultTransport),
	"hedge-not-cancelled": hedge(uncancelled{http.DefaultTransport}),
	"breaker":             withBreaker,
	"breaker-per-call":    withBreakerPerCall,
}

func retry(backoff retryablehttp.Backoff) func(url string) error {
	return func(url string) error {
		c := retryablehttp.NewClient()
		defer c.HTTPClient.CloseIdleConnections()
		c.Logger, c.Backoff, c.RetryWaitMin, c.RetryMax = nil, backoff, 300*time.Millisecond, 5
		return read(c.Get(url))
	}
}

func constantBackoff(shortest, _ time.Duration, _ int, _ *http.Response) time.Duration {
	return shortest
}

func ignoreRetryAfter(shortest, longest time.Duration, failures int, _ *http.Response) time.Duration {
	return retryablehttp.DefaultBackoff(shortest, longest, failures, nil)
}

func hedge(transport http.RoundTripper) func(url string) error {
	return func(url string) error {
		c, err := hedgedhttp.NewClient(time.Second, 2, &http.Client{Transport: transport})
		if err != nil {
			return err
		}
		return read(c.Get(url))
	}
}

// uncancelled sends requests that the caller cannot cancel.
type uncancelled struct{ http.RoundTripper }

func (u uncancelled) RoundTrip(req *http.Request) (*http.Response, error) {
	return u.RoundTripper.RoundTrip(req.WithContext(context.WithoutCancel(req.Context())))
}

// newBreaker returns a breaker that opens for 500 ms after five failures in a row.
func newBreaker() *gobreaker.CircuitBreaker[any] {
	return gobreaker.NewCircuitBreaker[any](gobreaker.Settings{
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
		Timeout:     500 * time.Millisecond,
	})
}

func withBreaker(url string) error {
	b := newBreaker()
	return callUntilSuccess(func() error { return call(b, url) })
}

func withBreakerPerCall(url string) error {
	return callUntilSuccess(func() error { return call(newBreaker(), url) })
}

// callUntilSuccess calls every 5 ms, like a service that has other requests to serve.
func callUntilSuccess(call func() error) error {
	for range 10_000 {
		if err := call(); err == nil {
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("no success in 10,000 calls")
}

func call(b *gobreaker.CircuitBreaker[any], url string) error {
	_, err := b.Execute(func() (any, error) { return nil, read(http.Get(url)) })
	return err
}

// read reads the response, so that its connection can be used again. The error is of the
// request, or says that the status is not 200.
func read(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	return nil
}
