package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/delayserver/dockertest"
)

// room is a network that leads nowhere: of a leader's machine, and people's machines.
type room struct{ name string }

// leaderAddress is the address of the leader's machine. People have the addresses after
// it.
const leaderAddress = "10.77.0.1"

// newRoom returns a room of people, numbered from 1. They are network namespaces, which
// need root and the program ip: without, the test is skipped, or fails if the gate runs it.
func newRoom(t *testing.T, people int) room {
	t.Helper()
	if _, err := exec.LookPath("ip"); err != nil || os.Getuid() != 0 {
		dockertest.Missing(t, "network namespaces need root and the program ip")
	}
	removeOldRooms(t)
	r := room{fmt.Sprintf("%s%d-", roomPrefix, os.Getpid())}
	t.Cleanup(func() { removeRooms(t, r.name) })
	add := func(machine int, address string) {
		name := r.machine(machine)
		must(t, nil, "ip", "netns", "add", name)
		must(t, nil, "ip", "-n", name, "link", "set", "lo", "up")
		if machine == 0 {
			must(t, nil, "ip", "-n", name, "link", "add", "lan", "type", "bridge")
		} else {
			port := "port" + strconv.Itoa(machine)
			must(t, nil, "ip", "-n", name, "link", "add", "lan", "type", "veth",
				"peer", "name", port, "netns", r.machine(0))
			must(t, nil, "ip", "-n", r.machine(0), "link", "set", port, "master", "lan", "up")
		}
		must(t, nil, "ip", "-n", name, "address", "add", address+"/16", "dev", "lan")
		must(t, nil, "ip", "-n", name, "link", "set", "lan", "up")
	}
	add(0, leaderAddress)
	for i := 1; i <= people; i++ {
		add(i, "10.77.1."+strconv.Itoa(i))
	}
	return r
}

// machine returns the namespace of a person, or of the leader if person is 0.
func (r room) machine(person int) string { return r.name + strconv.Itoa(person) }

// command returns a command on the machine of a person, or of the leader if person is 0.
func (r room) command(ctx context.Context, person int, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", r.machine(person), name}, args...)...)
}

const roomPrefix = "flash-room-"

// removeOldRooms removes rooms of tests that were killed.
func removeOldRooms(t *testing.T) {
	for _, line := range strings.Split(must(t, nil, "ip", "netns", "list"), "\n") {
		name, ours := strings.CutPrefix(line, roomPrefix)
		pid, _, _ := strings.Cut(name, "-")
		if number, err := strconv.Atoi(pid); ours && err == nil && syscall.Kill(number, 0) != nil {
			removeRooms(t, roomPrefix+pid+"-")
		}
	}
}

// removeRooms removes the namespaces whose names begin with prefix.
func removeRooms(t *testing.T, prefix string) {
	for _, line := range strings.Split(must(t, nil, "ip", "netns", "list"), "\n") {
		if name, _, _ := strings.Cut(line, " "); strings.HasPrefix(name, prefix) {
			must(t, nil, "ip", "netns", "delete", name)
		}
	}
}

// people is the number of people in a room.
const people = 50

// concurrency is how many people do exercises at once: their waits overlap, and their programs
// hardly delay each other on two processors.
const concurrency = 10

// Fifty people download the bundle from the leader, start it, do three exercises right and
// one wrong. The board is right.
func TestFiftyPeople(t *testing.T) {
	slow(t, "fifty people take minutes")
	r := newRoom(t, people)
	bundle := filepath.Join(t.TempDir(), "bundle")
	must(t, []string{"PLATFORMS=linux/" + runtime.GOARCH, "MODULES=false"}, "deploy/offline/bundle", bundle)
	size := fileSize(t, bundle+".zip")

	leader := r.command(t.Context(), 0, "sh", filepath.Join(bundle, "start.sh"), "--room")
	leader.Env = append(os.Environ(), "ADMIN_TOKEN=leader", "BOARD=true", "JOURNAL_SIZE=100000")
	startBeside(t, leader)
	const base = "http://" + leaderAddress + ":3000"
	r.run(t, 1, t.TempDir(), "until curl -fs "+base+"/readyz; do sleep 0.1; done")

	folders := make([]string, people+1)
	for i := range folders {
		folders[i] = t.TempDir()
	}
	t.Run("start the bundle", func(t *testing.T) {
		began := time.Now()
		each(t, people, func(person int) { // all at once
			r.run(t, person, folders[person], `
curl -fsS -O `+base+`/get/start.sh
sh start.sh `+base+`/get >log 2>&1 & started=$!
until curl -fs 'http://localhost:5000/async_get_data?delay=10' >answer; do
	kill -0 $started || { cat log; exit 1; }
	sleep 0.2
done
kill $started
grep -q '"r2":200' answer`)
		})
		took := time.Since(began)
		t.Logf("bundle for one platform: %d MB; %d people at once: %v from its address to the last first answer",
			size>>20, people, took.Round(time.Second/10))
	})

	done := []string{"concurrent/solution", "bounded/solution", "retry/solution", "timeout/start"}
	t.Run("do exercises", func(t *testing.T) {
		each(t, concurrency, func(worker int) {
			for person := worker; person <= people; person += concurrency {
				for _, file := range done {
					id, _, _ := strings.Cut(file, "/")
					name := "exercise-" + id + ".py"
					url := fmt.Sprintf("%s/exercises/%s/%s?name=%s", base, file, name, personName(person))
					r.run(t, person, folders[person], "curl -fsS '"+url+"' -o "+name+"; python3 "+name)
				}
			}
		})
	})

	var board boardState
	for { // until the board has judged everything
		stream := r.run(t, 1, folders[1], "curl -fsSN "+base+"/board/events 2>/dev/null | sed -n '/^data: /{s///p;q}'")
		if err := json.Unmarshal([]byte(stream), &board); err != nil {
			t.Fatalf("%v: %.200s", err, stream)
		}
		if !strings.Contains(stream, `"verdict":"running"`) {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if got := len(board.People); got != people || board.MoreNames != 0 {
		t.Errorf("the board has %d people and leaves out %d, want %d", got, board.MoreNames, people)
	}
	for _, person := range board.People {
		slices.Sort(person.Passed)
		if want := []string{"bounded", "concurrent", "retry"}; !slices.Equal(person.Passed, want) ||
			!slices.Equal(person.Failed, []string{"timeout"}) || person.Addresses != 1 {
			t.Errorf("%s passed %v, failed %v, from %d addresses; want %v, [timeout] and 1",
				person.Name, person.Passed, person.Failed, person.Addresses, want)
		}
	}
}

// boardState has some fields of an event of /board/events.
type boardState struct {
	People []struct {
		Name           string
		Addresses      int
		Passed, Failed []string
	}
	MoreNames int
}

func personName(person int) string { return "person-" + strconv.Itoa(person) }

// run runs a shell script on a person's machine, in a folder, and returns its output.
func (r room) run(t *testing.T, person int, folder, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := r.command(ctx, person, "sh", "-c", script)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("person %d: %v\n%s", person, err, out)
	}
	return string(out)
}

// each calls do with 1 to n at once, and returns when all calls have returned.
func each(t *testing.T, n int, do func(i int)) {
	t.Helper()
	var group sync.WaitGroup
	for i := 1; i <= n; i++ {
		group.Go(func() { do(i) })
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

// startBeside starts a command, which ends with the test.
func startBeside(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", cmd, &out)
		}
	})
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}
