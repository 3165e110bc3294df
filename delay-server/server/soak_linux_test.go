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

// TestSoak has clients come, send requests of all kinds, wait and leave, and then
// looks for what they left behind. SOAK, such as 10m, is for how long 10,000 of
// them do so; without it they are 500, for a second, or with TEST_SLOW=1 for ten.
func TestSoak(t *testing.T) {
	n, lasting, wait, rest := 500, time.Second, 50*time.Millisecond, time.Duration(0)
	if os.Getenv("TEST_SLOW") == "1" {
		lasting = 10 * time.Second
	}
	if setting := os.Getenv("SOAK"); setting != "" {
		var err error
		if lasting, err = time.ParseDuration(setting); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
		n, wait, rest = 10_000, 2*time.Second, soakedTimeout+time.Second
	}
	bothWays(t, func(t *testing.T, config Config) {
		s := startSoaked(t, config)
		s.soak(t, n, wait, min(lasting, 30*time.Second)) // has all grow that grows up to a bound
		idle := func(state soakState) bool {
			return state.Waiting+state.Timed+state.InFlight+state.Held+state.Pools+state.Unsettled == 0
		}
		time.Sleep(rest)
		before := s.await(t, "no request waits after the first ones", idle)
		peak, counts := s.soak(t, n, wait, lasting)
		time.Sleep(rest)
		const slack = 1 << 20 // of what one look finds and another does not
		after := s.await(t, fmt.Sprintf("all is as before: %+v", before), func(state soakState) bool {
			return idle(state) && float64(state.Heap) <= 1.2*float64(before.Heap)+slack && state.Descriptors <= before.Descriptors && state.Goroutines <= before.Goroutines
		})
		t.Logf("%d left, up to %d waiting; before %+v, after %+v: %.2f times the heap; answers: %v", counts.left.Load(), peak, before, after, float64(after.Heap)/float64(before.Heap), counts.answers)
		if peak < n/8 {
			t.Errorf("no more than %d of %d waited at a time: that is no soak", peak, n)
		}
		for _, r := range append(soakRequests, soakRequest{name: "HTTP/2"}) {
			if counts.answers[r.name] == 0 && !r.leaves {
				t.Errorf("no request of the kind %q was answered", r.name)
			}
		}
		if after.Records > soakedJournal {
			t.Errorf("the journal has %d records, want %d at most", after.Records, soakedJournal)
		}
	})
}

// soaked is a server in a process of its own: client and server share no
// descriptors, and no heap.
type soaked struct {
	addr string
	ask  io.Writer
	say  *json.Decoder
}

// soakState is what a server holds.
type soakState struct {
	Waiting int // requests, by the journal

	// Only of a whole look, after a collection of garbage:
	Descriptors, Goroutines  int
	Heap                     uint64 // bytes
	Timed                    int    // requests that wait for a time on the clock
	InFlight                 int    // requests within MAX_IN_FLIGHT
	Held, Pools              int    // requests that are held; pools that are in use
	Runs, Records, Unsettled int    // runs; requests remembered; requests of runs that have not ended
}

const (
	soakedJournal = 300 // JOURNAL_SIZE of the soaked server

	// soakedTimeout is its READ_, IDLE_ and WRITE_TIMEOUT. net/http keeps an HTTP/2
	// connection that ended with open streams in memory for as long, by its timers.
	soakedTimeout = 30 * time.Second
)

const soakedSetting = "SERVE_TO_BE_SOAKED" // EVENT_LOOP's value: this process is the server's

func init() {
	if os.Getenv(soakedSetting) == "" {
		return
	}
	if err := serveToBeSoaked(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func startSoaked(t *testing.T, config Config) soaked {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // outlives the test's context: it ends with its input
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%v", soakedSetting, config.EventLoop))
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server's process: %v", err)
		}
	})
	s := soaked{ask: in, say: json.NewDecoder(out)}
	if err := s.say.Decode(&s.addr); err != nil {
		t.Fatal(err)
	}
	return s
}

// serveToBeSoaked is the server's process: it says where it listens, then what
// it holds for each line that it reads, and stops at their end.
func serveToBeSoaked() error {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := DefaultConfig()
	config.EventLoop = os.Getenv(soakedSetting) == "true"
	config.JournalSize = soakedJournal
	config.ReadTimeout, config.IdleTimeout, config.WriteTimeout = soakedTimeout, soakedTimeout, soakedTimeout
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
		state := soakState{Waiting: srv.journal.Waiting()}
		if lines.Text() == wholeLook {
			if err := state.look(srv); err != nil {
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

const wholeLook = "all"

// look adds what takes a while to find out.
func (state *soakState) look(srv *Server) error {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go of
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	files, err := os.ReadDir("/proc/self/fd")
	state.Descriptors, state.Goroutines, state.Heap = len(files), runtime.NumGoroutine(), mem.HeapAlloc
	state.Timed, state.InFlight, state.Pools = srv.clock.State().Waiting, srv.limit.Inside(), len(srv.pools.States())
	for _, hold := range srv.holds.States() {
		state.Held += hold.Waiting
	}
	for _, run := range srv.journal.Runs() {
		state.Runs++
		state.Unsettled += run.Waiting
		state.Records += run.Requests - int(run.Dropped)
	}
	return err
}

// look returns what the server holds, all of it or how many wait alone.
func (s soaked) look(t *testing.T, all string) (state soakState) {
	t.Helper()
	_, errAsk := io.WriteString(s.ask, all+"\n")
	if err := errors.Join(errAsk, s.say.Decode(&state)); err != nil {
		t.Fatal(err)
	}
	return state
}

// await returns what the server holds once ok reports true of it, for which it has
// a minute.
func (s soaked) await(t *testing.T, what string, ok func(soakState) bool) soakState {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		state := s.look(t, wholeLook)
		if ok(state) {
			return state
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s; it is %+v", what, state)
		}
	}
}

// soak has n clients visit, each again and again for the time that it is to last
// and once at least, for waits of wait to three times that, and releases their
// holds. It returns the most that waited at a time and what they got.
func (s soaked) soak(t *testing.T, n int, wait, lasting time.Duration) (peak int, counts *soakCounts) {
	counts = new(soakCounts)
	end := time.Now().Add(lasting)
	var visiting sync.WaitGroup
	for i := range n {
		visiting.Go(func() {
			c := soakClient{s.addr, rand.New(rand.NewPCG(6, uint64(i))), wait, counts}
			for ok := true; ok; ok = time.Now().Before(end) {
				if err := c.visit(); err != nil {
					t.Errorf("visit: %v", err)
					return
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { visiting.Wait(); close(over) }()
	admin := newClient(t)
	for i := 0; ; i++ {
		select {
		case <-over:
			admin.CloseIdleConnections()
			return peak, counts
		case <-time.After(20 * time.Millisecond):
			peak = max(peak, s.look(t, "").Waiting)
			// Every eleventh is called off.
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

// Those who come and go leave no descriptor and no goroutine behind, whatever
// they did between.
func TestThoseWhoComeAndGoLeaveNothingBehind(t *testing.T) {
	const n = 2000
	kinds := []string{
		"", "GET /del", plain("600000"), plain("0"), plain("600000") + plain("0"), plain("0") + plain("600000"), upgrading("0"), upgrading("600000"), plain("0") + upgrading("600000"), "nonsense\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
	bothWays(t, func(t *testing.T, config Config) {
		srv, base, _ := start(t, config, io.Discard)
		do(t, newClient(t), "GET", base+"/healthz", nil)
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
				time.Sleep(time.Millisecond) // or goes at once
			}
			if i/len(kinds)%3 == 0 {
				_ = conn.(*net.TCPConn).SetLinger(0)
			}
			conn.Close()
		})
		wiretest.Eventually(t, "none waits", func() bool { return srv.journal.Waiting() == 0 && srv.clock.State().Waiting == 0 })
		wiretest.Eventually(t, fmt.Sprintf("no more than the %d descriptors and %d goroutines that there were", files, goroutines), func() bool {
			return descriptors(t) <= files && runtime.NumGoroutine() <= goroutines
		})
	})
}
