package server

import (
	"net/url"
	"strings"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/urlpath"
)

// find returns the template of a scenario's route or the endpoint that waits, and
// normalizes the request's path. It is nil if net/http must answer the request.
func (s *Server) find(r *plan.Request) (*plan.Template, error) {
	if strings.ContainsFunc(r.Path, isUnusual) {
		u, err := url.ParseRequestURI(r.Path)
		if err != nil {
			return nil, err
		}
		r.Path = urlpath.Normalize(u).EscapedPath()
	}
	if template, allowed := s.scenarios.Find(r); template != nil || allowed != "" {
		return template, nil
	}
	if s.config.FlashCompat && strings.Contains(r.Path, "/url/") { // flash.Redirects decides
		return nil, nil
	}
	return s.requests.Planner.Find(*r)
}

// isUnusual reports whether c may be written in another way in a path.
func isUnusual(c rune) bool {
	isAlphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !isAlphanumeric && !strings.ContainsRune("/-._~:,;=@!$&'()*+", c)
}
