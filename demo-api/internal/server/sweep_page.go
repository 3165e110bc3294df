package server

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/web"
)

// sweepPage serves the form of the sweep, filled from the query. If the query is
// invalid, the status is 400 and the form shows the error of each field.
func (s *Server) sweepPage(c echo.Context) error {
	raw := withoutEmpty(c.Request().URL.RawQuery)
	view := web.Sweep{
		Site: s.site(c.Path(), baseURL(c)), Form: s.sweepForm(raw),
		MaxCalls: s.options.MaxCalls, Delay: sweep.Delay, Budget: sweep.Budget, Upstream: s.options.UpstreamURL,
	}
	view.Notes = s.sweepNotes(view.Form)
	status := http.StatusOK
	if _, _, err := parseSweep(raw, s.options); err != nil {
		status = http.StatusBadRequest
		if !view.Form.HasErrors() {
			view.Problem = err.Error() // an unknown name belongs to no field
		}
	}
	return s.html(c, status, "sweep.html", view)
}

// sweepForm returns the fields of the sweep's form, each with its error.
func (s *Server) sweepForm(raw string) web.Form {
	form := web.Form{
		"calls": {Value: sweep.Doubling(s.options.MaxCalls)},
		"delay": {Value: sweep.Delay},
		"limit": {}, "seed": {},
	}
	given, _ := url.ParseQuery(raw)
	for name := range form {
		if !given.Has(name) {
			continue
		}
		field := web.Field{Value: given.Get(name)}
		if _, _, err := parseSweep(url.Values{name: given[name]}.Encode(), s.options); err != nil {
			field.Error = err.Error()
		}
		form[name] = field
	}
	return form
}

// sweepNotes returns the notes of the fields of form.
func (s *Server) sweepNotes(form web.Form) []web.Note {
	return withErrors(form,
		web.Note{Name: "calls", Text: "up to " + strconv.Itoa(s.options.MaxCalls) + "; … doubles"},
		web.Note{Name: "delay", Text: "of each call: ms, 1.5s, random, …"},
		web.Note{Name: "limit", Text: "calls at once"})
}
