package board

import (
	"bytes"
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// Events answers with the states of the board, or of the name that the query gives, as
// server-sent events.
func (b *Board) Events(c echo.Context) error {
	values, err := query.ReadKnown(c.Request().URL.RawQuery, "name")
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
// requests, unless there are too many to judge.
func (b *Board) Waterfall(c echo.Context) error {
	values, err := query.ReadKnown(c.Request().URL.RawQuery, "run", "version")
	if err != nil {
		return err
	}
	id := values.Get("run")
	if err := query.CheckName(problem.InvalidParameter, "run", id, query.MaxName); err != nil {
		return err
	}
	if _, known := b.options.Journal.Head(id, 0); !known {
		return runNotFound(id)
	}
	// If a browser opens the picture itself, it may only use its own style.
	c.Response().Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	var picture []byte
	if c.Request().Method != http.MethodHead {
		if picture, err = b.draw(c.Request().Context(), id); err != nil {
			return err
		}
	}
	return c.Blob(http.StatusOK, "image/svg+xml", picture)
}

// draw draws a run once fewer than maxDrawn others are drawn. The picture is sent later:
// a slow client keeps nobody waiting. If ctx is done first, the error is its cause.
func (b *Board) draw(ctx context.Context, id string) ([]byte, error) {
	select {
	case b.drawn <- struct{}{}:
		defer func() { <-b.drawn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	run, known := b.options.Journal.Head(id, maxJudged)
	if !known {
		return nil, runNotFound(id)
	}
	var picture bytes.Buffer
	err := b.marked(run).WriteSVG(&picture)
	return picture.Bytes(), err
}

func runNotFound(id string) error {
	return problem.RunNotFound.New("run %s not found: no request named it, it was deleted, or the journal dropped "+
		"its requests (JOURNAL_SIZE)", problem.Quote(id))
}

// marked returns the run with the remarks of its exercise's checks.
func (b *Board) marked(run journal.Run) journal.Run {
	set := b.options.Exercises()
	_, of, _ := set.Parse(run.ID)
	e := set.Find(of)
	if e == nil || !run.Settled() || run.More > 0 {
		return run
	}
	return e.Checks.Judge(run).Run
}
