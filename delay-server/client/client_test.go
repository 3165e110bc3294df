package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/client"
)

const (
	summaryJSON = `{"id":"r1","requests":3,"waiting":0,"settled":true,"wall_ms":1001.2,"sum_ms":3000.5,
		"speedup":2.997,"peak_in_flight":3,"dropped":0}`
	runJSON = `{"id":"r1","requests":1,"waiting":0,"settled":true,"wall_ms":1001.2,"sum_ms":1000.2,
		"speedup":0.999,"peak_in_flight":1,"dropped":0,"waits":[{"method":"GET","path":"/delay/1000",
		"start_ms":0,"end_ms":1001.2,"asked_ms":1000,"queued_ms":0,"waited_ms":1000.2,"outcome":"answered"}]}`
	scenarioYAML = "routes: [{path: /a}]"

	clockJSON = `{"scale":0.1,"frozen":true,"elapsed_ms":12.5,"waiting":2,"next_ms":1000.0}`
)

var (
	summary = client.Summary{
		ID: "r1", Requests: 3, Settled: true, PeakInFlight: 3,
		Wall: 1001200 * time.Microsecond, Sum: 3000500 * time.Microsecond,
	}
	run = client.Run{
		Summary: client.Summary{
			ID: "r1", Requests: 1, Settled: true, PeakInFlight: 1,
			Wall: 1001200 * time.Microsecond, Sum: 1000200 * time.Microsecond,
		},
		Waits: []client.Wait{{
			Method: "GET", Path: "/delay/1000", Outcome: "answered",
			End: 1001200 * time.Microsecond, Asked: time.Second, Waited: 1000200 * time.Microsecond,
		}},
	}
	clock = client.Clock{
		Scale: 0.1, Frozen: true, Waiting: 2, Elapsed: 12500 * time.Microsecond, Next: time.Second,
	}
)

const verdictJSON = `{"ok":false,"checks":[{"check":"attempts","ok":false,"want":"4","got":"3","detail":"d"}],` +
	`"waterfall":"run r1: 3 requests\n"}`

var verdict = client.Verdict{
	Checks:    []client.CheckResult{{Check: "attempts", Want: "4", Got: "3", Detail: "d"}},
	Waterfall: "run r1: 3 requests\n",
}

// noResult is result for methods that return only an error.
func noResult(err error) (any, error) { return nil, err }

func result[T any](v T, err error) (any, error) { return v, err }

type apiCall = func(context.Context, *client.Client) (any, error)

// calls has every method of Client, with its request and the result for a reply.
var calls = []struct {
	name   string
	call   apiCall
	method string
	uri    string
	body   string
	reply  string // "" is a 204
	want   any
}{
	{"runs", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Runs(ctx))
	}, "GET", "/admin/runs", "", `{"runs":[` + summaryJSON + `],"dropped":7}`,
		client.Runs{Runs: []client.Summary{summary}, Dropped: 7}},
	{"a run", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Run(ctx, "r1"))
	}, "GET", "/admin/runs/r1", "", runJSON, run},
	{"an ID with delimiters of URLs", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Run(ctx, "a/b?c%d#e f+ü"))
	}, "GET", "/admin/runs/a%2Fb%3Fc%25d%23e%20f+%C3%BC", "", runJSON, run},
	{"a settled run", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.AwaitSettled(ctx, "r1"))
	}, "GET", "/admin/runs/r1?settled=true", "", runJSON, run},
	{"a run with waiting requests", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.AwaitWaiting(ctx, "r1", 3))
	}, "GET", "/admin/runs/r1?waiting=3", "", runJSON, run},
	{"a waterfall", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Waterfall(ctx, "r1"))
	}, "GET", "/admin/runs/r1/waterfall.txt", "", "run r1: 3 requests\n", "run r1: 3 requests\n"},
	{"forget a run", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.ForgetRun(ctx, "r1"))
	}, "DELETE", "/admin/runs/r1", "", "", nil},
	{"forget all runs", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.ForgetRuns(ctx))
	}, "DELETE", "/admin/runs", "", "", nil},
	{"check a run", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Check(ctx, "r1", "backoff=100ms,2", "jitter=20%"))
	}, "GET", "/admin/runs/r1/check?backoff=100ms%2C2&jitter=20%25", "", verdictJSON, verdict},
	{"check several runs", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.CheckRuns(ctx, "load-", "attempts=4"))
	}, "GET", "/admin/check?attempts=4&run_prefix=load-", "", verdictJSON, verdict},
	{"holds", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Holds(ctx))
	}, "GET", "/admin/holds", "", `{"holds":[{"name":"x","waiting":2}]}`, []client.Hold{{Name: "x", Waiting: 2}}},
	{"a hold", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Hold(ctx, "x"))
	}, "GET", "/admin/holds/x", "", `{"name":"x","waiting":2}`, client.Hold{Name: "x", Waiting: 2}},
	{"a hold with waiting requests", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.AwaitHeld(ctx, "x", 2))
	}, "GET", "/admin/holds/x?waiting=2", "", `{"name":"x","waiting":2}`, client.Hold{Name: "x", Waiting: 2}},
	{"release all", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Release(ctx, "a/b"))
	}, "POST", "/admin/holds/a%2Fb/release", "", `{"name":"a/b","released":2}`, 2},
	{"release some", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ReleaseN(ctx, "x", 2))
	}, "POST", "/admin/holds/x/release?count=2", "", `{"name":"x","released":2}`, 2},
	{"release 0 does not release all", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ReleaseN(ctx, "x", 0))
	}, "POST", "/admin/holds/x/release?count=0", "", `{"name":"x","released":0}`, 0},
	{"release the newest", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ServerHold("x").ReleaseNewest(ctx, 2))
	}, "POST", "/admin/holds/x/release?count=2&order=newest", "", `{"name":"x","released":2}`, 2},
	{"release the second", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ServerHold("x").ReleaseNth(ctx, 2))
	}, "POST", "/admin/holds/x/release?nth=2", "", `{"name":"x","released":1}`, 1},
	{"release an attempt", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ServerHold("x").ReleaseAttempt(ctx, 3))
	}, "POST", "/admin/holds/x/release?attempt=3", "", `{"name":"x","released":2}`, 2},
	{"a run's hold", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunHold("a b", "x").State(ctx))
	}, "GET", "/admin/holds/run:x?run=a+b", "",
		`{"name":"run:x","run":"a b","waiting":1,"requests":[{"nth":1,"run":"a b","attempt":2}]}`,
		client.Hold{Name: "run:x", Run: "a b", Waiting: 1, Requests: []client.HeldRequest{{1, "a b", 2}}}},
	{"a run's hold with waiting requests", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunHold("a", "x").Await(ctx, 2))
	}, "GET", "/admin/holds/run:x?run=a&waiting=2", "", `{"name":"run:x","run":"a","waiting":2}`,
		client.Hold{Name: "run:x", Run: "a", Waiting: 2}},
	{"release all of a run", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunHold("a", "x").Release(ctx))
	}, "POST", "/admin/holds/run:x/release?run=a", "", `{"name":"run:x","run":"a","released":2}`, 2},
	{"release some of a run", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunHold("a", "x").ReleaseN(ctx, 1))
	}, "POST", "/admin/holds/run:x/release?count=1&run=a", "", `{"name":"run:x","run":"a","released":1}`, 1},
	{"fail a run's hold", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunHold("a", "x").Fail(ctx))
	}, "DELETE", "/admin/holds/run:x?run=a", "", `{"name":"run:x","run":"a","failed":2}`, 2},
	{"fail a hold", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.FailHold(ctx, "x"))
	}, "DELETE", "/admin/holds/x", "", `{"name":"x","failed":2}`, 2},
	{"the clock", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Clock(ctx))
	}, "GET", "/admin/clock", "", clockJSON, clock},
	{"the clock with waiting requests", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.AwaitClock(ctx, 2))
	}, "GET", "/admin/clock?waiting=2", "", clockJSON, clock},
	{"advance by a fraction of a millisecond", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Advance(ctx, time.Second+time.Nanosecond))
	}, "POST", "/admin/clock", `{"advance":1000.000001}`, clockJSON, clock},
	{"freeze", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Freeze(ctx))
	}, "POST", "/admin/clock", `{"freeze":true}`, clockJSON, clock},
	{"unfreeze", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Unfreeze(ctx))
	}, "POST", "/admin/clock", `{"freeze":false}`, clockJSON, clock},
	{"scale", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Scale(ctx, 0.1))
	}, "POST", "/admin/clock", `{"scale":0.1}`, clockJSON, clock},
	{"reset", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.ResetClock(ctx))
	}, "POST", "/admin/clock", `{"reset":true}`, clockJSON, clock},
	{"set the scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.PutScenario(ctx, scenarioYAML))
	}, "PUT", "/admin/scenario", scenarioYAML, "", nil},
	{"the scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.Scenario(ctx))
	}, "GET", "/admin/scenario", "", scenarioYAML, scenarioYAML},
	{"delete the scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.DeleteScenario(ctx))
	}, "DELETE", "/admin/scenario", "", "", nil},
	{"set a run's scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.PutRunScenario(ctx, "a/b", scenarioYAML))
	}, "PUT", "/admin/runs/a%2Fb/scenario", scenarioYAML, "", nil},
	{"a run's scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return result(c.RunScenario(ctx, "r1"))
	}, "GET", "/admin/runs/r1/scenario", "", scenarioYAML, scenarioYAML},
	{"delete a run's scenario", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.DeleteRunScenario(ctx, "r1"))
	}, "DELETE", "/admin/runs/r1/scenario", "", "", nil},
	{"reset the server", func(ctx context.Context, c *client.Client) (any, error) {
		return noResult(c.Reset(ctx))
	}, "POST", "/admin/reset", "", "", nil},
}

func TestCalls(t *testing.T) {
	for _, tc := range calls {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				got := fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body)
				if want := fmt.Sprintf("%s %s %s", tc.method, tc.uri, tc.body); err != nil || got != want {
					t.Errorf("got %s, %v\nwant %s", got, err, want)
				}
				wantType := ""
				switch tc.body {
				case "":
				case scenarioYAML:
					wantType = "application/yaml"
				default:
					wantType = "application/json"
				}
				if got := r.Header.Get("Content-Type"); got != wantType {
					t.Errorf("got Content-Type %q, want %q", got, wantType)
				}
				if tc.reply == "" {
					w.WriteHeader(http.StatusNoContent)
				}
				_, _ = io.WriteString(w, tc.reply)
			})
			got, err := tc.call(t.Context(), c)
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, tc.want)
			}
		})
	}
}

// dial returns a client of a server that calls h.
func dial(t *testing.T, h http.HandlerFunc, opts ...client.Option) *client.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newClient(t, srv.URL, opts...)
}

func newClient(t *testing.T, base string, opts ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New(base, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestToken(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts []client.Option
		want string
	}{
		{"none", nil, ""},
		{"a token", []client.Option{client.WithToken("secret")}, "Bearer secret"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			called := false
			c := dial(t, func(w http.ResponseWriter, r *http.Request) {
				called = true
				if got := r.Header.Get("Authorization"); got != tc.want {
					t.Errorf("got Authorization %q, want %q", got, tc.want)
				}
				w.WriteHeader(http.StatusNoContent)
			}, tc.opts...)
			if err := c.ForgetRuns(t.Context()); err != nil || !called {
				t.Errorf("ForgetRuns: got error %v, called %v, want one call without error", err, called)
			}
		})
	}
}

// TestEmptyName checks that an empty name does not forget or release everything.
func TestEmptyName(t *testing.T) {
	c := dial(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("got %s %s, want no request", r.Method, r.RequestURI)
	})
	for name, call := range map[string]func() error{
		"ForgetRun":      func() error { return c.ForgetRun(t.Context(), "") },
		"FailHold":       func() error { _, err := c.FailHold(t.Context(), ""); return err },
		"PutRunScenario": func() error { return c.PutRunScenario(t.Context(), "", scenarioYAML) },
		"Release":        func() error { _, err := c.Release(t.Context(), ""); return err },
	} {
		if err := call(); err == nil || !strings.HasSuffix(err.Error(), ": name is empty") {
			t.Errorf(`%s(""): got %v, want an error`, name, err)
		}
	}
}

func TestNew(t *testing.T) {
	for _, tc := range []struct{ name, base, uri string }{
		{"a host", "http://delay-server", "http://delay-server/admin/clock"},
		{"a host and a port", "http://127.0.0.1:3000", "http://127.0.0.1:3000/admin/clock"},
		{"a trailing slash", "https://[::1]:3000/", "https://[::1]:3000/admin/clock"},
		{"a path behind a proxy", "https://flash.test/a%2Fb/", "https://flash.test/a%2Fb/admin/clock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			c := newClient(t, tc.base, withTransport(func(r *http.Request) (*http.Response, error) {
				got = r.URL.String()
				return reply(200, "application/json", clockJSON), nil
			}))
			if _, err := c.Clock(t.Context()); err != nil || got != tc.uri {
				t.Errorf("Clock: got a request for %s, %v, want %s", got, err, tc.uri)
			}
		})
	}
}

func TestNewInvalid(t *testing.T) {
	for _, tc := range []struct{ name, base string }{
		{"empty", ""},
		{"no scheme", "127.0.0.1:3000"},
		{"a host name in place of a scheme", "localhost:3000"},
		{"another scheme", "ftp://localhost"},
		{"no host", "http://:3000"},
		{"a port that is a word", "http://localhost:http"},
		{"a user", "http://user:hunter2@localhost"},
		{"a query", "http://localhost/?a=1"},
		{"an empty query", "http://localhost?"},
		{"a fragment", "http://localhost/#a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := client.New(tc.base)
			if c != nil || err == nil || !strings.Contains(err.Error(), " is invalid: use http://HOST:PORT") {
				t.Errorf("New(%q) = %v, %v, want an error", tc.base, c, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("New(%q) = %v, which has the password", tc.base, err)
			}
		})
	}
}

// withTransport returns an option that sends requests to f.
func withTransport(f roundTripper) client.Option {
	return client.WithHTTPClient(&http.Client{Transport: f})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, contentType, text string) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status,
		Header: http.Header{"Content-Type": {contentType}},
		Body:   io.NopCloser(strings.NewReader(text)),
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var paths []string
	own := &http.Client{}
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}, client.WithHTTPClient(own))
	_, err := c.Clock(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unexpected reply 302 Found") || len(paths) != 1 {
		t.Errorf("Clock: got %v after requests for %v, want an error with status 302 after one request", err, paths)
	}
	if own.CheckRedirect != nil {
		t.Error("New changed its argument")
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := dial(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := c.AwaitHeld(ctx, "x", 1)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("AwaitHeld under a context that ends: got %v, want context.Canceled", err)
	}
}
