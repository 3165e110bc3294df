package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/answer"
)

// BenchmarkHandler measures /delay/0 without a network: a plain Echo handler with the
// same body, ours, and ours with parameters.
func BenchmarkHandler(b *testing.B) {
	plain := echo.New()
	plain.GET("/delay/:delay", func(c echo.Context) error {
		return c.Blob(http.StatusOK, answer.JSON,
			[]byte(`{"status":200,"message":"Mock response from Flash","delay":"0 ms"}`))
	})
	ours, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for _, bc := range []struct {
		name, target string
		handler      http.Handler
	}{
		{"plain Echo", "/delay/0", plain},
		{"ours", "/delay/0", ours.Handler()},
		{"ours with a limit", "/delay/0?limit=1000000/s&burst=1000000", ours.Handler()},
		{"ours with the headers of a limit", "/delay/0?limit=1000000/s&burst=1000000&limit_headers=draft",
			ours.Handler()},
		{"ours with parameters", "/delay/weighted:0:50?status=404:10&seed=1&run=a", ours.Handler()},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rec := httptest.NewRecorder()
				bc.handler.ServeHTTP(rec, httptest.NewRequest("GET", bc.target, nil))
				if rec.Code != 200 && rec.Code != 404 {
					b.Fatalf("status %d", rec.Code)
				}
			}
		})
	}
}
