package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

func (s steering) putScenario(text string) {
	s.t.Helper()
	succeeded(s.t, 0, s.api.PutScenario(s.t.Context(), text))
}

func (s steering) putRunScenario(run, text string) {
	s.t.Helper()
	succeeded(s.t, 0, s.api.PutRunScenario(s.t.Context(), run, text))
}

// wantBody fails the test unless the request is answered with the status and the text.
func wantBody(t testing.TB, c *http.Client, request string, status int, text string, header ...string) *http.Response {
	t.Helper()
	method, url, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	reply, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != status || !strings.Contains(string(body), text) {
		t.Errorf("%s %q: got %d %s, %v, want %d %s", request, header, reply.StatusCode, body, err, status, text)
	}
	return reply
}

func TestRunScenario(t *testing.T) {
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	bothWays(t, func(t *testing.T, config Config) {
		withFile, _ := withScenario(t, "routes: [{path: /a, body: server}, {method: POST, path: /b, body: server}]")
		config.Scenario = withFile.Scenario
		for name, newClient := range clients {
			t.Run(name, func(t *testing.T) {
				_, base, _ := start(t, config, io.Discard)
				c, s := newClient(t), steer(t, base)
				s.putRunScenario("r", `
routes:
  - {path: /a, body: run}
  - {method: GET, path: /b, body: run, delay: 1ms}
  - {method: GET, path: '/delay/{ms}', body: run}
`)
				s.putRunScenario(trace, "routes: [{path: /a, body: trace}]")

				wantBody(t, c, "GET "+base+"/a", 200, "server")
				wantBody(t, c, "GET "+base+"/a", 200, "run", "X-Run-Id", "r")
				wantBody(t, c, "GET "+base+"/a?x=1&run=r", 200, "run")
				wantBody(t, c, "GET "+base+"/a", 200, "trace", "Traceparent", parent)
				wantBody(t, c, "GET "+base+"/a?run=s", 200, "server", "Traceparent", parent)
				wantBody(t, c, "GET "+base+"/a?run=a+b", 400, "/problems/invalid-parameter")
				wantBody(t, c, "GET "+base+"/b?run=r", 200, "run")
				wantBody(t, c, "POST "+base+"/b?run=r", 200, "server")
				wantBody(t, c, "GET "+base+"/delay/0?run=r", 200, "run")
				wantBody(t, c, "GET "+base+"/delay/0?run=s", 200, "Mock response")
				wantBody(t, c, "GET "+base+"/healthz?run=r", 200, "ok")
				for request, allow := range map[string]string{
					"PUT /b?run=r":        "GET, HEAD, OPTIONS, POST",
					"PUT /b":              "OPTIONS, POST",
					"POST /delay/0?run=r": "GET, HEAD, OPTIONS",
				} {
					request = strings.Replace(request, " ", " "+base, 1)
					reply := wantBody(t, c, request, 405, "/problems/method-not-allowed")
					if got := reply.Header.Get("Allow"); got != allow {
						t.Errorf("%s: got Allow %q, want %q", request, got, allow)
					}
				}
				reply := wantBody(t, c, "OPTIONS "+base+"/b?run=r", 204, "")
				if got := reply.Header.Get("Allow"); got != "GET, HEAD, OPTIONS, POST" {
					t.Errorf("preflight: got Allow %q", got)
				}

				if run := s.settled("r"); run.Requests != 5 {
					t.Errorf("run r has %d requests, want the 5 that were answered", run.Requests)
				}
				succeeded(t, 0, s.api.ForgetRun(t.Context(), "r"))
				wantBody(t, c, "GET "+base+"/a?run=r", 200, "server")
				if _, err := s.api.RunScenario(t.Context(), "r"); !errors.Is(err, problem.ScenarioNotFound) {
					t.Errorf("after ForgetRun: got error %v, want %v", err, problem.ScenarioNotFound)
				}

				s.putRunScenario("new", "routes: [{path: /a, body: new}]")
				succeeded(t, 0, s.api.ForgetRun(t.Context(), "new")) // had no requests
				wantBody(t, c, "GET "+base+"/a?run=new", 200, "server")
				s.putRunScenario("new", "routes: [{path: /a, body: new}]")
				succeeded(t, 0, s.api.ForgetRuns(t.Context()))
				wantBody(t, c, "GET "+base+"/a?run=new", 200, "server")
			})
		}
	})
}

func TestPutScenario(t *testing.T) {
	const file = "routes: [{path: /a, body: file}]"
	bothWays(t, func(t *testing.T, config Config) {
		withFile, name := withScenario(t, file)
		configWithFile := config
		configWithFile.Scenario = withFile.Scenario
		for _, config := range []Config{config, configWithFile} {
			t.Run("SCENARIO="+filepath.Base(config.Scenario), func(t *testing.T) {
				write(t, name, file)
				srv, base, _ := start(t, config, io.Discard)
				s, c, h2 := steer(t, base), newClient(t), newH2CClient(t)
				original := func() {
					t.Helper()
					for _, c := range []*http.Client{c, h2} {
						if config.Scenario != "" {
							wantBody(t, c, "GET "+base+"/a", 200, "file")
						} else {
							wantBody(t, c, "GET "+base+"/a", 404, "/problems/not-found")
						}
					}
				}
				original()
				s.putScenario("routes: [{path: /a, body: put, delay: 1ms}, {path: /b}]")
				for _, c := range []*http.Client{c, h2} {
					wantBody(t, c, "GET "+base+"/a", 200, "put")
				}
				err := s.api.PutScenario(t.Context(), "routes:\n  - path: /healthz\n  - {path: /b, delay: x}\n")
				var p *problem.Problem
				if !errors.As(err, &p) || p.Type != problem.InvalidScenario || p.Status != 400 ||
					!strings.HasPrefix(p.Detail, `scenario:2:5: path "/healthz" is reserved`) ||
					!strings.Contains(p.Detail, "\nscenario:3:16: delay \"x\"") {
					t.Errorf("an invalid scenario: got error %v, want one for each line", err)
				}
				wantBody(t, c, "GET "+base+"/a", 200, "put")
				text, err := s.api.Scenario(t.Context())
				if want := "routes: [{path: /a, body: put, delay: 1ms}, {path: /b}]"; err != nil || text != want {
					t.Errorf("Scenario: got %q, %v, want %q", text, err, want)
				}

				write(t, name, "routes: [{path: /a, body: file again}]")
				srv.ReloadFiles()
				wantBody(t, c, "GET "+base+"/a", 200, "put") // until DELETE
				succeeded(t, 0, s.api.DeleteScenario(t.Context()))
				original()
				if err := s.api.DeleteScenario(t.Context()); !errors.Is(err, problem.ScenarioNotFound) {
					t.Errorf("a second DeleteScenario: got %v, want %v", err, problem.ScenarioNotFound)
				}
				text, err = s.api.Scenario(t.Context())
				if config.Scenario != "" && text != "routes: [{path: /a, body: file again}]" ||
					config.Scenario == "" && !errors.Is(err, problem.ScenarioNotFound) {
					t.Errorf("Scenario: got %q, %v, want the file's", text, err)
				}
			})
		}
	})
}

// TestScenarioCountsGoOn checks what a new scenario inherits: counts belong to the run, and
// limits to the route.
func TestScenarioCountsGoOn(t *testing.T) {
	const text = "routes: [{path: /a, fail_first: 2}, {path: /b, limit: {rate: 1/h}}]"
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		s, c := steer(t, base), newClient(t)
		for _, run := range []string{"", "?run=r"} {
			put := func() {
				if run == "" {
					s.putScenario(text)
				} else {
					s.putRunScenario("r", text)
				}
			}
			put()
			wantBody(t, c, "GET "+base+"/a"+run, 503, "")
			wantBody(t, c, "GET "+base+"/b"+run, 200, "")
			wantBody(t, c, "GET "+base+"/b"+run, 429, "")
			put()
			wantBody(t, c, "GET "+base+"/a"+run, 503, "")
			wantBody(t, c, "GET "+base+"/a"+run, 200, "")
			wantBody(t, c, "GET "+base+"/b"+run, 200, "")
		}
	})
}

// TestPutScenarioBodies sends what a client may send as a scenario.
func TestPutScenarioBodies(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	c := newClient(t)
	valid := "routes: [{path: /a}]"
	for _, tc := range []struct {
		name, target, contentType string
		body                      io.Reader
		want                      problem.Type // "" for 204
		detail                    string
	}{
		{"YAML", "/admin/scenario", "application/yaml", strings.NewReader(valid), "", ""},
		{"YAML as text", "/admin/scenario", "text/yaml", strings.NewReader(valid), "", ""},
		{"curl's --data-binary", "/admin/scenario", "application/x-www-form-urlencoded", strings.NewReader(valid),
			"", ""},
		{"JSON", "/admin/scenario", "application/json", strings.NewReader(`{"routes":[{"path":"/a"}]}`), "", ""},
		{"no type", "/admin/scenario", "", strings.NewReader(valid), "", ""},
		{"in chunks", "/admin/scenario", "", unsized{strings.NewReader(valid)}, "", ""},
		{"1 MiB", "/admin/scenario", "", strings.NewReader(valid + " #" + strings.Repeat("x", 1<<20-len(valid)-2)),
			"", ""},
		{"a new run", "/admin/runs/a%2Fb/scenario", "", strings.NewReader(valid), "", ""},

		{"more than 1 MiB", "/admin/scenario", "", strings.NewReader(valid + " #" + strings.Repeat("x", 1<<20)),
			problem.BodyTooLarge, "use up to 1048576 bytes"},
		{"more than 1 MiB in chunks", "/admin/scenario", "", unsized{strings.NewReader(strings.Repeat("x", 1<<20+1))},
			problem.BodyTooLarge, "use up to 1048576 bytes"},
		{"empty", "/admin/scenario", "", strings.NewReader(""), problem.InvalidScenario,
			"scenario:1:1: the scenario is empty: use routes: and a list"},
		{"no body", "/admin/runs/r/scenario", "", nil, problem.InvalidScenario, "scenario:1:1: the scenario is empty"},
		{"not YAML", "/admin/runs/r/scenario", "", strings.NewReader("routes: ["), problem.InvalidScenario,
			"scenario:1:1: not YAML"},
		{"a form", "/admin/scenario", "", strings.NewReader("a=b"), problem.InvalidScenario,
			"scenario:1:1: the scenario is one value: use a mapping"},
		{"a reserved path", "/admin/runs/r/scenario", "", strings.NewReader("routes: [{path: /admin/x}]"),
			problem.InvalidScenario, `scenario:1:11: path "/admin/x" is reserved`},
		{"10,001 routes", "/admin/scenario", "",
			strings.NewReader("routes:\n" + strings.Repeat("- {path: /x}\n", 10_001)),
			problem.InvalidScenario, "scenario:1:1: 10001 routes are too many: use up to 10000"},
		{"10,000 errors", "/admin/scenario", "",
			strings.NewReader("routes:\n" + strings.Repeat("- {path: x}\n", 10_000)),
			problem.InvalidScenario, "\ntoo many errors"},
		{"an invalid run", "/admin/runs/a%20b/scenario", "", strings.NewReader(valid), problem.InvalidParameter,
			`run "a b" is invalid: use 1 to 200 visible ASCII characters`},
		{"a parameter", "/admin/scenario?run=r", "", strings.NewReader(valid), problem.UnknownParameter,
			`unknown parameter "run"; this request takes none`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "PUT", base+tc.target, tc.body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.contentType != "" {
				req.Header.Set("Content-Type", tc.contentType)
			}
			reply, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer reply.Body.Close()
			text, err := io.ReadAll(reply.Body)
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" {
				if reply.StatusCode != 204 {
					t.Errorf("got %d %.300s, want 204", reply.StatusCode, text)
				}
				return
			}
			wantProblem(t, tc.name, reply, string(text), tc.want)
			var p problem.Problem
			if err := json.Unmarshal(text, &p); err != nil || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("got detail %.300s, %v, want %s", p.Detail, err, tc.detail)
			}
		})
	}
}

// TestReplaceScenarioWhileServing replaces the scenarios of a server and of a run while
// clients send requests. Each answer is of one version, and none is missing.
func TestReplaceScenarioWhileServing(t *testing.T) {
	const versions, clientsEach = 60, 2
	text := func(n int) string {
		return fmt.Sprintf("routes: [{path: /a, status: %d, delay: %dus, headers: {X-Version: %[1]d}, body: v%[1]d}]",
			200+n%3, n%3)
	}
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		s := steer(t, base)
		s.putScenario(text(0))
		s.putRunScenario("r", text(0))
		var asking, putting sync.WaitGroup
		done := make(chan struct{})
		for _, query := range []string{"", "?run=r"} {
			for range clientsEach {
				c := newClient(t)
				asking.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						got := fetch(t.Context(), c, base+"/a"+query)
						if got.err != nil || got.text != "v"+got.header.Get("X-Version") ||
							got.text != fmt.Sprint("v", got.status) {
							t.Errorf("GET /a%s: got %d %q %s, %v, want all of one version", query, got.status,
								got.header.Get("X-Version"), got.text, got.err)
							return
						}
					}
				})
			}
		}
		for range 2 { // two PUTs at once
			putting.Go(func() {
				for n := range versions {
					if err := errors.Join(s.api.PutScenario(t.Context(), text(n)),
						s.api.PutRunScenario(t.Context(), "r", text(n+1))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		putting.Wait()
		close(done)
		asking.Wait()
		for _, query := range []string{"", "?run=r"} { // a scenario is replaced as a whole
			wantBody(t, newClient(t), "GET "+base+"/a"+query, 200+(versions-1+len(query)/6)%3, "v")
		}
	})
}

// TestRequestsKeepTheirPlan replaces a scenario while a request waits.
func TestRequestsKeepTheirPlan(t *testing.T) {
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			c := newClient(t)
			s.putRunScenario("r", "routes: [{path: /a, delay: 1s, body: old}]")
			old := ask(t, c, 1, base+"/a?run=r")
			s.timed(1)
			s.putRunScenario("r", "routes: [{path: /a, delay: 2s, body: new}]")
			replaced := ask(t, c, 1, base+"/a?run=r")
			s.timed(2)
			succeeded(t, 0, s.api.DeleteRunScenario(t.Context(), "r"))
			s.advance(time.Second)
			wantAll(t, old, 1, 200, "old")
			s.advance(time.Second)
			wantAll(t, replaced, 1, 200, "new")
		})
	}
}

// TestPutScenarioDuringShutdown sends the body of a PUT after the server began to drain.
func TestPutScenarioDuringShutdown(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, stop := start(t, config, io.Discard)
		var stopping sync.WaitGroup
		conn := wiretest.Dial(t, base)
		const text = "routes: [{path: /a}]"
		fmt.Fprintf(conn, "PUT /admin/scenario HTTP/1.1\r\nHost: localhost\r\n"+
			"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(text))
		interim := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n")) // once the handler reads the body
		if _, err := io.ReadFull(conn, interim); err != nil || !strings.Contains(string(interim), "100 Continue") {
			t.Fatalf("got %q, %v, want 100 Continue", interim, err)
		}
		drain(t, base, stop, &stopping)
		conn.Send(text)
		if reply, body := conn.Receive("PUT"); reply.StatusCode != 204 {
			t.Errorf("PUT during the shutdown: got %d %s, want 204", reply.StatusCode, body)
		}
		stopping.Wait()
	})
}
