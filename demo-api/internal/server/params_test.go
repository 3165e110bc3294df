package server_test

import (
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestBadParameters(t *testing.T) {
	const invalid, repeated = problem.InvalidParameter, problem.RepeatedParameter
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct {
		name, query string
		want        problem.Type
		detail      string // "" if kit/query or delay tests the text
	}{
		{"calls: empty", "calls=", invalid, ""},
		{"calls: a sign", "calls=%2B2", invalid, ""},
		{"calls: above MAX_CALLS", "calls=1001", invalid, `calls "1001" is invalid: use a whole number from 0 to 1000`},
		{"calls: twice", "calls=1&calls=2", repeated, ""},
		{"limit: 0", "limit=0", invalid, `limit "0" is invalid: use a whole number from 1 to`},
		{"limit: empty", "limit=", invalid, ""},
		{"limit: above any integer", "limit=99999999999999999999", invalid, ""},
		{"delay: empty", "delay=", invalid, `delay "" is invalid (empty): use milliseconds`},
		{"delay: a word", "delay=abc", invalid, `delay "abc" is invalid (unknown form): use milliseconds`},
		{"delay: negative", "delay=-5", invalid, `delay "-5" is invalid (negative)`},
		{"delay: another path", "delay=..%2Fadmin", invalid, ""},
		{"delay: above MAX_DELAY", "delay=600001", invalid,
			`delay "600001" is too long: use at most 10m0s (MAX_DELAY)`},
		{"delay: above MAX_DELAY without calls", "calls=0&delay=11m", invalid, "is too long"},
		{"delay: its minimum above MAX_DELAY", "delay=uniform:11m,12m", invalid, "is too long"},
		{"delay: twice", "delay=1&delay=1", repeated, ""},
		{"db: empty", "db=", invalid, `db "" is invalid (empty)`},
		{"db: a word", "db=abc", invalid, `db "abc"`},
		{"db: above MAX_DELAY", "db=600001", invalid, `db "600001" is too long`},
		{"db: its minimum above MAX_DELAY", "db=uniform:11m,12m", invalid, "is too long"},
		{"db: a recording", "db=recorded:shop", invalid,
			`db "recorded:shop" is invalid: only delay-server has recordings`},
		{"db: no call to replace", "calls=0&db=5", problem.ConflictingParameters, "db and calls=0 conflict"},
		{"db: twice", "db=1&db=1", repeated, ""},
		{"a misspelled db", "bd=3", problem.UnknownParameter, `did you mean "db"?`},
		{"a misspelled calls", "call=3", problem.UnknownParameter, `did you mean "calls"?`},
		{"a misspelled delay", "dealy=3", problem.UnknownParameter, `did you mean "delay"?`},
		{"a misspelled limit", "limits=3", problem.UnknownParameter, `did you mean "limit"?`},
		{"a bad escape", "calls=%zz", problem.MalformedQuery, ""},
		{"long values are shortened", "calls=" + strings.Repeat("9", 5000), invalid, "(5000 bytes)"},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				p := d.get(t, endpoint+"?"+tc.query).problem(t, tc.want)
				if !strings.Contains(p.Detail, tc.detail) || len(p.Detail) > 400 {
					t.Errorf("GET %s?%.100s: %s\nwant … %s …, at most 400 bytes",
						endpoint, tc.query, p.Detail, tc.detail)
				}
			})
		}
	}
	if n := s.received().started; n != 0 {
		t.Errorf("%d calls were made, want none", n)
	}
}

func TestBadRunID(t *testing.T) {
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, id string }{
		{"empty", ""},
		{"201 bytes", strings.Repeat("x", 201)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.send(t, "GET", "/get_data", map[string]string{"X-Run-Id": tc.id}, nil).problem(t, problem.InvalidHeader)
		})
	}
	if n := s.received().started; n != 0 {
		t.Errorf("%d calls were made, want none", n)
	}
}

func TestIgnoredParameters(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, tc := range []struct{ name, query, want string }{
		{"none", "calls=1", ""},
		{"sorted, each once", "utm=1&_=2&utm=3&calls=1", "_, utm"},
		{"a header is quoted", "a%0D%0ASet-Cookie:x=1", `"a\r\nSet-Cookie:x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, "/get_data?"+tc.query)
			if ignored := got.Header.Get("X-Ignored-Parameters"); got.StatusCode != 200 || ignored != tc.want {
				t.Errorf("GET /get_data?%s = %d, X-Ignored-Parameters %q, want 200, %q",
					tc.query, got.StatusCode, ignored, tc.want)
			}
			if cookie := got.Header.Get("Set-Cookie"); cookie != "" {
				t.Errorf("Set-Cookie: %q, want none", cookie)
			}
		})
	}
}
