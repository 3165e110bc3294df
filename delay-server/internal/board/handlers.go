package board

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// Events answers with the states of the board, or of the name that the query gives, as
// server-sent events.
func (b *Board) Events(c echo.Context) error {
	values, err := readQuery(c, "name")
	if err != nil {
		return err
	}
	name := values.Get("name")
	if values.Has("name") {
		if err := query.CheckName(problem.InvalidParameter, "name", name, query.MaxName); err != nil {
			return err
		}
	}
	if c.Request().Method == http.MethodHead {
		c.Response().Header().Set(echo.HeaderContentType, "text/event-stream")
		return c.NoContent(http.StatusOK)
	}
	return b.feed.Serve(c, name)
}

// Waterfall draws the run that the query names. The remarks of its checks stand at the
// requests.
func (b *Board) Waterfall(c echo.Context) error {
	values, err := readQuery(c, "run", "version")
	if err != nil {
		return err
	}
	id := values.Get("run")
	if err := query.CheckName(problem.InvalidParameter, "run", id, query.MaxName); err != nil {
		return err
	}
	run, known := b.options.Journal.Run(id)
	if !known {
		return problem.RunNotFound.New("run %s not found: no request named it, it was deleted, or the journal dropped "+
			"its requests (JOURNAL_SIZE)", problem.Quote(id))
	}
	h := c.Response().Header()
	// If a browser opens the picture itself, it may only use its own style.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	h.Set(echo.HeaderContentType, "image/svg+xml")
	return b.marked(run).WriteSVG(c.Response())
}

// marked returns the run with the remarks of its exercise's checks.
func (b *Board) marked(run journal.Run) journal.Run {
	set := b.options.Exercises()
	_, of, _ := set.Parse(run.ID)
	e := set.Find(of)
	if e == nil || !run.Settled() {
		return run
	}
	return e.Checks.Judge(run).Run
}

// readQuery reads a query without other parameters than the known ones. The error is a
// *problem.Problem.
func readQuery(c echo.Context, known ...string) (url.Values, error) {
	values, ignored, err := query.Read(c.Request().URL.RawQuery, known)
	if err == nil && len(ignored) > 0 {
		err = problem.UnknownParameter.New("unknown parameter %s; use %s", problem.Quote(ignored[0]),
			strings.Join(known, ", "))
	}
	return values, err
}
