package httpkit_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
)

func TestPage(t *testing.T) {
	renders := 0
	handler := httpkit.Page(func(w io.Writer) error {
		renders++
		_, err := fmt.Fprintf(w, "<p>%s %s %s %s</p>",
			httpkit.BaseURL, httpkit.Host, httpkit.Hostname, httpkit.NewRun)
		return err
	})
	for host, want := range map[string]string{
		"localhost:3000": "http://localhost:3000 localhost:3000 localhost",
		"[::1]:3000":     `http://\[::1\]:3000 \[::1\]:3000 ::1`,
		"a&b":            "http://a&amp;b a&amp;b a&amp;b",
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.Host = host
		if err := handler(echo.New().NewContext(r, w)); err != nil {
			t.Fatal(err)
		}
		if got := w.Body.String(); !regexp.MustCompile("^<p>" + want + " [a-z0-9]{6}</p>$").MatchString(got) {
			t.Errorf("for host %s: got %s, want %s and a run", host, got, want)
		}
		if got, want := w.Header().Get("Content-Length"), strconv.Itoa(w.Body.Len()); got != want {
			t.Errorf("for host %s: Content-Length %s, want %s", host, got, want)
		}
	}
	if renders != 1 {
		t.Errorf("the page is rendered %d times, want once", renders)
	}
}
