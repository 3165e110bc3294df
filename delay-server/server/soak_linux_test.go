package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// TestSoak runs clients that send requests of all kinds, and checks that the server
// afterwards has no more memory, descriptors or goroutines than before. By default,
// 500 clients run for 1 s, or for 10 s if TEST_SLOW=1. If SOAK is set, such as to
// 10m, 10,000 clients run for that time.
func TestSoak(t *testing.T) {
	n, duration, wait, settle := 500, time.Second, 50*time.Millisecond, time.Duration(0)
	if os.Getenv("TEST_SLOW") == "1" {
		duration = 10 * time.Second
	}
	if setting := os.Getenv("SOAK"); setting != "" {
		var err error
		if duration, err = time.ParseDuration(setting); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
		n, wait, settle = 10_000, 2*time.Second, soakTimeout+time.Second
	}
	bothWays(t, func(t *testing.T, config Config) {
		s := startSoakServer(t, config)
		s.soak(t, n, wait, min(duration, 30*time.Second)) // fills caches and pools
		idle := func(state soakState) bool {
			return state.Waiting+state.Timed+state.InFlight+state.Held+state.Pools+state.Unsettled == 0
		}
		time.Sleep(settle)
		before := s.await(t, "server is idle after the warm-up", idle)
		peak, counts := s.soak(t, n, wait, duration)
		time.Sleep(settle)
		const heapNoise = 1 << 20
		after := s.await(t, fmt.Sprintf("server is as before: %+v", before), func(state soakState) bool {
			return idle(state) &&
				float64(state.Heap) <= 1.2*float64(before.Heap)+heapNoise &&
				state.Descriptors <= before.Descriptors &&
				state.Goroutines <= before.Goroutines
		})
		t.Logf("%d requests abandoned, at most %d waiting; before %+v, after %+v: heap x %.2f; answers: %v",
			counts.abandoned.Load(), peak, before, after, float64(after.Heap)/float64(before.Heap), counts.answers)
		if peak < n/8 {
			t.Errorf("at most %d of %d clients waited at a time, want at least an eighth", peak, n)
		}
		for _, r := range append(soakRequests, soakRequest{name: "HTTP/2"}) {
			if counts.answers[r.name] == 0 && !r.abandons {
				t.Errorf("no request %q was answered", r.name)
			}
		}
		if after.Records > soakJournalSize {
			t.Errorf("the journal has %d records, want at most %d", after.Records, soakJournalSize)
		}
	})
}

// A soakServer is a server in a child process, so that it shares no descriptors and
// no heap with its clients.
type soakServer struct {
	addr   string
	stdin  io.Writer
	stdout *json.Decoder
}

// soakState is the state of the server.
type soakState struct {
	Waiting int // requests, by the journal

	// Only if requested by fullState, after a garbage collection:
	Descriptors, Goroutines  int
	Heap                     uint64 // bytes
	Timed                    int    // requests that wait for a time on the clock
	InFlight                 int    // requests that count for MAX_IN_FLIGHT
	Held, Pools              int    // held requests; pools in use
	Runs, Records, Unsettled int    // runs; requests in the journal; unfinished requests of runs
}

const (
	soakJournalSize = 300 // JOURNAL_SIZE

	// soakTimeout is READ_TIMEOUT, IDLE_TIMEOUT and WRITE_TIMEOUT. The timers of
	// net/http keep a closed HTTP/2 connection with open streams in memory so long.
	soakTimeout = 30 * time.Second
)

// soakVariable is set to EVENT_LOOP in the environment of the child process.
const soakVariable = "SOAK_SERVER_EVENT_LOOP"

func init() {
	if os.Getenv(soakVariable) == "" {
		return
	}
	if err := runSoakServer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func startSoakServer(t *testing.T, config Config) soakServer {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // not bound to the context: it stops when stdin is closed
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v", soakVariable, config.EventLoop))
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("server process: %v", err)
		}
	})
	s := soakServer{stdin: in, stdout: json.NewDecoder(out)}
	if err := s.stdout.Decode(&s.addr); err != nil {
		t.Fatal(err)
	}
	return s
}

// runSoakServer is the child process. It writes its address, then its state for each
// line of stdin, and stops at the end of stdin.
func runSoakServer() error {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := DefaultConfig()
	config.EventLoop = os.Getenv(soakVariable) == "true"
	config.JournalSize = soakJournalSize
	config.ReadTimeout, config.IdleTimeout, config.WriteTimeout = soakTimeout, soakTimeout, soakTimeout
	config.Scenario = filepath.Join(dir, "scenario.yaml")
	if err := os.WriteFile(config.Scenario, []byte(soakScenario), 0o600); err != nil {
		return err
	}
	srv, err := New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(ctx, ln) }()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ln.Addr().String()); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		state := soakState{Waiting: srv.engine.Journal.Waiting()}
		if lines.Text() == fullState {
			if err := state.readFull(srv); err != nil {
				return err
			}
		}
		if err := out.Encode(state); err != nil {
			return err
		}
	}
	stop()
	return <-stopped
}

const fullState = "full"

// readFull reads the fields that take longer to find out.
func (state *soakState) readFull(srv *Server) error {
	runtime.GC()
	runtime.GC() // also frees what sync.Pools and finalizers kept
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	files, err := os.ReadDir("/proc/self/fd")
	state.Descriptors, state.Goroutines, state.Heap = len(files), runtime.NumGoroutine(), mem.HeapAlloc
	state.Timed = srv.engine.Clock.State().Waiting
	state.InFlight = srv.requests.Limit.Inside()
	state.Pools = len(srv.engine.Pools.States())
	for _, hold := range srv.engine.Holds.States() {
		state.Held += hold.Waiting
	}
	for _, run := range srv.engine.Journal.Runs() {
		state.Runs++
		state.Unsettled += run.Waiting
		state.Records += run.Requests - int(run.Dropped)
	}
	return err
}

// state returns the state of the server: all of it for fullState, or else Waiting.
func (s soakServer) state(t *testing.T, which string) (state soakState) {
	t.Helper()
	_, errWrite := io.WriteString(s.stdin, which+"\n")
	if err := errors.Join(errWrite, s.stdout.Decode(&state)); err != nil {
		t.Fatal(err)
	}
	return state
}

// await returns the server's state once ok reports true. It fails after a minute.
func (s soakServer) await(t *testing.T, what string, ok func(soakState) bool) soakState {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		state := s.state(t, fullState)
		if ok(state) {
			return state
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s; got %+v", what, state)
		}
	}
}

// soak runs n clients for a duration, each with at least one connection, and releases
// their holds. Requests ask for delays from wait to three times wait. It returns the
// highest number of requests that waited at a time.
func (s soakServer) soak(t *testing.T, n int, wait, duration time.Duration) (peak int, counts *soakCounts) {
	counts = new(soakCounts)
	end := time.Now().Add(duration)
	var clients sync.WaitGroup
	for i := range n {
		clients.Go(func() {
			c := soakClient{s.addr, rand.New(rand.NewPCG(6, uint64(i))), wait, counts}
			for ok := true; ok; ok = time.Now().Before(end) {
				if err := c.connect(); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	admin := newClient(t)
	for i := 0; ; i++ {
		select {
		case <-done:
			admin.CloseIdleConnections()
			return peak, counts
		case <-time.After(20 * time.Millisecond):
			peak = max(peak, s.state(t, "").Waiting)
			// Every eleventh hold is failed.
			method, url := http.MethodPost, fmt.Sprintf("http://%s/admin/holds/soak-%d/release", s.addr, i%soakNames)
			if i%11 == 0 {
				method, url = http.MethodDelete, strings.TrimSuffix(url, "/release")
			}
			if reply, body := do(t, admin, method, url, nil); reply.StatusCode != 200 && reply.StatusCode != 404 {
				t.Errorf("%s %s: %s %s", method, url, reply.Status, body)
			}
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestClosedConnectionsLeaveNothing checks that closed connections leave no
// descriptors and no goroutines, whatever the client sent.
func TestClosedConnectionsLeaveNothing(t *testing.T) {
	const n = 2000
	kinds := []string{
		"",
		"GET /del",
		plain("600000"),
		plain("0"),
		plain("600000") + plain("0"),
		plain("0") + plain("600000"),
		upgrading("0"),
		upgrading("600000"),
		plain("0") + upgrading("600000"),
		"nonsense\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		do(t, newClient(t), "GET", base+"/healthz", nil)
		do(t, newH2CClient(t), "GET", base+"/delay/1", nil) // in net/http: it starts the timer of the clock
		files, goroutines := descriptors(t), runtime.NumGoroutine()
		numbers := make([]int, n)
		for i := range numbers {
			numbers[i] = i
		}
		concurrently(numbers, func(i int) {
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(base, "http://"), 20*time.Second)
			if err != nil {
				t.Error(err)
				return
			}
			fmt.Fprint(conn, kinds[i%len(kinds)])
			if i/len(kinds)%2 == 0 {
				time.Sleep(time.Millisecond) // the others close at once
			}
			if i/len(kinds)%3 == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			conn.Close()
		})
		wiretest.Eventually(t, "no request waits", func() bool {
			return srv.engine.Journal.Waiting() == 0 && srv.engine.Clock.State().Waiting == 0
		})
		what := fmt.Sprintf("at most %d descriptors and %d goroutines", files, goroutines)
		wiretest.Eventually(t, what, func() bool {
			return descriptors(t) <= files && runtime.NumGoroutine() <= goroutines
		})
	})
}
