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

func TestRefusal(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		detail string
		call   func(context.Context, *client.Client) error
		text   string // of the error; BASE stands for the server's URL
	}{
		{"an unknown run", 404, `no run "r1"`, func(ctx context.Context, c *client.Client) error { _, err := c.Run(ctx, "r1"); return err },
			`GET BASE/admin/runs/r1: 404 Not Found: no run "r1"`},
		{"an unknown run, drawn", 404, `no run "r1"`, func(ctx context.Context, c *client.Client) error { _, err := c.Waterfall(ctx, "r1"); return err },
			`GET BASE/admin/runs/r1/waterfall.txt: 404 Not Found: no run "r1"`},
		{"an unknown run, forgotten", 404, `no run "r1"`, func(ctx context.Context, c *client.Client) error { return c.ForgetRun(ctx, "r1") },
			`DELETE BASE/admin/runs/r1: 404 Not Found: no run "r1"`},
		{"not in time", 504, "2 of 3 wait after 10s", func(ctx context.Context, c *client.Client) error { _, err := c.AwaitWaiting(ctx, "r1", 3); return err },
			"GET BASE/admin/runs/r1?waiting=3: 504 Gateway Timeout: 2 of 3 wait after 10s"},
		{"fewer held", 409, "3 are to be released and 2 are held", func(ctx context.Context, c *client.Client) error { _, err := c.ReleaseN(ctx, "x", 3); return err },
			"POST BASE/admin/holds/x/release?count=3: 409 Conflict: 3 are to be released and 2 are held"},
		{"a clock that runs", 409, "the clock runs", func(ctx context.Context, c *client.Client) error { _, err := c.Advance(ctx, 1); return err },
			"POST BASE/admin/clock: 409 Conflict: the clock runs"},
		{"a wrong token", 401, "no ADMIN_TOKEN", func(ctx context.Context, c *client.Client) error { return c.ForgetRuns(ctx) },
			"DELETE BASE/admin/runs: 401 Unauthorized: no ADMIN_TOKEN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := ""
			c := dial(t, func(w http.ResponseWriter, r *http.Request) {
				base = "http://" + r.Host
				_ = problem.New(tc.status, "%s", tc.detail).Write(w)
			})
			err := tc.call(t.Context(), c)
			want := strings.Replace(tc.text, "BASE", base, 1)
			if err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
			var p *problem.Problem
			if !errors.As(err, &p) || *p != *problem.New(tc.status, "%s", tc.detail) {
				t.Errorf("got %+v, want the problem %d %s", p, tc.status, tc.detail)
			}
		})
	}
}

// Replies that no delay-server gives to the question.
func TestStranger(t *testing.T) {
	long := strings.Repeat("x", 199)
	for _, tc := range []struct {
		name              string
		status            int
		contentType, text string
		want              string // the end of the error
	}{
		{"a proxy's page", 502, "text/html", "<h1>Bad Gateway</h1>", `: 502 Bad Gateway, but not from an admin API of delay-server: "<h1>Bad Gateway</h1>"`},
		{"another server", 404, "text/plain", "404 page not found\n", `: 404 Not Found, but not from an admin API of delay-server: "404 page not found\n"`},
		{"another server's JSON", 404, "application/json", `{"detail":"x"}`, `: 404 Not Found, but not from an admin API of delay-server: "{\"detail\":\"x\"}"`},
		{"a problem document that is none", 500, problem.ContentType, "oops", `: 500 Internal Server Error, but not from an admin API of delay-server: "oops"`},
		{"a page for success", 200, "text/html", "<p>Log in</p>", `: 200 OK, but not from an admin API of delay-server: "<p>Log in</p>" (invalid character '<' looking for beginning of value)`},
		{"nothing", 200, "application/json", "", `: 200 OK, but not from an admin API of delay-server: "" (unexpected end of JSON input)`},
		{"a time that is a text", 200, "application/json", `{"elapsed_ms":"1"}`, `("1" is no decimal number of milliseconds)`},
		{"200 bytes are shown", 502, "text/plain", long + "yz", `: "` + long + `y"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.text)
			})
			_, err := c.Clock(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), "GET http://") || !strings.HasSuffix(err.Error(), tc.want) {
				t.Errorf("got %v\nwant an error that ends with %s", err, tc.want)
			}
			if p, ok := errors.AsType[*problem.Problem](err); ok {
				t.Errorf("got the problem %+v, want none", p)
			}
		})
	}
}

// A reply that breaks off is no shorter reply.
func TestReplyBreaksOff(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "run r1: 3 requests")
	})
	text, err := c.Waterfall(t.Context(), "r1")
	if !errors.Is(err, io.ErrUnexpectedEOF) || text != "" {
		t.Errorf("Waterfall: got %q, %v, want an unexpected EOF", text, err)
	}
}

func TestUnreachable(t *testing.T) {
	c := newClient(t, "http://delay-server", client.WithHTTPClient(&http.Client{Transport: trip(func(*http.Request) (*http.Response, error) {
		return nil, syscall.ECONNREFUSED
	})}))
	_, err := c.Clock(t.Context())
	if want := "GET http://delay-server/admin/clock: connection refused"; err == nil || err.Error() != want || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Clock: got %v\nwant %s", err, want)
	}
}

func TestScaleThatIsNoNumber(t *testing.T) {
	c := newClient(t, "http://delay-server")
	if _, err := c.Scale(t.Context(), math.NaN()); err == nil || !strings.HasPrefix(err.Error(), "POST http://delay-server/admin/clock: json: unsupported value: NaN") {
		t.Errorf("Scale(NaN): got %v, want an error before any request", err)
	}
}

// The server's 504, with its reason, comes before the context's deadline.
func TestAwaitTimeout(t *testing.T) {
	awaits := map[string]func(context.Context, *client.Client) error{
		"AwaitSettled": func(ctx context.Context, c *client.Client) error { _, err := c.AwaitSettled(ctx, "r1"); return err },
		"AwaitWaiting": func(ctx context.Context, c *client.Client) error { _, err := c.AwaitWaiting(ctx, "r1", 1); return err },
		"AwaitHeld":    func(ctx context.Context, c *client.Client) error { _, err := c.AwaitHeld(ctx, "x", 1); return err },
		"AwaitClock":   func(ctx context.Context, c *client.Client) error { _, err := c.AwaitClock(ctx, 1); return err },
	}
	for _, tc := range []struct {
		name    string
		left    time.Duration // until the deadline, 0 for none
		sent    string        // as timeout, "" for none
		refused bool          // by the server: else the context's deadline is the error
	}{
		{"a tenth less", 5 * time.Second, "4.5s", true},
		{"a second less at the most", time.Minute, "59s", true},
		{"whole milliseconds", 11111 * time.Microsecond, "9ms", true},
		{"no deadline: the server's own limit", 0, "", true},
		{"too late for any answer", 500 * time.Microsecond, "1ms", false},
	} {
		for name, await := range awaits {
			t.Run(name+"/"+tc.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := ""
					c := newClient(t, "http://delay-server", client.WithHTTPClient(&http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
						sent = r.URL.Query().Get("timeout")
						return inVain(r)
					})}))
					ctx := t.Context()
					if tc.left > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, tc.left)
						defer cancel()
					}
					err := await(ctx, c)
					if sent != tc.sent {
						t.Errorf("%s with %v left: sent timeout=%s, want %s", name, tc.left, sent, tc.sent)
					}
					p, refused := errors.AsType[*problem.Problem](err)
					if refused != tc.refused || refused && p.Status != 504 || errors.Is(err, context.DeadlineExceeded) == refused {
						t.Errorf("%s with %v left: got %v, want the server's 504: %v, else the deadline", name, tc.left, err, tc.refused)
					}
				})
			})
		}
	}
}

// inVain is a server at which what is waited for does not come.
func inVain(r *http.Request) (*http.Response, error) {
	limit, err := time.ParseDuration(cmp.Or(r.URL.Query().Get("timeout"), "10s"))
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(limit):
		return reply(504, problem.ContentType, `{"detail":"0 of 1 after `+limit.String()+`"}`), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}
