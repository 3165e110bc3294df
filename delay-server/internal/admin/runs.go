package admin

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func (a *API) listRuns(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	runs := client.Runs{Dropped: a.options.Journal.Dropped()}
	for _, summary := range a.options.Journal.Runs() {
		runs.Runs = append(runs.Runs, summaryOf(summary))
	}
	return c.JSON(http.StatusOK, runs)
}

func (a *API) forgetRuns(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	a.options.Journal.ForgetAll()
	a.options.Counts.ForgetAll()
	a.options.Scenarios.DeleteRuns()
	a.resetGates("")
	return c.NoContent(http.StatusNoContent)
}

func (a *API) forgetRun(c echo.Context) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	id := param(c, "id")
	// All: the journal may have dropped a run that is still counted or has a scenario.
	remembered, counted := a.options.Journal.Forget(id), a.options.Counts.Forget(id)
	hadScenario := id != "" && a.options.Scenarios.Delete(id) // "" is the server
	if !remembered && !counted && !hadScenario {
		return a.unknownRun(id)
	}
	if id != "" {
		a.resetGates(id)
	}
	return c.NoContent(http.StatusNoContent)
}

// resetGates resets the holds, barriers and pools that belong to the run, or to all runs
// if it is "". A client whose request is failed finds all else of the run forgotten.
func (a *API) resetGates(run string) {
	a.options.Pools.ResetRun(run)
	a.options.Holds.ResetRun(run)
	a.options.Barriers.ResetRun(run)
}

// showRun answers once the condition holds. With waiting=N the run may be new.
func (a *API) showRun(c echo.Context) error {
	id := param(c, "id")
	want, err := readCondition(c, "settled")
	if err != nil {
		return err
	}
	if err := plan.CheckRun(id); err != nil {
		return err
	}
	run, err := a.awaitRun(c, id, want)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, runOf(run))
}

func (a *API) awaitRun(c echo.Context, id string, want condition) (journal.Run, error) {
	if want.waiting == 0 {
		run, known := a.options.Journal.Run(id)
		if !known {
			return run, a.unknownRun(id)
		}
		if !want.settled {
			return run, nil
		}
	}
	ctx, end, err := a.beginWait(c, want.timeout)
	if err != nil {
		return journal.Run{}, err
	}
	defer end()
	if want.waiting > 0 {
		run, err := a.options.Journal.Await(ctx, id, func(r journal.Summary) bool { return r.Waiting >= want.waiting })
		return run, want.timedOut(err, "run %s: %d of %d requests wait", problem.Quote(id), run.Waiting, want.waiting)
	}
	run, err := a.options.Journal.Await(ctx, id, journal.Summary.Settled)
	if run.Requests == 0 { // it was forgotten meanwhile
		return run, a.unknownRun(id)
	}
	return run, want.timedOut(err, "run %s: %d of %d requests still wait", problem.Quote(id), run.Waiting, run.Requests)
}

func (a *API) drawRun(c echo.Context) error {
	// If a browser opens the picture itself, it may only use its own style.
	c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	return a.picture(c, "image/svg+xml", journal.Run.WriteSVG)
}

func (a *API) writeRun(c echo.Context) error {
	return a.picture(c, "text/plain; charset=utf-8", journal.Run.WriteText)
}

func (a *API) picture(c echo.Context, kind string, draw func(journal.Run, io.Writer) error) error {
	if _, err := readQuery(c); err != nil {
		return err
	}
	run, known := a.options.Journal.Run(param(c, "id"))
	if !known {
		return a.unknownRun(param(c, "id"))
	}
	c.Response().Header().Set(echo.HeaderContentType, kind)
	return draw(run, c.Response())
}

func (a *API) unknownRun(id string) *problem.Problem {
	return problem.RunNotFound.New("run %s not found: no request named it, it was deleted, or the "+
		"journal dropped it (JOURNAL_SIZE=%d, %d dropped)", problem.Quote(id), a.options.JournalSize,
		a.options.Journal.Dropped())
}

func summaryOf(r journal.Summary) client.Summary {
	return client.Summary{
		ID: r.ID, Requests: r.Requests, Waiting: r.Waiting, Settled: r.Settled(),
		PeakInFlight: r.PeakInFlight, Dropped: r.Dropped, Wall: r.Wall, Sum: r.Sum,
	}
}

func runOf(r journal.Run) client.Run {
	run := client.Run{Summary: summaryOf(r.Summary)}
	for _, w := range r.Waits {
		run.Waits = append(run.Waits, waitOf(w))
	}
	return run
}

func waitOf(w journal.Entry) client.Wait {
	if w.Outcome == "" {
		w.End = 0 // it still waits
	}
	wait := client.Wait{
		Method: w.Method, Path: w.Path, Query: w.Query, Outcome: string(w.Outcome), Status: w.Status,
		Problem: w.Problem, Fault: w.Fault, Attempt: w.Attempt, Protocol: w.Protocol,
		Connection: w.Connection, Reused: w.Reused, Client: w.Client, Headers: w.Headers,
		Start: w.Start, End: w.End, Asked: w.Asked, Queued: w.Queued, Waited: w.Waited, RetryAfter: w.RetryAfter,
	}
	if w.Gap >= 0 {
		wait.Gap = &w.Gap
	}
	return wait
}
