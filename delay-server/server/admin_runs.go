package server

import (
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/client"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func (s *Server) listRuns(c echo.Context) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	runs := client.Runs{Dropped: s.journal.Dropped()}
	for _, summary := range s.journal.Runs() {
		runs.Runs = append(runs.Runs, summaryOf(summary))
	}
	return c.JSON(http.StatusOK, runs)
}

func (s *Server) forgetRuns(c echo.Context) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	s.journal.ForgetAll()
	s.planner.ForgetAll()
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) forgetRun(c echo.Context) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	id := param(c, "id")
	// Both, whichever knows the run: the journal may have dropped what still counts.
	remembered, counted := s.journal.Forget(id), s.planner.Forget(id)
	if !remembered && !counted {
		return s.unknownRun(id)
	}
	return c.NoContent(http.StatusNoContent)
}

// showRun answers once what is asked for holds of the run, which with waiting=N
// may be one that is still to come.
func (s *Server) showRun(c echo.Context) error {
	id := param(c, "id")
	asked, err := readCondition(c, "settled")
	if err != nil {
		return err
	}
	if err := plan.CheckRun(id); err != nil {
		return err
	}
	run, err := s.awaitRun(c, id, asked)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, runOf(run))
}

func (s *Server) awaitRun(c echo.Context, id string, asked condition) (journal.Run, error) {
	if asked.waiting == 0 {
		if run, known := s.journal.Run(id); !known || !asked.settled {
			return run, s.ifUnknown(id, known)
		}
	}
	ctx, leave, err := s.inRoom(c, asked)
	if err != nil {
		return journal.Run{}, err
	}
	defer leave()
	if asked.waiting > 0 {
		run, err := s.journal.Await(ctx, id, func(r journal.Summary) bool { return r.Waiting >= asked.waiting })
		return run, asked.late(err, "run %s: %d of %d wait", problem.Quote(id), run.Waiting, asked.waiting)
	}
	run, err := s.journal.Await(ctx, id, journal.Summary.Settled)
	return run, asked.late(err, "run %s: %d of %d requests still wait", problem.Quote(id), run.Waiting, run.Requests)
}

func (s *Server) ifUnknown(id string, known bool) error {
	if known {
		return nil
	}
	return s.unknownRun(id)
}

func (s *Server) drawRun(c echo.Context) error {
	// Opened by itself, the picture may do nothing but show its own style.
	c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	return s.picture(c, "image/svg+xml", journal.Run.WriteSVG)
}

func (s *Server) writeRun(c echo.Context) error {
	return s.picture(c, "text/plain; charset=utf-8", journal.Run.WriteText)
}

func (s *Server) picture(c echo.Context, kind string, draw func(journal.Run, io.Writer) error) error {
	if _, err := adminQuery(c); err != nil {
		return err
	}
	run, known := s.journal.Run(param(c, "id"))
	if !known {
		return s.unknownRun(param(c, "id"))
	}
	c.Response().Header().Set(echo.HeaderContentType, kind)
	return draw(run, c.Response())
}

func (s *Server) unknownRun(id string) error {
	return problem.New(http.StatusNotFound, "run %s is not known; accepted: one that a request has named by X-Run-Id, run= or traceparent, as /admin/runs lists them; the last %d requests are remembered (JOURNAL_SIZE), %d were dropped",
		problem.Quote(id), s.config.JournalSize, s.journal.Dropped())
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
		if w.Outcome == "" {
			w.End = 0 // of one that waits it is only the end so far
		}
		run.Waits = append(run.Waits, client.Wait{
			Method: w.Method, Path: w.Path, Outcome: string(w.Outcome),
			Start: w.Start, End: w.End, Asked: w.Asked, Queued: w.Queued, Waited: w.Waited,
		})
	}
	return run
}
