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
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestSoak has clients come, wait and leave for as long as SOAK says, such as
// 5m, with 10000 at a time, and then looks for what they left behind. Without
// SOAK it has fewer of them for as long as one of them lasts.
func TestSoak(t *testing.T) {
	n, lasting, wait := 500, time.Second, 50*time.Millisecond
	if setting := os.Getenv("SOAK"); setting != "" {
		var err error
		if lasting, err = time.ParseDuration(setting); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
		n, wait = 10_000, 2*time.Second
	}
	lanes(t, func(t *testing.T, config Config) {
		s := startSoaked(t, config)
		s.soak(t, n, wait, 0) // has all grow that grows with the most that there ever were
		before := s.look(t)
		peak, visits := s.soak(t, n, wait, lasting)
		var after soakState
		eventually(t, "all is as it was", func() bool {
			after = s.look(t)
			return after.Waiting == 0 && after.Timed == 0 && after.Descriptors <= before.Descriptors && after.Goroutines <= before.Goroutines
		})
		t.Logf("%d visits, up to %d waiting; before %+v, after %+v: %.2f times the heap", visits, peak, before, after, float64(after.Heap)/float64(before.Heap))
		if peak < n/2 {
			t.Errorf("no more than %d of %d waited at a time: that is no soak", peak, n)
		}
		if float64(after.Heap) > 1.5*float64(before.Heap) {
			t.Errorf("the heap has grown from %d to %d bytes", before.Heap, after.Heap)
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

// soakState is what a server holds, after a collection of garbage.
type soakState struct {
	Descriptors, Goroutines, Waiting, Timed int
	Heap                                    uint64 // bytes
}

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
	config := DefaultConfig()
	config.EventLoop = os.Getenv(soakedSetting) == "true"
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
		runtime.GC()
		runtime.GC() // what finalizers and pools let go of
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		state := soakState{len(files), runtime.NumGoroutine(), srv.journal.Waiting(), srv.clock.State().Waiting, mem.HeapAlloc}
		if err := out.Encode(state); err != nil {
			return err
		}
	}
	stop()
	return <-stopped
}

// look returns what the server holds.
func (s soaked) look(t *testing.T) (state soakState) {
	t.Helper()
	_, errAsk := io.WriteString(s.ask, "\n")
	if err := errors.Join(errAsk, s.say.Decode(&state)); err != nil {
		t.Fatal(err)
	}
	return state
}

// soak has n clients visit, each again and again for the time that it is to
// last and once at least, for waits of wait to three times that. It returns the most that waited at a time and the
// number of visits.
func (s soaked) soak(t *testing.T, n int, wait, lasting time.Duration) (peak, visits int) {
	end := time.Now().Add(lasting)
	var visiting sync.WaitGroup
	var count atomic.Int64
	for i := range n {
		visiting.Go(func() {
			chance := rand.New(rand.NewPCG(6, uint64(i)))
			for ok := true; ok; ok = time.Now().Before(end) {
				if err := live(s.addr, chance, wait); err != nil {
					t.Errorf("visit: %v", err)
					return
				}
				count.Add(1)
			}
		})
	}
	over := make(chan struct{})
	go func() { visiting.Wait(); close(over) }()
	for {
		select {
		case <-over:
			return peak, int(count.Load())
		case <-time.After(50 * time.Millisecond):
			peak = max(peak, s.look(t).Waiting)
		}
	}
}

// live is the life of a connection: some waits, of which the client may leave one
// by an orderly end, a reset or a half-closed connection.
func live(addr string, chance *rand.Rand, wait time.Duration) error {
	dialled, err := net.DialTimeout("tcp", addr, time.Minute)
	if err != nil {
		return err
	}
	conn := dialled.(*net.TCPConn)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	for range 1 + chance.IntN(3) {
		asked := int(wait/time.Millisecond) * (100 + chance.IntN(200)) / 100
		request := plain(fmt.Sprint(asked))
		if chance.IntN(20) == 0 { // the loops do not answer this one
			request = plain(fmt.Sprintf("%d?_", asked))
		}
		begin := time.Now()
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		if chance.IntN(4) == 0 {
			time.Sleep(time.Duration(chance.IntN(asked)) * time.Millisecond / 2)
			return leave(conn, chance)
		}
		reply, err := http.ReadResponse(in, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(reply.Body)
		took := time.Since(begin)
		if err != nil || reply.StatusCode != 200 || !strings.Contains(string(body), fmt.Sprintf(`"%d ms"`, asked)) || took < time.Duration(asked)*time.Millisecond {
			return fmt.Errorf("/delay/%d: %s %s after %v, %w", asked, reply.Status, body, took, err)
		}
	}
	return nil
}

func leave(conn *net.TCPConn, chance *rand.Rand) error {
	switch chance.IntN(3) {
	case 0:
		return nil
	case 1:
		return conn.SetLinger(0) // Close resets it
	}
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	// A server that is late may have answered before it sees that.
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 200 OK\r\n") {
		return fmt.Errorf("a client that has half-closed its connection: got %q, %w, want its end", rest, err)
	}
	return nil
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
		"", "GET /del", plain("600000"), plain("0"), plain("600000") + plain("0"), plain("0") + plain("600000"), plain("0?_"), plain("600000?_"), plain("0") + plain("600000?_"), "nonsense\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	}
	lanes(t, func(t *testing.T, config Config) {
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
		eventually(t, "none waits", func() bool { return srv.journal.Waiting() == 0 && srv.clock.State().Waiting == 0 })
		eventually(t, fmt.Sprintf("no more than the %d descriptors and %d goroutines that there were", files, goroutines), func() bool {
			return descriptors(t) <= files && runtime.NumGoroutine() <= goroutines
		})
	})
}
