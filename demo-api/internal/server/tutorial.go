package server

import (
	_ "embed" // fetch.go is shown by the tutorial
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/highlight"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/deploy/tutorial"

	"flash.test/demo-api/internal/web"
)

//go:embed fetch.go
var fetchSource string

// tutorialPage returns the handler of the steps of the tutorial, with the app in each
// language.
func (s *Server) tutorialPage() echo.HandlerFunc {
	var languages []web.Language
	for _, app := range tutorial.Apps {
		languages = append(languages, languageView(app))
	}
	return func(c echo.Context) error {
		base := baseURL(c)
		view := web.Tutorial{Site: s.site("/tutorial", base), Languages: languages,
			Upstream: s.options.UpstreamURL, DelayServerURL: s.delayServerFor(c.Request())}
		for _, step := range web.Steps {
			view.Runs = append(view.Runs, web.Run{
				Step:           step,
				SequentialCurl: curlCommand(base, sequential.path, step.Query),
				ConcurrentCurl: curlCommand(base, concurrent.path, step.Query),
			})
		}
		return s.html(c, http.StatusOK, "tutorial.html", view)
	}
}

// delayServerFor returns the URL of delay-server as the client of r reaches it, or "" if
// it is the default of the tutorial's apps or the client cannot reach it.
func (s *Server) delayServerFor(r *http.Request) string {
	u, err := url.Parse(strings.TrimRight(s.options.DelayServerLink, "/"))
	if err != nil || u.Host == "" {
		return ""
	}
	if httpkit.IsLocal(u.String()) && !httpkit.IsLocal(httpkit.BaseURLOf(r)) {
		host, valid := httpkit.HostName(r.Host)
		if s.options.Embedded || !valid {
			return ""
		}
		u.Host = strings.TrimSuffix(net.JoinHostPort(host, u.Port()), ":")
		return u.String()
	}
	if u.String() == tutorial.DelayServerURL {
		return ""
	}
	return u.String()
}

// languageView returns the view of an app with its excerpts.
func languageView(app tutorial.App) web.Language {
	view := web.Language{ID: app.Language, Title: app.Title, File: app.File, Start: app.Command, Needs: app.Needs,
		Service: app.Service, Source: highlight.HTML(app.Language, app.Source), Excerpts: map[int][]web.Excerpt{}}
	excerpts := app.Excerpts()
	if app.Language == "go" {
		excerpts = append(excerpts, tutorial.Excerpt{Step: 4,
			Caption: "The buttons call demo-api, which is in Go and has a query among its calls.",
			Source:  function(fetchSource, "func (s *Server) calls(")})
	}
	for _, e := range excerpts {
		shown := view.Excerpts[e.Step]
		lane := map[string]string{"one after another": "sequential", "all at once": "concurrent"}[e.Way]
		view.Excerpts[e.Step] = append(shown, web.Excerpt{
			ID:   fmt.Sprintf("code-%d-%s-%d", e.Step, app.Language, len(shown)+1),
			Lane: lane, Title: sentenceCase(e.Way), Caption: sentenceCase(e.Caption),
			Source: highlight.HTML(app.Language, e.Source),
		})
	}
	return view
}

// sentenceCase returns text with a capital letter first.
func sentenceCase(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// tutorialFile responds with the source of the tutorial's app in one language.
func (s *Server) tutorialFile(c echo.Context) error {
	for _, app := range tutorial.Apps {
		if app.File == c.Param("file") {
			return httpkit.SendFile(c, "text/plain; charset=utf-8", []byte(app.Source))
		}
	}
	return echo.ErrNotFound
}

// function returns the function of a gofmted source that starts with prefix.
func function(source, prefix string) string {
	_, body, _ := strings.Cut(source, "\n"+prefix)
	body, _, _ = strings.Cut(body, "\n}\n")
	return prefix + body + "\n}"
}
