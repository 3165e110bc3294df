package server

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// withScenario writes a scenario file and returns a config that uses it, and its path.
func withScenario(t *testing.T, text string) (Config, string) {
	t.Helper()
	config := DefaultConfig()
	config.Scenario = filepath.Join(t.TempDir(), "scenario.yaml")
	write(t, config.Scenario, text)
	return config, config.Scenario
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var asked = regexp.MustCompile(`asked;dur=([0-9.]+).*waited;dur=([0-9.]+)`)

// TestShop checks each route of deploy/scenarios/shop.yaml.
func TestShop(t *testing.T) {
	config := DefaultConfig()
	config.Scenario = "../../deploy/scenarios/shop.yaml"
	seed := uint64(1) // with it, no charge is refused at random
	config.Seed = &seed
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	for _, tc := range []struct {
		name, method, path string
		status             int
		minAsked           float64 // milliseconds
		want               string
	}{
		{"catalog", "GET", "/catalog/products", 200, 1,
			`[{"id":7,"name":"kettle","price":39.5},{"id":8,"name":"teapot","price":24}]`},
		{"product", "GET", "/catalog/products/7", 200, 1, `{"id":7,"name":"kettle","price":39.5}`},
		{"product image", "GET", "/catalog/products/7/image", 200, 20, ""},
		{"cart", "GET", "/cart/anna", 200, 15, `{"items":[{"product":7,"count":1}],"total":39.5}`},
		{"first write to a cart", "POST", "/cart/anna/items", 503, 0,
			`{"items":[{"product":7,"count":2}],"total":79}`},
		{"second write to a cart", "POST", "/cart/anna/items", 200, 0,
			`{"items":[{"product":7,"count":2}],"total":79}`},
		{"payment", "POST", "/payment/charges", 200, 50, `{"charge":"ch_1","state":"accepted"}`},
		{"inventory", "GET", "/inventory/sku-1", 200, 0, `{"in_stock":12}`},
		{"recommendations", "GET", "/recommendations/anna", 200, 80, `{"products":[8,7]}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			begin := time.Now()
			reply, body := do(t, client, tc.method, base+tc.path, nil)
			took := time.Since(begin)
			if reply.StatusCode != tc.status || tc.want != "" && body != tc.want {
				t.Errorf("%s %s: got %d %.200s, want %d %s",
					tc.method, tc.path, reply.StatusCode, body, tc.status, tc.want)
			}
			header := reply.Header.Get("Server-Timing")
			timing := asked.FindStringSubmatch(header)
			if timing == nil {
				t.Fatalf("%s %s: got Server-Timing %q, want asked and waited", tc.method, tc.path, header)
			}
			asked, _ := strconv.ParseFloat(timing[1], 64)
			waited, _ := strconv.ParseFloat(timing[2], 64)
			if asked < tc.minAsked || waited < asked || took.Seconds()*1000 < waited {
				t.Errorf("%s %s: asked %v ms, waited %v ms, took %v; want %v ms ≤ asked ≤ waited ≤ took",
					tc.method, tc.path, asked, waited, took, tc.minAsked)
			}
			if hasQueue := strings.Contains(header, "queued;dur="); hasQueue != (tc.name == "payment") {
				t.Errorf("%s %s: got Server-Timing %q, want queued only for payment", tc.method, tc.path, header)
			}
		})
	}
}

// TestShopFaults checks the faults and limits of deploy/scenarios/shop.yaml.
func TestShopFaults(t *testing.T) {
	config := DefaultConfig()
	config.Scenario = "../../deploy/scenarios/shop.yaml"
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)

	begin := time.Now()
	reply, body := do(t, client, "GET", base+"/catalog/products/7/image", nil)
	took, contentType := time.Since(begin), reply.Header.Get("Content-Type")
	if contentType != "image/jpeg" || len(body) != 60000 || took < 150*time.Millisecond {
		t.Errorf("image: got %s of %d bytes in %v, want image/jpeg of 60000 bytes in at least 150ms",
			contentType, len(body), took)
	}

	truncated, err := client.Get(base + "/recommendations/anna/similar")
	if err != nil {
		t.Fatal(err)
	}
	defer truncated.Body.Close()
	if half, err := io.ReadAll(truncated.Body); err == nil || len(half) != int(truncated.ContentLength)/2 {
		t.Errorf("truncated answer: got %d of %d bytes, error %v, want half and an error",
			len(half), truncated.ContentLength, err)
	}

	for _, tc := range []struct {
		method, path, want string
		n                  int // concurrent requests, of which some are refused
	}{
		{"GET", "/inventory/sku-1", "429 Too Many Requests, Retry-After: 1", 20},
		{"POST", "/payment/charges", "503 Service Unavailable, Retry-After: 1", 20},
	} {
		var wg sync.WaitGroup
		var refused atomic.Int32
		for range tc.n {
			wg.Go(func() {
				reply, _ := do(t, client, tc.method, base+tc.path, nil)
				if reply.Status+", Retry-After: "+reply.Header.Get("Retry-After") == tc.want {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if refused.Load() == 0 {
			t.Errorf("%d concurrent %s %s: none refused, want %s", tc.n, tc.method, tc.path, tc.want)
		}
	}
}

func TestScenarioRoutes(t *testing.T) {
	config, _ := withScenario(t, `
routes:
  - method: GET
    path: /a
    delay: 1ms
    body: text
    headers: {Access-Control-Allow-Origin: "https://own.example", Server: shop, Vary: Accept}
  - {method: POST, path: /doc, status: 201}
  - {method: GET, path: "/{rest...}", status: 404, body: gone, headers: {Content-Type: text/html}}
`)
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	for _, tc := range []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
	}{
		{"route", "GET", "/a?status=500&stauts=1&zzz=2", 200, http.Header{
			"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"4"},
			"Server": {"shop"}, "X-Ignored-Parameters": nil,
			"Access-Control-Allow-Origin": {"https://own.example"}, "X-Content-Type-Options": {"nosniff"},
		}, "text"},
		{"HEAD", "HEAD", "/a", 200, http.Header{"Content-Length": {"4"}}, ""},
		{"other method", "PUT", "/a", 405, http.Header{
			"Allow": {"GET, HEAD, OPTIONS"},
		}, "/problems/method-not-allowed"},
		{"preflight", "OPTIONS", "/a", 204, http.Header{
			"Allow": {"GET, HEAD, OPTIONS"}, "Access-Control-Allow-Methods": {"GET, HEAD, OPTIONS"},
		}, ""},
		{"path of a page", "POST", "/doc", 201, http.Header{
			"Content-Length": {"0"}, "Content-Type": nil, "Access-Control-Allow-Origin": {"*"},
		}, ""},
		{"wildcard", "GET", "/what/ever", 404, http.Header{"Content-Type": {"text/html"}}, "gone"},
		{"probe", "GET", "/healthz", 200, nil, "ok\n"},
		{"path of a delay", "POST", "/delay/1", 405, http.Header{
			"Allow": {"GET, HEAD, OPTIONS"},
		}, "/problems/method-not-allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reply, body := do(t, client, tc.method, base+tc.path, nil)
			if reply.StatusCode != tc.status || !strings.Contains(body, tc.body) {
				t.Errorf("%s %s: got %d %s, want %d %s", tc.method, tc.path, reply.StatusCode, body, tc.status, tc.body)
			}
			for name, want := range tc.header {
				if got := reply.Header[name]; !slices.Equal(got, want) {
					t.Errorf("%s %s: %s: got %q, want %q", tc.method, tc.path, name, got, want)
				}
			}
		})
	}
}

func TestScenarioOtherPaths(t *testing.T) {
	config, _ := withScenario(t, "routes: [{method: GET, path: /a}]")
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	reply, body := do(t, client, "GET", base+"/delay/1/url/http://example.com//x", nil)
	if location := reply.Header.Get("Location"); reply.StatusCode != 302 || location != "http://example.com//x" {
		t.Errorf("redirect: got %d %s %s, want 302", reply.StatusCode, location, body)
	}
	for _, path := range []string{"/a/", "//a", "/b"} {
		_, body := do(t, client, "GET", base+path, nil)
		if !strings.Contains(body, `"type":"/problems/not-found"`) {
			t.Errorf("GET %s: got %s, want problem not-found", path, body)
		}
	}
}

func TestScenarioHeadersAddToLists(t *testing.T) {
	config, _ := withScenario(t, "routes: [{path: /a, headers: {Vary: Accept, Server-Timing: db;dur=1}}]")
	config.CORSOrigins = []string{"https://a.example"}
	_, base, _ := start(t, config, io.Discard)
	reply, _ := do(t, newClient(t), "GET", base+"/a", nil)
	if got := reply.Header["Vary"]; !slices.Equal(got, []string{"Origin", "Accept"}) {
		t.Errorf("Vary: got %q, want the values of server and scenario", got)
	}
	if got := reply.Header["Server-Timing"]; len(got) != 2 || got[1] != "db;dur=1" {
		t.Errorf("Server-Timing: got %q, want the values of server and scenario", got)
	}
}

func TestScenarioLimit(t *testing.T) {
	config, _ := withScenario(t, "routes: [{path: /a, limit: {rate: 1/h, burst: 2}}]")
	_, base, _ := start(t, config, io.Discard)
	client := newClient(t)
	for i, want := range []int{200, 200, 429, 429} {
		reply, body := do(t, client, "GET", base+"/a", nil)
		if reply.StatusCode != want {
			t.Fatalf("request %d: got %d %s, want %d", i+1, reply.StatusCode, body, want)
		}
		if want != 429 {
			continue
		}
		if !strings.Contains(body, `"type":"/problems/rate-limited"`) {
			t.Errorf("request %d: got %s, want problem rate-limited", i+1, body)
		}
		// An hour minus the time since the burst.
		if after, _ := strconv.Atoi(reply.Header.Get("Retry-After")); after < 3500 || after > 3600 {
			t.Errorf("request %d: got Retry-After %q, want about an hour", i+1, reply.Header.Get("Retry-After"))
		}
	}
	_, metrics := do(t, client, "GET", base+"/metrics", nil)
	if want := `delay_server_waits_total{outcome="refused"} 2`; !strings.Contains(metrics, want) {
		t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "delay_server_waits"))
	}
}

// TestScenarioEvents checks that routes share barriers and holds with the endpoints.
func TestScenarioEvents(t *testing.T) {
	config, _ := withScenario(t, `
routes:
  - {path: "/orders/{id}", barrier: {name: checkout, parties: 3, timeout: 5s}, delay: 2s, body: ordered}
  - {path: "/carts/{id}", hold: {name: checkout, timeout: 5s}, delay: 2s, status: 201, body: held}
`)
	base, s := frozen(t, config)
	client := newClient(t)

	t.Run("barrier", func(t *testing.T) {
		ordered := ask(t, client, 1, base+"/orders/7")
		s.timed(1)
		s.advance(time.Second)
		mixed := ask(t, client, 1, base+"/barrier/checkout?parties=3")
		s.timed(2)
		wantAll(t, ask(t, client, 1, base+"/barrier/checkout?parties=2"), 1, 409, `"type":"/problems/barrier-mismatch"`)
		last := ask(t, client, 1, base+"/orders/8")
		wantAll(t, mixed, 1, 200, `"barrier":"checkout"`)
		s.advance(2*time.Second - 1)
		s.timed(2) // the delay after the barrier
		s.advance(1)
		wantAll(t, last, 1, 200, "ordered")
		got := next(t, ordered)
		timing := got.header.Get("Server-Timing")
		if got.text != "ordered" || !strings.HasPrefix(timing, "asked;dur=2000, held;dur=1000, waited;dur=3000, ") {
			t.Errorf("first request: got %d %s, Server-Timing %s, want 1000 held and 2000 asked",
				got.status, got.text, timing)
		}

		alone := ask(t, client, 1, base+"/orders/9")
		s.timed(1)
		s.advance(5 * time.Second)
		wantAll(t, alone, 1, 504, `"type":"/problems/barrier-timeout"`)
	})

	t.Run("hold", func(t *testing.T) {
		carts := ask(t, client, 1, base+"/carts/7")
		mixed := ask(t, client, 1, base+"/hold/checkout")
		s.held("checkout", 2)
		if got := s.release("checkout"); got != 2 {
			t.Errorf("released %d requests, want 2", got)
		}
		wantAll(t, mixed, 1, 200, `"hold":"checkout"`)
		s.advance(2*time.Second - 1)
		s.timed(1)
		s.advance(1)
		wantAll(t, carts, 1, 201, "held")

		unreleased := ask(t, client, 1, base+"/carts/7")
		s.held("checkout", 1)
		s.advance(5 * time.Second)
		wantAll(t, unreleased, 1, 504, `"type":"/problems/hold-timeout"`)
	})
}

func TestReloadFiles(t *testing.T) {
	const wait = 300 * time.Millisecond
	route := "routes: [{path: /a, delay: %d, body: %s, pool: {name: db, workers: %d}}]"
	config, file := withScenario(t, fmt.Sprintf(route, wait.Milliseconds(), "old", 1))
	var log logbook
	srv, base, _ := start(t, config, &log)
	srv.engine.Clock.Freeze()
	client := newClient(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		reply, body := do(t, client, "GET", base+"/a", nil)
		timing := reply.Header.Get("Server-Timing")
		if reply.StatusCode != 200 || body != "old" || !strings.Contains(timing, "asked;dur=300,") {
			t.Errorf("request in flight: got %d %s %s, want the old answer", reply.StatusCode, body, timing)
		}
	})
	awaitTimed(t, srv, 1)

	write(t, file, "routes: [{path: /a, dely: 1}]")
	srv.ReloadFiles()
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, `did you mean \"delay\"?`) {
		t.Errorf("invalid file: got log\n%s", got)
	}

	write(t, file, fmt.Sprintf(route, 0, "new", 2))
	srv.ReloadFiles()
	if reply, body := do(t, client, "GET", base+"/a", nil); reply.StatusCode != 200 || body != "new" {
		t.Errorf("valid file: got %d %s, want the new answer, from a pool of another size", reply.StatusCode, body)
	}
	wiretest.Eventually(t, "only the request from before the reload waits", func() bool {
		return srv.engine.Journal.Waiting() == 1
	})
	_, metrics := do(t, client, "GET", base+"/metrics", nil)
	if want := `delay_server_pool_busy_workers{pool="db"} 1`; !strings.Contains(metrics, want) {
		t.Errorf("want %s in the metrics, got:\n%s", want, grep(metrics, "pool"))
	}
	advance(t, srv, wait)
	wg.Wait()
}

func TestInvalidScenario(t *testing.T) {
	config, file := withScenario(t, "routes:\n  - path: /healthz\n  - path: /b\n    delay: x\n")
	_, err := New(config, slog.New(slog.DiscardHandler))
	for _, want := range []string{"SCENARIO: " + file + ":2:5: path", file + ":4:5: delay"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: got error %v, want %s", err, want)
		}
	}
}

// TestWriteTimeoutOfLargeBody checks that a client has WRITE_TIMEOUT for each part of a
// body, and is disconnected if it does not read.
func TestWriteTimeoutOfLargeBody(t *testing.T) {
	t.Parallel()
	config, _ := withScenario(t, "routes: [{path: /large, body: "+strings.Repeat("x", 20_000_000)+"}]")
	config.WriteTimeout = time.Second // longer than a busy machine takes for a part
	srv, base, _ := start(t, config, io.Discard)
	conn := wiretest.Dial(t, base)
	fmt.Fprint(conn, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	wiretest.Eventually(t, "the answer is being sent", func() bool { return srv.engine.Journal.Waiting() == 1 })
	wiretest.Eventually(t, "the client is disconnected", func() bool { return srv.engine.Journal.Waiting() == 0 })
	if _, body := do(t, newClient(t), "GET", base+"/large", nil); len(body) != 20_000_000 {
		t.Errorf("client that reads: got %d bytes, want 20000000", len(body))
	}
}

// TestShopAnswersExamplesOfDoc checks that shop.yaml has the routes of the examples in
// /doc.
func TestShopAnswersExamplesOfDoc(t *testing.T) {
	page, err := pages.ReadFile("pages/recipes.html")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), `<section class="recipe" id="services">`)
	section, _, _ = strings.Cut(section, "</section>")
	examples := regexp.MustCompile(`\{\{\.Base\}\}(/[^'\s]*)`).FindAllStringSubmatch(section, -1)
	if len(examples) < 2 {
		t.Fatalf("got %d examples, want at least 2", len(examples))
	}
	config := DefaultConfig()
	config.Scenario = "../../deploy/scenarios/shop.yaml"
	srv, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range examples {
		path := strings.ReplaceAll(m[1], "[1-3]", "1")
		if template, _ := srv.file.Current().Find("GET", path); template == nil {
			t.Errorf("GET %s: shop.yaml has no route", path)
		}
	}
	if method, path := srv.ScenarioExample(); method != "GET" || path != "/catalog/products" {
		t.Errorf("ScenarioExample: got %s %s, want GET /catalog/products", method, path)
	}
}
