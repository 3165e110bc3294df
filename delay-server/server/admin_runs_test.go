package server

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/problem"
)

func TestRunJSON(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	ask(t, client, 1, base+"/delay/1000?run=r1")
	s.waiting("r1", 1)
	s.advance(500 * time.Millisecond)
	ask(t, client, 1, base+"/delay/1500.25?run=r1")
	s.waiting("r1", 2)
	s.advance(1500 * time.Millisecond)
	for _, tc := range []struct {
		name    string
		advance time.Duration
		want    string
	}{
		{"one waits", 0,
			`{"id":"r1","requests":2,"waiting":1,"settled":false,"peak_in_flight":2,"dropped":0,` +
				`"wall_ms":2000,"sum_ms":1000,"speedup":0.5,"waits":[` +
				`{"method":"GET","path":"/delay/1000","query":"run=r1","outcome":"answered","status":200,CONN,` +
				`"start_ms":0,"end_ms":1000,"asked_ms":1000,"queued_ms":0,"waited_ms":1000},` +
				`{"method":"GET","path":"/delay/1500.25","query":"run=r1",CONN,` +
				`"start_ms":500,"asked_ms":1500.25,"queued_ms":0,"waited_ms":0}]}`},
		{"settled", time.Second,
			`{"id":"r1","requests":2,"waiting":0,"settled":true,"peak_in_flight":2,"dropped":0,` +
				`"wall_ms":2000.25,"sum_ms":2500.25,"speedup":1.25,"waits":[` +
				`{"method":"GET","path":"/delay/1000","query":"run=r1","outcome":"answered","status":200,CONN,` +
				`"start_ms":0,"end_ms":1000,"asked_ms":1000,"queued_ms":0,"waited_ms":1000},` +
				`{"method":"GET","path":"/delay/1500.25","query":"run=r1","outcome":"answered","status":200,CONN,` +
				`"start_ms":500,"end_ms":2000.25,"asked_ms":1500.25,"queued_ms":0,"waited_ms":1500.25}]}`},
	} {
		for _, c := range []string{"1", "2"} {
			tc.want = strings.Replace(tc.want, "CONN", `"attempt":1,"protocol":"HTTP/1.1","connection":`+c+
				`,"client":"127.0.0.1","headers":{"User-Agent":"Go-http-client/1.1"}`, 1)
		}
		if tc.advance > 0 {
			s.advance(tc.advance)
		}
		reply, text := do(t, client, "GET", base+"/admin/runs/r1", nil)
		if reply.StatusCode != 200 || strings.TrimSpace(text) != tc.want {
			t.Errorf("%s: got %d\n%s\nwant\n%s", tc.name, reply.StatusCode, text, tc.want)
		}
	}
}

func TestRunOfARequest(t *testing.T) {
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client, s := newClient(t), steer(t, base)
	for i, tc := range []struct{ name, header, param, traceparent, want string }{
		{"the header has priority", "a", "b", parent, "a"},
		{"the parameter, rather than the trace", "", "b", parent, "b"},
		{"a trace", "", "", parent, trace},
		{"a malformed trace", "", "", "00-xyz-1-01", ""},
		{"none", "", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("%s/delay/%d", base, i), nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{"X-Run-Id": tc.header, "Traceparent": tc.traceparent} {
				if value != "" {
					req.Header.Set(name, value)
				}
			}
			if tc.param != "" {
				req.URL.RawQuery = "run=" + tc.param
			}
			reply, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			runs, err := s.api.Runs(t.Context())
			var got []string
			for _, run := range succeeded(t, runs, err).Runs {
				got = append(got, run.ID)
			}
			if want := []string{tc.want}; tc.want == "" && got != nil || tc.want != "" && !slices.Equal(got, want) {
				t.Errorf("the runs are %q, want %q", got, tc.want)
			}
			if err := s.api.ForgetRuns(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestConcurrentRequestsOfARun(t *testing.T) {
	const n, wait = 100, time.Second
	for name, newClient := range clients {
		t.Run(name, func(t *testing.T) {
			base, s := frozen(t, DefaultConfig())
			ask(t, newClient(t), n, base+"/delay/1000?run=r")
			s.timed(n)
			s.advance(wait)
			run := s.run("r")
			if run.PeakInFlight != n || run.Wall != wait || run.Sum != n*wait || run.Speedup() != n ||
				run.Requests != n {
				t.Errorf("got peak %d, wall %v, sum %v, speed-up %v of %d requests, want %d, %v, %v, %d of %[6]d",
					run.PeakInFlight, run.Wall, run.Sum, run.Speedup(), run.Requests, n, wait, n*wait, n)
			}
		})
	}
}

func TestOutcomes(t *testing.T) {
	config := DefaultConfig()
	config.ShutdownTimeout = 50 * time.Millisecond
	srv, base, stop := start(t, config, io.Discard)
	client, s := newClient(t), steer(t, base)
	ctx, leave := context.WithCancel(t.Context())
	leaving := askUntil(t, ctx, newClient(t), 1, base+"/delay/1m?run=client_closed")
	s.waiting("client_closed", 1)
	leave()
	if got := <-leaving; !errors.Is(got.err, context.Canceled) {
		t.Fatalf("got %v, want a client that left", got.err)
	}
	busy := ask(t, client, 1, base+"/hold/x?pool=db&workers=1&queue=0&run=failed")
	s.held("x", 1)
	for _, tc := range []struct{ run, target string }{
		{"answered", "/delay/0?"}, {"faulted", "/delay/0?fault=empty&"},
		{"refused", "/delay/0?pool=db&workers=1&queue=0&"},
		{"timed_out", "/hold/y?timeout=1&"},
	} {
		// On a new connection: net/http retries if a kept one ends.
		fetch(t.Context(), newClient(t), base+tc.target+"run="+tc.run)
	}
	if _, err := s.api.FailHold(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	wantAll(t, busy, 1, 503, `"type":"/problems/hold-failed"`)
	for _, outcome := range []string{"answered", "faulted", "client_closed", "refused", "timed_out", "failed"} {
		run := s.settled(outcome)
		if len(run.Waits) != 1 || run.Waits[0].Outcome != outcome {
			t.Errorf("run %s: got %+v, want one with that outcome", outcome, run.Waits)
		}
	}
	ended := ask(t, client, 1, base+"/delay/1m?run=shutdown")
	s.waiting("shutdown", 1)
	stop()
	wantAll(t, ended, 1, 503, `"type":"/problems/shutting-down"`)
	if run, _ := srv.engine.Journal.Run("shutdown"); len(run.Waits) != 1 || run.Waits[0].Outcome != "shutdown" {
		t.Errorf("run shutdown: got %+v, want one with that outcome", run.Waits)
	}
}

func TestAwaitRuns(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	third := ask(t, client, 1, base+"/admin/runs/r?waiting=3")
	ask(t, client, 2, base+"/delay/1m?run=r")
	s.waiting("r", 2)
	for _, condition := range []string{"waiting=3", "settled=true"} {
		reply, text := do(t, client, "GET", base+"/admin/runs/r?timeout=1ms&"+condition, nil)
		wantProblem(t, condition, reply, text, problem.WaitTimeout)
	}
	if len(third) > 0 {
		t.Error("waiting=3 was answered while 2 wait")
	}
	ask(t, client, 1, base+"/delay/1m?run=r")
	wantAll(t, third, 1, 200, `"waiting":3`)
	settled := ask(t, client, 1, base+"/admin/runs/r?settled=true")
	s.advance(time.Minute)
	wantAll(t, settled, 1, 200, `"waiting":0,"settled":true`)
	wantAll(t, ask(t, client, 1, base+"/admin/runs/r?settled=false"), 1, 200, `"settled":true`)
	reply, text := do(t, client, "GET", base+"/admin/runs/other?waiting=1&timeout=1ms", nil)
	wantProblem(t, "a run that does not begin", reply, text, problem.WaitTimeout)
}

func TestJournalSize(t *testing.T) {
	config := DefaultConfig()
	config.JournalSize = 3
	_, base, _ := start(t, config, io.Discard)
	client, s := newClient(t), steer(t, base)
	for i := range 5 {
		do(t, client, "GET", fmt.Sprintf("%s/delay/0.%d?run=r", base, i), nil)
	}
	run := s.settled("r")
	if run.Requests != 5 || run.Dropped != 2 || len(run.Waits) != 3 || run.Waits[0].Path != "/delay/0.2" ||
		!run.Settled {
		t.Errorf("got %+v, want the last 3 of 5 requests, and 2 dropped", run)
	}
	for range 3 {
		do(t, client, "GET", base+"/delay/0?run=other", nil)
	}
	reply, text := do(t, client, "GET", base+"/admin/runs/r", nil)
	wantProblem(t, "a run that was dropped", reply, text, problem.RunNotFound)
	runs, err := s.api.Runs(t.Context())
	if succeeded(t, runs, err); runs.Dropped != 5 || len(runs.Runs) != 1 || runs.Runs[0].ID != "other" {
		t.Errorf("got %+v, want the other run and 5 dropped", runs)
	}
	succeeded(t, 0, s.api.Reset(t.Context()))
	runs, err = s.api.Runs(t.Context())
	if succeeded(t, runs, err); runs.Dropped != 0 {
		t.Errorf("%d dropped after a reset, want none", runs.Dropped)
	}
}

func TestListAndForgetRuns(t *testing.T) {
	base, s := frozen(t, DefaultConfig())
	client := newClient(t)
	list := func() []string {
		runs, err := s.api.Runs(t.Context())
		var ids []string
		for _, run := range succeeded(t, runs, err).Runs {
			ids = append(ids, run.ID)
		}
		return ids
	}
	if _, text := do(t, client, "GET", base+"/admin/runs", nil); text != `{"runs":[],"dropped":0}`+"\n" {
		t.Errorf("none: got %s", text)
	}
	for _, id := range []string{"b", "a", "c", "b"} {
		do(t, client, "GET", base+"/delay/0?run="+id, nil)
	}
	waits := ask(t, client, 1, base+"/delay/1s?run=d")
	s.waiting("d", 1)
	if got, want := list(), []string{"d", "c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v, the newest first", got, want)
	}
	for _, id := range []string{"a", "d"} {
		if reply, text := do(t, client, "DELETE", base+"/admin/runs/"+id, nil); reply.StatusCode != 204 || text != "" {
			t.Errorf("DELETE of %s: got %d %s, want 204", id, reply.StatusCode, text)
		}
	}
	if got, want := list(), []string{"c", "b"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	s.advance(time.Second)
	wantAll(t, waits, 1, 200, "") // still answered
	do(t, client, "GET", base+"/delay/0?run=d", nil)
	if run := s.settled("d"); run.Requests != 1 || run.Waiting != 0 {
		t.Errorf("got %+v, want a new run", run)
	}
	if reply, _ := do(t, client, "DELETE", base+"/admin/runs", nil); reply.StatusCode != 204 {
		t.Errorf("DELETE of all: got %d, want 204", reply.StatusCode)
	}
	if got := list(); got != nil {
		t.Errorf("listed %v after DELETE of all, want none", got)
	}
}

func TestRunIDs(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client, s := newClient(t), steer(t, base)
	for _, id := range []string{"a/b", "a?b", "100%", "a%2Fb", "a&b=c;d", "..", ".", "a+b", "#",
		"<script>alert(1)</script>", `"'`, "waterfall.svg", "r/waterfall.txt", strings.Repeat("x", 200)} {
		t.Run(id[:min(len(id), 20)], func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", base+"/delay/0", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("X-Run-Id", id)
			reply, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			if run := s.run(id); run.ID != id || run.Requests != 1 {
				t.Errorf("got %+v, want the run", run)
			}
			for _, tail := range []string{"/waterfall.svg", "/waterfall.txt"} {
				reply, text := do(t, client, "GET", base+"/admin/runs/"+url.PathEscape(id)+tail, nil)
				if reply.StatusCode != 200 || tail == "/waterfall.svg" && strings.Contains(text, "<script") {
					t.Errorf("%s: got %d %.200s", tail, reply.StatusCode, text)
				}
			}
			if err := s.api.ForgetRun(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWaterfall(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	do(t, client, "GET", base+"/barrier/%3C%2Fscript%3E%26%22?parties=1&run=r", nil)
	for _, tc := range []struct{ name, kind, policy, want string }{
		{"svg", "image/svg+xml", "default-src 'none'; style-src 'unsafe-inline'; sandbox", "<title>Run r</title>"},
		{"txt", "text/plain; charset=utf-8", "", "run r: 1 request, peak in flight 1\n"},
	} {
		reply, text := do(t, client, "GET", base+"/admin/runs/r/waterfall."+tc.name, nil)
		if reply.StatusCode != 200 || !strings.Contains(text, tc.want) {
			t.Errorf("%s: got %d\n%s\nwant 200 with %s", tc.name, reply.StatusCode, text, tc.want)
		}
		for name, want := range map[string]string{
			"Content-Type": tc.kind, "Content-Security-Policy": tc.policy,
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		} {
			if got := reply.Header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", tc.name, name, got, want)
			}
		}
		if reply, text := do(t, client, "HEAD", base+"/admin/runs/r/waterfall."+tc.name,
			nil); reply.StatusCode != 200 || text != "" || reply.Header.Get("Content-Type") != tc.kind {
			t.Errorf("HEAD of %s: got %d %s with %d bytes, want 200 %s with none", tc.name, reply.StatusCode,
				reply.Header.Get("Content-Type"), len(text), tc.kind)
		}
		if tc.name == "svg" {
			if strings.Contains(text, "</script") {
				t.Errorf("a path is not escaped:\n%s", text)
			}
			for in := xml.NewDecoder(strings.NewReader(text)); ; {
				if _, err := in.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatalf("not well-formed: %v\n%s", err, text)
				}
			}
		}
	}
}

// After a run was forgotten, fail_first counts from 0 again.
func TestForgettingARunResetsFailFirst(t *testing.T) {
	config := DefaultConfig()
	config.JournalSize = 1 // the journal drops the run, but not its counts
	for name, config := range map[string]Config{"remembered": DefaultConfig(), "dropped": config} {
		for _, path := range []string{"/admin/runs/f", "/admin/runs"} {
			t.Run(name+" "+path, func(t *testing.T) {
				_, base, _ := start(t, config, io.Discard)
				client := newClient(t)
				for i, want := range []int{503, 200, 503} {
					if i == 2 {
						do(t, client, "GET", base+"/delay/0?run=other", nil)
						if reply, text := do(t, client, "DELETE", base+path, nil); reply.StatusCode != 204 {
							t.Errorf("DELETE %s: got %d %s, want 204", path, reply.StatusCode, text)
						}
					}
					if reply, _ := do(t, client, "GET", base+"/delay/0?fail_first=1&run=f",
						nil); reply.StatusCode != want {
						t.Errorf("request %d: got %d, want %d", i+1, reply.StatusCode, want)
					}
				}
			})
		}
	}
}
