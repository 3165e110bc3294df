package server

import (
	_ "embed" // fetch.go is shown by the tutorial
	"io"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"

	"flash.test/demo-api/internal/fetch"
	"flash.test/demo-api/internal/web"
)

//go:embed fetch.go
var fetchSource string

// tutorialPage returns the handler of the steps of the tutorial, with the source of
// the functions that they run.
func (s *Server) tutorialPage() echo.HandlerFunc {
	var runs []web.Run
	for _, step := range web.Steps {
		runs = append(runs, web.Run{
			Step:           step,
			SequentialCurl: curlCommand(httpkit.BaseURL, sequential.path, step.Query),
			ConcurrentCurl: curlCommand(httpkit.BaseURL, concurrent.path, step.Query),
		})
	}
	view := web.Tutorial{
		Site:             s.site("/tutorial", httpkit.BaseURL),
		Runs:             runs,
		SequentialSource: function(fetch.Source, "func Sequential("),
		ConcurrentSource: function(fetch.Source, "func Concurrent("),
		CallsSource:      function(fetchSource, "func (s *Server) calls("),
		Upstream:         s.options.UpstreamURL,
	}
	return httpkit.Page(func(w io.Writer) error { return web.Page(w, "tutorial.html", view) })
}

// function returns the function of a gofmted source that starts with prefix.
func function(source, prefix string) string {
	_, body, _ := strings.Cut(source, "\n"+prefix)
	body, _, _ = strings.Cut(body, "\n}\n")
	return prefix + body + "\n}"
}
