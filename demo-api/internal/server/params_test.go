package server_test

import (
	"strings"
	"testing"
	"time"
)

func TestBadRequests(t *testing.T) {
	const whole, forms = "accepted: a whole number from 0 to 1000", "accepted: milliseconds (1000, 1.5)"
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, query, read, accepted string }{
		{"calls: empty", "calls=", `calls ""`, whole},
		{"calls: a name alone", "calls", `calls ""`, whole},
		{"calls: blank", "calls=%20", `calls " "`, whole},
		{"calls: an exponent", "calls=1e9", `calls "1e9"`, whole},
		{"calls: a sign", "calls=%2B2", `calls "+2"`, whole},
		{"calls: a plus is a blank", "calls=+2", `calls " 2"`, whole},
		{"calls: negative", "calls=-1", `calls "-1"`, whole},
		{"calls: hexadecimal", "calls=0x10", `calls "0x10"`, whole},
		{"calls: a fraction", "calls=2.0", `calls "2.0"`, whole},
		{"calls: digits of another script", "calls=%D9%A2", `calls "٢"`, whole},
		{"calls: an underscore", "calls=1_0", `calls "1_0"`, whole},
		{"calls: one above MAX_CALLS", "calls=1001", `calls "1001"`, whole},
		{"calls: beyond any integer", "calls=99999999999999999999", `calls "99999999999999999999"`, whole},
		{"calls: twice", "calls=1&calls=2", "calls is given 2 times", "give it once"},
		{"limit: none", "limit=0", `limit "0"`, "accepted: a whole number from 1 to"},
		{"limit: negative", "limit=-3", `limit "-3"`, "accepted: a whole number from 1 to"},
		{"limit: empty", "limit=", `limit ""`, "accepted: a whole number from 1 to"},
		{"limit: beyond any integer", "limit=99999999999999999999", "limit", "accepted: a whole number from 1 to"},
		{"delay: empty", "delay=", `delay "" is empty`, forms},
		{"delay: a word", "delay=abc", `delay "abc"`, forms},
		{"delay: negative", "delay=-5", `delay "-5" is negative`, forms},
		{"delay: not a number", "delay=NaN", `delay "NaN"`, forms},
		{"delay: hexadecimal", "delay=0x10", `delay "0x10"`, forms},
		{"delay: another path", "delay=..%2Fadmin", `delay "../admin"`, forms},
		{"delay: above MAX_DELAY", "delay=600001", `delay "600001" is too long`, "accepted: up to 10m0s (600000 ms)"},
		{"delay: above MAX_DELAY, where there are no calls", "calls=0&delay=11m", `delay "11m"`, "accepted: up to 10m0s"},
		{"delay: twice", "delay=1&delay=1", "delay is given 2 times", "give it once"},
		{"db: empty", "db=", `db "" is empty`, forms},
		{"db: a word", "db=abc", `db "abc"`, forms},
		{"db: negative", "db=-5", `db "-5" is negative`, forms},
		{"db: above MAX_DELAY", "db=600001", `db "600001" is too long`, "accepted: up to 10m0s (600000 ms)"},
		{"db: above MAX_DELAY at its least", "db=uniform:11m,12m", `db "uniform:11m,12m" is too long`, "accepted: up to 10m0s"},
		{"db: a recording, of which there are none here", "db=recorded:shop", `db "recorded:shop" is a recording`, "accepted: any other form of a delay"},
		{"db: no call to replace", "calls=0&db=5", `db "5" replaces the last call, and calls is 0`, "accepted: calls of 1 or more, or no db"},
		{"db: twice", "db=1&db=1", "db is given 2 times", "give it once"},
		{"delay: above MAX_DELAY at its least", "delay=uniform:11m,12m", `delay "uniform:11m,12m" is too long`, "accepted: up to 10m0s"},
		{"a near miss of db", "bd=3", `"bd"`, "did you mean \"db\"?"},
		{"a near miss of calls", "call=3", `"call"`, "did you mean \"calls\"?"},
		{"a near miss of delay", "dealy=3", `"dealy"`, "did you mean \"delay\"?"},
		{"a near miss of limit", "limits=3", `"limits"`, "did you mean \"limit\"?"},
		{"a bad escape", "calls=%zz", `query "calls=%zz"`, "use name=value"},
		{"a semicolon", "calls=1;delay=5", `query "calls=1;delay=5"`, "use name=value"},
		{"long: cut, and its length said", "calls=" + strings.Repeat("9", 5000), "(5000 bytes)", whole},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				p := d.get(t, endpoint+"?"+tc.query).problem(t, 400)
				if !strings.Contains(p.Detail, tc.read) || !strings.Contains(p.Detail, tc.accepted) {
					t.Errorf("GET %s?%.100s: %s\nwant it to say %s … %s", endpoint, tc.query, p.Detail, tc.read, tc.accepted)
				}
				if len(p.Detail) > 400 {
					t.Errorf("GET %s?%.100s: a detail of %d bytes, want 400 at most", endpoint, tc.query, len(p.Detail))
				}
			})
		}
	}
	if n := s.seen().come; n != 0 {
		t.Errorf("delay-server was asked %d times for bad requests, want never", n)
	}
}

func TestBadRunID(t *testing.T) {
	s := newSlow(t, answered(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, id string }{
		{"empty", ""},
		{"a blank within", "a b"},
		{"not ASCII", "läufer"},
		{"201 bytes", strings.Repeat("x", 201)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := d.send(t, "GET", "/get_data", map[string]string{"X-Run-Id": tc.id}, nil).problem(t, 400)
			if !strings.Contains(p.Detail, "X-Run-Id") || !strings.Contains(p.Detail, "1 to 200 visible ASCII characters") {
				t.Errorf("X-Run-Id %.20q: %s", tc.id, p.Detail)
			}
		})
	}
	if n := s.seen().come; n != 0 {
		t.Errorf("delay-server was asked %d times, want never", n)
	}
}

func TestIgnoredParameters(t *testing.T) {
	many := make([]string, 25)
	for i := range many {
		many[i] = "par" + string(rune('a'+i))
	}
	d := start(t, options(), newSlow(t, answered(0)).URL, time.Minute)
	for _, tc := range []struct{ name, query, want string }{
		{"none", "calls=1", ""},
		{"a cache buster", "_=17", "_"},
		{"in order, each once", "utm=1&_=2&utm=3&calls=1", "_, utm"},
		{"a header of its own", "a%0D%0ASet-Cookie:x=1", `"a\r\nSet-Cookie:x"`},
		{"not ASCII", "%C3%A4=1", `"\u00e4"`},
		{"no name at all", "=1", `""`},
		{"a comma", "a,b=1", `"a,b"`},
		{"too many to name", strings.Join(many, "&"), strings.Join(many[:20], ", ") + ", 5 more"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := d.get(t, "/get_data?"+tc.query)
			if ignored := got.Header.Get("X-Ignored-Parameters"); got.StatusCode != 200 || ignored != tc.want {
				t.Errorf("GET /get_data?%s = %d, X-Ignored-Parameters %q, want 200, %q", tc.query, got.StatusCode, ignored, tc.want)
			}
			if cookie := got.Header.Get("Set-Cookie"); cookie != "" {
				t.Errorf("Set-Cookie: %q, want none", cookie)
			}
		})
	}
}
