package server

import (
	_ "embed" // the tutorial shows the program's own source
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/web"
)

//go:embed fetch.go
var source string

// tutorialPage walks through the tutorial's steps, beside the functions of this
// program that take them.
func (s *Server) tutorialPage(c echo.Context) error {
	var runs []web.Run
	for _, step := range web.Steps {
		runs = append(runs, web.Run{
			Step: step,
			Turn: curl(base(c), sequential.path, step.Query),
			Once: curl(base(c), concurrent.path, step.Query),
		})
	}
	return s.html(c, http.StatusOK, "tutorial.html", web.Tutorial{
		Site:       site(c),
		Runs:       runs,
		Sequential: function(fetch.Source, "func Sequential("),
		Concurrent: function(fetch.Source, "func Concurrent("),
		Calls:      function(source, "func (s *Server) calls("),
		Upstream:   s.options.UpstreamURL,
	})
}

// function returns the text of the function of a gofmted source that begins so.
func function(source, begin string) string {
	_, body, _ := strings.Cut(source, "\n"+begin)
	body, _, _ = strings.Cut(body, "\n}\n")
	return begin + body + "\n}"
}
