package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// newApp serves an app whose calls go to the delay-server at slow. It forwards
// X-Run-Id if forward is true.
func newApp(t *testing.T, slow string, forward bool) *httptest.Server {
	call := func(r *http.Request, delay string) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", slow+"/delay/"+delay+"/", nil)
		if err != nil {
			t.Error(err)
			return
		}
		if forward {
			req.Header.Set("X-Run-Id", r.Header.Get("X-Run-Id"))
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		calls, err := strconv.Atoi(query.Get("calls"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var all sync.WaitGroup
		for range calls {
			if r.URL.Path == "/get_data" {
				call(r, query.Get("delay"))
			} else {
				all.Go(func() { call(r, query.Get("delay")) })
			}
		}
		all.Wait()
		fmt.Fprintf(w, "{\n\"calls\": %d}\n", calls)
	}))
	t.Cleanup(app.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return app
}

// The bars of an app's lanes are what delay-server saw.
func TestRaceAgainstAnApp(t *testing.T) {
	srv := delaytest.NewServer(t)
	o := options()
	o.AgainstHosts, o.Timeout = []string{"localhost", "127.0.0.1"}, time.Minute
	d := start(t, o, srv.URL, time.Minute)
	app := newApp(t, srv.URL, true)
	srv.Clock().Freeze()
	race := d.watch(t, "calls=3&delay=1s&against="+app.URL, "rival")
	var all []event
	for len(of(all, "begin", "concurrent")) < 3 || len(of(all, "begin", "sequential")) < 1 { // while they wait
		e, ok := race.next(t)
		if !ok {
			t.Fatalf("got %+v, want the begin of four calls", all)
		}
		all = append(all, e)
	}
	for _, waiting := range []int{1 + 3, 1, 1} {
		srv.Clock().Await(waiting)
		srv.Clock().Advance(time.Second)
	}
	all = append(all, race.rest(t)...)
	for lane, peak := range map[string]int{"sequential": 1, "concurrent": 3} {
		total := only(t, all, "total", lane)
		if total.Peak != peak || total.SeenBy != "delay-server" || total.Sum < 3000 ||
			string(total.Answer) != `{"calls":3}` {
			t.Errorf("%s: got %+v, want peak %d by delay-server, 3s in all, and the app's answer", lane, total, peak)
		}
		begins, ends := of(all, "begin", lane), of(all, "end", lane)
		if len(begins) != 3 || len(ends) != 3 {
			t.Fatalf("%s: %d begins, %d ends, want 3", lane, len(begins), len(ends))
		}
		for i, end := range ends {
			if end.At-begins[i].At < 999.99 || end.Status != 200 {
				t.Errorf("%s: %s from %v to %v, status %d; want 1s", lane, end.Call, begins[i].At, end.At, end.Status)
			}
		}
		if got := only(t, all, "lane", lane); !strings.HasPrefix(got.Curl, "curl '"+app.URL+"/") ||
			!strings.HasSuffix(got.Curl, "get_data?calls=3&delay=1000'") || got.Ideal != map[string]float64{
			"sequential": 3000, "concurrent": 1000}[lane] {
			t.Errorf("%s: got %+v, want the curl command of the app, and the ideal time", lane, got)
		}
	}
}

// An app that does not pass X-Run-Id on has only totals.
func TestRaceAgainstAnAppWithoutRuns(t *testing.T) {
	srv := delaytest.NewServer(t)
	o := options()
	o.AgainstHosts, o.Timeout = []string{"127.0.0.1"}, time.Minute
	d := start(t, o, srv.URL, time.Minute)
	all := d.watch(t, "calls=2&delay=30&against="+newApp(t, srv.URL, false).URL, "rival").rest(t)
	for _, lane := range []string{"sequential", "concurrent"} {
		total := only(t, all, "total", lane)
		if total.Total < 30 || total.SeenBy != "" || total.Sum != 0 || len(of(all, "begin", lane)) > 0 {
			t.Errorf("%s: got %+v, want a total time alone", lane, total)
		}
	}
	if got := only(t, all, "done", ""); got.Speedup == 0 {
		t.Error("no speed-up, want one")
	}
}

func TestRaceAgainstAFailingApp(t *testing.T) {
	var requests atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer other.Close()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization")+r.Header.Get("Cookie") != "" {
			t.Errorf("the app got credentials: %v", r.Header)
		}
		if r.URL.Path == "/get_data" {
			http.Redirect(w, r, other.URL, http.StatusFound)
			return
		}
		for range 300 {
			w.Write(make([]byte, 1024))
		}
	}))
	defer app.Close()
	o := options()
	o.AgainstHosts, o.Timeout = []string{"127.0.0.1"}, time.Minute
	d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
	all := d.watch(t, "calls=2&delay=0&against="+app.URL, "rival").rest(t)
	for lane, want := range map[string]string{
		"sequential": "/get_data: got status 302 Found, want 200",
		"concurrent": "/async_get_data: the response is longer than 262144 bytes",
	} {
		got := only(t, all, "failed", lane).Problem
		if got.Type != problem.CallFailed || !strings.HasSuffix(got.Detail, app.URL+want) {
			t.Errorf("%s: got %+v, want %s … %s", lane, got, problem.CallFailed, want)
		}
	}
	if n := requests.Load(); n > 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
	o.Timeout = time.Millisecond
	slow := newFake(t, hang)
	d = start(t, o, slow.URL, time.Minute)
	for _, e := range of(d.watch(t, "calls=1&delay=0&against="+slow.URL, "late").rest(t), "failed", "sequential") {
		if e.Problem.Type != problem.CallTimeout {
			t.Errorf("an app that does not answer: got %+v, want %s", e.Problem, problem.CallTimeout)
		}
	}
}

func TestAgainstHosts(t *testing.T) {
	closed := wiretest.ClosedAddr(t)
	_, port, _ := strings.Cut(closed, ":")
	for _, tc := range []struct {
		name, hosts, against string
		want                 problem.Type // "" if it is allowed
	}{
		{"a host", "127.0.0.1", "http://" + closed, ""},
		{"a host and its port", "127.0.0.1:" + port, "http://" + closed + "/", ""},
		{"another port", "127.0.0.1:1", "http://" + closed, problem.TargetNotAllowed},
		{"another case", "LocalHost", "http://localhost:" + port, ""},
		{"IPv6", "[::1]", "http://[::1]:" + port, ""},
		{"any", "*", "http://localhost:" + port, ""},
		{"a network", "10.0.0.0/8,127.0.0.0/8", "http://" + closed, ""},
		{"a network of IPv6", "::/64", "http://[::1]:" + port, ""},
		{"a network of an IPv4 address as IPv6", "127.0.0.0/8", "http://[::ffff:127.0.0.1]:" + port, ""},
		{"another network", "10.0.0.0/8,fd00::/8", "http://" + closed, problem.TargetNotAllowed},
		{"a name in a network", "127.0.0.0/8", "http://localhost:" + port, problem.TargetNotAllowed},
		{"none", "", "http://" + closed, problem.TargetNotAllowed},
		{"metadata of a cloud", "localhost,127.0.0.1", "http://169.254.169.254", problem.TargetNotAllowed},
		{"a short address", "localhost,127.0.0.1", "http://127.1:" + port, problem.TargetNotAllowed},
		{"a number", "localhost,127.0.0.1", "http://2130706433:" + port, problem.TargetNotAllowed},
		{"a subdomain", "localhost", "http://localhost.evil.example", problem.TargetNotAllowed},
		{"a prefix", "localhost", "http://localhostevil.example", problem.TargetNotAllowed},
		{"user information", "localhost", "http://localhost@evil.example", problem.InvalidParameter},
		{"a path", "localhost", "http://localhost/admin/clock", problem.InvalidParameter},
		{"a query", "localhost", "http://localhost?x", problem.InvalidParameter},
		{"a fragment", "localhost", "http://localhost#/x", problem.InvalidParameter},
		{"another scheme", "localhost", "file://localhost/etc/passwd", problem.InvalidParameter},
		{"a port out of range", "localhost", "http://localhost:0", problem.InvalidParameter},
		{"no scheme", "localhost", "localhost:5001", problem.InvalidParameter},
		{"a line break", "localhost", "http://localhost%0d%0a", problem.InvalidParameter},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := options()
			o.AgainstHosts, o.Timeout = strings.Split(tc.hosts, ","), time.Minute
			d := start(t, o, "http://"+closed, time.Minute)
			query := "delay=0&against=" + strings.ReplaceAll(strings.ReplaceAll(tc.against, "?", "%3F"), "#", "%23")
			got := d.get(t, "/race/events?"+query)
			if tc.want == "" {
				if got.StatusCode != 200 {
					t.Errorf("%s, hosts %s: got %d %s, want 200", tc.against, tc.hosts, got.StatusCode, got.body)
				}
				return
			}
			p := got.problem(t, tc.want)
			if forbidden := tc.want == problem.TargetNotAllowed; forbidden &&
				(p.Status != 403 || !strings.Contains(p.Detail, "AGAINST_HOSTS")) {
				t.Errorf("got %+v, want 403 that names AGAINST_HOSTS", p)
			}
			if page := d.get(t, "/?"+query); page.StatusCode != p.Status ||
				!strings.Contains(page.body, "aria-describedby=\"against-note\"") {
				t.Errorf("the page: got %d, want %d", page.StatusCode, p.Status)
			}
		})
	}
	o := options()
	o.AgainstHosts = []string{"127.0.0.1"}
	d := start(t, o, "http://"+closed, time.Minute)
	d.get(t, "/race/events?delay=random&against=http://"+closed).problem(t, problem.ConflictingParameters)
	if got := d.get(t, "/get_data?calls=0&against=http://evil.example"); got.StatusCode != 200 {
		t.Errorf("/get_data ignores against: got %d %s", got.StatusCode, got.body)
	}
}

// A hostile page cannot make demo-api send requests to the apps of a visitor's machine.
func TestAgainstIsForPagesOfThisOrigin(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header map[string]string
		want   problem.Type // "" if it is allowed
	}{
		{"a program", nil, ""},
		{"the race's page", map[string]string{"Sec-Fetch-Site": "same-origin"}, ""},
		{"the address bar", map[string]string{"Sec-Fetch-Site": "none"}, ""},
		{"an address of the network", map[string]string{"Host": "192.168.1.5:5000"}, ""},
		{"a service of Compose", map[string]string{"Host": "demo-api:5000"}, ""},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, problem.CrossOrigin},
		{"another port", map[string]string{"Sec-Fetch-Site": "same-site"}, problem.CrossOrigin},
		{"another origin", map[string]string{"Origin": "http://evil.example"}, problem.CrossOrigin},
		{"a rebound name", map[string]string{"Host": "evil.example:5000", "Sec-Fetch-Site": "same-origin"},
			problem.HostNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var requests atomic.Int64
			app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
			defer app.Close()
			o := options()
			o.AgainstHosts, o.Timeout = []string{"127.0.0.1"}, time.Minute
			d := start(t, o, newFake(t, respondAfter(0)).URL, time.Minute)
			got := d.send(t, "GET", "/race/events?calls=1&delay=0&against="+app.URL, tc.header, nil)
			if tc.want == "" {
				if n := requests.Load(); got.StatusCode != 200 || n != 2 {
					t.Errorf("got %d %s and %d requests to the app, want 200 and 2", got.StatusCode, got.body, n)
				}
				return
			}
			got.problem(t, tc.want)
			if n := requests.Load(); n > 0 {
				t.Errorf("the app got %d requests, want none", n)
			}
			if own := d.send(t, "GET", "/race/events?calls=1&delay=0", tc.header, nil); own.StatusCode != 200 {
				t.Errorf("without against: got %d %s, want 200", own.StatusCode, own.body)
			}
		})
	}
}
