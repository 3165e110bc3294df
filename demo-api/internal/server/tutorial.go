package server

import (
	_ "embed" // fetch.go is shown by the tutorial
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/web"
)

//go:embed fetch.go
var fetchSource string

// tutorialPage serves the steps of the tutorial, with the source of the functions
// that they run.
func (s *Server) tutorialPage(c echo.Context) error {
	var runs []web.Run
	for _, step := range web.Steps {
		runs = append(runs, web.Run{
			Step:           step,
			SequentialCurl: curlCommand(baseURL(c), sequential.path, step.Query),
			ConcurrentCurl: curlCommand(baseURL(c), concurrent.path, step.Query),
		})
	}
	return s.html(c, http.StatusOK, "tutorial.html", web.Tutorial{
		Site:             site(c),
		Runs:             runs,
		SequentialSource: function(fetch.Source, "func Sequential("),
		ConcurrentSource: function(fetch.Source, "func Concurrent("),
		CallsSource:      function(fetchSource, "func (s *Server) calls("),
		Upstream:         s.options.UpstreamURL,
	})
}

// function returns the function of a gofmted source that starts with prefix.
func function(source, prefix string) string {
	_, body, _ := strings.Cut(source, "\n"+prefix)
	body, _, _ = strings.Cut(body, "\n}\n")
	return prefix + body + "\n}"
}
