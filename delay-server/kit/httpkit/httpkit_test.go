package httpkit_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// serve answers one request by a router with all that the package has to route.
func serve(method, target string) *httptest.ResponseRecorder {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		p := httpkit.RouteProblem(err, c, "see /doc")
		if p == nil && !errors.As(err, &p) {
			p = problem.Internal.New("%v", err)
		}
		_ = p.Write(c.Response())
	}
	e.GET("/healthz", httpkit.Healthz)
	e.GET("/readyz", httpkit.Readyz(
		func(*http.Request) error { return problem.ShuttingDown.New("server is shutting down") }))
	e.GET("/version", httpkit.Version)
	e.GET("/problems", httpkit.Problems("test-server", "/doc"))
	e.GET("/problems/:name", httpkit.Problems("test-server", "/doc"))
	e.GET("/panic", func(echo.Context) error { panic("oh") }, httpkit.RecoverPanics)
	e.GET("/assets/:name", httpkit.Assets(fstest.MapFS{
		"pages/style.css": {Data: []byte("body {}")}, "pages/doc.html": {Data: []byte("<p>")},
	}, "pages"))
	rec := httptest.NewRecorder()
	e.ServeHTTP(rec, httptest.NewRequest(method, target, nil))
	return rec
}

func TestRoutes(t *testing.T) {
	for _, tc := range []struct {
		name, method, target string
		status               int
		body                 string
	}{
		{"healthz", "GET", "/healthz", 200, "ok\n"},
		{"readyz with an error", "GET", "/readyz", 503, `"type":"/problems/shutting-down"`},
		{"version", "GET", "/version", 200, `"go":"go`},
		{"a style sheet", "GET", "/assets/style.css", 200, "body {}"},
		{"a page is no asset", "GET", "/assets/doc.html", 404, `"type":"/problems/not-found"`},
		{"an unknown asset", "GET", "/assets/none.css", 404, `"type":"/problems/not-found"`},
		{"an unknown path", "GET", "/none", 404, `no page at \"/none\"; see /doc`},
		{"another method", "POST", "/healthz", 405, `method \"POST\" is not allowed at \"/healthz\"; use OPTIONS, GET`},
		{"a panic", "GET", "/panic", 500, "panic: oh"},
		{"all problems", "GET", "/problems", 200, `<a href="/problems/pool-full">Pool full</a>`},
		{"a link to the documentation", "GET", "/problems/pool-full", 200, `<a href="/doc">Documentation</a>`},
		{"a problem", "GET", "/problems/pool-full", 200, "All workers of the pool are busy"},
		{"no problem", "GET", "/problems/none", 404, `"type":"/problems/not-found"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rec := serve(tc.method, tc.target)
			if rec.Code != tc.status || !strings.Contains(rec.Body.String(), tc.body) {
				t.Errorf("%s %s: got %d %.500s\nwant %d and %s", tc.method, tc.target, rec.Code,
					rec.Body, tc.status, tc.body)
			}
			if rec.Code == 405 && rec.Header().Get("Allow") == "" {
				t.Errorf("%s %s: no Allow", tc.method, tc.target)
			}
		})
	}
}

func TestEveryProblemHasAPage(t *testing.T) {
	for _, info := range problem.Types {
		rec := serve("GET", string(info.Type))
		if body := rec.Body.String(); rec.Code != 200 || !strings.Contains(body, info.Title) {
			t.Errorf("GET %s: got %d %.300s", info.Type, rec.Code, body)
		}
		if got := rec.Header(); got.Get("Content-Type") != "text/html; charset=UTF-8" ||
			got.Get("Content-Security-Policy") == "" {
			t.Errorf("GET %s: got the header %v, want the type of HTML and a policy", info.Type, got)
		}
	}
}

func TestRecoverPanicsPassesOnAnAbort(t *testing.T) {
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v, want http.ErrAbortHandler", p)
		}
	}()
	_ = httpkit.RecoverPanics(func(echo.Context) error { panic(http.ErrAbortHandler) })(nil)
}

func TestCheckRequest(t *testing.T) {
	long := "/" + strings.Repeat("a", httpkit.MaxURL)
	for _, tc := range []struct {
		name, method, uri string
		protoMajor        int
		want              error
	}{
		{"a usual request", "GET", "/", 1, nil},
		{"as long as may be", "GET", long[1:], 1, nil},
		{"too long", "GET", long, 1, problem.URLTooLong},
		{"an unusual method", "M-SEARCH", "/", 2, nil},
		{"no method", "GE T", "/", 2, problem.InvalidMethod},
	} {
		r := &http.Request{Method: tc.method, RequestURI: tc.uri, ProtoMajor: tc.protoMajor}
		if p := httpkit.CheckRequest(r); (p == nil) != (tc.want == nil) || p != nil && !errors.Is(p, tc.want) {
			t.Errorf("%s: CheckRequest = %v, want %v", tc.name, p, tc.want)
		}
	}
}

// failing is a body that ends with err after some bytes.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestReadBody(t *testing.T) {
	for _, tc := range []struct {
		name   string
		body   io.Reader
		length int64 // -1 for unknown
		want   error
	}{
		{"no body", http.NoBody, 0, nil},
		{"a body", strings.NewReader("abc"), 3, nil},
		{"of unknown length", strings.NewReader("abc"), -1, nil},
		{"too large, by its length", strings.NewReader("abc"), httpkit.MaxBody + 1, problem.BodyTooLarge},
		{"too large, of unknown length", bytes.NewReader(make([]byte, httpkit.MaxBody+1)), -1, problem.BodyTooLarge},
		{"too slow", failing{os.ErrDeadlineExceeded}, -1, problem.BodyTimeout},
		{"malformed", failing{errors.New("invalid chunk")}, -1, problem.InvalidBody},
		{"the client left", failing{io.ErrUnexpectedEOF}, 3, context.Canceled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", tc.body)
			r.ContentLength = tc.length
			c := echo.New().NewContext(r, httptest.NewRecorder())
			if err := httpkit.DiscardBody(c, time.Second); !errors.Is(err, tc.want) {
				t.Errorf("DiscardBody = %v, want %v", err, tc.want)
			}
		})
	}
}
