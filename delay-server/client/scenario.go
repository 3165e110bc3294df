package client

import (
	"context"
	"net/http"
)

// PutScenario replaces the server's scenario by the routes in text, which is YAML as in a
// file of SCENARIO. Requests that have begun keep their answers. The error is
// [ProblemInvalidScenario], whose Detail has each error in text with its line; the old
// scenario then stays.
func (c *Client) PutScenario(ctx context.Context, text string) error {
	return c.call(ctx, request{method: http.MethodPut, path: []string{"scenario"}, body: yaml(text)}, nil)
}

// Scenario returns the text of the server's scenario: from PutScenario, or else the file of
// SCENARIO. The error is [ProblemScenarioNotFound] if it has none.
func (c *Client) Scenario(ctx context.Context) (text string, err error) {
	err = c.call(ctx, request{method: http.MethodGet, path: []string{"scenario"}}, &text)
	return text, err
}

// DeleteScenario undoes PutScenario: the file of SCENARIO is in force again, or no scenario.
// The error is [ProblemScenarioNotFound] if there is nothing to undo.
func (c *Client) DeleteScenario(ctx context.Context) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"scenario"}}, nil)
}

// PutRunScenario lays the routes in text over the server's for requests of the run, until
// the run is forgotten. The run need not have started. The error is
// [ProblemInvalidScenario], as from PutScenario, or [ProblemTooManyScenarios].
func (c *Client) PutRunScenario(ctx context.Context, id, text string) error {
	return c.call(ctx, request{method: http.MethodPut, path: []string{"runs", id, "scenario"}, body: yaml(text)}, nil)
}

// RunScenario returns the text of the run's scenario. The error is
// [ProblemScenarioNotFound] if it has none.
func (c *Client) RunScenario(ctx context.Context, id string) (text string, err error) {
	err = c.call(ctx, request{method: http.MethodGet, path: []string{"runs", id, "scenario"}}, &text)
	return text, err
}

// DeleteRunScenario removes the run's scenario. The error is [ProblemScenarioNotFound] if it
// has none.
func (c *Client) DeleteRunScenario(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: []string{"runs", id, "scenario"}}, nil)
}
