package server

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/sweep"
	"flash.test/demo-api/internal/web"
)

// sweepPage answers the form with what its URL says, and 400 with what is wrong
// with it beside each field.
func (s *Server) sweepPage(c echo.Context) error {
	raw := givenQuery(c.Request().URL.RawQuery)
	view := web.Sweep{
		Site: site(c), Form: s.sweepForm(raw),
		MaxCalls: s.options.MaxCalls, Delay: sweep.Delay, Budget: sweep.Budget, Upstream: s.options.UpstreamURL,
	}
	status := http.StatusOK
	if _, _, err := parseSweep(raw, s.options); err != nil {
		status = http.StatusBadRequest
		if !view.Form.Wrong() {
			view.Problem = err.Error() // that of no field: a misspelt name
		}
	}
	return s.html(c, status, "sweep.html", view)
}

// sweepForm returns the fields as a query fills them, and what is wrong with each.
func (s *Server) sweepForm(raw string) web.Form {
	form := web.Form{
		"calls": {Value: sweep.Doubling(s.options.MaxCalls)},
		"delay": {Value: sweep.Delay},
		"limit": {},
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
