package admin

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/check"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// checkRun judges a run once it is settled.
func (a *API) checkRun(c echo.Context) error {
	id := param(c, "id")
	values, err := readQuery(c, append(check.Names(), "timeout")...)
	if err != nil {
		return err
	}
	checks, want, err := a.parseChecks(values)
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
	return sendVerdict(c, checks.Judge(run))
}

// checkRuns judges all runs whose IDs begin with run_prefix, once they are settled.
func (a *API) checkRuns(c echo.Context) error {
	values, err := readQuery(c, append(check.Names(), "timeout", "run_prefix")...)
	if err != nil {
		return err
	}
	checks, want, err := a.parseChecks(values)
	if err != nil {
		return err
	}
	prefix := values.Get("run_prefix")
	if err := query.CheckName(problem.InvalidParameter, "run_prefix", prefix, query.MaxName); err != nil {
		return err
	}
	ctx, end, err := a.beginWait(c, want.timeout)
	if err != nil {
		return err
	}
	defer end()
	runs, err := a.settledRuns(ctx, prefix, want)
	if err != nil {
		return err
	}
	return sendVerdict(c, checks.Judge(runs...))
}

// settledRuns returns the runs whose IDs begin with prefix, in the order of their starts,
// once all are settled.
func (a *API) settledRuns(ctx context.Context, prefix string, want condition) ([]journal.Run, error) {
	var runs []journal.Run
	for _, summary := range slices.Backward(a.options.Journal.Runs()) {
		if !strings.HasPrefix(summary.ID, prefix) {
			continue
		}
		run, err := a.options.Journal.Await(ctx, summary.ID, journal.Summary.Settled)
		if err != nil {
			return nil, want.timedOut(err, "run %s: %d of %d requests still wait",
				problem.Quote(summary.ID), run.Waiting, run.Requests)
		}
		if run.Requests > 0 { // it was not forgotten meanwhile
			runs = append(runs, run)
		}
	}
	if runs == nil {
		return nil, problem.RunNotFound.New("no run begins with %s: no request named one, or the journal dropped them "+
			"(JOURNAL_SIZE=%d, %d dropped)", problem.Quote(prefix), a.options.JournalSize, a.options.Journal.Dropped())
	}
	return runs, nil
}

// parseChecks parses the checks of a query, and its timeout for the condition that a run
// is settled. The error is a *problem.Problem.
func (a *API) parseChecks(values url.Values) (checks check.List, want condition, err error) {
	want = condition{settled: true, timeout: defaultTimeout}
	if values.Has("timeout") {
		if want.timeout, err = plan.ReadTimeout(values.Get("timeout"), maxTimeout); err != nil {
			return checks, want, err
		}
	}
	given := url.Values{}
	for _, name := range check.Names() {
		if values.Has(name) {
			given[name] = values[name]
		}
	}
	checks, err = check.Parse(given, a.options.Journal.Headers)
	return checks, want, err
}

// sendVerdict answers 200 if all checks hold, and else 422.
func sendVerdict(c echo.Context, v check.Verdict) error {
	var picture strings.Builder
	if err := v.Run.WriteText(&picture); err != nil {
		return err
	}
	verdict := client.Verdict{OK: v.OK, Waterfall: picture.String()}
	for _, r := range v.Results {
		verdict.Checks = append(verdict.Checks, client.CheckResult(r))
	}
	status := http.StatusOK
	if !v.OK {
		status = http.StatusUnprocessableEntity
	}
	return c.JSON(status, verdict)
}
