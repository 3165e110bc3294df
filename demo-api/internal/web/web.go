// Package web is the embedded pages: HTML, CSS and JavaScript that need no
// build step and no other host.
package web

import (
	"embed"
	"html/template"
	"io"
	"io/fs"
	"path"
)

//go:embed *.html *.css *.js *.svg
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

// Site is what every page says. The view of a page embeds it.
type Site struct {
	Here  string // path of the page
	Base  string // scheme and host that the client used, for links and curl lines
	Build string // which build this is
}

// Page writes a page, such as race.html, as HTML. The error is that of a name or
// a view that its template does not know, or that of w.
func Page(w io.Writer, name string, view any) error { return pages.ExecuteTemplate(w, name, view) }

// types are the content types of the files that pages refer to, by extension.
var types = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// assets are the bytes of the files that pages refer to, which all answers share:
// each ReadFile returns a copy.
var assets = func() map[string][]byte {
	all := map[string][]byte{}
	for ext := range types {
		names, _ := fs.Glob(files, "*"+ext) // the pattern is good
		for _, name := range names {
			body, err := files.ReadFile(name)
			if err != nil {
				panic(err)
			}
			all[name] = body
		}
	}
	return all
}()

// Asset returns a file that a page refers to and its content type, or false
// where there is none of that name. The body must not be changed.
func Asset(name string) (body []byte, contentType string, ok bool) {
	body, ok = assets[name]
	return body, types[path.Ext(name)], ok
}
