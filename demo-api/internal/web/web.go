// Package web holds the embedded pages: HTML, CSS and JavaScript without a build
// step and without other hosts.
package web

import (
	"embed"
	"html/template"
	"io"
)

// Assets are the files that pages refer to.
//
//go:embed *.css *.js *.svg
var Assets embed.FS

//go:embed *.html
var templates embed.FS

var pages = template.Must(template.ParseFS(templates, "*.html"))

// Site is the view of the parts that all pages share. The view of a page embeds it.
type Site struct {
	Path  string // of the page
	Base  string // scheme and host that the client used, for curl commands
	Build string // version of the program

	DelayServer string // URL of delay-server for browsers, or ""
	Embedded    bool   // only browsers on this machine reach it: page.js hides the link from others
	Local       bool   // it is on this machine: page.js uses the page's own host
}

// Page writes a page, such as race.html, as HTML. The error is from the template
// or from w.
func Page(w io.Writer, name string, view any) error { return pages.ExecuteTemplate(w, name, view) }
