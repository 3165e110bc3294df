package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/internal/admin"
	"flash.test/delay-server/internal/clock"
	"flash.test/delay-server/internal/gate"
	"flash.test/delay-server/internal/journal"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/internal/scenario"
	"flash.test/delay-server/kit/httpkit"
	"flash.test/delay-server/kit/problem"
)

// house is an API and what it works on.
type house struct {
	*admin.API
	clock   *clock.Clock
	holds   *gate.Holds
	journal *journal.Journal
	routes  *echo.Echo
}

// noCounts is an admin.Counts that counts nothing.
type noCounts struct{}

func (noCounts) Forget(string) bool { return false }
func (noCounts) ForgetAll()         {}

func noScenarios() *scenario.Set {
	planner := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
	return scenario.NewSet(nil, planner, slog.New(slog.DiscardHandler))
}

// newHouse returns an API with a frozen clock and a journal that has run "r".
func newHouse() house {
	h := house{clock: clock.New(), holds: gate.NewHolds(), routes: echo.New()}
	h.clock.Freeze()
	h.journal = journal.New(10, h.clock.Now, func(journal.Wait) {})
	w := journal.Wait{Run: "r", Start: h.clock.Now()}
	h.journal.Begin(&w, nil)
	h.journal.End(w, journal.Answered)
	h.API = admin.New(admin.Options{
		Host: "localhost", ReadTimeout: time.Second, TimeScale: 1, JournalSize: 10,
		Clock: h.clock, Holds: h.holds, Barriers: new(gate.Barriers), Pools: new(gate.Pools),
		Journal: h.journal, Counts: noCounts{}, Scenarios: noScenarios(),
	})
	h.routes.HTTPErrorHandler = func(err error, c echo.Context) {
		p := httpkit.RouteProblem(err, c, "see /doc")
		if p == nil && !errors.As(err, &p) {
			p = problem.Internal.New("%v", err)
		}
		_ = p.Write(c.Response())
	}
	h.Routes(h.routes)
	return h
}

func (h house) call(ctx context.Context, method, target, body string) (status int, p problem.Problem) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, method, "http://localhost"+target, strings.NewReader(body))
	h.routes.ServeHTTP(rec, r)
	_ = json.Unmarshal(rec.Body.Bytes(), &p)
	return rec.Code, p
}

const (
	useCommands = `: use {"advance":"1s"}, {"freeze":true}, {"freeze":false}, {"scale":0.1} or {"reset":true}`
	useScale    = " is invalid: use a number from 0.000001 to 1000000"
	useAdvance  = " is invalid: use milliseconds or a Go duration, above 0 and up to 8760h"
	noRun       = " not found: no request named it, it was deleted, or the journal dropped it " +
		"(JOURNAL_SIZE=10, 0 dropped)"
)

// TestInvalidRequests has the texts of all errors that a request alone decides.
func TestInvalidRequests(t *testing.T) {
	long := strings.Repeat("x", 201)
	for _, tc := range []struct {
		name, call, body string
		want             problem.Type
		detail           string // a part of it
	}{
		{"unknown run", "GET /admin/runs/x", "", problem.RunNotFound, `run "x"` + noRun},
		{"unknown, to be settled", "GET /admin/runs/x?settled=true", "", problem.RunNotFound, `run "x"` + noRun},
		{"unknown, to be forgotten", "DELETE /admin/runs/x", "", problem.RunNotFound, `run "x"` + noRun},
		{"unknown, drawn", "GET /admin/runs/x/waterfall.svg", "", problem.RunNotFound, `run "x"` + noRun},
		{"unknown, written", "GET /admin/runs/x/waterfall.txt", "", problem.RunNotFound, `run "x"` + noRun},
		{"no name of a run", "GET /admin/runs/a%20b", "", problem.InvalidParameter, `"a b"`},
		{"a name of 201 bytes", "GET /admin/runs/" + long, "", problem.InvalidParameter, "1 to 200"},

		{"near miss", "GET /admin/runs/r?setled=true", "", problem.UnknownParameter, `did you mean "settled"?`},
		{"unknown parameter", "GET /admin/runs/r?verbose=1", "", problem.UnknownParameter,
			`unknown parameter "verbose"; use waiting, timeout, settled`},
		{"unknown parameter of the list", "GET /admin/runs?limit=1", "", problem.UnknownParameter,
			`unknown parameter "limit"; this request takes none`},
		{"unknown parameter of a picture", "GET /admin/runs/r/waterfall.svg?width=1", "", problem.UnknownParameter,
			`"width"`},
		{"forgetting by a parameter", "DELETE /admin/runs?run=r", "", problem.UnknownParameter, `"run"`},
		{"a parameter of runs", "GET /admin/holds/x?settled=true", "", problem.UnknownParameter,
			"use waiting, timeout, run"},
		{"unknown parameter of holds", "GET /admin/holds?_=1", "", problem.UnknownParameter, `"_"`},
		{"failing with a parameter", "DELETE /admin/holds/x?count=1", "", problem.UnknownParameter, `"count"`},
		{"near miss of count", "POST /admin/holds/x/release?coutn=1", "", problem.UnknownParameter,
			`did you mean "count"?`},
		{"unknown parameter of the clock", "GET /admin/clock?_=1", "", problem.UnknownParameter,
			"use waiting, timeout"},
		{"a command in the query", "POST /admin/clock?freeze=true", "", problem.UnknownParameter, `"freeze"`},

		{"settled is a word", "GET /admin/runs/r?settled=soon", "", problem.InvalidParameter,
			`settled "soon" is invalid: use true or false`},
		{"settled is a number", "GET /admin/runs/r?settled=1", "", problem.InvalidParameter,
			`settled "1" is invalid: use true or false`},
		{"two conditions", "GET /admin/runs/r?settled=true&waiting=1", "", problem.ConflictingParameters,
			"settled=true and waiting=1 conflict: use one of them"},
		{"waiting for nothing", "GET /admin/runs/r?waiting=0", "", problem.InvalidParameter,
			`waiting "0" is invalid: use a whole number from 1 to 1000000000`},
		{"waiting for a word", "GET /admin/holds/x?waiting=all", "", problem.InvalidParameter,
			`waiting "all" is invalid`},
		{"waiting with a sign", "GET /admin/holds/x?waiting=%2B5", "", problem.InvalidParameter,
			`waiting "+5" is invalid`},
		{"waiting for too many", "GET /admin/clock?waiting=1000000001", "", problem.InvalidParameter, `"1000000001"`},
		{"timeout is 0", "GET /admin/runs/r?waiting=1&timeout=0", "", problem.InvalidParameter, `timeout "0"`},
		{"timeout is random", "GET /admin/runs/r?settled=true&timeout=random", "", problem.InvalidParameter,
			`"random"`},
		{"timeout is too long", "GET /admin/holds/x?waiting=1&timeout=11m", "", problem.InvalidParameter, "10m"},
		{"timeout without a condition of a run", "GET /admin/runs/r?timeout=1s", "", problem.ConflictingParameters,
			"timeout has no effect without waiting=N or settled"},
		{"timeout without a condition of a hold", "GET /admin/holds/x?timeout=1s", "", problem.ConflictingParameters,
			"timeout has no effect without waiting=N"},

		{"a hold of 201 bytes", "GET /admin/holds/" + long, "", problem.InvalidParameter, "1 to 200"},
		{"releasing 0", "POST /admin/holds/x/release?count=0", "", problem.InvalidParameter, `count "0" is invalid`},
		{"releasing a word", "POST /admin/holds/x/release?count=all", "", problem.InvalidParameter,
			`count "all" is invalid`},
		{"releasing an empty hold", "POST /admin/holds/x/release", "", problem.HoldNotFound,
			`hold "x": no request is held`},
		{"failing an empty hold", "DELETE /admin/holds/x", "", problem.HoldNotFound, `hold "x": no request is held`},
		{"releasing in another order", "POST /admin/holds/x/release?order=last", "", problem.InvalidParameter,
			`order "last" is invalid: use newest or oldest`},
		{"releasing the zeroth", "POST /admin/holds/x/release?nth=0", "", problem.InvalidParameter,
			`nth "0" is invalid: use a whole number from 1`},
		{"releasing no attempt", "POST /admin/holds/x/release?attempt=first", "", problem.InvalidParameter,
			`attempt "first" is invalid`},
		{"an nth and an attempt", "POST /admin/holds/x/release?nth=1&attempt=1", "", problem.ConflictingParameters,
			"nth and attempt conflict: use one of them"},
		{"an nth and a count", "POST /admin/holds/x/release?nth=1&count=1", "", problem.ConflictingParameters,
			"count and nth conflict: use one of them"},
		{"an nth and an order", "POST /admin/holds/x/release?nth=1&order=newest", "", problem.ConflictingParameters,
			"order and nth conflict: use one of them"},
		{"an attempt and a count", "POST /admin/holds/x/release?attempt=1&count=2", "", problem.ConflictingParameters,
			"count and attempt conflict: use one of them"},
		{"releasing the newest of an empty hold", "POST /admin/holds/x/release?order=newest", "",
			problem.HoldNotFound, `hold "x": no request is held`},
		{"a run's hold without the run", "GET /admin/holds/run:x", "", problem.ConflictingParameters,
			`hold "run:x" needs run: add run=ID`},
		{"releasing a run's hold without the run", "POST /admin/holds/run:x/release", "",
			problem.ConflictingParameters, `hold "run:x" needs run: add run=ID`},
		{"failing a run's hold without the run", "DELETE /admin/holds/run:x", "", problem.ConflictingParameters,
			`hold "run:x" needs run: add run=ID`},
		{"a shared hold with a run", "GET /admin/holds/x?run=r", "", problem.ConflictingParameters,
			`hold "x" and run conflict: only a name that begins with run: belongs to a run`},
		{"an empty run", "GET /admin/holds/run:x?run=", "", problem.InvalidParameter, `run "" is invalid`},
		{"no name after run:", "GET /admin/holds/run:?run=r", "", problem.InvalidParameter,
			`hold "run:" is invalid (no name after run:): use a name such as run:checkout`},
		{"releasing an empty hold of a run", "POST /admin/holds/run:x/release?run=r", "", problem.HoldNotFound,
			`hold "run:x" of run "r": no request is held`},
		{"releasing by GET", "GET /admin/holds/x/release", "", problem.MethodNotAllowed, "use OPTIONS, POST"},

		{"a body that is not read", "DELETE /admin/runs", "{}", problem.BodyNotAllowed,
			"request body not allowed; use query parameters"},
		{"no command", "POST /admin/clock", "", problem.InvalidBody, `body "" is invalid` + useCommands},
		{"no JSON", "POST /admin/clock", `advance=1s`, problem.InvalidBody,
			`body "advance=1s" is invalid` + useCommands},
		{"no object", "POST /admin/clock", `["freeze"]`, problem.InvalidBody, useCommands},
		{"null", "POST /admin/clock", `null`, problem.InvalidBody, `body "null" is invalid`},
		{"no field", "POST /admin/clock", `{}`, problem.InvalidBody, `body "{}" is invalid`},
		{"two fields", "POST /admin/clock", `{"freeze":true,"scale":2}`, problem.InvalidBody, useCommands},
		{"one field twice", "POST /admin/clock", `{"advance":"1s","advance":"2s"}`, problem.InvalidBody, useCommands},
		{"a field in a list", "POST /admin/clock", `[{"freeze":true}]`, problem.InvalidBody, useCommands},
		{"broken off", "POST /admin/clock", `{"freeze":true`, problem.InvalidBody, useCommands},
		{"two objects", "POST /admin/clock", `{"freeze":true}{"scale":2}`, problem.InvalidBody, useCommands},
		{"a long value", "POST /admin/clock", `{"freeze":"` + long + `"}`, problem.InvalidBody,
			useCommands},
		{"near miss of a field", "POST /admin/clock", `{"advanse":"1s"}`, problem.InvalidBody,
			`unknown field "advanse"; did you mean "advance"?`},
		{"another case", "POST /admin/clock", `{"Freeze":true}`, problem.InvalidBody, `did you mean "freeze"?`},
		{"unknown field", "POST /admin/clock", `{"speed":2}`, problem.InvalidBody,
			`unknown field "speed"; use {"advance"`},
		{"empty field", "POST /admin/clock", `{"":2}`, problem.InvalidBody, `unknown field ""`},
		{"scale 0", "POST /admin/clock", `{"scale":0}`, problem.InvalidBody, "scale 0" + useScale},
		{"negative scale", "POST /admin/clock", `{"scale":-1}`, problem.InvalidBody, "scale -1" + useScale},
		{"too large a scale", "POST /admin/clock", `{"scale":1e9}`, problem.InvalidBody, "scale 1e+09" + useScale},
		{"too small a scale", "POST /admin/clock", `{"scale":1e-9}`, problem.InvalidBody, "scale 1e-09" + useScale},
		{"a scale that no float64 holds", "POST /admin/clock", `{"scale":1e999}`, problem.InvalidBody,
			`scale "1e999" is invalid` + useCommands},
		{"scale NaN", "POST /admin/clock", `{"scale":NaN}`, problem.InvalidBody, useCommands},
		{"scale in a string", "POST /admin/clock", `{"scale":"0.1"}`, problem.InvalidBody,
			`scale "\"0.1\"" is invalid`},
		{"scale null", "POST /admin/clock", `{"scale":null}`, problem.InvalidBody, `scale "null" is invalid`},
		{"freeze in a string", "POST /admin/clock", `{"freeze":"yes"}`, problem.InvalidBody,
			`freeze "\"yes\"" is invalid`},
		{"freeze 1", "POST /admin/clock", `{"freeze":1}`, problem.InvalidBody, `freeze "1" is invalid`},
		{"reset false", "POST /admin/clock", `{"reset":false}`, problem.InvalidBody, `reset "false" is invalid`},
		{"advance 0", "POST /admin/clock", `{"advance":0}`, problem.InvalidBody, `advance "0"` + useAdvance},
		{"advance 0s", "POST /admin/clock", `{"advance":"0s"}`, problem.InvalidBody, `advance "0s"` + useAdvance},
		{"advance back", "POST /admin/clock", `{"advance":-1}`, problem.InvalidBody, `advance "-1"` + useAdvance},
		{"advance random", "POST /admin/clock", `{"advance":"random"}`, problem.InvalidBody,
			`advance "random"` + useAdvance},
		{"a distribution", "POST /admin/clock", `{"advance":"uniform:1s,2s"}`, problem.InvalidBody, useAdvance},
		{"advance by a word", "POST /admin/clock", `{"advance":"abc"}`, problem.InvalidBody,
			`advance "abc"` + useAdvance},
		{"advance empty", "POST /admin/clock", `{"advance":""}`, problem.InvalidBody, `advance ""` + useAdvance},
		{"advance null", "POST /admin/clock", `{"advance":null}`, problem.InvalidBody, `advance "null"` + useAdvance},
		{"advance by an object", "POST /admin/clock", `{"advance":{"s":1}}`, problem.InvalidBody, useAdvance},
		{"advance over a year", "POST /admin/clock", `{"advance":"8761h"}`, problem.InvalidBody, useAdvance},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse()
			before := h.clock.State()
			method, target, _ := strings.Cut(tc.call, " ")
			status, p := h.call(t.Context(), method, target, tc.body)
			if p.Type != tc.want || status != tc.want.Info().Status || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("%.60s %.60s: got %d %s %q\nwant %s %q",
					tc.call, tc.body, status, p.Type, p.Detail, tc.want, tc.detail)
			}
			if len(p.Detail) > 500 {
				t.Errorf("a detail of %d bytes", len(p.Detail))
			}
			if got := h.clock.State(); got != before {
				t.Errorf("the clock is %+v, and was %+v", got, before)
			}
			if _, ok := h.journal.Run("r"); !ok {
				t.Error("the journal forgot run r")
			}
		})
	}
}

func TestProblemsOfTheState(t *testing.T) {
	h := newHouse()
	h.journal.Begin(&journal.Wait{Run: "unsettled", Start: h.clock.Now()}, nil)
	for _, tc := range []struct {
		name, method, target, body string
		want                       problem.Type
		detail                     string
	}{
		{"a run does not come", "GET", "/admin/runs/s?waiting=1&timeout=1ms", "", problem.WaitTimeout,
			`run "s": 0 of 1 requests wait after 1ms`},
		{"a run does not settle", "GET", "/admin/runs/unsettled?settled=true&timeout=1ms", "", problem.WaitTimeout,
			`run "unsettled": 1 of 1 requests still wait after 1ms`},
		{"a hold stays empty", "GET", "/admin/holds/x?waiting=2&timeout=1ms", "", problem.WaitTimeout,
			`hold "x": 0 of 2 requests wait after 1ms`},
		{"nothing waits on the clock", "GET", "/admin/clock?waiting=3&timeout=1ms", "", problem.WaitTimeout,
			"0 of 3 requests wait for a time on the clock after 1ms"},
		{"unfreeze", "POST", "/admin/clock", `{"freeze":false}`, "", ""},
		{"a running clock", "POST", "/admin/clock", `{"advance":"1s"}`, problem.ClockNotFrozen,
			`clock is not frozen; freeze it first: {"freeze":true}`},
	} {
		if _, p := h.call(t.Context(), tc.method, tc.target, tc.body); p.Type != tc.want || p.Detail != tc.detail {
			t.Errorf("%s: got %s %q, want %s %q", tc.name, p.Type, p.Detail, tc.want, tc.detail)
		}
	}
}

func TestWaitsAreLimited(t *testing.T) {
	h := newHouse()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	const max = 1000
	for range max {
		go func() {
			h.call(ctx, http.MethodGet, "/admin/runs/s?waiting=1", "")
			done <- struct{}{}
		}()
	}
	for h.Waiting() < max {
		time.Sleep(time.Millisecond)
	}
	if _, p := h.call(ctx, http.MethodGet, "/admin/clock?waiting=1", ""); p.Type != problem.TooManyAdminWaits {
		t.Errorf("one more than %d: got %+v, want %s", max, p, problem.TooManyAdminWaits)
	}
	cancel()
	for range max {
		<-done
	}
	if got := h.Waiting(); got != 0 {
		t.Errorf("%d wait once all clients left, want 0", got)
	}
}

func TestShutdownEndsWaits(t *testing.T) {
	h := newHouse()
	got := make(chan problem.Problem)
	go func() {
		_, p := h.call(t.Context(), http.MethodGet, "/admin/runs/s?waiting=1&timeout=10m", "")
		got <- p
	}()
	for h.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}
	h.Shutdown(problem.ShuttingDown.New("server is shutting down"))
	if p := <-got; p.Type != problem.ShuttingDown {
		t.Errorf("a wait: got %+v, want %s", p, problem.ShuttingDown)
	}
	if _, p := h.call(t.Context(), http.MethodGet, "/admin/holds/x?waiting=1", ""); p.Type != problem.ShuttingDown {
		t.Errorf("a later wait: got %+v, want %s", p, problem.ShuttingDown)
	}
}

func TestAccessErrorsSayWhatToDo(t *testing.T) {
	for _, tc := range []struct {
		name, host, token, method, hostHeader string
		header                                http.Header
		want                                  problem.Type
		detail                                string
	}{
		{"a write without the random token", "0.0.0.0", "", "DELETE", "localhost", nil, problem.TokenRequired,
			"token required to write: send Authorization: Bearer with the token that the server logged " +
				"when it started, or set ADMIN_TOKEN"},
		{"a read without the operator's", "localhost", "s3cret", "GET", "localhost", nil, problem.TokenRequired,
			"token required: send Authorization: Bearer with the server's ADMIN_TOKEN"},
		{"a foreign host", "0.0.0.0", "", "GET", "evil.example:3000", nil, problem.HostNotAllowed,
			`host "evil.example:3000" is not allowed; use an IP address, localhost or a name without dots, ` +
				"add the host to ADMIN_HOSTS, or set ADMIN_TOKEN"},
		{"a page of another origin", "localhost", "", "GET", "localhost", http.Header{"Sec-Fetch-Site": {"cross-site"}},
			problem.CrossOrigin, "request comes from a page of another origin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse()
			h.API = admin.New(admin.Options{
				Host: tc.host, Token: tc.token, Clock: h.clock, Holds: h.holds, Journal: h.journal,
				Counts: noCounts{}, Scenarios: noScenarios(),
			})
			fail := h.routes.HTTPErrorHandler
			h.routes = echo.New()
			h.routes.HTTPErrorHandler = fail
			h.Routes(h.routes)
			r := httptest.NewRequest(tc.method, "/admin/runs", nil)
			r.Host = tc.hostHeader
			if tc.header != nil {
				r.Header = tc.header
			}
			rec := httptest.NewRecorder()
			h.routes.ServeHTTP(rec, r)
			var p problem.Problem
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Type != tc.want || p.Detail != tc.detail {
				t.Errorf("got %d %s, want %s %q", rec.Code, rec.Body, tc.want, tc.detail)
			}
		})
	}
}
