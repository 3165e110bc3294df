package scenario

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"flash.test/delay-server/internal/plan"
)

// File is a scenario that follows its file. Use Open.
type File struct {
	name    string
	planner *plan.Planner
	log     *slog.Logger
	current atomic.Pointer[Scenario]

	mu      sync.Mutex // held while reading
	seen    look       // at the file, when it was last read
	pending *look      // at the file since it has changed; nil where it has not
}

// look is what was seen of a file at one time.
type look struct {
	info os.FileInfo // nil where there was none
	text string      // "" where it could not be read
	err  error       // from reading it
}

// same reports whether both are of the same version of the same file: its time
// and its size alone would not tell, where a clock is coarse.
func (l look) same(other look) bool { return sameInfo(l.info, other.info) && l.text == other.text }

// sameInfo reports whether both are of the same version of the same file. Either
// is nil where there is no file.
func sameInfo(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Open reads the file of that name. The error is from reading it, or Load's.
func Open(name string, planner *plan.Planner, log *slog.Logger) (*File, error) {
	f := &File{name: name, planner: planner, log: log, seen: read(name)}
	s, err := f.load(f.seen)
	if err != nil {
		return nil, err
	}
	f.current.Store(s)
	log.Info("scenario loaded", "file", name, "routes", s.Routes())
	return f, nil
}

// Current returns the scenario of now.
func (f *File) Current() *Scenario { return f.current.Load() }

// Reload reads the file again, as it is, and logs how many routes it has. Where
// there is anything wrong with it, the scenario stays as it was and the log says so.
func (f *File) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reload(read(f.name))
}

// Watch reloads the file once two ticks in a row have found it changed, and the
// same, so that a half-written file is not read. It runs until ctx is done.
// It polls: so it sees what an editor puts in the file's place, and what happens
// in a mounted folder.
func (f *File) Watch(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-tick:
			f.reloadIfChanged()
		case <-ctx.Done():
			return
		}
	}
}

func (f *File) reloadIfChanged() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, _ := os.Stat(f.name); f.pending == nil && sameInfo(f.seen.info, info) {
		return // spares a large file being read at each tick
	}
	now := read(f.name)
	switch {
	case f.seen.same(now):
		f.pending = nil
	case f.pending != nil && f.pending.same(now):
		f.reload(now)
	default:
		f.pending = &now
	}
}

func (f *File) reload(now look) {
	f.seen, f.pending = now, nil
	s, err := f.load(now)
	if err != nil {
		f.log.Error("scenario not reloaded, the old one stays", "file", f.name, "error", err)
		return
	}
	f.current.Store(s)
	f.log.Info("scenario reloaded", "file", f.name, "routes", s.Routes())
}

func (f *File) load(l look) (*Scenario, error) {
	if l.err != nil {
		return nil, l.err
	}
	return Load(f.name, []byte(l.text), f.planner)
}

// read looks at the file of that name.
func read(name string) look {
	info, err := os.Stat(name)
	if err != nil {
		return look{err: err}
	}
	if !info.Mode().IsRegular() {
		return look{info: info, err: &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}}
	}
	text, err := os.ReadFile(name)
	return look{info: info, text: string(text), err: err}
}
