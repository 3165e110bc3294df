package dockertest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	composeLabel = "com.docker.compose.project"

	imagePrefix   = "flash-test-"
	projectPrefix = "flashtest-"

	// maxRun is the longest time that a run may take. A run without a lock file on this
	// machine, such as one in another container, is considered dead afterwards.
	maxRun = 2 * time.Hour
)

// startDigits is the length of the Unix time in base 36 at the start of a run's name.
const startDigits = 7

func newRun() string {
	start := strconv.FormatInt(time.Now().Unix(), 36)
	return strings.Repeat("0", startDigits-len(start)) + start + strings.ToLower(rand.Text()[:8])
}

// A runLock is a lock file that a process holds while it runs. The system releases
// it when the process ends, even if it is killed.
type runLock struct{ file *os.File }

func lockFile(run string) string { return filepath.Join(os.TempDir(), "flash-test-runs", run) }

func lockRun(run string) (runLock, error) {
	path := lockFile(run)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return runLock{}, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return runLock{}, err
	}
	if !tryLock(file) {
		file.Close()
		return runLock{}, fmt.Errorf("%s is locked", path)
	}
	return runLock{file}, nil
}

// end removes the file and releases the lock.
func (l runLock) end() {
	os.Remove(l.file.Name())
	l.file.Close()
}

// lockDead locks a run and reports whether it is dead. The lock, which the caller
// must end, keeps other processes from sweeping the same run.
func lockDead(run string) (runLock, bool) {
	file, err := os.OpenFile(lockFile(run), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		start, err := strconv.ParseInt(run[:min(startDigits, len(run))], 36, 64)
		if err != nil || time.Since(time.Unix(start, 0)) < maxRun {
			return runLock{}, false
		}
		lock, err := lockRun(run)
		return lock, err == nil
	}
	if err != nil {
		return runLock{}, false
	}
	if !tryLock(file) {
		file.Close()
		return runLock{}, false
	}
	return runLock{file}, true
}

// sweep removes what dead runs left behind.
func sweep() {
	var runs []string
	for _, o := range objects() {
		runs = append(runs, o.run)
	}
	files, _ := os.ReadDir(filepath.Dir(lockFile("")))
	for _, f := range files {
		// A newer file may not be locked yet.
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > time.Second {
			runs = append(runs, f.Name())
		}
	}
	slices.Sort(runs)
	for _, run := range slices.Compact(runs) {
		if run == current {
			continue
		}
		if lock, dead := lockDead(run); dead {
			remove(run)
			lock.end()
		}
	}
}

// An object is a container, network, volume or image that a run created.
type object struct {
	remove []string // the docker command that removes it
	run    string
}

// objects returns the objects of all runs, in the order in which they can be removed.
func objects() []object {
	const labels = `{{.Label "` + Label + `"}}` + "\t" + `{{.Label "` + composeLabel + `"}}`
	var all []object
	for _, kind := range []struct{ list, remove []string }{
		{[]string{"container", "ls", "--all", "--format", "{{.ID}}\t" + labels},
			[]string{"container", "rm", "--force", "--volumes"}},
		{[]string{"network", "ls", "--format", "{{.ID}}\t" + labels}, []string{"network", "rm"}},
		{[]string{"volume", "ls", "--format", "{{.Name}}\t" + labels}, []string{"volume", "rm"}},
		{[]string{"image", "ls", "--filter", "reference=" + imagePrefix + "*",
			"--format", "{{.Repository}}:{{.Tag}}\t{{.Tag}}\t"}, []string{"image", "rm"}},
	} {
		out, err := docker(kind.list...)
		if err != nil {
			fmt.Fprintln(os.Stderr, "dockertest:", err)
		}
		for line := range strings.Lines(out) {
			field := strings.Split(strings.TrimRight(line, "\n")+"\t\t", "\t")
			name, run := field[0], field[1]
			if project, ok := strings.CutPrefix(field[2], projectPrefix); ok {
				run, _, _ = strings.Cut(project, "-")
			}
			if run != "" {
				all = append(all, object{append(slices.Clone(kind.remove), name), run})
			}
		}
	}
	return append(all, labelledImages()...)
}

// labelledImages returns labelled images whose names do not begin with imagePrefix.
func labelledImages() []object {
	var all []object
	out, _ := docker("image", "ls", "--filter", "label="+Label, "--format", "{{.Repository}}:{{.Tag}}")
	for name := range strings.FieldsSeq(out) {
		run, err := docker("image", "inspect", "--format", `{{index .Config.Labels "`+Label+`"}}`, name)
		if err == nil {
			all = append(all, object{[]string{"image", "rm", name}, run})
		}
	}
	return all
}

// remove removes the objects of a run.
func remove(run string) {
	for _, o := range objects() {
		if o.run != run {
			continue
		}
		if _, err := docker(o.remove...); err != nil {
			fmt.Fprintln(os.Stderr, "dockertest:", err)
		} else if run != current || o.remove[0] != "image" {
			fmt.Fprintf(os.Stderr, "dockertest: cleaned up after run %s: docker %s\n", run, strings.Join(o.remove, " "))
		}
	}
}
