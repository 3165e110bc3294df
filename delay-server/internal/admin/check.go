package admin

import (
	"context"
	"errors"
	"fmt"
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
	"flash.test/delay-server/kit/spelling"
)

// checkRun judges a run once it is settled.
func (a *API) checkRun(c echo.Context) error {
	id := param(c, "id")
	values, err := readQuery(c, append(check.Names(), "settled", "timeout")...)
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
	if err == nil {
		return sendVerdict(c, checks.Judge(run))
	}
	verdict, err := undecided(checks, run, err)
	if err != nil {
		return err
	}
	return sendVerdict(c, verdict)
}

// checkRuns judges all runs whose IDs begin with run_prefix, once they are settled.
func (a *API) checkRuns(c echo.Context) error {
	values, err := readQuery(c, append(check.Names(), "settled", "timeout", "run_prefix")...)
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
	verdict, err := a.judgeRuns(ctx, checks, prefix, want)
	if err != nil {
		return err
	}
	return sendVerdict(c, verdict)
}

// judgeRuns judges the runs whose IDs begin with prefix, in the order of their starts,
// once all are settled. No check holds unless all of them are known.
func (a *API) judgeRuns(ctx context.Context, checks check.List, prefix string, want condition) (check.Verdict, error) {
	var runs []journal.Run
	for _, summary := range slices.Backward(a.options.Journal.Runs()) {
		if !strings.HasPrefix(summary.ID, prefix) {
			continue
		}
		run, err := a.options.Journal.Await(ctx, summary.ID, journal.Summary.Settled)
		if err != nil {
			err = want.timedOut(err, "run %s: %d of %d requests still wait",
				problem.Quote(summary.ID), run.Waiting, run.Requests)
			return undecided(checks, run, err)
		}
		if run.Requests > 0 { // it was not forgotten meanwhile
			runs = append(runs, run)
		}
	}
	dropped := spelling.Count(a.options.Journal.DroppedRuns(), "run")
	switch {
	case runs == nil:
		return checks.Undecided(journal.Run{}, "no run", fmt.Sprintf("no run begins with %s: no request named one, it "+
			"was deleted, or the journal dropped it (JOURNAL_SIZE=%d, %s dropped)", problem.Quote(prefix),
			a.options.JournalSize, dropped)), nil
	case a.options.Journal.DroppedRuns() > 0:
		return checks.Undecided(runs[0], spelling.Count(len(runs), "run")+" and dropped ones", fmt.Sprintf(
			"the journal dropped %s, whose names may begin with %s; raise JOURNAL_SIZE=%d, or delete all runs before "+
				"(DELETE /admin/runs)", dropped, problem.Quote(prefix), a.options.JournalSize)), nil
	}
	return checks.Judge(runs...), nil
}

// undecided returns the verdict on a run that is unknown or not settled, as err says, or
// err if it says something else.
func undecided(checks check.List, run journal.Run, err error) (check.Verdict, error) {
	switch p, _ := errors.AsType[*problem.Problem](err); {
	case errors.Is(err, problem.RunNotFound):
		return checks.Undecided(run, "no request", p.Detail), nil
	case errors.Is(err, problem.WaitTimeout):
		return checks.Undecided(run, spelling.Count(run.Waiting, "request")+" in flight", p.Detail), nil
	}
	return check.Verdict{}, err
}

// parseChecks parses the checks of a query, and its timeout for the condition that a run
// is settled. The error is a *problem.Problem.
func (a *API) parseChecks(values url.Values) (checks check.List, want condition, err error) {
	want = condition{settled: true, timeout: defaultTimeout}
	if text := values.Get("settled"); values.Has("settled") && text != "true" {
		return checks, want, problem.InvalidParameter.New("settled %s is invalid (a check always waits until its runs "+
			"are settled): use true", problem.Quote(text))
	}
	if values.Has("timeout") {
		if want.timeout, err = plan.ReadTimeout(values.Get("timeout"), maxTimeout); err != nil {
			return checks, want, err
		}
	}
	checks, err = check.Parse(values, a.options.Journal.Headers)
	return checks, want, err
}

// sendVerdict answers 200 if all checks hold, and else 422.
func sendVerdict(c echo.Context, v check.Verdict) error {
	var picture strings.Builder
	if v.Run.Requests > 0 {
		if err := v.Run.WriteText(&picture); err != nil {
			return err
		}
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
