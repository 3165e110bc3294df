package server

import (
	"net/url"
	"strings"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/urlpath"
)

// find returns the template of a request to an endpoint that waits, as the routes
// and the scenario have it, and normalizes the request's path. It is nil for a
// request that net/http is to answer.
func (s *Server) find(r *plan.Request) (*plan.Template, error) {
	if strings.ContainsFunc(r.Path, isUnusual) {
		u, err := url.ParseRequestURI(r.Path)
		if err != nil {
			return nil, err
		}
		r.Path = urlpath.Normalize(u).EscapedPath()
	}
	if s.scenario != nil {
		template, allowed := s.scenario.Current().Find(r.Method, r.Path)
		if template != nil || allowed != "" {
			return template, nil
		}
	}
	if s.config.FlashCompat && strings.Contains(r.Path, "/url/") { // not of any method, nor of any path
		return nil, nil
	}
	return s.planner.Find(*r)
}

// isUnusual reports whether a character of a path may be written in another way.
func isUnusual(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/-._~:,;=@!$&'()*+", c))
}
