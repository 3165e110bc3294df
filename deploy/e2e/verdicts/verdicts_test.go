package verdicts

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"flash.test/delay-server/client"
	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/kit/wiretest"
)

// sender has clients by name.
type sender interface {
	send(client, url string) error
}

// pair is a right client and a wrong one, and the checks that both are judged by. The
// wrong one fails the first of them alone.
type pair struct {
	right, wrong string
	path         string // of the URL that they request
	checks       []string
}

// language has the pairs of one program.
type language struct {
	name  string
	start func(t *testing.T) sender
	pairs []pair
}

// late is how late a request may be: a loaded machine takes its time.
const late = "within=2s"

var languages = []language{
	{"Go", func(*testing.T) sender { return inGo }, []pair{
		{"backoff", "constant-backoff", "/delay/0?attempts=500,500,500,200",
			[]string{"backoff=300ms,2", late, "attempts=4", "statuses=500,500,500,200"}},
		{"retry-after", "no-retry-after", "/delay/0?attempts=503,200&retry_after=2s",
			[]string{"retry_after=honoured", "statuses=503,200"}},
		{"hedge", "hedge-not-cancelled", "/delay/0?attempts=200@3s,200",
			[]string{"hedged_after=1s", late, "attempts=2"}},
		{"breaker", "breaker-per-call", "/delay/0?attempts=503,503,503,503,503,503,503,200",
			[]string{"breaker=5,500ms", late, "peak=1"}},
	}},
	{"Python", startPython, []pair{
		{"backoff", "no-backoff", "/delay/0?attempts=500,500,500,200",
			[]string{"backoff=300ms,2", late, "attempts=4"}},
		{"retry-after", "no-retry-after", "/delay/0?attempts=503,200&retry_after=2s",
			[]string{"retry_after=honoured", "statuses=503,200"}},
	}},
	{"Node", startNode, []pair{
		{"backoff", "backoff-not-awaited", "/delay/0?attempts=500,500,500,200",
			// Node's timers may fire a millisecond early.
			[]string{"backoff=398ms,2", "jitter=equal", late, "attempts=4"}},
		{"same-key", "new-key", "/delay/0?attempts=503,503,200",
			[]string{"same_header=Idempotency-Key", "statuses=503,503,200"}},
	}},
	{"Java", startJava, []pair{
		{"timeout", "connect-timeout", "/delay/4000", []string{"gave_up_after=2s", late}},
		{"one-client", "new-clients", "/delay/0", []string{"connections_at_most=1", "attempts=4", "order=sequential"}},
	}},
}

func startPython(t *testing.T) sender {
	const python = "/usr/bin/python3" // Debian's, for Debian's modules
	wiretest.RequireClient(t, "python3-urllib3", python, "-c", "import urllib3")
	return start(t, python, "testdata/clients.py")
}

func startNode(t *testing.T) sender {
	wiretest.RequireClient(t, "nodejs", "node", "--version")
	return start(t, "node", "testdata/clients.mjs")
}

func startJava(t *testing.T) sender {
	wiretest.RequireClient(t, "default-jdk-headless", "javac", "--version")
	return start(t, "java", "testdata/Clients.java")
}

// TestVerdicts judges each client once.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	judge(t, 1)
}

// TestAThousandVerdicts judges each of the 20 clients 50 times while the processors are
// busy.
func TestAThousandVerdicts(t *testing.T) {
	if os.Getenv("TEST_SLOW") != "1" {
		t.Skip("keeps all processors busy for a minute and a half: TEST_SLOW=1 runs it, as .ci/run does")
	}
	burn(t, 2*runtime.NumCPU())
	judge(t, 50)
}

// judge checks each client in as many runs as times.
func judge(t *testing.T, times int) {
	srv := delaytest.NewServer(t)
	for _, l := range languages {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			clients := l.start(t)
			var warm sync.WaitGroup // not judged: a program is slow until it has loaded its libraries
			for _, p := range l.pairs {
				warm.Go(func() { _ = clients.send(p.right, srv.Run(l.name+"-"+p.right).URL(srv.URL+p.path)) })
			}
			warm.Wait()
			for _, p := range l.pairs {
				for _, name := range []string{p.right, p.wrong} {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						slots := make(chan struct{}, 10)
						var all sync.WaitGroup
						for i := range times {
							slots <- struct{}{}
							all.Go(func() {
								defer func() { <-slots }()
								run := srv.Run(fmt.Sprintf("%s-%s-%d", l.name, name, i))
								if err := clients.send(name, run.URL(srv.URL+p.path)); err != nil {
									t.Errorf("run %s: %v", run.ID, err)
								}
								p.check(t, srv.Client(), run.ID, name == p.right)
							})
						}
						all.Wait()
					})
				}
			}
		})
	}
}

// check checks a run, of the right client or the wrong one.
func (p pair) check(t *testing.T, c *client.Client, run string, right bool) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	verdict, err := c.Check(ctx, run, p.checks...)
	if err != nil {
		t.Errorf("run %s: %v", run, err)
		return
	}
	var failed []string
	for _, c := range verdict.Checks {
		if !c.OK {
			failed = append(failed, c.Check)
		}
	}
	var want []string
	if !right {
		name, _, _ := strings.Cut(p.checks[0], "=")
		want = []string{name}
	}
	if verdict.OK != right || !slices.Equal(failed, want) {
		t.Errorf("run %s: failed checks %q, want %q\n%+v\n%s", run, failed, want, verdict.Checks, verdict.Waterfall)
	}
}
