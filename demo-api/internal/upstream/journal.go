package upstream

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"flash.test/delay-server/client"
)

// Peak returns the maximum number of requests of a run that waited at once, from
// the journal of delay-server. It waits until all requests of the run have ended.
// It returns an error if the admin API is disabled or rejects Token, if the run is
// unknown, or if the server is not a delay-server.
func (c *Client) Peak(ctx context.Context, runID string) (int, error) {
	run, err := c.run(ctx, runID, (*client.Client).AwaitSettled)
	return run.PeakInFlight, err
}

// Run is what delay-server saw of the calls of a run.
type Run struct {
	Age          time.Duration // from the start of the first call to now or, if all have ended, to the last end
	Settled      bool          // all calls have ended
	PeakInFlight int
	Sum          time.Duration // of the calls that have ended
	Calls        []RunCall     // in order of arrival
}

// RunCall is a call of a run. Times are from the start of the run's first call.
type RunCall struct {
	Start, End time.Duration
	Ended      bool
	Status     int // of the response; 0 if none began
}

// Run returns a run as it is now. The error is client.ProblemRunNotFound if
// delay-server has seen no call of it. See Peak for other errors.
func (c *Client) Run(ctx context.Context, runID string) (Run, error) {
	run, err := c.run(ctx, runID, (*client.Client).Run)
	if err != nil {
		return Run{}, err
	}
	seen := Run{Age: run.Wall, Settled: run.Settled, PeakInFlight: run.PeakInFlight, Sum: run.Sum}
	for _, w := range run.Waits {
		seen.Calls = append(seen.Calls, RunCall{w.Start, w.End, w.Outcome != "", w.Status})
	}
	return seen, nil
}

// run reads a run.
func (c *Client) run(
	ctx context.Context, runID string, read func(*client.Client, context.Context, string) (client.Run, error),
) (client.Run, error) {
	admin, err := client.New(c.address, client.WithToken(c.Token),
		client.WithHTTPClient(&http.Client{Transport: c.transport}))
	if err != nil {
		return client.Run{}, err
	}
	run, err := read(admin, ctx, runID)
	if err == nil && run.ID != runID { // some other server that responds with JSON
		err = fmt.Errorf("%s is not a delay-server: its response is not a run", c.address)
	}
	return run, err
}
