package server

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/web"
)

// racePage answers the form with what its URL says, and 400 with what is wrong
// with it beside each field.
func (s *Server) racePage(c echo.Context) error {
	raw := c.Request().URL.RawQuery
	form := s.form(raw)
	view := web.Race{
		Site: site(c), Form: form, Presets: s.presets(form),
		MaxCalls: s.options.MaxCalls, Upstream: s.options.UpstreamURL,
		Defaults: web.Defaults{Calls: s.options.Calls, Delay: s.options.Delay},
		Turn:     curl(base(c), sequential.path, givenQuery(raw)), Once: curl(base(c), concurrent.path, givenQuery(raw)),
	}
	status := http.StatusOK
	asked, err := parseQuery(givenQuery(raw), s.options)
	view.AtOnce = concurrent.title(asked)
	if err != nil {
		status = http.StatusBadRequest
		if !form.Wrong() {
			view.Problem = err.Error() // that of no field: a misspelt name
		}
	}
	return s.html(c, status, "race.html", view)
}

// form returns the fields as a query fills them, and what is wrong with each.
func (s *Server) form(raw string) web.Form {
	form := web.Form{
		"calls": {Value: strconv.Itoa(s.options.Calls)},
		"delay": {Value: s.options.Delay},
		"db":    {},
		"limit": {},
	}
	given, _ := url.ParseQuery(givenQuery(raw))
	for _, name := range parameters { // calls before db
		if !given.Has(name) {
			continue
		}
		alone := url.Values{name: given[name]}
		if name == "db" && given.Has("calls") && form["calls"].Error == "" {
			alone["calls"] = given["calls"] // of which it replaces one
		}
		field := web.Field{Value: given.Get(name)}
		if _, err := parseQuery(alone.Encode(), s.options); err != nil {
			field.Error = err.Error()
		}
		form[name] = field
	}
	return form
}

// presets returns the tutorial's steps that this server's limits allow.
func (s *Server) presets(form web.Form) []web.Preset {
	var presets []web.Preset
	for _, step := range web.Steps {
		if _, err := parseQuery(step.Query, s.options); err != nil {
			continue
		}
		presets = append(presets, web.Preset{Step: step, Chosen: maps.Equal(form, s.form(step.Query))})
	}
	return presets
}
