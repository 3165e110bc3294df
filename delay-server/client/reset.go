package client

import (
	"context"
	"net/http"
)

// Reset brings the server's state back to the start: the clock, runs with their counts,
// clocks and scenarios, the server's scenario, limits and pools. Requests in holds and at
// barriers are answered 503, [ProblemHoldFailed] and [ProblemBarrierReset]. Other requests
// continue, and belong to no run any more.
func (c *Client) Reset(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodPost, path: []string{"reset"}}, nil)
}
