package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delay"

	"flash.test/demo-api/internal/config"
	"flash.test/demo-api/internal/ideal"
	"flash.test/demo-api/internal/upstream"
)

// runAppLanes has an app make the calls of lanes. A lane has a single bar, of the whole
// request, if delay-server saw no call of it, or does not say which.
func (c *caller) runAppLanes(ctx context.Context, flags raceFlags, cfg config.Config, lanes []raceLane) error {
	d, err := delay.Parse(flags.delay)
	if err != nil {
		return err // unreachable: parseRaceFlags has parsed it
	}
	wait, _ := d.Fixed()
	query := url.Values{"calls": {strconv.Itoa(flags.calls)}, "delay": {delay.Milliseconds(wait)}}.Encode()
	for i := range lanes {
		lane := &lanes[i]
		request := upstream.AppRequest{
			Base: strings.TrimRight(flags.against, "/"), Path: lane.Path, Query: query,
			RunID: c.runID + "-" + lane.Class, Timeout: cfg.Timeout + wait*time.Duration(flags.calls),
		}
		start := time.Now()
		if _, err := c.client.App(ctx, request); err != nil {
			return err
		}
		lane.took = time.Since(start)
		run, err := c.client.Run(ctx, request.RunID)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			if !errors.Is(err, client.ProblemRunNotFound) {
				fmt.Fprintf(c.stderr, "%s: no bar for each call: %v; check DELAY_SERVER_URL and DELAY_SERVER_TOKEN\n",
					lane.Name, err)
			}
			lane.calls = []raceCall{{lane.Path, ideal.Span{End: lane.took}}}
			continue
		}
		first := max(lane.took-run.Age, 0) / 2 // the journal has no time from the start of the lane
		for i, call := range run.Calls {
			span := ideal.Span{Start: first + call.Start, End: first + call.End}
			lane.calls = append(lane.calls, raceCall{"r" + strconv.Itoa(i+1), span})
		}
	}
	return nil
}
