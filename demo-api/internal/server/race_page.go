package server

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/web"
)

// racePage serves the form of the race, filled from the query. If the query is
// invalid, the status is 400 and the form shows the error of each field.
func (s *Server) racePage(c echo.Context) error {
	raw := c.Request().URL.RawQuery
	query := withoutEmpty(raw)
	form := s.raceForm(raw)
	view := web.Race{
		Site: s.site(c.Path(), baseURL(c)), Form: form, Presets: s.presets(form),
		MaxCalls: s.options.MaxCalls, Upstream: s.options.UpstreamURL,
		Defaults:       web.Defaults{Calls: s.options.Calls, Delay: s.options.Delay},
		SequentialCurl: curlCommand(baseURL(c), sequential.path, query),
		ConcurrentCurl: curlCommand(baseURL(c), concurrent.path, query),
	}
	status := http.StatusOK
	p, err := parseQuery(query, s.options)
	view.ConcurrentTitle = concurrent.title(p)
	if err != nil {
		status = http.StatusBadRequest
		if !form.HasErrors() {
			view.Problem = err.Error() // an unknown name belongs to no field
		}
	}
	return s.html(c, status, "race.html", view)
}

// raceForm returns the fields of the race's form, each with its error.
func (s *Server) raceForm(raw string) web.Form {
	form := web.Form{
		"calls": {Value: strconv.Itoa(s.options.Calls)},
		"delay": {Value: s.options.Delay},
		"db":    {},
		"limit": {},
	}
	given, _ := url.ParseQuery(withoutEmpty(raw))
	for _, name := range paramNames { // calls before db
		if !given.Has(name) {
			continue
		}
		values := url.Values{name: given[name]}
		if name == "db" && given.Has("calls") && form["calls"].Error == "" {
			values["calls"] = given["calls"] // db conflicts with calls=0
		}
		field := web.Field{Value: given.Get(name)}
		if _, err := parseQuery(values.Encode(), s.options); err != nil {
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
