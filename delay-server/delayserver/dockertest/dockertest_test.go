package dockertest

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// leave creates a container, a network, a Compose volume and an image of run.
func leave(t *testing.T, run string) {
	t.Helper()
	image := imagePrefix + "empty:" + run
	var empty bytes.Buffer
	tw := tar.NewWriter(&empty)
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "none/", Mode: 0o755}); err != nil {
		t.Fatal(err)
	}
	tw.Close()
	cmd := exec.Command("docker", "import", "-", image)
	cmd.Stdin = &empty
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	for _, args := range [][]string{
		{"create", "--label", Label + "=" + run, image, "none"},
		{"network", "create", "--label", Label + "=" + run, "flash-test-" + run},
		{"volume", "create", "--label", composeLabel + "=" + projectPrefix + run + "-x", "flash-test-" + run},
	} {
		if _, err := docker(args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { remove(run) })
}

// kinds returns the kinds of objects that run has left, sorted.
func kinds(run string) []string {
	var found []string
	for _, o := range objects() {
		if o.run == run {
			found = append(found, o.remove[0])
		}
	}
	slices.Sort(found)
	return found
}

func TestSweep(t *testing.T) {
	Require(t)
	all := []string{"container", "image", "network", "volume"}
	longAgo := strconv.FormatInt(time.Now().Add(-2*maxRun).Unix(), 36)
	for _, tc := range []struct {
		name  string
		run   string
		state func(lock runLock) // sets the state of the run's lock file
		want  []string
	}{
		{"killed run", newRun(), func(l runLock) { l.file.Close() }, nil},
		{"running", newRun(), func(runLock) {}, all},
		{"recent run of another machine", newRun(), runLock.end, all},
		{"old run of another machine", "0" + longAgo + "abcdefgh", runLock.end, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lock, err := lockRun(tc.run)
			if err != nil {
				t.Fatal(err)
			}
			leave(t, tc.run)
			old := time.Now().Add(-time.Minute)
			if err := os.Chtimes(lockFile(tc.run), old, old); err != nil {
				t.Fatal(err)
			}
			tc.state(lock)
			sweep()
			if got := kinds(tc.run); !slices.Equal(got, tc.want) {
				t.Errorf("after sweep: got %v, want %v", got, tc.want)
			}
			lock.end()
		})
	}
}
