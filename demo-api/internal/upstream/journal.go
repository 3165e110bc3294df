package upstream

import (
	"context"
	"fmt"
	"net/http"

	"flash.test/delay-server/client"
)

// Peak returns the most requests of the run runID that delay-server had waiting
// at once, when all have ended. The error says why it does not tell: its admin
// API is off or wants another Token, it knows no such run, or it is no
// delay-server at all.
func (c *Client) Peak(ctx context.Context, runID string) (int, error) {
	admin, err := client.New(c.address, client.WithToken(c.Token), client.WithHTTPClient(&http.Client{Transport: c.transport}))
	if err != nil {
		return 0, err
	}
	run, err := admin.AwaitSettled(ctx, runID)
	if err == nil && run.ID != runID { // whoever answers anything at all with JSON
		err = fmt.Errorf("%s answers a journal of no run, and is no delay-server", c.address)
	}
	return run.PeakInFlight, err
}
