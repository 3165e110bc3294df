//go:build linux

package drive_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flash.test/deploy/bench/internal/drive"
)

// Early answers are counted, and so is the worst of them.
func TestEarlyAnswersAreCaught(t *testing.T) {
	t.Parallel()
	const asked, waited = time.Second, 20 * ms
	addr := after(t, waited)
	for _, l := range loads {
		tally := l.run(t, addr, asked)
		if tally.Answers == 0 || tally.Early != tally.Answers || tally.Errors != 0 {
			t.Errorf("%s of %v, answered after %v: %d answers, %d early, %d errors; want 10 or more, all early", l.name,
				asked, waited, tally.Answers, tally.Early, tally.Errors)
		}
		if tally.WorstEarly <= 0 || tally.WorstEarly > asked-waited {
			t.Errorf("%s: early by %v at the worst; want up to %v", l.name, tally.WorstEarly, asked-waited)
		}
		if got := tally.Percentile(100); got != 0 {
			t.Errorf("%s: overshoot of early answers %v, want 0", l.name, got)
		}
	}
}

// Answers in time are not counted as early, and late answers not as in time.
func TestLateAnswersAreMeasured(t *testing.T) {
	t.Parallel()
	const asked, late = 20 * ms, 30 * ms
	addr := after(t, asked+late)
	for _, l := range loads {
		tally := l.run(t, addr, asked)
		if tally.Answers == 0 || tally.Early != 0 || tally.WorstEarly != 0 || tally.Errors != 0 {
			t.Errorf("%s: %d answers, %d early by up to %v, %d errors; want answers, none early", l.name, tally.Answers,
				tally.Early, tally.WorstEarly, tally.Errors)
		}
		// The histogram has three digits.
		if got := tally.Overshoot.Min(); got < int64(late)*999/1000 {
			t.Errorf("%s: the smallest overshoot is %v, want %v or more", l.name, time.Duration(got), late)
		}
	}
}

func TestRepliesAreChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		parts  []string
		hangUp bool
		want   string // in the first error; "" for none
	}{
		{"a good reply", []string{good}, false, ""},
		{"in pieces", []string{"HTTP/1.1 2", "00 OK\r\nContent-Length: 2\r", "\n\r\n", "o", "k"}, false, ""},
		{"no body", []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, false, ""},
		{"another status", []string{strings.Replace(good, "200 OK", "503 Busy", 1)}, true, "503 Busy"},
		{"a short body", []string{good[:len(good)-1]}, true, "closed after"},
		{"nothing", nil, true, "closed after 0 bytes"},
		{"more than the body", []string{good + "!"}, true, "1 bytes after"},
		{"no Content-Length", []string{"HTTP/1.1 200 OK\r\n\r\nok"}, true, "without Content-Length"},
		{"a Content-Length that is no number",
			[]string{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}, true, "want a number"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			addr := answering(t, func() ([]string, bool) { return tc.parts, tc.hangUp })
			for _, l := range loads {
				tally := l.run(t, addr, 0)
				if tc.want == "" && (tally.Errors > 0 || tally.Answers == 0) {
					t.Errorf("%s: %d answers, %d errors (%s); want answers alone", l.name, tally.Answers,
						tally.Errors, tally.FirstError)
				}
				if tc.want != "" && (tally.Errors == 0 || tally.Answers > 0 || !contains(tally.FirstError, tc.want)) {
					t.Errorf("%s: %d answers, %d errors (%s); want no answer, and errors of %q", l.name, tally.Answers,
						tally.Errors, tally.FirstError, tc.want)
				}
			}
		})
	}
}

// After a broken connection, the client opens a new one.
func TestBrokenConnectionsAreReplaced(t *testing.T) {
	t.Parallel()
	for _, l := range loads {
		var n atomic.Int64
		addr := answering(t, func() ([]string, bool) {
			if n.Add(1)%3 == 0 {
				return nil, true
			}
			return []string{good}, false
		})
		tally := l.run(t, addr, 0)
		if tally.Errors == 0 || tally.Answers < tally.Errors {
			t.Errorf("%s, each third request breaks: %d answers, %d errors; want both, and more answers", l.name,
				tally.Answers, tally.Errors)
		}
	}
}

func TestSaturate(t *testing.T) {
	t.Parallel()
	tally, rate, err := drive.Saturate(t.Context(), after(t, 0), drive.Request{Host: "a", Path: "/wait"}, 4, 100*ms)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Errors > 0 || tally.Answers < 8 || rate <= float64(tally.Answers) {
		t.Errorf("Saturate for 100 ms: %d answers, %.0f a second, %d errors; want answers, ten times as many a second",
			tally.Answers, rate, tally.Errors)
	}
}

// held answers with good once release is closed. arrived gets a value for each request, up
// to 1,000.
func held(t *testing.T, release <-chan struct{}) (addr netip.AddrPort, arrived <-chan struct{}) {
	t.Helper()
	came := make(chan struct{}, 1000)
	return answering(t, func() ([]string, bool) {
		came <- struct{}{}
		<-release
		return []string{good}, false
	}), came
}

// Waiting is called only in the first wave, before any answer, and delays none.
func TestOnceWaiting(t *testing.T) {
	t.Parallel()
	const n = 50
	release := make(chan struct{})
	addr, arrived := held(t, release)
	calls := 0
	o := drive.Once{Conns: n, Waves: 2, Waiting: func() {
		calls++
		for range n { // ends when all wait
			<-arrived
		}
		close(release)
	}}
	tally, waves, err := o.Run(t.Context(), addr, request(addr))
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 || tally.Answers != 2*n || len(waves) != 2 {
		t.Errorf("Once: Waiting called %d times, %d answers, %d waves; want 1, %d, 2", calls,
			tally.Answers, len(waves), 2*n)
	}
}

// The span is from when the first answer is due up to the last one.
func TestOnceSpan(t *testing.T) {
	t.Parallel()
	const n, asked, late = 20, 50 * ms, 100 * ms
	var served atomic.Int64
	addr := answering(t, func() ([]string, bool) {
		time.Sleep(asked)
		if served.Add(1)%n == 0 {
			time.Sleep(late)
		}
		return []string{good}, false
	})
	o := drive.Once{Conns: n, Asked: asked, Waves: 2, Waiting: func() {}}
	_, waves, err := o.Run(t.Context(), addr, request(addr))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range waves {
		if w.Span < late || w.Written <= 0 || w.Written > asked+w.Span {
			t.Errorf("Once, the last answer %v late: span %v, written within %v; want %v or more, and less than in all",
				late, w.Span, w.Written, late)
		}
	}
}

// Requests are under way when Begin is called, and answers after End do not count. Requests
// arrive at the rate, though none is answered, until all connections wait.
func TestEven(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	addr, arrived := held(t, release)
	e := drive.Even{
		Rate: 200, Warm: 100 * ms, Counted: 300 * ms,
		Begin: func() { <-arrived },
		End:   func() { close(release) },
	}
	tally, err := e.Run(t.Context(), addr, request(addr))
	if err != nil {
		t.Fatal(err)
	}
	if n := tally.Overshoot.TotalCount(); n > 0 || tally.Errors > 0 {
		t.Errorf("Even, all answered after End: overshoot of %d counted, %d errors; want none", n, tally.Errors)
	}
	if n := e.Conns(); len(arrived)+1 != n || tally.Answers != int64(n) {
		t.Errorf("Even: %d requests, %d answers; want %d", len(arrived)+1, tally.Answers, n)
	}
	if tally.Held == 0 {
		t.Errorf("Even of %v requests over %d connections, none answered: none was held up",
			e.Rate*(e.Warm+e.Counted).Seconds(), e.Conns())
	}
}

// Early answers are counted even while overshoot is not.
func TestEvenCatchesEarlyAnswersAlways(t *testing.T) {
	t.Parallel()
	addr := after(t, 0)
	e := drive.Even{Rate: 200, Asked: time.Second, Warm: 100 * ms, Begin: func() {}, End: func() {}}
	tally, err := e.Run(t.Context(), addr, request(addr))
	if err != nil {
		t.Fatal(err)
	}
	if tally.Early < 10 || tally.Early != tally.Answers || tally.Overshoot.TotalCount() > 0 {
		t.Errorf("Even that counts nothing, of an early server: %d answers, %d early, overshoot of %d; want all "+
			"early, none counted", tally.Answers, tally.Early, tally.Overshoot.TotalCount())
	}
}

// Every fourth client closes in the middle of its wait; the others are answered.
func TestChurnLeaves(t *testing.T) {
	t.Parallel()
	const clients, asked = 40, 200 * ms
	var gone atomic.Int64
	addr := listen(t, func(conn net.Conn) {
		buf := make([]byte, 1024)
		if _, err := conn.Read(buf); err != nil {
			return
		}
		conn.SetReadDeadline(time.Now().Add(asked)) // longer than a client that leaves stays
		if _, err := conn.Read(buf); errors.Is(err, io.EOF) {
			gone.Add(1)
			return
		}
		io.WriteString(conn, good)
	})
	c := drive.Churn{Rate: 200, Asked: asked, LeaveEvery: 4, During: 200 * ms}
	tally, left, err := c.Run(t.Context(), addr, request(addr))
	if err != nil {
		t.Fatal(err)
	}
	if tally.Errors > 0 {
		t.Fatalf("Churn: %d errors (%s)", tally.Errors, tally.FirstError)
	}
	if left == 0 || left > clients/4 || gone.Load() == 0 || tally.Answers+int64(left) != clients {
		t.Errorf("Churn of %d clients: %d left (%d seen by the server), %d answered; want a quarter to leave", clients,
			left, gone.Load(), tally.Answers)
	}
}

func TestCheckOpenFiles(t *testing.T) {
	t.Parallel()
	if err := drive.CheckOpenFiles(10); err != nil {
		t.Errorf("CheckOpenFiles(10) = %v", err)
	}
	if err := drive.CheckOpenFiles(1 << 30); err == nil || !strings.Contains(err.Error(), "ulimit") {
		t.Errorf("CheckOpenFiles(2^30) = %v, want a word on ulimit", err)
	}
}

// A request that is late because of the one before counts as late: a server that stops for
// a moment delays all requests that were due meanwhile.
func TestSteadyCountsFromWhenItWasDue(t *testing.T) {
	t.Parallel()
	const stop = 200 * ms
	var answers atomic.Int64
	addr := answering(t, func() ([]string, bool) {
		if answers.Add(1) == 3 {
			time.Sleep(stop)
		}
		return []string{good}, false
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*stop)
	defer cancel()
	tally := drive.Steady{Every: 10 * ms, Limit: 10 * time.Second}.Run(ctx, addr, request(addr))
	late := 0
	for _, bar := range tally.Overshoot.Distribution() {
		if bar.From >= int64(stop/2) {
			late += int(bar.Count)
		}
	}
	if late < 5 {
		t.Errorf("%d of %d requests are late by %v or more: want half of %v, one each 10 ms", late,
			tally.Answers, stop/2, stop)
	}
}
