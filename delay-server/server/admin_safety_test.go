package server

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/flow"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

type adminCall struct {
	method, target, body string
	status               int
}

// adminCalls are calls of each path of the admin API, with the status on a new server.
var adminCalls = []adminCall{
	{"GET", "/admin/runs", "", 200},
	{"HEAD", "/admin/runs", "", 200},
	{"DELETE", "/admin/runs", "", 204},
	{"GET", "/admin/runs/r", "", 404},
	{"DELETE", "/admin/runs/r", "", 404},
	{"GET", "/admin/runs/r/waterfall.svg", "", 404},
	{"HEAD", "/admin/runs/r/waterfall.txt", "", 404},
	{"GET", "/admin/holds", "", 200},
	{"HEAD", "/admin/holds/x", "", 200},
	{"DELETE", "/admin/holds/x", "", 404},
	{"POST", "/admin/holds/x/release", "", 404},
	{"GET", "/admin/clock", "", 200},
	{"POST", "/admin/clock", `{"scale":1}`, 200},
	{"POST", "/admin/reset", "", 204},
	{"GET", "/admin/scenario", "", 404},
	{"HEAD", "/admin/scenario", "", 404},
	{"DELETE", "/admin/scenario", "", 404},
	{"PUT", "/admin/scenario", "routes: [{path: /a}]", 204},
	{"GET", "/admin/runs/r/scenario", "", 404},
	{"DELETE", "/admin/runs/r/scenario", "", 404},
	{"PUT", "/admin/runs/r/scenario", "routes: [{path: /a}]", 204},
}

// call returns the answer of a new server with the config. A host that is not "" is the
// request's Host.
func call(
	t testing.TB, config Config, method, target, body, host string, header map[string]string,
) *httptest.ResponseRecorder {
	t.Helper()
	srv, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Host = "127.0.0.1:3000"
	if host != "" {
		req.Host = host
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	srv.Handler().ServeHTTP(rec, req)
	return rec
}

func TestAdminHasNoCORS(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	client := newClient(t)
	for _, tc := range adminCalls {
		for _, method := range []string{tc.method, "OPTIONS"} {
			req, err := http.NewRequestWithContext(t.Context(), method, base+tc.target, strings.NewReader(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if method != tc.method { // a browser's preflight request
				req.Header.Set("Origin", "https://evil.example")
				req.Header.Set("Access-Control-Request-Method", tc.method)
			}
			reply, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			if method == tc.method && reply.StatusCode != tc.status {
				t.Errorf("%s %s: got %d, want %d", method, tc.target, reply.StatusCode, tc.status)
			}
			for _, name := range slices.Collect(maps.Keys(reply.Header)) {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s: %s: %s", method, tc.target, name, reply.Header.Get(name))
				}
			}
			if method == tc.method && (reply.Header.Get("Cache-Control") != "no-store" ||
				reply.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" ||
				reply.Header.Get("X-Content-Type-Options") != "nosniff") {
				t.Errorf("%s %s: got headers %v, want no-store, same-origin and nosniff", method, tc.target,
					reply.Header)
			}
		}
	}
}

func TestAdminRefusesCrossOriginRequests(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header map[string]string
		ok     bool
	}{
		{"curl", nil, true},
		{"this origin", map[string]string{"Origin": "http://127.0.0.1:3000"}, true},
		{"this origin behind a proxy", map[string]string{"Origin": "https://delay.example.com",
			"Sec-Fetch-Site": "same-origin"}, true},
		{"this origin, by Sec-Fetch-Site", map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		{"the address bar", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"another origin", map[string]string{"Origin": "https://evil.example"}, false},
		{"another port", map[string]string{"Origin": "http://127.0.0.1:8080"}, false},
		{"a sandboxed page", map[string]string{"Origin": "null"}, false},
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		{"another host of this site", map[string]string{"Sec-Fetch-Site": "same-site"}, false},
	} {
		for _, c := range adminCalls {
			rec := call(t, DefaultConfig(), c.method, c.target, c.body, "", tc.header)
			want := c.status
			write := c.method != "GET" && c.method != "HEAD"
			if !tc.ok && (write || tc.header["Sec-Fetch-Site"] != "same-site") { // links may come from there
				want = 403
			}
			if rec.Code != want || want == 403 && !strings.Contains(rec.Body.String(), string(problem.CrossOrigin)) {
				t.Errorf("%s: %s %s: got %d %s, want %d", tc.name, c.method, c.target, rec.Code, rec.Body, want)
			}
		}
	}
}

func TestAdminOff(t *testing.T) {
	config := DefaultConfig()
	config.Admin = false
	for _, c := range adminCalls {
		rec := call(t, config, c.method, c.target, c.body, "", nil)
		var p problem.Problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 404 ||
			p.Type != problem.AdminDisabled {
			t.Errorf("ADMIN=false, %s %s: got %d %s, want 404 and admin-disabled", c.method, c.target, rec.Code,
				rec.Body)
		}
	}
	if rec := call(t, config, "GET", "/barrier/b?parties=1", "", "", nil); rec.Code != 200 {
		t.Errorf("ADMIN=false, GET /barrier/b: got %d, want 200", rec.Code)
	}
	if rec := call(t, DefaultConfig(), "GET", "/admin/nothing", "", "", nil); rec.Code != 404 ||
		!strings.Contains(rec.Body.String(), string(problem.NotFound)) {
		t.Errorf("GET /admin/nothing: got %d %s, want 404 and not-found", rec.Code, rec.Body)
	}
}

func TestShutdownEndsWaitsOfTheAdminAPI(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(flow.ErrShutdown) // as after SHUTDOWN_TIMEOUT
	for _, target := range []string{"/admin/holds/x?waiting=1", "/admin/runs/r?waiting=1", "/admin/clock?waiting=1"} {
		srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequestWithContext(ctx, "GET", target, nil)
		req.Host = "localhost"
		rec := httptest.NewRecorder()
		srv.Handler().ServeHTTP(rec, req)
		wantProblem(t, "GET "+target, rec.Result(), rec.Body.String(), problem.ShuttingDown)
	}
}

func TestDrainingEndsWaitsOfTheAdminAPI(t *testing.T) {
	config := DefaultConfig()
	config.ShutdownTimeout = time.Hour
	srv, base, stop := start(t, config, io.Discard)
	client := newClient(t)
	waits := ask(t, client, 1, base+"/admin/runs/r?waiting=1&timeout=10m")
	wiretest.Eventually(t, "it waits", func() bool { return srv.admin.Waiting() == 1 })
	stop()
	wantAll(t, waits, 1, 503, `"type":"/problems/shutting-down"`)
}
