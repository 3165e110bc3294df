package upstream

import (
	"context"
	"fmt"
	"net/http"

	"flash.test/delay-server/client"
)

// Peak returns the maximum number of requests of a run that waited at once, from
// the journal of delay-server. It waits until all requests of the run have ended.
// It returns an error if the admin API is disabled or rejects Token, if the run is
// unknown, or if the server is not a delay-server.
func (c *Client) Peak(ctx context.Context, runID string) (int, error) {
	admin, err := client.New(c.address, client.WithToken(c.Token),
		client.WithHTTPClient(&http.Client{Transport: c.transport}))
	if err != nil {
		return 0, err
	}
	run, err := admin.AwaitSettled(ctx, runID)
	if err == nil && run.ID != runID { // some other server that responds with JSON
		err = fmt.Errorf("%s is not a delay-server: its response is not a run", c.address)
	}
	return run.PeakInFlight, err
}
