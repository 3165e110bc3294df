package plan_test

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flash.test/delay-server/internal/answer"
	"flash.test/delay-server/internal/plan"
)

// part is one part of a body, and when it is due after the headers.
type part struct {
	due  time.Duration
	text string
}

// schedule returns the parts of a plan's body that have bytes.
func schedule(p *plan.Plan) (parts []part) {
	if p.Answer.Body.Open == nil {
		return nil
	}
	for p := range partsOf(p.Answer.Body) {
		if len(p.Bytes) > 0 {
			parts = append(parts, part{p.Due, string(p.Bytes)})
		}
	}
	return parts
}

// partsOf returns the parts of a body, which it opens each time. All are sent at once.
func partsOf(b answer.Body) iter.Seq[answer.Part] {
	return partsAt(b, func() time.Time { return time.UnixMilli(1_700_000_000_000) })
}

// partsAt is partsOf a body whose parts are sent by the clock.
func partsAt(b answer.Body, now func() time.Time) iter.Seq[answer.Part] {
	return func(yield func(answer.Part) bool) {
		next := b.Parts(now)
		for part, ok := next(); ok && yield(part); part, ok = next() {
		}
	}
}

// size returns how many bytes the parts of a plan's body have.
func size(p *plan.Plan) (n int) {
	for part := range partsOf(p.Answer.Body) {
		n += len(part.Bytes)
	}
	return n
}

func dues(parts []part) (dues []time.Duration) {
	for _, p := range parts {
		dues = append(dues, p.due)
	}
	return dues
}

func TestScheduleOfBodies(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tc := range []struct {
		name, target string
		want         []time.Duration
	}{
		{"drip: the first at once, the last after duration", "/drip?numbytes=5&duration=2",
			[]time.Duration{0, 500 * ms, s, 1500 * ms, 2 * s}},
		{"drip: one byte comes at once", "/drip?numbytes=1", []time.Duration{0}},
		{"drip: two bytes of one part are due with the second", "/drip?numbytes=2&duration=7ns", []time.Duration{7}},
		{"drip: what does not divide is never late", "/drip?numbytes=4&duration=1",
			[]time.Duration{0, 333333333, 666666666, s}},
		{"drip: no duration, one part", "/drip?numbytes=1000&duration=0", []time.Duration{0}},
		{"drip: bytes of a millisecond go together, with the last", "/drip?numbytes=8&duration=2ms",
			[]time.Duration{857142, 2 * ms}},
		{"sse: defaults", "/sse?count=6", []time.Duration{0, s, 2 * s, 3 * s, 4 * s, 5 * s}},
		{"sse: one event comes at once", "/sse?count=1", []time.Duration{0}},
		{"sse: first moves all", "/sse?count=3&first=0.5&duration=1", []time.Duration{500 * ms, s, 1500 * ms}},
		{"sse: first of one event", "/sse?count=1&first=3", []time.Duration{3 * s}},
		{"sse: interval", "/sse?count=4&interval=20ms&first=1", []time.Duration{s, 1020 * ms, 1040 * ms, 1060 * ms}},
		{"sse: interval 0", "/sse?count=3&interval=0", []time.Duration{0, 0, 0}},
		{"sse: body_delay is before the first", "/sse?count=2&interval=1&body_delay=2", []time.Duration{2 * s, 3 * s}},
		{"status: nothing", "/status/200", nil},
		{"bytes: nothing", "/bytes/0", nil},
		{"bytes: one part", "/bytes/1000", []time.Duration{0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := planHTTPBin(t, planner(), tc.target)
			if err != nil {
				t.Fatal(err)
			}
			if parts := schedule(got); !slices.Equal(dues(parts), tc.want) {
				t.Errorf("%s: parts are due at %v, want %v", tc.target, dues(parts), tc.want)
			}
			if got.Answer.Status != 200 {
				t.Errorf("%s: got status %d, want 200", tc.target, got.Answer.Status)
			}
			if n := got.Answer.Body.Length; (n == 0) != (tc.want == nil) || n >= 0 && int(n) != size(got) {
				t.Errorf("%s: got %d bytes of %d promised", tc.target, size(got), n)
			}
		})
	}
}

func TestDripIsSoManyStarsInTime(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Hour, MaxBody: 1 << 30})
	for _, tc := range []struct {
		n        int
		duration time.Duration
	}{{1, 0}, {2, time.Second}, {999, time.Second}, {1001, time.Second}, {100_000, time.Second}, {100_000,
		0}, {10_000_000, 3 * time.Millisecond}, {12345, 50 * time.Minute}} {
		got, err := planHTTPBin(t, p, fmt.Sprintf("/drip?delay=0&numbytes=%d&duration=%v", tc.n, tc.duration))
		if err != nil {
			t.Fatal(err)
		}
		sent, last := 0, time.Duration(0)
		for part := range partsOf(got.Answer.Body) {
			due, text := part.Due, part.Bytes
			sent += len(text)
			if strings.Trim(string(text), "*") != "" {
				t.Fatalf("%+v: got %.20q, want stars", tc, text)
			}
			// When byte sent-1 of n is due, counting from 0, exact to a nanosecond.
			want := time.Duration(float64(tc.duration) * float64(sent-1) / float64(max(tc.n-1, 1)))
			if due < want-1 || due > want+1 || due < last {
				t.Fatalf("%+v: byte %d is due at %v, after one at %v, want %v", tc, sent, due, last, want)
			}
			last = due
		}
		if sent != tc.n || got.Answer.Body.Length != int64(tc.n) || last != tc.duration {
			t.Errorf("%+v: %d bytes of %d, the last due at %v", tc, sent, got.Answer.Body.Length, last)
		}
	}
}

func TestJitterStretchesEachGap(t *testing.T) {
	got, err := planHTTPBin(t, planner(), "/sse?count=15&duration=14&jitter=0.25&seed=1")
	if err != nil {
		t.Fatal(err)
	}
	at := dues(schedule(got))
	seen := map[time.Duration]bool{}
	for i := 1; i < len(at); i++ {
		gap := at[i] - at[i-1]
		if gap < 750*time.Millisecond || gap > 1250*time.Millisecond {
			t.Errorf("gap %d is %v, want 1s ± 25%%", i, gap)
		}
		seen[gap] = true
	}
	if at[0] != 0 || len(seen) < 14 {
		t.Errorf("the first is due at %v, and of 14 gaps %d differ, want 0 and all", at[0], len(seen))
	}
}

func TestEachIntervalIsASample(t *testing.T) {
	const target = "/sse?count=15&interval=uniform:1,2&first=uniform:3,4&delay=uniform:5,6&seed=7"
	got, err := planHTTPBin(t, planner(), target)
	if err != nil {
		t.Fatal(err)
	}
	at := dues(schedule(got))
	if got.Wait < 5*time.Second || got.Wait > 6*time.Second || at[0] < 3*time.Second || at[0] > 4*time.Second {
		t.Errorf("%s: the wait is %v, the first event is due at %v", target, got.Wait, at[0])
	}
	seen := map[time.Duration]bool{}
	for i := 1; i < len(at); i++ {
		gap := at[i] - at[i-1]
		if gap < time.Second || gap > 2*time.Second {
			t.Errorf("gap %d is %v, want 1s to 2s", i, gap)
		}
		seen[gap] = true
	}
	if len(seen) < 14 {
		t.Errorf("of 14 gaps %d differ", len(seen))
	}
	if again := dues(schedule(got)); !slices.Equal(again, at) {
		t.Errorf("the same body read again is due at %v, want %v", again, at)
	}
	other, err := planHTTPBin(t, planner(), target)
	if err != nil || !slices.Equal(dues(schedule(other)), at) {
		t.Errorf("another server of the same seed: %v, %v, want %v", dues(schedule(other)), err, at)
	}
}

// Each event has the time at which it is sent.
func TestEventsTellTheTimeOfTheirSending(t *testing.T) {
	for _, query := range []string{"count=4&first=1&interval=2", "count=4&first=1&interval=2&rate=1000"} {
		synctest.Test(t, func(t *testing.T) {
			p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1000})
			got, err := planHTTPBin(t, p, "/sse?"+query)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			var stream bytes.Buffer
			for part := range partsAt(got.Answer.Body, time.Now) {
				time.Sleep(time.Until(start.Add(part.Due)))
				stream.Write(part.Bytes)
			}
			var want bytes.Buffer
			for id := range int64(4) {
				fmt.Fprintf(&want, "event: ping\ndata: {\"id\":%d,\"timestamp\":%d}\n\n", id,
					start.UnixMilli()+1000+2000*id)
			}
			if stream.String() != want.String() {
				t.Errorf("/sse?%s: got %s, want %s", query, &stream, &want)
			}
		})
	}
}

// A body takes little memory between two parts, since many bodies may be in progress.
func TestABodyThatWaitsIsSmall(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Hour, MaxBody: 1 << 30})
	for _, target := range []string{
		"/sse?count=1000", "/sse?count=1000&jitter=0.5&body_delay=1", "/sse?count=1000&interval=uniform:1,2&rate=1",
		"/drip?numbytes=1000&duration=100",
		"/drip?numbytes=100000&duration=100&body_delay=1&rate=1", "/bytes/100000?body_delay=1&rate=1",
		"/status/200?size=1000000&rate=1&body_delay=1",
	} {
		t.Run(target, func(t *testing.T) {
			got, err := planHTTPBin(t, p, target)
			if err != nil {
				t.Fatal(err)
			}
			pullers := make([]func() (answer.Part, bool), 2000)
			before := heap()
			for i := range pullers {
				pullers[i] = got.Answer.Body.Parts(time.Now)
				pulls := 5
				if strings.HasPrefix(target, "/bytes") {
					pulls = 1 // what comes after needs a generator of 5 KB
				}
				for range pulls {
					if _, ok := pullers[i](); !ok {
						t.Fatal("the body is over")
					}
				}
			}
			if each := (heap() - before) / len(pullers); each > 400 {
				t.Errorf("a body that waits holds %d bytes, want up to 400", each)
			}
			runtime.KeepAlive(pullers)
		})
	}
}

// A plan may be shared: many requests open its body concurrently.
func TestABodyIsOpenedByMany(t *testing.T) {
	for _, target := range []string{"/sse?count=6&jitter=0.5&seed=1", "/drip?numbytes=100&duration=1",
		"/bytes/10000?seed=1&rate=100", "/status/200?size=100000"} {
		t.Run(target, func(t *testing.T) {
			got, err := planHTTPBin(t, plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1 << 20}), target)
			if err != nil {
				t.Fatal(err)
			}
			want := schedule(got)
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() {
					if parts := schedule(got); !slices.Equal(parts, want) {
						t.Errorf("got %d parts, want the %d of another that reads it", len(parts), len(want))
					}
				})
			}
			readers.Wait()
		})
	}
}

func BenchmarkBody(b *testing.B) {
	p := plan.New(plan.Limits{MaxDelay: time.Hour, MaxBody: 1 << 30})
	for _, target := range []string{"/sse?count=1000000&duration=1000", "/sse?count=1000000&duration=1000&jitter=0.5",
		"/drip?numbytes=100000000&duration=100", "/status/200?size=1000000000&rate=1000000"} {
		got, err := planHTTPBin(b, p, target)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("open"+target, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				got.Answer.Body.Parts(time.Now)()
			}
		})
		b.Run("pull"+target, func(b *testing.B) {
			next := got.Answer.Body.Parts(time.Now)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := next(); !ok {
					next = got.Answer.Body.Parts(time.Now)
				}
			}
		})
	}
}

func body(p *plan.Plan) string {
	var b strings.Builder
	for _, part := range schedule(p) {
		b.WriteString(part.text)
	}
	return b.String()
}

func TestBytesAreTheSameForTheSameSeed(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1 << 20})
	get := func(target string) string {
		got, err := planHTTPBin(t, p, target)
		if err != nil {
			t.Fatal(err)
		}
		return body(got)
	}
	// The numbers of math/rand for a seed are part of the Go 1 promise.
	random, want := rand.New(rand.NewSource(7)), make([]byte, 100_000)
	for i := range want {
		want[i] = byte(random.Intn(256))
	}
	for i := range 2 {
		if got := get("/bytes/100000?seed=7"); got != string(want) {
			t.Errorf("request %d: got %d bytes %x…, want %x…", i, len(got), got[:8], want[:8])
		}
	}
	if get("/bytes/100?seed=8") == string(want[:100]) {
		t.Error("another seed made the same bytes")
	}
	if a, b := get("/bytes/100"), get("/bytes/100"); a == b {
		t.Error("without a seed two requests got the same bytes")
	}
	seed := uint64(7)
	seeded := func() (bodies []string) {
		p := plan.New(plan.Limits{MaxDelay: time.Minute, MaxBody: 1 << 20, Seed: &seed})
		for range 2 {
			got, err := planHTTPBin(t, p, "/bytes/100")
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, body(got))
		}
		return bodies
	}
	if a, b := seeded(), seeded(); !slices.Equal(a, b) || a[0] == a[1] {
		t.Errorf("SEED=7: two servers answered %.8q and %.8q, want the same stream of different bodies", a, b)
	}
}

// A truncated stream is the beginning of the whole stream, at the same times.
func TestATruncatedBodyIsAPrefixInTime(t *testing.T) {
	for _, target := range []string{
		"/sse?count=6&duration=0.5", "/sse?count=5&duration=1&first=2", "/sse?count=7&interval=uniform:1,2&seed=3",
		"/sse?count=9&duration=4&jitter=0.5&seed=3",
		"/sse?count=10&interval=0&rate=0.1", "/drip?numbytes=9&duration=3", "/bytes/100?rate=0.01&seed=1",
		"/drip?numbytes=10&body_delay=2",
	} {
		t.Run(target, func(t *testing.T) {
			whole, err := planHTTPBin(t, planner(), target)
			if err != nil {
				t.Fatal(err)
			}
			cut, err := planHTTPBin(t, planner(), target+"&fault=truncate")
			if err != nil {
				t.Fatal(err)
			}
			all, parts := dues(schedule(whole)), dues(schedule(cut))
			if len(parts) < 2 || len(parts) > len(all) || !slices.Equal(parts, all[:len(parts)]) {
				t.Errorf("%s&fault=truncate: parts are due at %v, want the beginning of %v", target, parts, all)
			}
			// of a length, it is the sender that cuts
			if wantsHalf := whole.Answer.Body.Length < 0; wantsHalf != (len(parts) < len(all)) {
				t.Errorf("%s&fault=truncate: %d of %d parts, want half of them: %v", target, len(parts), len(all),
					wantsHalf)
			}
		})
	}
}

// Whatever is drawn, the whole reply takes at most MAX_DELAY.
func TestAllOfAReplyIsWithinMaxDelay(t *testing.T) {
	p := plan.New(plan.Limits{MaxDelay: time.Second, MaxBody: 1000})
	const any = "uniform:0,1s"
	for _, target := range []string{
		"/drip?delay=" + any + "&duration=" + any + "&body_delay=" + any,
		"/drip?delay=exponential:1s&duration=500ms&numbytes=100&rate=0.2",
		"/sse?delay=" + any + "&duration=" + any + "&first=" + any + "&jitter=1",
		"/sse?delay=" + any + "&interval=uniform:50ms,1s&first=" + any,
		"/sse?delay=" + any + "&interval=exponential:1s&body_delay=" + any,
		"/bytes/500?delay=" + any + "&body_delay=pareto:10ms,0.5&rate=1",
	} {
		for range 300 {
			got, err := planHTTPBin(t, p, target)
			if err != nil {
				t.Fatalf("%s: %v", target, err)
			}
			parts := dues(schedule(got))
			if last := parts[len(parts)-1]; got.Wait+last > time.Second {
				t.Fatalf("%s: a wait of %v and a body until %v, want at most 1s in all", target, got.Wait, last)
			}
		}
	}
}

// A seed has 64 bits. It is signed for go-httpbin's endpoints, and unsigned for others.
func TestSeedsOfGoHTTPBinsEndpoints(t *testing.T) {
	p := planner()
	for seed, want := range map[string]int64{"0": 0, "-1": -1, "9223372036854775807": 1<<63 - 1,
		"-9223372036854775808": -1 << 63, "9223372036854775808": -1 << 63, "18446744073709551615": -1} {
		got, err := planHTTPBin(t, p, "/bytes/16?seed="+seed)
		if err != nil {
			t.Errorf("seed=%s: %v", seed, err)
			continue
		}
		random, bytes := rand.New(rand.NewSource(want)), make([]byte, 16)
		for i := range bytes {
			bytes[i] = byte(random.Intn(256))
		}
		if body(got) != string(bytes) {
			t.Errorf("seed=%s: got %x, want %x, as of go-httpbin's seed %d", seed, body(got), bytes, want)
		}
		for _, target := range []string{"/drip?", "/sse?", "/status/200?"} {
			if _, err := planHTTPBin(t, p, target+"seed="+seed); err != nil {
				t.Errorf("%sseed=%s: %v", target, seed, err)
			}
		}
	}
}
