package plan_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
	"flash.test/delay-server/kit/problem"
)

// request returns a GET of the target.
func request(t testing.TB, target string) plan.Request {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Request{Method: http.MethodGet, Path: u.EscapedPath(), Query: u.RawQuery, ProtoMajor: 1}
}

// planOf plans r as the server does.
func planOf(t testing.TB, p *plan.Planner, r plan.Request) (*plan.Plan, error) {
	t.Helper()
	got, _, err := planAndRun(t, p, r)
	return got, err
}

func planAndRun(t testing.TB, p *plan.Planner, r plan.Request) (got *plan.Plan, run string, err error) {
	t.Helper()
	template, err := p.Find(r)
	if err != nil {
		if template != nil {
			t.Fatalf("Find(%q, %q) = %p and the error %v", r.Path, r.Query, template, err)
		}
		return nil, "", err
	}
	if template == nil {
		t.Fatalf("Find(%q): no endpoint", r.Path)
	}
	planned, err := template.Plan(r)
	got, run = planned.Plan, planned.Run
	if got != nil && !slices.Equal(got.Template.Ignored, template.Ignored) { // attempts have templates of their own
		t.Fatalf("Plan(%.200q, %.200q) is of another template", r.Path, r.Query)
	}
	return got, run, err
}

func TestDelay(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute})
	got, run, err := planAndRun(t, p, request(t, "/delay/1.5?_=17&run=a&utm=x"))
	if err != nil {
		t.Fatal(err)
	}
	if ignored := got.Template.Ignored; got.Wait != 1500*time.Microsecond || run != "a" ||
		!slices.Equal(ignored, []string{"_", "utm"}) {
		t.Errorf("got wait %v, run %q, ignored %q, want 1.5ms, a, [_ utm]", got.Wait, run, ignored)
	}
	if want := `{"status":200,"message":"Mock response from Flash","delay":"1.5 ms"}`; got.Answer.Status != 200 ||
		string(got.Answer.Body.Whole) != want {
		t.Errorf("got %d %s, want 200 %s", got.Answer.Status, got.Answer.Body.Whole, want)
	}
}

func TestRunIsTheHeaderThenTheParameterThenTheTrace(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	p := plan.New(plan.Limits{MaxDelay: time.Minute})
	for _, tc := range []struct{ name, header, query, traceparent, want string }{
		{"all three", "h", "?run=q", trace, "h"},
		{"parameter and trace", "", "?run=q", trace, "q"},
		{"trace", "", "", trace, "4bf92f3577b34da6a3ce929d0e0e4736"},
		{"malformed trace", "", "", "00-xyz-1-01", ""},
		{"trace id of the wrong length", "", "", "00-4bf9-00f067aa0ba902b7-01", ""},
		{"none", "", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request(t, "/delay/0"+tc.query)
			r.RunID, r.Traceparent = tc.header, tc.traceparent
			_, run, err := planAndRun(t, p, r)
			if err != nil {
				t.Fatal(err)
			}
			if run != tc.want {
				t.Errorf("got run %q, want %q", run, tc.want)
			}
		})
	}
}

func TestDelayRefuses(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute})
	for _, tc := range []struct {
		name, target string
		kind         error // nil for a *plan.DelayError
		want         string
	}{
		{"no delay", "/delay/abc", nil, `delay "abc" is invalid (unknown form): use milliseconds (1000, 1.5)`},
		{"above the limit", "/delay/60000.000001", nil,
			`delay "60000.000001" is invalid (longer than MAX_DELAY): use up to 1m0s (60000 ms)`},
		{"near miss of a parameter", "/delay/1?rnu=x", unknown, `unknown parameter "rnu"; did you mean "run"?`},
		{"repeated parameter", "/delay/1?run=a&run=b", repeated, "parameter run is given 2 times: give it once"},
		{"broken escape", "/delay/1?run=%zz", malformed, `query "run=%zz" is malformed`},
		{"semicolon", "/delay/1?run=a;b=c", malformed, `query "run=a;b=c" is malformed`},
		{"run with a line break", "/delay/1?run=a%0d%0ab", invalid,
			`run "a\r\nb" is invalid: use 1 to 200 visible ASCII characters`},
		{"run over 200 bytes", "/delay/1?run=" + strings.Repeat("x", 201), invalid, "(201 bytes) is invalid: use"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, p, request(t, tc.target))
			_, ofDelay := errors.AsType[*plan.DelayError](err)
			if err == nil || ofDelay != (tc.kind == nil) || !errors.Is(err, tc.kind) && !ofDelay ||
				!strings.Contains(err.Error(), tc.want) {
				t.Errorf("GET %.60s: got %+v, %v, want %v: %q", tc.target, got, err, tc.kind, tc.want)
			}
		})
	}
	r := request(t, "/delay/1")
	r.RunID = "a b"
	if _, err := planOf(t, p, r); !errors.Is(err, problem.InvalidHeader) {
		t.Errorf("X-Run-Id: a b: got %v, want %v", err, problem.InvalidHeader)
	}
}

func TestRandomIsCutAtMaxDelayOnlyAfterTenDraws(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: 3 * time.Second})
	seen := map[time.Duration]int{}
	for range 10_000 {
		got, err := planOf(t, p, request(t, "/delay/random"))
		if err != nil {
			t.Fatal(err)
		}
		seen[got.Wait]++
	}
	// 0 to 3 are drawn in a quarter of the cases each; 0.6 to the tenth are cut.
	for s := range time.Duration(4) {
		if n := seen[s*time.Second]; n < 2_000 || n > 3_000 {
			t.Errorf("%d s came %d times of 10000, want about 2500", s, n)
		}
	}
	if len(seen) != 4 {
		t.Errorf("got the times %v, want 0 to 3 s", seen)
	}
}

var redirects = []struct{ name, target, want string }{
	{"only a host", "api.github.com", "http://api.github.com"},
	{"whole URL", "https://api.github.com/a/b", "https://api.github.com/a/b"},
	{"query is the target's", "example.com/a?x=1&y=2", "http://example.com/a?x=1&y=2"},
	{"port without scheme", "localhost:8080/x", "http://localhost:8080/x"},
	{"only a port", "localhost:8080", "http://localhost:8080"},
	{"IPv6", "http://[::1]:8080/", "http://[::1]:8080/"},
	{"escapes of the path stay", "example.com/a%20b%2Fc", "http://example.com/a%20b%2Fc"},
	{"encoded as a whole", "https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc%23d", "https://example.com/a?b=c#d"},
	{"encoded as a whole, and a query", "https%3A%2F%2Fexample.com%2Fa%3Fb%3Dc?d=e", "https://example.com/a?b=c&d=e"},
	{"encoded as a whole, without a scheme", "example.com%2Fpath%3Fx%3D1", "http://example.com/path?x=1"},
	{"encoded as a whole, a port", "localhost%3A8080%2Fa", "http://localhost:8080/a"},
	{"encoded as a whole, a port and a fragment", "localhost%3A8080%23a", "http://localhost:8080#a"},
	{"encoded as a whole, only a query", "example.com%3Fx%3D1%26y", "http://example.com?x=1&y"},
	{"encoded as a whole, what is encoded within", "example.com%2Fa%252Fb%2520c", "http://example.com/a%2Fb%20c"},
	{"encoded as a whole, a fragment that looks like a host", "example.com%23%40evil.example",
		"http://example.com#@evil.example"},
	{"encoded as a whole, IPv6", "http%3A%2F%2F%5B%3A%3A1%5D%2F", "http://[::1]/"},
	{"encoded after its scheme", "http:%2F%2Fexample.com%2Fa", "http://example.com/a"},
	{"query of bytes that may not stand in one", `example.com/?a="é\ b"`, "http://example.com/?a=%22%C3%A9%5C%20b%22"},
	{"scheme in capitals", "HTTP://example.com/", "http://example.com/"},
	{"/url/ within", "example.com/url/x", "http://example.com/url/x"},
}

func TestRedirect(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, RedirectHosts: plan.HostList{"*"}})
	for _, tc := range redirects {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, p, request(t, "/delay/5/url/"+tc.target))
			if err != nil {
				t.Fatalf("Redirect(%q): %v", tc.target, err)
			}
			if got.Answer.Status != 302 || got.Answer.Location != tc.want || got.Wait != 5*time.Millisecond {
				t.Errorf("Redirect(%q) = %d %q after %v, want 302 %q after 5ms", tc.target, got.Answer.Status,
					got.Answer.Location, got.Wait, tc.want)
			}
		})
	}
}

var refusedRedirects = []struct{ name, target, want string }{
	{"script", "javascript:alert(1)", "its scheme is not http or https"},
	{"script that looks like a URL", "javascript://example.com/%250aalert(1)", "its scheme is not http or https"},
	{"data", "data:text/html,x", "its scheme is not http or https"},
	{"file", "file:///etc/passwd", "its scheme is not http or https"},
	{"scheme-relative", "//evil.example", "it has no host"},
	{"slashes without end", "////evil.example", "it has no host"},
	{"scheme with one slash", "http:/evil.example", "it has no host"},
	{"empty", "", "it has no host"},
	{"only a port", ":80", "it has no host"},
	{"user information", "good.example@evil.example", "user information"},
	{"user information with a password", "http://a:b@evil.example", "user information"},
	{"backslash", "good.example%5C@evil.example", "backslash"},
	{"backslashes for slashes", "http:%5C%5Cevil.example", "backslash"},
	{"line break", "example.com/%0d%0aSet-Cookie:a=b", "control character"},
	{"line break in the query", "example.com/?a=%0d%0ab", "control character"},
	{"line break, encoded as a whole", "http%3A%2F%2Fexample.com%2F%0d%0ab", "control character"},
	{"line break, encoded twice", "http%3A%2F%2Fexample.com%2F%250d%250ab", "control character"},
	{"zero byte", "example.com/%00", "control character"},
	{"tab in the scheme", "java%09script:alert(1)", "control character"},
	{"host in another script", "ｅｖｉｌ.example", "plain ASCII"},
	{"host with an escaped dot of another script", "evil%E3%80%82example", "plain ASCII"},
	{"encoded slashes", "%2F%2Fevil.example", "it has no host"},
	{"encoded slashes after a slash", "%2F/evil.example", "it has no host"},
	{"encoded script", "javascript%3Aalert(1)", "its scheme is not http or https"},
	{"encoded script with a host", "javascript%3A%2F%2Fexample.com%2F%250aalert(1)", "control character"},
	{"encoded user information", "good.example%40evil.example", "user information"},
	{"encoded user information with a password", "http%3A%2F%2Fgood.example%3A80%40evil.example%2F",
		"user information"},
	{"encoded user information that looks like a scheme", "good.example%3A80%40evil.example%2F",
		"its scheme is not http or https"},
	{"encoded backslash", "good.example%2F%5C..%5C", "backslash"},
	{"backslash, encoded twice", "good.example%255C%2F", "backslash"},
	{"slashes, encoded twice", "%252F%252Fevil.example", "not a URL"},
	{"slash after the host, encoded twice", "good.example%252F.evil.example", "not a URL"},
	{"encoded blank in the host", "good.example%20.evil.example", "not a URL"},
	{"encoded host in another script", "%EF%BD%85vil.example%2F", "plain ASCII"},
	{"a scheme within a scheme", "https%3Ahttps%3A%2F%2Fevil.example", "it has no host"},
	{"port out of range", "example.com:99999/", "its port is not from 1 to 65535"},
	{"port out of form", "http://example.com:8a/", "not a URL"},
}

func TestRedirectRefuses(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, RedirectHosts: plan.HostList{"*"}})
	for _, tc := range refusedRedirects {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planOf(t, p, request(t, "/delay/0/url/"+tc.target))
			if !errors.Is(err, problem.InvalidTarget) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Redirect(%q) = %+v, %v, want %v: %q", tc.target, got, err, problem.InvalidTarget, tc.want)
			}
		})
	}
}

func TestRedirectHosts(t *testing.T) {
	for _, tc := range []struct {
		name, hosts, target string
		allowed             bool
	}{
		{"named", "example.com", "example.com/a", true},
		{"named, in capitals", "example.com", "EXAMPLE.COM/a", true},
		{"named, with a port", "example.com", "https://example.com:8443/a", true},
		{"second of a list", "example.org,example.com", "example.com", true},
		{"below a wildcard", "*.example.com", "a.b.example.com", true},
		{"the wildcard's own name", "*.example.com", "example.com", false},
		{"ends alike", "*.example.com", "evilexample.com", false},
		{"another", "example.com", "evil.example", false},
		{"below a name", "example.com", "a.example.com", false},
		{"name in the path", "example.com", "evil.example/example.com", false},
		{"name in the query", "example.com", "evil.example?example.com", false},
		{"name with more after it", "example.com", "example.com.evil.example", false},
		{"none", "none", "example.com", false},
		{"none is no name", "none", "none", false},
		{"encoded as a whole", "example.com", "https%3A%2F%2Fevil.example%2F", false},
		{"encoded as a whole, without a scheme", "example.com", "evil.example%2Fexample.com", false},
		{"encoded as a whole, named in a fragment", "example.com", "evil.example%23.example.com", false},
		{"encoded as a whole, named in a query", "example.com", "evil.example%3F.example.com", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := plan.New(plan.Limits{MaxDelay: time.Minute, RedirectHosts: strings.Split(tc.hosts, ",")})
			got, err := planOf(t, p, request(t, "/delay/0/url/"+tc.target))
			if tc.allowed && err != nil || !tc.allowed && !errors.Is(err, problem.TargetNotAllowed) {
				t.Errorf("REDIRECT_HOSTS=%s, target %q: got %+v, %v, want allowed %v", tc.hosts, tc.target, got, err,
					tc.allowed)
			}
		})
	}
}

// FuzzRedirect checks that every redirect leads to a plain URL of the only allowed host.
func FuzzRedirect(f *testing.F) {
	for _, tc := range redirects {
		f.Add(tc.target)
	}
	for _, tc := range refusedRedirects {
		f.Add(tc.target)
	}
	f.Add("good.example/a?b=c")
	p := redirector()
	f.Fuzz(func(t *testing.T, target string) { checkRedirect(t, p, target) })
}

// redirector returns a planner that redirects to one host.
func redirector() *plan.Planner {
	return plan.New(plan.Limits{MaxDelay: time.Minute, RedirectHosts: plan.HostList{"good.example"}})
}

// checkRedirect checks one target for FuzzRedirect, and reports whether there is a
// redirect.
func checkRedirect(t *testing.T, p *plan.Planner, target string) bool {
	u, err := url.ParseRequestURI("/delay/0/url/" + target)
	if err != nil {
		return false // no request has it
	}
	got, err := planOf(t, p, plan.Request{Path: u.EscapedPath(), Query: u.RawQuery})
	checkPlan(t, got, err, target)
	if err != nil {
		return false
	}
	location := got.Answer.Location
	_, rest, _ := strings.Cut(strings.ToLower(location), "://")
	host := rest[:strings.IndexAny(rest+"/", "/?#:")]
	if !strings.HasPrefix(location, "http://") && !strings.HasPrefix(location, "https://") || host != "good.example" ||
		strings.ContainsFunc(location, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '\\' }) {
		t.Fatalf("target %q redirects to %q", target, location)
	}
	return true
}
