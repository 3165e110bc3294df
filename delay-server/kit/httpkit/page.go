package httpkit

import (
	"bytes"
	"crypto/rand"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
)

// The placeholders of a Page, which the values of a request replace. They are
// private-use characters of Unicode, and may only stand in the text of elements.
const (
	BaseURL  = "\uE000" // the scheme and host that the client used
	Host     = "\uE001" // that host, with its port
	Hostname = "\uE002" // that host, without its port
	NewRun   = "\uE003" // an unused run ID
)

var placeholders = regexp.MustCompile("[" + BaseURL + Host + Hostname + NewRun + "]")

// Page returns a handler that serves the HTML page that render writes. It renders
// once. All responses share the bytes of the page: a client that does not read its
// response holds no copy.
func Page(render func(w io.Writer) error) echo.HandlerFunc {
	parts := sync.OnceValues(func() ([][]byte, error) {
		var html bytes.Buffer
		err := render(&html)
		return splitAtPlaceholders(html.Bytes()), err
	})
	return func(c echo.Context) error {
		parts, err := parts()
		if err != nil {
			return err
		}
		values := placeholderValues(c.Request())
		replaced := func(part []byte) []byte {
			if value, ok := values[string(part)]; ok {
				return value
			}
			return part
		}
		length := 0
		for _, part := range parts {
			length += len(replaced(part))
		}
		w := c.Response()
		PageHeader(w.Header())
		w.Header().Set("Content-Length", strconv.Itoa(length))
		w.WriteHeader(http.StatusOK)
		for _, part := range parts {
			if _, err := w.Write(replaced(part)); err != nil {
				return err
			}
		}
		return nil
	}
}

// BaseURLOf returns the scheme and host that the client used.
func BaseURLOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// splitAtPlaceholders splits html into placeholders and the parts between them.
func splitAtPlaceholders(html []byte) [][]byte {
	var parts [][]byte
	end := 0
	for _, at := range placeholders.FindAllIndex(html, -1) {
		parts = append(parts, html[end:at[0]], html[at[0]:at[1]])
		end = at[1]
	}
	return append(parts, html[end:])
}

// placeholderValues returns the values of the placeholders for r, as HTML.
func placeholderValues(r *http.Request) map[string][]byte {
	escape := func(text string) []byte { return []byte(template.HTMLEscapeString(text)) }
	return map[string][]byte{
		BaseURL:  escape(BaseURLOf(r)),
		Host:     escape(r.Host),
		Hostname: escape((&url.URL{Host: r.Host}).Hostname()),
		NewRun:   escape(strings.ToLower(rand.Text()[:6])),
	}
}
