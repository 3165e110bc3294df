package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"time"

	"flash.test/demo-api/internal/server"
	"flash.test/demo-api/internal/upstream"
)

// teapot is an Upstream that returns 418 at once.
type teapot struct{}

func (teapot) Get(context.Context, upstream.Request) (int, error) { return 418, nil }
func (teapot) Peak(context.Context, string) (int, error)          { return 0, errors.New("not counted") }
func (teapot) App(context.Context, upstream.AppRequest) ([]byte, error) {
	return nil, errors.New("no app")
}
func (teapot) Run(context.Context, string) (upstream.Run, error) {
	return upstream.Run{}, errors.New("no journal")
}

// instant is a Database whose queries take no time.
type instant struct{}

func (instant) Query(context.Context, time.Duration) error { return nil }

func ExampleNew() {
	s := server.New(server.Options{
		Calls: 2, MaxCalls: 10, Delay: "1000", MaxDelay: time.Minute, MaxInFlight: 100,
		UpstreamURL: "http://localhost:3000",
	}, teapot{}, instant{}, slog.New(slog.DiscardHandler))

	for _, path := range []string{
		"/get_data", "/async_get_data?calls=3", "/async_get_data?db=500", "/get_data?calls=0",
	} {
		recorder := httptest.NewRecorder()
		s.Handler().ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		fmt.Print(recorder.Code, " ", recorder.Body)
	}
	// Output:
	// 200 {"r1":418,"r2":418}
	// 200 {"r1":418,"r2":418,"r3":418}
	// 200 {"r1":418,"db":200}
	// 200 ok
}
