// Package web is the embedded pages: HTML and CSS that need no build step and
// no other host.
package web

import (
	"embed"
	"html/template"
	"io"
)

//go:embed index.html style.css icon.svg
var files embed.FS

var page = template.Must(template.ParseFS(files, "index.html"))

// View is what the page is made of.
type View struct {
	Base     string // scheme and host that the client used, for links and curl lines
	Calls    int
	MaxCalls int
	Delay    string // of each call, as delay-server reads it
	Upstream string // URL of the delay-server that is called
	Build    string // which build this is
}

// Page writes the page as HTML.
func Page(w io.Writer, v View) error { return page.Execute(w, v) }

// types are the files that the page refers to.
var types = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

// Asset returns a file that the page refers to and its content type, or false
// where there is none of that name.
func Asset(name string) (body []byte, contentType string, ok bool) {
	contentType, ok = types[name]
	if !ok {
		return nil, "", false
	}
	body, err := files.ReadFile(name)
	return body, contentType, err == nil
}
