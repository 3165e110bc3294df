package client_test

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
)

func TestProblemErrors(t *testing.T) {
	queueFull := problem.TooManyAdminWaits.New("1000 requests wait")
	queueFull.RetryAfter = 2 * time.Second
	for _, tc := range []struct {
		name    string
		problem *client.Problem
		call    func(context.Context, *client.Client) error
		text    string // of the error; BASE stands for the server's URL
	}{
		{"GET", problem.RunNotFound.New(`run "r1" not found`), func(ctx context.Context, c *client.Client) error {
			_, err := c.Run(ctx, "r1")
			return err
		}, `GET BASE/admin/runs/r1: 404 Not Found: run "r1" not found`},
		{"text", problem.RunNotFound.New(`run "r1" not found`), func(ctx context.Context, c *client.Client) error {
			_, err := c.Waterfall(ctx, "r1")
			return err
		}, `GET BASE/admin/runs/r1/waterfall.txt: 404 Not Found: run "r1" not found`},
		{"no result", problem.TokenRequired.New("token required"), func(ctx context.Context, c *client.Client) error {
			return c.ForgetRuns(ctx)
		}, "DELETE BASE/admin/runs: 401 Unauthorized: token required"},
		{"query", problem.TooFewHeld.New("2 of 3 are held"), func(ctx context.Context, c *client.Client) error {
			_, err := c.ReleaseN(ctx, "x", 3)
			return err
		}, "POST BASE/admin/holds/x/release?count=3: 409 Conflict: 2 of 3 are held"},
		{"Retry-After", queueFull, func(ctx context.Context, c *client.Client) error {
			_, err := c.AwaitClock(ctx, 1)
			return err
		}, "GET BASE/admin/clock?waiting=1: 503 Service Unavailable: 1000 requests wait"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := ""
			c := dial(t, func(w http.ResponseWriter, r *http.Request) {
				base = "http://" + r.Host
				_ = tc.problem.Write(w)
			})
			err := tc.call(t.Context(), c)
			want := strings.Replace(tc.text, "BASE", base, 1)
			if err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if !errors.Is(err, tc.problem.Type) || errors.Is(err, client.ProblemInternal) {
				t.Errorf("got %v, want errors.Is for %s only", err, tc.problem.Type)
			}
			if p, ok := errors.AsType[*client.Problem](err); !ok || *p != *tc.problem {
				t.Errorf("got %+v, want %+v", p, tc.problem)
			}
		})
	}
}

func TestUnexpectedReply(t *testing.T) {
	long := strings.Repeat("x", 199)
	for _, tc := range []struct {
		name              string
		status            int
		contentType, text string
		want              string // end of the error, after its start
	}{
		{"a proxy's page", 502, "text/html", "<h1>Bad Gateway</h1>",
			`502 Bad Gateway (is this a delay-server?): "<h1>Bad Gateway</h1>"`},
		{"another server's text", 404, "text/plain", "404 page not found\n",
			`404 Not Found (is this a delay-server?): "404 page not found\n"`},
		{"another server's JSON", 404, "application/json", `{"detail":"x"}`,
			`404 Not Found (is this a delay-server?): "{\"detail\":\"x\"}"`},
		{"malformed problem", 500, problem.ContentType, "oops",
			`500 Internal Server Error (is this a delay-server?): "oops"`},
		{"page with status 200", 200, "text/html", "<p>Log in</p>",
			`200 OK (is this a delay-server?): "<p>Log in</p>" ` +
				`(invalid character '<' looking for beginning of value)`},
		{"empty body", 200, "application/json", "",
			`200 OK (is this a delay-server?): "" (unexpected end of JSON input)`},
		{"duration that is a string", 200, "application/json", `{"elapsed_ms":"1"}`,
			`200 OK (is this a delay-server?): "{\"elapsed_ms\":\"1\"}" ` +
				`("1" is not a decimal number of milliseconds)`},
		{"at most 200 characters", 502, "text/plain", long + "éz",
			`502 Bad Gateway (is this a delay-server?): "` + long + `é"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.text)
			})
			_, err := c.Clock(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), "/admin/clock: unexpected reply "+tc.want) {
				t.Errorf("got %v\nwant an error that ends with %s", err, tc.want)
			}
			if p, ok := errors.AsType[*client.Problem](err); ok {
				t.Errorf("got problem %+v, want none", p)
			}
		})
	}
}

func TestTruncatedReply(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "run r1: 3 requests")
	})
	text, err := c.Waterfall(t.Context(), "r1")
	if !errors.Is(err, io.ErrUnexpectedEOF) || text != "" {
		t.Errorf("Waterfall: got %q, %v, want io.ErrUnexpectedEOF", text, err)
	}
}

func TestUnreachable(t *testing.T) {
	c := newClient(t, "http://delay-server", withTransport(func(*http.Request) (*http.Response, error) {
		return nil, syscall.ECONNREFUSED
	}))
	_, err := c.Clock(t.Context())
	const want = "GET http://delay-server/admin/clock: connection refused"
	if !errors.Is(err, syscall.ECONNREFUSED) || err.Error() != want {
		t.Errorf("Clock: got %v\nwant %s", err, want)
	}
}

func TestScaleNaN(t *testing.T) {
	c := newClient(t, "http://delay-server", withTransport(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("request sent")
	}))
	const want = "POST http://delay-server/admin/clock: json: unsupported value: NaN"
	if _, err := c.Scale(t.Context(), math.NaN()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("Scale(NaN): got %v\nwant %s", err, want)
	}
}

// TestAwaitTimeout checks that the server's timeout ends before the context's.
func TestAwaitTimeout(t *testing.T) {
	type ctx = context.Context
	awaits := map[string]apiCall{
		"AwaitSettled": func(ctx ctx, c *client.Client) (any, error) { return c.AwaitSettled(ctx, "r1") },
		"AwaitWaiting": func(ctx ctx, c *client.Client) (any, error) { return c.AwaitWaiting(ctx, "r1", 1) },
		"AwaitHeld":    func(ctx ctx, c *client.Client) (any, error) { return c.AwaitHeld(ctx, "x", 1) },
		"AwaitClock":   func(ctx ctx, c *client.Client) (any, error) { return c.AwaitClock(ctx, 1) },
	}
	for _, tc := range []struct {
		name string
		left time.Duration // until ctx's deadline, or 0 for none
		sent string        // parameter timeout, or "" for none
		want error
	}{
		{"a tenth less", 5 * time.Second, "4.5s", client.ProblemWaitTimeout},
		{"at most a second less", time.Minute, "59s", client.ProblemWaitTimeout},
		{"at most 10 minutes", time.Hour, "10m0s", client.ProblemWaitTimeout},
		{"whole milliseconds", 11111 * time.Microsecond, "9ms", client.ProblemWaitTimeout},
		{"no deadline", 0, "", client.ProblemWaitTimeout},
		{"less than a millisecond", 500 * time.Microsecond, "1ms", context.DeadlineExceeded},
	} {
		for name, await := range awaits {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := ""
					transport := func(r *http.Request) (*http.Response, error) {
						sent = r.URL.Query().Get("timeout")
						return waitTimeout(r)
					}
					c := newClient(t, "http://delay-server", withTransport(transport))
					ctx := t.Context()
					if tc.left > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, tc.left)
						defer cancel()
					}
					_, err := await(ctx, c)
					if sent != tc.sent || !errors.Is(err, tc.want) {
						t.Errorf("%s with %v left: sent timeout=%s, got error %v; want %s, %v",
							name, tc.left, sent, err, tc.sent, tc.want)
					}
				})
			})
		}
	}
}

// waitTimeout answers as a server whose condition never holds.
func waitTimeout(r *http.Request) (*http.Response, error) {
	timeout, err := time.ParseDuration(cmp.Or(r.URL.Query().Get("timeout"), "10s"))
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(timeout):
		_, body := problem.WaitTimeout.New("0 of 1 wait after %v", timeout).Encode()
		return reply(http.StatusGatewayTimeout, problem.ContentType, string(body)), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
