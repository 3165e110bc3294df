package delaytest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/delaytest"
)

// fetchAll is the code under test. It requests all URLs concurrently.
func fetchAll(ctx context.Context, client *http.Client, urls []string) ([]string, error) {
	bodies, errs := make([]string, len(urls)), make([]error, len(urls))
	var calls sync.WaitGroup
	for i, url := range urls {
		calls.Go(func() { bodies[i], errs[i] = fetch(ctx, client, url) })
	}
	calls.Wait()
	return bodies, errors.Join(errs...)
}

func fetch(ctx context.Context, client *http.Client, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", url, res.Status)
	}
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

// fetchWithRetry is the code under test. After a failure it waits, twice as long each
// time, and tries again.
func fetchWithRetry(ctx context.Context, client *http.Client, url string) (string, error) {
	const attempts = 4
	wait := 100 * time.Millisecond
	for attempt := 1; ; attempt++ {
		body, err := fetch(ctx, client, url)
		if err == nil || attempt == attempts {
			return body, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		wait *= 2
	}
}

// A barrier answers when three requests have arrived. Sequential calls never pass
// it, and get 504.
func TestFetchAllIsConcurrent(t *testing.T) {
	srv := delaytest.NewServer(t)
	url := srv.BarrierURL("all", 3)
	if _, err := fetchAll(t.Context(), http.DefaultClient, []string{url, url, url}); err != nil {
		t.Error(err)
	}
}

// A run records how many requests were in flight at once. In a bubble of
// testing/synctest, time passes only while all goroutines wait, and then at once:
// this test takes milliseconds, and a slow machine does not fail it.
func TestFetchAllHasAllInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := delaytest.NewInMemoryServer(t)
		run := srv.Run("all")
		urls := slices.Repeat([]string{srv.DelayURL(time.Second)}, 10)
		if _, err := fetchAll(t.Context(), run.HTTPClient(), urls); err != nil {
			t.Error(err)
		}
		delaytest.AssertConcurrent(t, run, 10)
	})
}

// The test controls the server's clock: a timeout of 30 s happens at once.
func TestFetchAllReportsTimeout(t *testing.T) {
	srv := delaytest.NewServer(t)
	clock := srv.Clock()
	clock.Freeze()
	failed := make(chan error)
	go func() {
		urls := []string{srv.DelayURL(time.Second), srv.DelayURL(30*time.Second) + "?status=504"}
		_, err := fetchAll(t.Context(), http.DefaultClient, urls)
		failed <- err
	}()
	clock.Await(2) // both calls have been made
	clock.Advance(30 * time.Second)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "504") {
		t.Errorf("fetchAll: got error %v, want 504", err)
	}
}

// In a bubble, timeouts of the code under test happen at once too.
func TestFetchAllGivesUpAfter30s(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := delaytest.NewInMemoryServer(t)
		client := srv.HTTPClient()
		client.Timeout = 30 * time.Second
		start := time.Now()
		_, err := fetchAll(t.Context(), client, []string{srv.DelayURL(time.Second), srv.DelayURL(time.Minute)})
		if took := time.Since(start); err == nil || took != client.Timeout {
			t.Errorf("fetchAll: got error %v after %v, want one after %v", err, took, client.Timeout)
		}
	})
}

// The bubble's time passes at once, so the waits between the attempts take none.
func TestFetchRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := delaytest.NewInMemoryServer(t)
		run, url := srv.Run("retries"), srv.DelayURL(0)+"?attempts=503,503,200"
		if _, err := fetchWithRetry(t.Context(), run.HTTPClient(), url); err != nil {
			t.Error(err)
		}
		delaytest.AssertStatuses(t, run, 503, 503, 200)
		backoff := delaytest.Backoff{Base: 100 * time.Millisecond, Factor: 2, Within: time.Nanosecond}
		delaytest.AssertBackoff(t, run, backoff)
	})
}
