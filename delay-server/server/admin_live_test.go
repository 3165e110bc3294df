package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/client"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// viewer is an open stream of what happens now.
type viewer struct {
	t      testing.TB
	lines  *bufio.Scanner
	header http.Header
	close  func()
	last   *client.Live // nil before the first
}

// view opens the stream, of a run if run is not "", for up to [wiretest.Timeout].
func view(t testing.TB, base, run string, header ...string) *viewer {
	t.Helper()
	url := base + "/admin/live"
	if run != "" {
		url += "?run=" + run
	}
	ctx, leave := context.WithTimeout(t.Context(), wiretest.Timeout)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(); reply.Body.Close() })
	if reply.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(reply.Body)
		t.Fatalf("GET %s: got %d %s", url, reply.StatusCode, text)
	}
	lines := bufio.NewScanner(reply.Body)
	lines.Buffer(nil, 6<<20)
	return &viewer{t, lines, reply.Header, leave, nil}
}

// next returns the data of the next event, and false at the end of the stream.
func (v *viewer) next() (string, bool) {
	for v.lines.Scan() {
		if data, ok := strings.CutPrefix(v.lines.Text(), "data: "); ok {
			return data, true
		}
	}
	return "", false
}

// until returns the first state, from the last one on, for which ok reports true.
func (v *viewer) until(what string, ok func(client.Live) bool) client.Live {
	v.t.Helper()
	for v.last == nil || !ok(*v.last) {
		data, more := v.next()
		if !more {
			v.t.Fatalf("the stream ended before %s: %v; the last state: %+v", what, v.lines.Err(), v.last)
		}
		v.last = new(client.Live)
		if err := json.Unmarshal([]byte(data), v.last); err != nil {
			v.t.Fatal(err)
		}
	}
	return *v.last
}

// waits returns the requests of l: "run path state begun–due", in milliseconds after start.
func waits(l client.Live, start float64) string {
	var all []string
	for _, r := range l.Requests {
		text := fmt.Sprintf("%s %s %s %.0f", r.Run, r.Path, r.State, r.Begun-start)
		if r.Due != 0 {
			text += fmt.Sprintf("–%.0f", r.Due-start)
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestLive(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		c := newClient(t)
		v := view(t, base, "")
		empty := v.until("the first", func(client.Live) bool { return true })
		start := empty.Now
		want := fmt.Sprintf(`{"now":%v,"clock":{"scale":1,"frozen":true},"waiting":0,"arrived":0,"answered":0,`+
			`"requests":[],"pools":[],"barriers":[],"holds":[],"runs":[],"problems":[]}`, start)
		if text, _ := json.Marshal(empty); string(text) != want {
			t.Errorf("an idle server: got %s, want %s", text, want)
		}
		replies := map[string]<-chan answered{}
		for i, target := range []string{
			"/delay/1000?run=anna", "/delay/3000", "/delay/2000?pool=db&workers=1&queue=9",
			"/delay/2000?pool=db&workers=1&queue=9&run=bob", "/barrier/all?parties=3&run=anna", "/hold/h?run=bob",
			"/drip?duration=4&numbytes=2&delay=0",
		} {
			replies[target] = ask(t, c, 1, base+target)
			v.until(target, func(l client.Live) bool { return len(l.Requests) == i+1 })
		}
		l := v.until("all wait", func(l client.Live) bool {
			return l.Waiting == 7 && strings.Contains(waits(l, start), "sending")
		})
		wantText(t, "requests", waits(l, start), " /delay/2000 waiting 0–2000,  /delay/3000 waiting 0–3000, "+
			" /drip sending 0–4000, anna /barrier/all held 0, anna /delay/1000 waiting 0–1000, "+
			"bob /delay/2000 queued 0, bob /hold/h held 0")
		gates, _ := json.Marshal([]any{l.Pools, l.Barriers, l.Holds, l.Arrived, l.Answered})
		wantText(t, "gates", string(gates), `[[{"name":"db","busy":1,"workers":1,"queued":1,"queue":9}],`+
			`[{"name":"all","run":"","parties":3,"waiting":[{"run":"anna","attempt":1}]}],`+
			`[{"name":"h","run":"","waiting":1,"held":[{"run":"bob","attempt":1}]}],7,0]`)
		runs, _ := json.Marshal(l.Runs)
		wantText(t, "runs", string(runs), `[{"id":"bob","requests":2,"waiting":2,"peak":2,"wall":0},`+
			`{"id":"anna","requests":2,"waiting":2,"peak":2,"wall":0}]`)

		s.advance(1500 * time.Millisecond)
		l = v.until("the clock has moved", func(l client.Live) bool { return l.Answered == 1 })
		if l.Now != start+1500 || l.Waiting != 6 || l.Arrived != 7 {
			t.Errorf("got %+v", l)
		}
		s.advance(time.Second)
		l = v.until("the worker is free", func(l client.Live) bool { return l.Answered == 2 })
		wantText(t, "requests", waits(l, start), " /delay/3000 waiting 0–3000,  /drip sending 0–4000, "+
			"anna /barrier/all held 0, bob /delay/2000 waiting 0–4000, bob /hold/h held 0")

		ofBob := view(t, base, "bob")
		l = ofBob.until("the first", func(client.Live) bool { return true })
		wantText(t, "of bob", waits(l, start), "bob /delay/2000 waiting 0–4000, bob /hold/h held 0")
		if l.Waiting != 2 || l.Arrived != 2 || len(l.Pools) != 1 || len(l.Barriers) != 0 || len(l.Holds) != 1 ||
			len(l.Runs) != 1 {
			t.Errorf("of bob: got %+v", l)
		}
		s.release("h")
		ask(t, c, 1, base+"/hold/h?run=bob&timeout=100ms")
		s.held("h", 1)
		s.advance(100 * time.Millisecond)
		l = ofBob.until("a problem", func(l client.Live) bool { return len(l.Problems) > 0 })
		problems, _ := json.Marshal(l.Problems)
		wantText(t, "problems", string(problems), fmt.Sprintf(`[{"at":%v,"status":504,`+
			`"type":"/problems/hold-timeout","path":"/hold/h","run":"bob","count":1}]`, start+2600))
	})
}

func wantText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// A run with its own frozen clock stands still on the server's clock, which runs.
func TestLiveOfARunsClock(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		base, s := frozen(t, config)
		own := s.ofRun("r")
		own.freeze()
		ask(t, newClient(t), 1, base+"/delay/1000?run=r")
		s.waiting("r", 1)
		v := view(t, base, "")
		first := v.until("the first", func(client.Live) bool { return true })
		s.advance(5 * time.Second)
		second := v.until("the server's clock has moved", func(l client.Live) bool { return l.Now == first.Now+5000 })
		own.advance(400 * time.Millisecond)
		third := v.until("the run's clock has moved",
			func(l client.Live) bool { return l.Requests[0].Begun != second.Requests[0].Begun })
		for _, step := range []struct {
			live client.Live
			ago  float64
		}{{first, 0}, {second, 0}, {third, 400}} {
			r := step.live.Requests[0]
			if r.Clock != "run" || step.live.Now-r.Begun != step.ago || r.Due-r.Begun != 1000 {
				t.Errorf("at %v: got %+v, want a wait of a second, begun %v ago", step.live.Now, r, step.ago)
			}
		}
		if c := first.Runs[0].Clock; c == nil || !c.Frozen || c.Scale != 1 {
			t.Errorf("the run's clock is %+v, want it frozen", c)
		}
	})
}

func TestLiveOfViewersThatLeave(t *testing.T) {
	srv, base, _ := start(t, DefaultConfig(), io.Discard)
	first, second := view(t, base, ""), view(t, base, "r")
	first.until("the first", func(client.Live) bool { return true })
	second.until("the first", func(client.Live) bool { return true })
	if !srv.engine.Journal.Watched() {
		t.Error("not watched with two viewers")
	}
	first.close()
	second.until("a request", func(l client.Live) bool {
		do(t, newClient(t), "GET", base+"/delay/0?run=r", nil)
		return l.Arrived > 0
	})
	second.close()
	wiretest.Eventually(t, "nobody watches", func() bool { return !srv.engine.Journal.Watched() })
	ask(t, newClient(t), 1, base+"/delay/10m")
	awaitTimed(t, srv, 1)
	if flights := srv.engine.Journal.Live("").Flights; len(flights) != 0 {
		t.Errorf("without viewers %+v is listed", flights)
	}
}

func TestLiveRejects(t *testing.T) {
	config := DefaultConfig()
	config.AdminToken = "s3cret"
	_, locked, _ := start(t, config, io.Discard)
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	c := newClient(t)
	for _, tc := range []struct {
		call, method, url string
		want              problem.Type
	}{
		{"without the token", "GET", locked + "/admin/live", problem.TokenRequired},
		{"HEAD without the token", "HEAD", locked + "/admin/live", problem.TokenRequired},
		{"no name of a run", "GET", base + "/admin/live?run=a%20b", problem.InvalidParameter},
		{"an empty run", "GET", base + "/admin/live?run=", problem.InvalidParameter},
		{"near miss", "GET", base + "/admin/live?rnu=a", problem.UnknownParameter},
		{"a run twice", "GET", base + "/admin/live?run=a&run=b", problem.RepeatedParameter},
	} {
		reply, text := do(t, c, tc.method, tc.url, nil)
		if tc.method == http.MethodHead {
			if reply.StatusCode != tc.want.Info().Status {
				t.Errorf("%s: got %d", tc.call, reply.StatusCode)
			}
			continue
		}
		wantProblem(t, tc.call, reply, text, tc.want)
	}
	v := view(t, locked, "", "Authorization", "Bearer s3cret")
	v.until("the first", func(client.Live) bool { return true })
	if reply, _ := do(t, c, "HEAD", base+"/admin/live", nil); reply.StatusCode != 200 ||
		reply.Header.Get("Content-Type") != v.header.Get("Content-Type") {
		t.Errorf("HEAD: got %d %v, want 200 and the header of GET", reply.StatusCode, reply.Header)
	}
}

// A client that looks at many runs takes only its own places.
func TestLiveOfTooManyViewers(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	all := view(t, base, "")
	var last *viewer
	for i := range 50 {
		last = view(t, base, fmt.Sprint("r", i))
	}
	view(t, base, "r50").until("the first state", func(client.Live) bool { return true })
	for open := true; open; {
		_, open = last.next()
	}
	if err := last.lines.Err(); err != nil {
		t.Errorf("the stream that was replaced: got %v, want its end", err)
	}
	do(t, newClient(t), "GET", base+"/delay/0", nil)
	all.until("the request", func(l client.Live) bool { return l.Answered == 1 })
}

func TestShutdownEndsLive(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, stop := start(t, config, io.Discard)
		v := view(t, base, "")
		v.until("the first", func(client.Live) bool { return true })
		var running sync.WaitGroup
		running.Go(stop)
		for more := true; more; {
			_, more = v.next()
		}
		if err := v.lines.Err(); err != nil {
			t.Errorf("the stream: got %v, want its end", err)
		}
		running.Wait()
	})
}

// TestLiveIsBounded lets 10,000 requests wait, whose names are markup and as long as they
// may be. A state is JSON in one line, and has up to 5 MB.
func TestLiveIsBounded(t *testing.T) {
	base, _ := frozen(t, DefaultConfig())
	v := view(t, base, "")
	v.until("the first", func(client.Live) bool { return true })
	const n, connections = 10_000, 50
	markup := strings.Repeat("%3C", 150) // JSON escapes it
	for i := range connections {
		name := fmt.Sprint(markup, i)
		target := []string{
			"/hold/" + name + "?timeout=10m", "/barrier/" + name + "?parties=1000&timeout=10m",
			"/delay/10m?pool=" + name + "&workers=1&queue=1000", "/delay/10m?x=" + name,
		}[i%4]
		c := newH2CClient(t)
		do(t, c, "GET", base+"/delay/0", nil)
		ask(t, c, n/connections, base+target+"&run=run"+name)
	}
	l := v.until("all wait", func(l client.Live) bool { return l.Waiting == n })
	if data := v.lines.Text(); len(data) > 5<<20 || strings.Contains(data, "<") {
		t.Errorf("a state of %d bytes, want up to 5 MB without <: %.300s", len(data), data)
	}
	t.Logf("a state of %d bytes", len(v.lines.Bytes()))
	for what, listed := range map[string][2]int{
		"requests": {len(l.Requests), 400}, "runs": {len(l.Runs), 50},
		"pools": {len(l.Pools), 12}, "barriers": {len(l.Barriers), 13}, "holds": {len(l.Holds), 13},
	} {
		if listed[0] != listed[1] {
			t.Errorf("%d %s are listed, want %d", listed[0], what, listed[1])
		}
	}
	b, h := l.Barriers[0], l.Holds[0]
	if len(b.Waiting) != 100 || b.More != n/connections-100 || len(h.Held) != 100 || h.Waiting != n/connections {
		t.Errorf("barrier: %d and %d more; hold: %d of %d", len(b.Waiting), b.More, len(h.Held), h.Waiting)
	}
	if !strings.HasPrefix(h.Name, "<<<") || !strings.HasPrefix(l.Runs[0].ID, "run<<<") {
		t.Errorf("hold %.20q, run %.20q", h.Name, l.Runs[0].ID)
	}
}
