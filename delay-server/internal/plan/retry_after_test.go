package plan_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

func TestRetryAfter(t *testing.T) {
	for _, tc := range []struct{ name, target, want string }{
		{"of a success", "/delay/0?retry_after=2s", "2"},
		{"in milliseconds", "/delay/0?retry_after=3000", "3"},
		{"in seconds, at an endpoint of go-httpbin", "/bytes/5?retry_after=3", "3"},
		{"none", "/delay/0?retry_after=0", "0"},
		{"above MAX_DELAY", "/delay/0?retry_after=1h", "3600"},
		{"in place of the one of a 503", "/delay/0?status=503&retry_after=2s", "2"},
		{"without a body", "/status/204?retry_after=2s", "2"},
		{"beside other fields", "/delay/0?retry_after=2s&header=X-A:b&header=X-B:c", "2"},
		{"with half of a body", "/delay/0?fault=truncate&retry_after=2s", "2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := retryAfter(t, planner(), tc.target); !slices.Equal(got, []string{tc.want}) {
				t.Errorf("GET %s: got Retry-After %q, want %q", tc.target, got, tc.want)
			}
		})
	}
}

// A client compares the date with its system clock.
func TestRetryAfterDate(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Nanosecond) // after midnight, so that dates are rounded up
		for target, want := range map[string]string{
			"/delay/0?retry_after=date:2s":            "Sat, 01 Jan 2000 00:00:03 GMT",
			"/delay/0?status=503&retry_after=date:1m": "Sat, 01 Jan 2000 00:01:01 GMT",
		} {
			if got := retryAfter(t, p, target); !slices.Equal(got, []string{want}) {
				t.Errorf("GET %s: got Retry-After %q, want %q", target, got, want)
			}
		}
	})
}

func retryAfter(t *testing.T, p *plan.Planner, target string) []string {
	t.Helper()
	got, err := planOf(t, p, request(t, target))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	got.Answer.SetHeader(h)
	return h.Values("Retry-After")
}

func TestRetryAfterOfARoute(t *testing.T) {
	template, errs := planner().Prepare("GET /a", url.Values{"retry_after": {"2s"}, "status": {"429"}})
	if errs != nil {
		t.Fatal(errs)
	}
	planned, err := template.Plan(plan.Request{Method: "GET", Path: "/a", ProtoMajor: 1})
	got := planned.Plan
	if err != nil {
		t.Fatal(err)
	}
	if want := []answer.Field{{Name: "Retry-After", Value: "2"}}; !slices.Equal(got.Answer.Header, want) {
		t.Errorf("got %v, want %v", got.Answer.Header, want)
	}
}

// The date counts from when the response begins, and is not cached.
func TestRetryAfterDatesAreNotShared(t *testing.T) {
	for target, want := range map[string]int{"/delay/0?retry_after=2s": 1, "/delay/0?retry_after=date:2s": 2} {
		tpl, built := template(t, planner(), target), 0
		for range 2 {
			tpl.Head(200, 1, false, "", func() *answer.Head {
				built++
				return answer.NewHead(200, http.Header{})
			})
		}
		if built != want {
			t.Errorf("GET %s twice: %d heads built, want %d", target, built, want)
		}
	}
}

func TestRetryAfterRefuses(t *testing.T) {
	const valid = `: use whole seconds, such as 2s, or date:2s`
	for _, tc := range []struct {
		name, query string
		kind        problem.Type
		want        string
	}{
		{"a fraction", "retry_after=1.5s", invalid, `retry_after "1.5s" is invalid` + valid},
		{"milliseconds", "retry_after=2", invalid, `retry_after "2" is invalid` + valid},
		{"a fraction of a date", "retry_after=date:500ms", invalid, `retry_after "date:500ms" is invalid` + valid},
		{"negative", "retry_after=-1s", invalid, `retry_after "-1s" is invalid` + valid},
		{"random", "retry_after=random", invalid, `retry_after "random" is invalid` + valid},
		{"empty", "retry_after=", invalid, `retry_after "" is invalid` + valid},
		{"a word", "retry_after=soon", invalid, `retry_after "soon" is invalid` + valid},
		{
			"no response", "retry_after=2s&fault=reset", conflict,
			"fault=reset and retry_after conflict: this fault sends no response",
		},
		{
			"the header", "retry_after=2s&header=retry-after:5", conflict,
			"header and retry_after conflict: both set Retry-After",
		},
		{"misspelled", "retry-after=2s", unknown, `unknown parameter "retry-after"; did you mean "retry_after"?`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := planOf(t, planner(), request(t, "/delay/0?"+tc.query))
			if !errors.Is(err, tc.kind) || err.Error() != tc.want {
				t.Errorf("?%s: got %v, want %s: %s", tc.query, err, tc.kind, tc.want)
			}
		})
	}
}
