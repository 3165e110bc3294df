package server

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/problem"

	"flash.test/demo-api/internal/web"
)

// racePage serves the form of the race, filled from the query. If the query is
// invalid, the status is 400, or 403 for the host of against, and the form shows the
// error of each field. ?present=1 is for present.js.
func (s *Server) racePage(c echo.Context) error {
	raw := withoutEmpty(c.Request().URL.RawQuery)
	query, err := takePresent(raw)
	p, errQuery := parseNames(query, raceParamNames, s.options)
	if err == nil {
		err = errQuery
	}
	form := s.raceForm(query)
	view := web.Race{
		Site: s.site(c.Path(), baseURL(c)), Form: form, Notes: s.raceNotes(form), Presets: s.presets(form),
		MaxCalls: s.options.MaxCalls, Upstream: s.options.UpstreamURL,
		Defaults:        web.Defaults{Calls: s.options.Calls, Delay: s.options.Delay},
		SequentialCurl:  raceCurl(c, sequential, p, query),
		ConcurrentCurl:  raceCurl(c, concurrent, p, query),
		ConcurrentTitle: concurrent.title(p),
	}
	for _, preset := range view.Presets {
		if preset.Selected {
			view.Notice = preset.Notice
		}
	}
	status := http.StatusOK
	var bad *problem.Problem
	if errors.As(err, &bad) {
		status = bad.Status
		if !form.HasErrors() {
			view.Problem = err.Error() // an unknown name belongs to no field
		}
	}
	return s.html(c, status, "race.html", view)
}

// takePresent returns a query without its parameter present, which must be 1.
func takePresent(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil || !values.Has("present") {
		return raw, nil // parseNames rejects what is malformed
	}
	given := values["present"]
	values.Del("present")
	if !slices.Equal(given, []string{"1"}) {
		return values.Encode(), problem.InvalidParameter.New("present %s is invalid: use 1",
			problem.Quote(strings.Join(given, ", ")))
	}
	return values.Encode(), nil
}

// raceNotes returns the notes of the fields of form.
func (s *Server) raceNotes(form web.Form) []web.Note {
	against := "URL of an app in another language"
	if hosts := s.options.AgainstHosts; slices.Contains(hosts, "*") {
		against += ", at any host"
	} else if len(hosts) > 0 {
		against += ", at " + strings.Join(hosts, ", ")
	}
	return withErrors(form,
		web.Note{Name: "calls", Text: "0 to " + strconv.Itoa(s.options.MaxCalls)},
		web.Note{Name: "delay", Text: "of each call: ms, 1.5s, random, …"},
		web.Note{Name: "db", Text: "duration of a query that replaces the last call"},
		web.Note{Name: "limit", Text: "calls at once"},
		web.Note{Name: "against", Text: against})
}

// withErrors returns notes with the errors of their fields in form, and a note for an
// error of the hidden field seed.
func withErrors(form web.Form, notes ...web.Note) []web.Note {
	if form["seed"].Error != "" {
		notes = append(notes, web.Note{Name: "seed"})
	}
	for i := range notes {
		notes[i].Error = form[notes[i].Name].Error
	}
	return notes
}

// raceForm returns the fields of the race's form, each with its error.
func (s *Server) raceForm(raw string) web.Form {
	form := web.Form{
		"calls": {Value: strconv.Itoa(s.options.Calls)},
		"delay": {Value: s.options.Delay},
		"db":    {},
		"limit": {}, "seed": {}, "against": {},
	}
	given, _ := url.ParseQuery(withoutEmpty(raw))
	for _, name := range []string{"calls", "db", "delay", "limit", "seed", "against"} { // calls before db
		if !given.Has(name) {
			continue
		}
		values := url.Values{name: given[name]}
		if name == "db" && given.Has("calls") && form["calls"].Error == "" {
			values["calls"] = given["calls"] // db conflicts with calls=0
		}
		field := web.Field{Value: given.Get(name)}
		if _, err := parseNames(values.Encode(), raceParamNames, s.options); err != nil {
			field.Error = err.Error()
		}
		form[name] = field
	}
	return form
}

// presets returns the steps of the tutorial that are within the limits of this
// server.
func (s *Server) presets(form web.Form) []web.Preset {
	var presets []web.Preset
	for _, step := range web.Steps {
		if _, err := parseQuery(step.Query, s.options); err != nil {
			continue
		}
		presets = append(presets, web.Preset{Step: step, Selected: maps.Equal(form, s.raceForm(step.Query))})
	}
	return presets
}
