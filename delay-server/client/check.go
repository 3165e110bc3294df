package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"flash.test/delay-server/kit/problem"
)

// Check judges the run once all its requests have ended. Each of checks is a check or a
// modifier with its value, such as "attempts=4", "backoff=100ms,2" or "within=50ms";
// /doc#checks lists them. A check that fails is no error: see the verdict. All checks fail
// if the journal has no request of the run, or if the run is not settled in time.
//
// The error is [ProblemInvalidParameter], [ProblemUnknownParameter],
// [ProblemRepeatedParameter] or [ProblemConflictingParameters] for invalid checks.
func (c *Client) Check(ctx context.Context, runID string, checks ...string) (Verdict, error) {
	return c.check(ctx, []string{"runs", runID, "check"}, url.Values{}, checks)
}

// CheckRuns judges all runs whose IDs begin with prefix, once all their requests have
// ended: each check must hold for each of them. A back-off with jitter is judged by the
// distribution of all their gaps. No check holds if the journal dropped a run. Errors are
// as for Check.
func (c *Client) CheckRuns(ctx context.Context, prefix string, checks ...string) (Verdict, error) {
	return c.check(ctx, []string{"check"}, url.Values{"run_prefix": {prefix}}, checks)
}

func (c *Client) check(ctx context.Context, path []string, query url.Values, checks []string) (v Verdict, err error) {
	for _, check := range checks {
		name, value, ok := strings.Cut(check, "=")
		if !ok {
			return v, fmt.Errorf("check %s is invalid (it has no value): use NAME=VALUE, such as attempts=4",
				problem.Quote(check))
		}
		query.Add(name, value)
	}
	setTimeout(ctx, query)
	err = c.call(ctx, request{
		method: http.MethodGet, path: path, query: query, accepts: http.StatusUnprocessableEntity,
	}, &v)
	return v, err
}
