package plan

import (
	"strconv"
	"strings"
	"testing"
)

func TestEndpointsMatchPaths(t *testing.T) {
	p := New(Limits{})
	for _, tc := range []struct {
		name, path  string
		want        string // the end of the endpoint's prefix and suffix; "" for no endpoint
		param, rest string
	}{
		{"a delay", "/delay/1000", "/delay/", "1000", ""},
		{"a slash after it", "/delay/1000/", "/delay/", "1000", ""},
		{"two slashes after it", "/delay/1000//", "", "", ""},
		{"a segment after it", "/delay/1000/x", "", "", ""},
		{"no delay", "/delay/", "", "", ""},
		{"nothing", "/delay", "", "", ""},
		{"an empty delay", "/delay//", "/delay/", "", ""},
		{"an escaped slash", "/delay/1%2F2", "/delay/", "1%2F2", ""},
		{"a name that begins alike", "/delayed/1", "", "", ""},
		{"other capitals", "/Delay/1", "", "", ""},
		{"a redirect", "/delay/1/url/example.com/a", "/delay/ /url/", "1", "example.com/a"},
		{"a redirect to nothing", "/delay/1/url/", "/delay/ /url/", "1", ""},
		{"a redirect without its slash", "/delay/1/url", "", "", ""},
		{"a redirect of an empty delay", "/delay//url/x", "/delay/ /url/", "", "x"},
		{"a redirect to what looks like one", "/delay/1/url/a/url/b", "/delay/ /url/", "1", "a/url/b"},
		{"a proxy", "/delay/1/proxy/example.com", "/delay/ /proxy/", "1", "example.com"},
		{"drip", "/drip", "/drip", "", ""},
		{"a slash after drip", "/drip/", "", "", ""},
		{"drip with more", "/dripping", "", "", ""},
		{"sse", "/sse", "/sse", "", ""},
		{"a status", "/status/200", "/status/", "200", ""},
		{"all that follows is the status", "/status/200/x/", "/status/", "200/x/", ""},
		{"a slash is a status", "/status//", "/status/", "/", ""},
		{"no status", "/status/", "", "", ""},
		{"bytes", "/bytes/10", "/bytes/", "10", ""},
		{"a barrier", "/barrier/a", "/barrier/", "a", ""},
		{"a hold with slashes", "/hold/a/b/", "/hold/", "a/b/", ""},
		{"a page", "/doc", "", "", ""},
		{"the root", "/", "", "", ""},
		{"no path", "", "", "", ""},
		{"OPTIONS *", "*", "", "", ""},
	} {
		got, param, rest := "", "", ""
		if e := p.find(tc.path); e != nil {
			got = strings.TrimSpace(e.prefix + " " + e.suffix)
			param, rest, _ = e.match(tc.path)
		}
		if got != tc.want || param != tc.param || rest != tc.rest {
			t.Errorf("%s: %q is matched by %q with %q and %q, want %q, %q and %q", tc.name, tc.path, got, param, rest,
				tc.want, tc.param, tc.rest)
		}
	}
}

// The order of the endpoints in the table makes no difference.
func TestAPathHasOneEndpoint(t *testing.T) {
	for _, path := range []string{"/delay/1", "/delay/1/", "/delay/1/url/a/proxy/b", "/delay/1/proxy/a/url/b", "/drip",
		"/status/1", "/hold/a"} {
		n := 0
		for _, e := range newEndpoints() {
			if _, _, ok := e.match(path); ok {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is matched by %d endpoints, want 1", path, n)
		}
	}
}

func TestTheKeyOfAQuery(t *testing.T) {
	p := New(Limits{})
	e := p.find("/delay/1")
	for _, tc := range []struct {
		name, a, b string
		same       bool
	}{
		{"another run", "run=a&size=1", "run=b&size=1", true},
		{"another value of an unknown parameter", "_=17", "_=18", true},
		{"no value of an unknown parameter", "_=17", "_=", true},
		{"only an unknown parameter", "_", "_=", false},
		{"another unknown parameter", "_=17", "x=17", false},
		{"another value", "size=1", "size=2", false},
		{"another order", "size=1&rate=2", "rate=2&size=1", false},
		{"given twice", "run=a", "run=a&run=b", false},
		{"an empty name", "=x", "", false},
		{"nothing between two", "a&&b", "a&b", false},
		{"an escape in a run", "run=a", "run=%zz", false},
		{"an escape in a value that is ignored", "_=a", "_=%zz", false},
		{"a semicolon in a value that is ignored", "_=a", "_=a;b", false},
		{"an escape in the name run", "r%75n=a", "r%75n=b", false},
		{"bytes over ASCII", "_=a", "_=é", false},
		{"a name with an equals sign after it", "_=a=b", "_=c", true},
	} {
		if a, b := string(e.appendKey(nil, tc.a)), string(e.appendKey(nil, tc.b)); (a == b) != tc.same {
			t.Errorf("%s: the keys of %q and %q are %q and %q, want them equal: %v", tc.name, tc.a, tc.b, a, b, tc.same)
		}
	}
	const query = "run=a&size=1"
	if key := p.find("/delay/1/url/x").appendKey(nil, query); string(key) != query {
		t.Errorf("a redirect's key of %q is %q: the query is the target's", query, key)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache()
	const n = 3 * cacheSets * cacheWays
	for i := range n {
		c.put(strconv.Itoa(i), "", new(Template))
	}
	kept := 0
	for i := range n {
		if c.get(strconv.Itoa(i), nil) != nil {
			kept++
		}
	}
	if kept == 0 || kept > cacheSets*cacheWays {
		t.Errorf("of %d templates %d are kept, want up to %d", n, kept, cacheSets*cacheWays)
	}
}
