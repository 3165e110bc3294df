package plan_test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"flash.test/delay-server/internal/plan"
)

// Parts of random requests, valid and invalid.
var (
	anyPath = []string{
		"/delay/0", "/delay/1.5/", "/delay/uniform:0,50s", "/delay/weighted:1h:90", "/delay/abc", "/delay//",
		"/delay/1%2F2", "/delay/x/x",
		"/delay/5/url/example.com/a", "/delay/uniform:1,2/url/evil.example", "/delay/5/proxy/example.com%2Fa",
		"/drip", "/sse", "/status/200", "/status/200:0.9,426:0.1", "/status/204", "/status/x", "/bytes/5", "/bytes/0",
		"/barrier/a%2Fb", "/barrier/a/", "/hold/a", "/doc",
	}
	anyValue = map[string][]string{
		"run":        {"a", "b", "", "a%20b", "%61", "a+b", "x%2Fy", "é", "%zz", strings.Repeat("r", 201), "a;b"},
		"status":     {"200", "503:5", "426", "426:50", "204", "205:50", "206", "301:5,302:5,303:5,401:5", "x"},
		"size":       {"0", "2", "100", "1001"},
		"header":     {"X-A:b", "X-A:%20c", "Content-Type:text/plain", "Set-Cookie:a", "Retry-After:5"},
		"body_delay": {"0", "1s", "uniform:0,1s", "x"},
		"rate":       {"1", "0.1", "x"},
		"fault":      {"reset", "hang", "truncate"},
		"fail_first": {"1", "2", "5", "x"},
		"attempts":   {"503,200@1", "reset,204,200", "201,202,203,204,205,206,207,208,209", "x"},
		"pool":       {"db", "a%20b"}, "workers": {"1", "4"}, "queue": {"0", "9"},
		"limit": {"1/h", "2/s", "x"}, "burst": {"1", "2"}, "limit_key": {"run", "ip", "x"},
		"limit_window": {"fixed", "bucket"}, "limit_headers": {"draft", "x", "none"},
		"seed":  {"7", "8", "-1", "x"},
		"delay": {"0", "uniform:0,1", "x"}, "duration": {"0", "1", "uniform:1,2"},
		"numbytes": {"1", "5"}, "code": {"204", "500"},
		"count": {"1", "3"}, "jitter": {"0", "0.5"}, "interval": {"0", "uniform:0,1"}, "first": {"uniform:0,1"},
		"parties": {"1", "3"}, "timeout": {"5s", "x"},
		"_": {"17", "18", "", "%20", "é", "a+b", "%zz", "a;b"}, "utm": {"x", "y"}, "zz%20z": {"1", "2"}, "": {"",
			"x"}, `q"x`: {"1", "2"},
		"rnu": {"a"}, "stat%75s": {"503", "200"}, "r%75n": {"a", "b"}, "é": {"1", "2"},
	}
	anyName = slices.Sorted(func(yield func(string) bool) {
		for name := range anyValue {
			if !yield(name) {
				return
			}
		}
	})
	anyRunID = []string{"", "", "", "a", "h", "h h", strings.Repeat("x", 201)}
	anyTrace = []string{"", "", "", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-01", "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
)

func oneOf(r *rand.Rand, words []string) string { return words[r.IntN(len(words))] }

// randomRequest returns a request of random parts, or one of recent with another
// value for one of its parameters.
func randomRequest(r *rand.Rand, recent []plan.Request) plan.Request {
	request := plan.Request{Path: oneOf(r, anyPath)}
	var pairs []string
	if len(recent) > 0 && r.IntN(3) > 0 {
		request = recent[r.IntN(len(recent))]
		pairs = strings.Split(request.Query, "&")
		i := r.IntN(len(pairs))
		if name, _, _ := strings.Cut(pairs[i], "="); anyValue[name] != nil && r.IntN(2) == 0 {
			pairs[i] = name + "=" + oneOf(r, anyValue[name])
		}
	} else {
		for range r.IntN(4) {
			name := oneOf(r, anyName)
			if r.IntN(3) == 0 {
				name = oneOf(r, []string{"run", "_", "status", "fail_first", "attempts"})
			}
			pairs = append(pairs, name)
			if r.IntN(10) > 0 {
				pairs[len(pairs)-1] += "=" + oneOf(r, anyValue[name])
			}
		}
		pairs = append(pairs, "seed="+oneOf(r, []string{"7", "8"}))
	}
	request.Query = strings.Join(pairs, "&")
	request.RunID, request.Traceparent = oneOf(r, anyRunID), oneOf(r, anyTrace)
	request.ProtoMajor = 1 + r.IntN(2)
	return request
}

// overwritten calls do with a copy of r in a buffer, and overwrites the buffer when do
// returns.
func overwritten(r plan.Request, do func(plan.Request)) {
	buffer := []byte(r.Path + r.Query + r.RunID + r.Traceparent)
	rest := buffer
	take := func(s *string) {
		n := len(*s)
		*s, rest = unsafe.String(unsafe.SliceData(rest), n), rest[n:]
	}
	for _, s := range []*string{&r.Path, &r.Query, &r.RunID, &r.Traceparent} {
		take(s)
	}
	do(r)
	for i := range buffer {
		buffer[i] = '#'
	}
}

// Plans with the cache equal plans without it, also if another request put the template
// in the cache and its buffer was reused since.
func TestCachedTemplatesPlanAlike(t *testing.T) {
	seed := uint64(99)
	limits := plan.Limits{
		MaxDelay: time.Minute, MaxBody: 1000, Seed: &seed,
		RedirectHosts: plan.HostList{"example.com"}, ProxyHosts: plan.HostList{"*"},
	}
	warm, cold := plan.New(limits), plan.New(limits)
	templates := map[*plan.Template]bool{}
	r := rand.New(rand.NewPCG(1, 2))
	var recent []plan.Request
	planned := 0
	for i := range 50_000 {
		request := randomRequest(r, recent)
		if len(recent) < 40 {
			recent = append(recent, request)
		} else {
			recent[r.IntN(len(recent))] = request
		}
		var template *plan.Template
		var made plan.Planned
		var err error
		overwritten(request, func(request plan.Request) {
			if template, err = warm.Find(request); template != nil {
				templates[template] = true
				made, err = template.Plan(request)
			}
		})
		cold.DropTemplates()
		fresh, wantErr := cold.Find(request)
		var want plan.Planned
		if fresh != nil {
			want, wantErr = fresh.Plan(request)
		}
		got, expected := describe(template, made.Plan, made.Run, err), describe(fresh, want.Plan, want.Run, wantErr)
		if got != expected {
			t.Fatalf("request %d: %+v:\ngot  %s\nwant %s", i, request, got, expected)
		}
		if made.Plan != nil {
			planned++
		}
		if r.IntN(500) == 0 && warm.Forget("a") != cold.Forget("a") {
			t.Fatalf("request %d: one planner counts run a, and the other does not", i)
		}
	}
	if planned-len(templates) < 5000 {
		t.Errorf("%d requests have a plan, of %d templates: want thousands more plans than templates", planned,
			len(templates))
	}
}

// describe returns all of a plan, with its body's parts, or the error.
func describe(template *plan.Template, p *plan.Plan, run string, err error) string {
	switch {
	case err != nil:
		return fmt.Sprintf("%T: %v", err, err)
	case template == nil:
		return "no endpoint"
	}
	limit := "none"
	if p.Limit != nil {
		limit = p.Limit.Rate().String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "run %q, ignored %q, limit %v, pool %+v, barrier %+v, hold %+v, wait %v %v, sending %v, ", run,
		template.Ignored, limit, p.Pool, p.Barrier, p.Hold, p.Wait, p.Cut, p.Sending)
	a := p.Answer
	fmt.Fprintf(&b, "%d %q %q %q %q %v, body %d %v %q", a.Status, a.ContentType, a.Location, a.Header, a.Fault,
		a.Upstream, a.Body.Length, a.Body.Paced, a.Body.Whole)
	if a.Body.Open != nil {
		for part := range partsOf(a.Body) {
			fmt.Fprintf(&b, " %v:%q", part.Due, part.Bytes)
		}
	}
	return b.String()
}

func TestRequestsShareAPlanThatDrawsNothing(t *testing.T) {
	for _, tc := range []struct {
		target string
		shared bool
	}{
		{"/delay/1000", true},
		{"/delay/1000?run=N&_=N", true},
		{"/delay/1000?size=100&rate=1&body_delay=1&header=X-A:b&pool=p&workers=1", true},
		{"/delay/1000?seed=7&run=N", true},
		{"/delay/1000?fault=hang", true},
		{"/delay/1000/url/example.com", true},
		{"/hold/a", true},
		{"/drip", true},
		{"/bytes/5?seed=7", true},
		{"/status/503", true},
		{"/delay/uniform:0,9", false},
		{"/delay/1000?size=100&body_delay=uniform:0,1", false},
		{"/delay/1000?status=426", false}, // its header depends on the protocol
		{"/status/426", false},
		{"/drip?duration=uniform:1,2", false},
		{"/sse", false},
		{"/bytes/5", false},
	} {
		p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, RedirectHosts: plan.HostList{"*"}})
		plans := map[*plan.Plan]bool{}
		for i := range 3 {
			made, err := planOf(t, p, request(t, strings.ReplaceAll(tc.target, "N", fmt.Sprint(i))))
			if err != nil {
				t.Fatal(err)
			}
			plans[made] = true
		}
		if shared := len(plans) == 1; shared != tc.shared || !shared && len(plans) != 3 {
			t.Errorf("%s: 3 requests have %d plans, want one: %v", tc.target, len(plans), tc.shared)
		}
	}
}

// If only the status is random or counted, each status has one shared plan.
func TestRequestsShareAPlanForEachStatus(t *testing.T) {
	for target, want := range map[string][]int{
		"/delay/0?status=503:50":                 {200, 503},
		"/status/200,404,429,503":                {200, 404, 429, 503},
		"/delay/0?fail_first=3&run=a":            {200, 503},
		"/delay/0?fail_first=3&run=a&status=429": {200, 429},
	} {
		p, plans := planner(), map[*plan.Plan]bool{}
		for range 200 {
			made, err := planOf(t, p, request(t, target))
			if err != nil {
				t.Fatal(err)
			}
			plans[made] = true
		}
		var statuses []int
		for made := range plans {
			statuses = append(statuses, made.Answer.Status)
		}
		if slices.Sort(statuses); !slices.Equal(statuses, want) {
			t.Errorf("%s: 200 requests have plans of %v, want one for each of %v", target, statuses, want)
		}
	}
}

func TestWarmPlansAllocateLittle(t *testing.T) {
	for _, tc := range []struct {
		target string
		limit  float64
	}{
		{"/delay/1000", 0},
		{"/delay/1000?status=503:5", 0},
		{"/delay/1000?_=17", 0},
		{"/delay/1000/url/example.com", 0},
		{"/delay/1000?run=abc&size=100", 1}, // the run
		{"/delay/lognormal:120ms,900ms", 2}, // the plan, and its body
	} {
		p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000, RedirectHosts: plan.HostList{"*"}})
		r := request(t, tc.target)
		if n := testing.AllocsPerRun(200, func() { _, _ = planOf(t, p, r) }); n > tc.limit {
			t.Errorf("a plan of %s takes %v allocations, want %v at most", tc.target, n, tc.limit)
		}
	}
}

// The cache does not keep templates of long URLs, nor the requests of other templates.
func TestTheCacheKeepsNoLongRequests(t *testing.T) {
	long := strings.Repeat("0", 7000)
	for name, target := range map[string]string{
		"paths":   "/delay/0.N" + long,
		"queries": "/delay/0?N" + long,
		"values":  "/delay/0?zzN=" + long,
		"headers": "/delay/0?header=X-A:N" + long,
	} {
		p, before := planner(), heap()
		const requests = 500
		for i := range requests {
			if _, err := planOf(t, p, request(t, strings.Replace(target, "N", fmt.Sprint(i), 1))); err != nil {
				t.Fatal(err)
			}
		}
		if each := (heap() - before) / requests; each > 1000 {
			t.Errorf("%s: %d requests keep %d bytes each, want at most 1000", name, requests, each)
		}
		runtime.KeepAlive(p)
	}
}

func TestPlansInParallel(t *testing.T) {
	p := planner()
	var loops sync.WaitGroup
	for i := range 8 {
		loops.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				n := r.IntN(2000) // some more than are kept
				made, run, err := planAndRun(t, p,
					request(t, fmt.Sprintf("/delay/%d?run=%s&status=404:50", n, url.QueryEscape(fmt.Sprint(i)))))
				if err != nil || made.Wait != time.Duration(n)*time.Millisecond || run != fmt.Sprint(i) {
					t.Errorf("got a wait of %v in run %s, %v, want %dms in run %d", made.Wait, run, err, n, i)
				}
			}
		})
	}
	loops.Wait()
}
