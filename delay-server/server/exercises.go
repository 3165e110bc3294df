package server

import (
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/exercise"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/highlight"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/query"
)

// lessons serves the exercises.
type lessons struct {
	file *exercise.File // nil for the built-in ones
	view func() pageView

	mu    sync.Mutex
	shown *exercise.Set    // of page
	page  echo.HandlerFunc // shows shown
}

// openLessons reads EXERCISES, if it is set. view returns what the page of the exercises
// shows besides them.
func openLessons(config Config, planner *plan.Planner, scenarios *scenario.Set, view func() pageView,
	log *slog.Logger) (*lessons, error) {
	l := &lessons{view: view}
	if config.Exercises == "" {
		return l, nil
	}
	file, err := exercise.Open(config.Exercises, exercise.Options{
		Planner: planner,
		Headers: config.journalHeaders(),
		Routed: func(r *plan.Request) bool {
			template, _ := scenarios.Find(r)
			return template != nil
		},
	}, log)
	if err != nil {
		return nil, fmt.Errorf("EXERCISES: %w", err)
	}
	l.file = file
	return l, nil
}

// set returns the current exercises.
func (l *lessons) set() *exercise.Set {
	if l.file == nil {
		return exercise.Default()
	}
	return l.file.Current()
}

// lessonsView is the view of the page of the exercises.
type lessonsView struct {
	pageView
	Exercises []exercise.Exercise
	Languages []exercise.Language
	MaxName   int
}

// servePage answers the page of the current exercises, which is made once.
func (l *lessons) servePage(c echo.Context) error {
	l.mu.Lock()
	if set := l.set(); l.shown != set {
		l.shown = set
		l.page = httpkit.Page(func(w io.Writer) error {
			return templates.ExecuteTemplate(w, "exercises.html",
				lessonsView{l.view(), set.Exercises, exercise.Languages, maxAttendee})
		})
	}
	page := l.page
	l.mu.Unlock()
	return page(c)
}

// maxAttendee is the maximum length of an attendee's name in a program.
const maxAttendee = 40

// attendee matches names that can stand in a string of each language.
var attendee = regexp.MustCompile(`^[A-Za-z0-9._@+-]+$`)

// serveProgram answers a program of an exercise as a file, with the server's URL and the
// attendee's name.
func (l *lessons) serveProgram(c echo.Context) error {
	e := l.set().Find(c.Param("id"))
	if e == nil {
		return problem.NotFound.New("there is no exercise %s; see /exercises", problem.Quote(c.Param("id")))
	}
	text := ""
	for _, code := range e.Code {
		if code.File(e.ID) != c.Param("file") {
			continue
		}
		switch c.Param("kind") {
		case "start":
			text = code.Start
		case "solution":
			text = code.Solution
		}
	}
	if text == "" {
		return problem.NotFound.New("exercise %s has no such file; see /exercises", e.ID)
	}
	values, err := query.ReadKnown(c.Request().URL.RawQuery, "name")
	if err != nil {
		return err
	}
	name := exercise.PlaceholderName
	if values.Has("name") {
		if name = values.Get("name"); len(name) > maxAttendee || !attendee.MatchString(name) {
			return problem.InvalidParameter.New("name %s is invalid: use up to %d letters, digits and . _ @ + -",
				problem.Quote(name), maxAttendee)
		}
	}
	text = strings.NewReplacer(exercise.PlaceholderServer, httpkit.BaseURLOf(c.Request()),
		exercise.PlaceholderName, name).Replace(text)
	header := c.Response().Header()
	header.Set("Content-Disposition", "attachment; filename="+c.Param("file"))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-cache")
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(text))
}

// programHTML returns a program as HTML, with placeholders for the server's URL and, in an
// element of class attendee, for the attendee's name.
func programHTML(language exercise.Language, source string) template.HTML {
	html := string(highlight.HTML(language.Name, source))
	return template.HTML(strings.NewReplacer(exercise.PlaceholderServer, httpkit.BaseURL,
		exercise.PlaceholderName, `<span class="attendee">`+exercise.PlaceholderName+`</span>`).Replace(html))
}

// programView is the view of a program.
type programView struct {
	exercise.Language
	ID     string // of the exercise
	Kind   string // start or solution
	Source string
}

// newProgramView returns the view of a program of an exercise.
func newProgramView(id, kind string, code exercise.Code, source string) programView {
	return programView{code.Language, id, kind, source}
}

// File returns the name of the program's file.
func (p programView) File() string { return p.Language.File(p.ID) }

// Command returns the command that runs the program.
func (p programView) Command() string { return p.Language.Command(p.ID) }
