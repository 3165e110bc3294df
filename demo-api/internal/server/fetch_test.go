package server_test

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/kit/query"
)

var endpoints = []string{"/get_data", "/async_get_data"}

func TestResponses(t *testing.T) {
	const twelve = `{"r1":200,"r2":200,"r3":200,"r4":200,"r5":200,"r6":200,` +
		`"r7":200,"r8":200,"r9":200,"r10":200,"r11":200,"r12":200}`
	const jsonType, textType = "application/json; charset=utf-8", "text/plain; charset=utf-8"
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	for _, tc := range []struct{ name, query, body, contentType string }{
		{"two calls by default", "", `{"r1":200,"r2":200}`, jsonType},
		{"with a slash", "/", `{"r1":200,"r2":200}`, jsonType},
		{"an empty query", "?", `{"r1":200,"r2":200}`, jsonType},
		{"no calls", "?calls=0", "ok", textType},
		{"one call", "?calls=1", `{"r1":200}`, jsonType},
		{"a third call", "?calls=3", `{"r1":200,"r2":200,"r3":200}`, jsonType},
		{"twelve calls in order", "?calls=12", twelve, jsonType},
		{"a limit", "?calls=3&limit=2", `{"r1":200,"r2":200,"r3":200}`, jsonType},
		{"a limit above the calls", "?limit=2147483647", `{"r1":200,"r2":200}`, jsonType},
		{"every parameter", "?calls=1&delay=1.5s&limit=1", `{"r1":200}`, jsonType},
		{"an unknown parameter", "?_=17", `{"r1":200,"r2":200}`, jsonType},
	} {
		for _, endpoint := range endpoints {
			t.Run(endpoint+", "+tc.name, func(t *testing.T) {
				got := d.get(t, endpoint+tc.query)
				if got.StatusCode != 200 || got.body != tc.body {
					t.Errorf("GET %s%s = %d %s\nwant 200 %s", endpoint, tc.query, got.StatusCode, got.body, tc.body)
				}
				for name, want := range map[string]string{
					"Content-Type": tc.contentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				} {
					if value := got.Header.Get(name); value != want {
						t.Errorf("%s: got %q, want %q", name, value, want)
					}
				}
				length := int64(len(tc.body) + 1)
				head := d.send(t, http.MethodHead, endpoint+tc.query, nil, nil)
				if head.StatusCode != 200 || head.body != "" || head.ContentLength != length {
					t.Errorf("HEAD %s%s = %d, body %q, Content-Length %d; want 200, none, %d",
						endpoint, tc.query, head.StatusCode, head.body, head.ContentLength, length)
				}
			})
		}
	}
}

// Without a final newline, a shell prompt follows the body on the same line.
func TestResponsesEndWithNewline(t *testing.T) {
	d := start(t, options(), newFake(t, respondAfter(0)).URL, time.Minute)
	for _, path := range []string{
		"/get_data", "/async_get_data?calls=3", "/get_data?calls=0", "/get_data?calls=x", "/nothing",
		"/healthz", "/readyz", "/version",
	} {
		resp, err := http.Get(d.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.HasSuffix(body, []byte("\n")) || bytes.HasSuffix(body, []byte("\n\n")) {
			t.Errorf("GET %s: got %q, error %v; want a body that ends with one newline", path, body, err)
		}
	}
}

// Sequential calls arrive in order, so the nth status belongs to the nth call.
func TestStatuses(t *testing.T) {
	statuses := []int{200, 404, 500, 302, 204, 429, 503, 418, 201, 400, 599}
	s := newFake(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(statuses[n-1])
	})
	d := start(t, options(), s.URL, time.Minute)
	const want = `{"r1":200,"r2":404,"r3":500,"r4":302,"r5":204,"r6":429,` +
		`"r7":503,"r8":418,"r9":201,"r10":400,"r11":599}`
	if got := d.get(t, "/get_data?calls=11"); got.StatusCode != 200 || got.body != want {
		t.Errorf("got %d %s\nwant 200 %s", got.StatusCode, got.body, want)
	}
}

func TestDelayIsPassedOn(t *testing.T) {
	for _, tc := range []struct{ name, query, path string }{
		{"the default", "", "/delay/0/"},
		{"digits, unchanged", "?delay=0002.50", "/delay/0002.50/"},
		{"a duration, unchanged", "?delay=9m59.9s", "/delay/9m59.9s/"},
		{"not ASCII, unchanged", "?delay=5%C2%B5s", "/delay/5µs/"},
		{"random", "?delay=random", "/delay/random/"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFake(t, respondAfter(0))
			d := start(t, options(), s.URL, time.Minute)
			for _, endpoint := range endpoints {
				d.get(t, endpoint+tc.query)
			}
			want := map[string]bool{tc.path: true}
			if got := s.received().paths; !maps.Equal(got, want) {
				t.Errorf("%s: the calls were %v, want %v", tc.query, got, want)
			}
		})
	}
}

func TestRunID(t *testing.T) {
	s := newFake(t, respondAfter(0))
	d := start(t, options(), s.URL, time.Minute)
	id := strings.Repeat("~", 200)
	got := d.send(t, "GET", "/async_get_data?calls=9", map[string]string{"X-Run-Id": id}, nil)
	if runs := s.received().runs; got.Header.Get("X-Run-Id") != id || len(runs) != 1 || !runs[id] {
		t.Errorf("X-Run-Id %q: got %q in the response and %v in the calls", id, got.Header.Get("X-Run-Id"), runs)
	}
	first, second := d.get(t, "/get_data").Header.Get("X-Run-Id"), d.get(t, "/get_data").Header.Get("X-Run-Id")
	if runs := s.received().runs; first == second || !runs[first] || !runs[second] {
		t.Errorf("without X-Run-Id: responses have %q and %q, calls %v; want two different IDs", first, second, runs)
	}
	if random, found := strings.CutPrefix(first, query.GeneratedRun); !found || len(random) < 26 {
		t.Errorf("without X-Run-Id: got %q, want %q and 26 random characters", first, query.GeneratedRun)
	}
}

// durations parses total;dur=1.2, r1;dur=1;start=0, … and checks the names and their order.
func durations(t testing.TB, header string) []time.Duration {
	t.Helper()
	var all []time.Duration
	for i, entry := range strings.Split(header, ", ") {
		name := "total"
		if i > 0 {
			name = "r" + strconv.Itoa(i)
		}
		m := regexp.MustCompile(`^` + name + `;dur=([0-9]+(\.[0-9]{1,2})?)(;start=[0-9.]+)?$`).FindStringSubmatch(entry)
		if m == nil {
			t.Fatalf("Server-Timing: %q, entry %d: want %s;dur=<ms>", header, i, name)
		}
		d, err := time.ParseDuration(m[1] + "ms")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

func TestServerTiming(t *testing.T) {
	const wait = 20 * time.Millisecond
	s := newFake(t, respondAfter(wait))
	d := start(t, options(), s.URL, time.Minute)
	for _, endpoint := range endpoints {
		got := d.get(t, endpoint+"?calls=3")
		all := durations(t, got.Header.Get("Server-Timing"))
		if len(all) != 4 {
			t.Fatalf("%s: Server-Timing %v, want total and 3 calls", endpoint, all)
		}
		min := time.Duration(0)
		for _, call := range all[1:] {
			if call < wait {
				t.Errorf("%s: a call took %v, want %v or more", endpoint, call, wait)
			}
			if endpoint == "/get_data" {
				min += call
			} else {
				min = max(min, call)
			}
		}
		if total := all[0]; total < min || total > got.took {
			t.Errorf("%s: total %v, want from %v, by its calls, to %v, by the client", endpoint, total, min, got.took)
		}
	}
	starts := func(query string) (starts []float64) {
		timing := d.get(t, query).Header.Get("Server-Timing")
		for _, m := range regexp.MustCompile(`;start=([0-9.]+)`).FindAllStringSubmatch(timing, -1) {
			start, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			starts = append(starts, start)
		}
		return starts
	}
	if got := starts("/get_data?calls=3"); len(got) != 3 || got[1]-got[0] < 20 || got[2]-got[1] < 20 {
		t.Errorf("one after another: calls start at %v ms, want 20 or more between them", got)
	}
	if all, more := starts("/async_get_data?calls=100"), starts("/async_get_data?calls=101"); len(all) != 100 ||
		len(more) != 0 {
		t.Errorf("got %d starts of 100 calls and %d of 101, want 100 and none", len(all), len(more))
	}
	if got := d.get(t, "/get_data?calls=0").Header.Get("Server-Timing"); len(durations(t, got)) != 1 {
		t.Errorf("no calls: Server-Timing %q, want only total", got)
	}
}
