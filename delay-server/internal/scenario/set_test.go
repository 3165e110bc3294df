package scenario

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/internal/plan"
)

func newSet() *Set { return NewSet(nil, planner(), slog.New(slog.DiscardHandler)) }

func put(t testing.TB, s *Set, run, text string) {
	t.Helper()
	if err := s.Put(run, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// answerOf returns the body or else the allowed methods of a request.
func answerOf(t testing.TB, s *Set, r plan.Request) string {
	t.Helper()
	template, allowed := s.Find(&r)
	if template == nil {
		return allowed
	}
	planned, err := template.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(planned.Plan.Answer.Body.Whole)
}

func TestRunsScenarioIsAboveTheServers(t *testing.T) {
	const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	s := newSet()
	if got := answerOf(t, s, plan.Request{Method: "GET", Path: "/a"}); got != "" || !s.Empty() {
		t.Errorf("an empty set finds %q", got)
	}
	put(t, s, "", `
routes:
  - {path: /a, body: server}
  - {path: /b, body: server}
  - {method: POST, path: /c, body: server}
  - {method: PUT, path: /d, body: server}
`)
	put(t, s, "r", `
routes:
  - {path: /a, body: run}
  - {method: GET, path: /c, body: run}
  - {method: GET, path: /d, body: run}
  - {method: GET, path: '/e/{rest...}', body: run}
`)
	put(t, s, "4bf92f3577b34da6a3ce929d0e0e4736", "routes: [{path: /a, body: trace}]")
	for _, tc := range []struct {
		name    string
		request plan.Request
		want    string
	}{
		{"no run", plan.Request{Path: "/a"}, "server"},
		{"a run without a scenario", plan.Request{Path: "/a", RunID: "s"}, "server"},
		{"by the header", plan.Request{Path: "/a", RunID: "r"}, "run"},
		{"by the parameter", plan.Request{Path: "/a", Query: "x=1&run=r"}, "run"},
		{"by the trace", plan.Request{Path: "/a", Traceparent: traceparent}, "trace"},
		{"the header has priority", plan.Request{Path: "/a", RunID: "s", Query: "run=r"}, "server"},
		{"the parameter, rather than the trace",
			plan.Request{Path: "/a", Query: "run=r", Traceparent: traceparent}, "run"},
		{"an invalid run has no scenario", plan.Request{Path: "/e/1", Query: "run=r&run=r"}, ""},
		{"a path of the server's only", plan.Request{Path: "/b", RunID: "r"}, "server"},
		{"a path of the run's only", plan.Request{Path: "/e/1", RunID: "r"}, "run"},
		{"of another run", plan.Request{Path: "/e/1", RunID: "s"}, ""},
		{"a path of neither", plan.Request{Path: "/f", RunID: "r"}, ""},
		{"a reserved path", plan.Request{Path: "/healthz", RunID: "r"}, ""},
		{"a method of the server's only", plan.Request{Method: "POST", Path: "/c", RunID: "r"}, "server"},
		{"a method of the run's only", plan.Request{Path: "/c", RunID: "r"}, "run"},
		{"a method of neither", plan.Request{Method: "PATCH", Path: "/d", RunID: "r"}, "GET, HEAD, OPTIONS, PUT"},
		{"a method, path of the run's only",
			plan.Request{Method: "PUT", Path: "/e/1", RunID: "r"}, "GET, HEAD, OPTIONS"},
		{"a method, path of the server's only", plan.Request{Method: "OPTIONS", Path: "/b", RunID: "r"},
			"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.request.Method == "" {
				tc.request.Method = "GET"
			}
			if got := answerOf(t, s, tc.request); got != tc.want {
				t.Errorf("%+v: got %q, want %q", tc.request, got, tc.want)
			}
		})
	}
}

func TestPutReplaces(t *testing.T) {
	s := newSet()
	for _, run := range []string{"", "r"} {
		get := plan.Request{Method: "GET", Path: "/a", RunID: run}
		if s.Delete(run) {
			t.Errorf("run %q: Delete reports a scenario before Put", run)
		}
		put(t, s, run, "routes: [{path: /a, body: one}, {path: /b}]")
		if err := s.Put(run, []byte("routes: [{path: /a, dely: 1}]")); err == nil || !strings.Contains(err.Error(),
			`scenario:1:21: unknown key "dely" of a route; did you mean "delay"?`) {
			t.Errorf("run %q: an invalid scenario: got error %v", run, err)
		}
		if got := answerOf(t, s, get); got != "one" {
			t.Errorf("run %q: after an invalid scenario got %q, want the old one", run, got)
		}
		const next = `{"routes": [{"path": "/a", "body": "two"}]} # JSON is YAML`
		put(t, s, run, next)
		if got := answerOf(t, s, get); got != "two" {
			t.Errorf("run %q: got %q, want the new scenario", run, got)
		}
		get.Path = "/b"
		if template, _ := s.Find(&get); template != nil {
			t.Errorf("run %q: the new scenario has a route of the old one", run)
		}
		if text, ok := s.Text(run); text != next || !ok {
			t.Errorf("run %q: Text = %q, %t, want the new text", run, text, ok)
		}
		if !s.Delete(run) || !s.Empty() {
			t.Errorf("run %q: Delete reports no scenario, or leaves one", run)
		}
		if text, ok := s.Text(run); text != "" || ok {
			t.Errorf("run %q: Text = %q, %t after Delete", run, text, ok)
		}
	}
}

func TestSetFollowsItsFile(t *testing.T) {
	file, log := opened(t, "routes: [{path: /a, body: file}]")
	s := NewSet(file, planner(), slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan time.Time)
	var watching sync.WaitGroup
	watching.Go(func() { file.Watch(ctx, ticks) })
	t.Cleanup(func() { cancel(); watching.Wait() })
	change := func(text string) {
		write(t, file.Name(), text)
		for range 3 {
			ticks <- time.Time{}
		}
	}
	want := func(when, want string) {
		t.Helper()
		if got := answerOf(t, s, plan.Request{Method: "GET", Path: "/a"}); got != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	want("at the start", "file")
	change("routes: [{path: /a, body: changed}]")
	want("after a change", "changed")
	put(t, s, "", "routes: [{path: /a, body: put}]")
	want("after Put", "put")
	change("routes: [{path: /a, body: again}]")
	want("after another change", "put")
	if !strings.Contains(log.String(), "PUT /admin/scenario replaced it until DELETE") {
		t.Errorf("want in the log that the file is not in force, got:\n%s", log)
	}
	change("routes: [{path: /a, dely: 1}]")
	s.Delete("")
	want("after Delete", "again")
	if s.Delete("") {
		t.Error("Delete reports a scenario, but only the file's is left")
	}
	put(t, s, "", "routes: [{path: /a, body: put}]")
	put(t, s, "r", "routes: [{path: /a, body: run}]")
	s.Reset()
	want("after Reset", "again")
	if _, ok := s.Text("r"); ok {
		t.Error("Reset leaves the scenario of a run")
	}
}

func TestBounds(t *testing.T) {
	routes := func(n int) string {
		return "routes:\n" + strings.Repeat("  - {path: /x}\n", n)
	}
	distinct := func(n int, more string) string {
		var b strings.Builder
		b.WriteString("routes:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {path: /%d%s}\n", i, more)
		}
		return b.String()
	}
	s := newSet()
	put(t, s, "10,000 routes", distinct(bounds.routes, ""))
	for _, tc := range []struct{ name, text, want string }{
		{"many errors", distinct(1000, ", dely: 1"), "scenario:51:"},
		{"10,001 routes", routes(bounds.routes + 1), "scenario:1:1: 10001 routes are too many: use up to 10000"},
		{"a body that aliases repeat", "routes:\n  - {path: /a, body: &a " + strings.Repeat("x", 900) + "}\n" +
			distinct(9_900, ", body: *a")[len("routes:\n"):], "with each alias expanded: use fewer aliases"},
		{"attempts that aliases repeat", "routes:\n  - {path: /a, attempts: &a [200" + strings.Repeat(", 503",
			999) + "]}\n" +
			distinct(9_900, ", attempts: *a")[len("routes:\n"):], "or fewer attempts (1000 bytes each)"},
	} {
		if err := s.Put("r", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got error %.300v, want %s", tc.name, err, tc.want)
		} else if lines := strings.Count(err.Error(), "\n") + 1; lines > bounds.faults+1 {
			t.Errorf("%s: got %d lines, want at most %d", tc.name, lines, bounds.faults+1)
		}
	}
	put(t, s, "", distinct(bounds.routes, "")) // counts for no run

	var full *LimitError
	for i := range 4 {
		put(t, s, fmt.Sprint("large ", i), distinct(bounds.routes, ""))
	}
	if err := s.Put("one more", []byte(routes(1))); !errors.As(err, &full) || full.Max != MaxRunRoutes {
		t.Errorf("50,001 routes: got error %v", err)
	}
	put(t, s, "large 0", routes(1)) // replaces a larger one
	put(t, s, "one more", routes(1))

	s.DeleteRuns()
	for i := range MaxRuns {
		put(t, s, fmt.Sprint(i), routes(1))
	}
	if err := s.Put("one more", []byte(routes(1))); !errors.As(err, &full) || full.Max != MaxRuns {
		t.Errorf("1,001 runs: got error %v", err)
	}
	put(t, s, "7", routes(1)) // replaces one
	s.Delete("8")
	put(t, s, "one more", routes(1))
}

// TestSetAgainstAModel puts and deletes random scenarios, and compares Find with a model: a
// map of answers for the server and for each run.
func TestSetAgainstAModel(t *testing.T) {
	runs := []string{"", "r", "s"} // "" is the server
	methods, paths := []string{"GET", "POST", "PUT"}, []string{"/a", "/b"}
	type answers map[string]string // by method, or AnyMethod, and path
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(15, seed))
		s, model := newSet(), map[string]answers{}
		for step := range 30 {
			run := runs[rng.IntN(len(runs))]
			if rng.IntN(3) == 0 {
				if _, has := model[run]; s.Delete(run) != has {
					t.Fatalf("seed %d, step %d: Delete(%q) = %t", seed, step, run, !has)
				}
				delete(model, run)
			} else {
				var text strings.Builder
				next := answers{}
				for _, path := range paths {
					some := [][]string{{AnyMethod}, {"GET"}, {"POST"}, {"GET", "POST"}}
					for _, method := range some[rng.IntN(len(some))] {
						body := fmt.Sprint(run, step, method, path)
						next[method+path] = body
						fmt.Fprintf(&text, "\n- {path: %s, body: '%s'", path, body)
						if method != AnyMethod {
							fmt.Fprintf(&text, ", method: %s", method)
						}
						text.WriteString("}")
					}
					if rng.IntN(2) == 0 {
						break // one path
					}
				}
				put(t, s, run, "routes:"+text.String())
				model[run] = next
			}
			for _, run := range append(runs, "another") {
				for _, method := range methods {
					for _, path := range paths {
						want, routed := "", false
						for _, layer := range []answers{model[run], model[""]} {
							want = cmp.Or(want, layer[method+path], layer[AnyMethod+path])
							for _, other := range methods[:2] {
								routed = routed || layer[other+path] != ""
							}
						}
						r := plan.Request{Method: method, Path: path, RunID: run}
						template, allowed := s.Find(&r)
						if (template != nil) != (want != "") || (allowed != "") != (want == "" && routed) ||
							want != "" && answerOf(t, s, r) != want {
							t.Fatalf("seed %d, step %d: run %q, %s %s: got a route: %t, allowed %q, want %q",
								seed, step, run, method, path, template != nil, allowed, want)
						}
					}
				}
			}
		}
	}
}

// TestPutWhileFinding replaces scenarios while requests look for routes. Each must find
// one, whole: the status and the body are of one version.
func TestPutWhileFinding(t *testing.T) {
	s := newSet()
	version := func(n int) string {
		return fmt.Sprintf("routes: [{path: /a, status: %d, body: v%d}, {path: /only%d}]", 200+n, 200+n, n)
	}
	put(t, s, "", version(0))
	put(t, s, "r", version(0))
	var finding, putting sync.WaitGroup
	done := make(chan struct{})
	for _, run := range []string{"", "r", "s"} {
		putting.Go(func() {
			for i := range 100 {
				if run == "s" && i%2 == 1 {
					s.Delete("s") // falls through to the server's
					continue
				}
				put(t, s, run, version(i%3))
			}
		})
		finding.Go(func() {
			for r := (plan.Request{Method: "GET", Path: "/a", RunID: run}); ; {
				select {
				case <-done:
					return
				default:
				}
				template, _ := s.Find(&r)
				if template == nil {
					t.Errorf("run %q: no route", run)
					return
				}
				planned, err := template.Plan(r)
				if a := planned.Plan.Answer; err != nil || string(a.Body.Whole) != fmt.Sprintf("v%d", a.Status) {
					t.Errorf("run %q: got %d %s, %v", run, a.Status, a.Body.Whole, err)
					return
				}
			}
		})
	}
	putting.Wait()
	close(done)
	finding.Wait()
}

// BenchmarkSet measures what scenarios add to a request: none, the server's, and the
// scenarios of 1,000 runs.
func BenchmarkSet(b *testing.B) {
	shop := "routes: [{path: /shop, body: x}]"
	none, server, runs := newSet(), newSet(), newSet()
	put(b, server, "", shop)
	for i := range MaxRuns {
		put(b, runs, fmt.Sprint("run-", i), shop)
	}
	for _, bc := range []struct {
		name    string
		set     *Set
		request plan.Request
	}{
		{"none", none, plan.Request{Path: "/delay/1000", Query: "status=503&run=run-7"}},
		{"server", server, plan.Request{Path: "/delay/1000", Query: "status=503&run=run-7"}},
		{"runs, no run", runs, plan.Request{Path: "/delay/1000", Query: "status=503"}},
		{"runs, another run", runs, plan.Request{Path: "/delay/1000", Query: "status=503&run=run-x"}},
		{"runs, of a run", runs, plan.Request{Path: "/delay/1000", Query: "status=503&run=run-7"}},
		{"runs, a run's route", runs, plan.Request{Path: "/shop", RunID: "run-7"}},
	} {
		b.Run(bc.name, func(b *testing.B) {
			bc.request.Method = "GET"
			b.ReportAllocs()
			for b.Loop() {
				bc.set.Find(&bc.request)
			}
		})
	}
}
