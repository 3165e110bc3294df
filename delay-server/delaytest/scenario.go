package delaytest

import (
	"context"
	"errors"

	"flash.test/delay-server/client"
)

// Scenario replaces the server's scenario by routes in YAML, until the test ends. Then the
// scenario of the server's settings is in force again, or none. It fails the test if the
// YAML has errors, with the line of each.
//
//	srv.Scenario(`
//	routes:
//	  - {path: "/carts/{id}", delay: 50ms, json: {total: 39.5}}
//	`)
func (s *Server) Scenario(yaml string) {
	s.t.Helper()
	s.set(func(ctx context.Context) error { return s.client.PutScenario(ctx, yaml) })
	s.t.Cleanup(func() { s.undo(s.client.DeleteScenario) })
}

// Scenario lays routes in YAML over the server's for requests of the run, until the test
// ends or the run is forgotten. It replaces the run's scenario from an earlier call. It
// fails the test if the YAML has errors, with the line of each.
func (r *Run) Scenario(yaml string) {
	r.server.t.Helper()
	r.server.set(func(ctx context.Context) error { return r.server.client.PutRunScenario(ctx, r.ID, yaml) })
	r.server.t.Cleanup(func() {
		r.server.undo(func(ctx context.Context) error { return r.server.client.DeleteRunScenario(ctx, r.ID) })
	})
}

// set calls the admin API and fails the test on error.
func (s *Server) set(call func(context.Context) error) {
	s.t.Helper()
	must(s, func(ctx context.Context) (struct{}, error) { return struct{}{}, call(ctx) })
}

// undo removes a scenario at the end of the test. It may be gone already.
func (s *Server) undo(remove func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.Timeout)
	defer cancel()
	if err := remove(ctx); err != nil && !errors.Is(err, client.ProblemScenarioNotFound) {
		s.t.Errorf("delaytest: %v", err)
	}
}

// Reset brings the server's state back to the start: the clock, all runs, scenarios, limits
// and pools. Requests in holds and at barriers are answered 503; others continue.
func (s *Server) Reset() {
	s.t.Helper()
	s.set(s.client.Reset)
}
