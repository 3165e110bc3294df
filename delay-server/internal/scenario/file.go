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

	mu   sync.Mutex  // held while reading
	seen os.FileInfo // nil where there was none
}

// changed reports whether a file is another than it was, or another version of
// it. Either is nil where there is no file.
func changed(was, is os.FileInfo) bool {
	if was == nil || is == nil {
		return was != is
	}
	return !os.SameFile(was, is) || !was.ModTime().Equal(is.ModTime()) || was.Size() != is.Size()
}

// Open reads the file of that name. The error is that of reading it, or Load's.
func Open(name string, planner *plan.Planner, log *slog.Logger) (*File, error) {
	f := &File{name: name, planner: planner, log: log, seen: look(name)}
	s, err := f.load()
	if err != nil {
		return nil, err
	}
	f.current.Store(s)
	log.Info("scenario loaded", "file", name, "routes", s.Routes())
	return f, nil
}

// Current returns the scenario of now.
func (f *File) Current() *Scenario { return f.current.Load() }

// Reload reads the file again, and logs how many routes it has. Where there is
// anything wrong with it, the scenario stays as it was and the log says so.
func (f *File) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reload()
}

// Watch reloads the file whenever a tick finds it changed, until ctx is done.
// It polls: so it sees what an editor puts in the file's place, and what
// happens in a mounted folder.
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
	if changed(f.seen, look(f.name)) {
		f.reload()
	}
}

func (f *File) reload() {
	f.seen = look(f.name) // before reading: a change from here on is seen by the next tick
	s, err := f.load()
	if err != nil {
		f.log.Error("scenario not reloaded, the old one stays", "file", f.name, "error", err)
		return
	}
	f.current.Store(s)
	f.log.Info("scenario reloaded", "file", f.name, "routes", s.Routes())
}

func (f *File) load() (*Scenario, error) {
	info, err := os.Stat(f.name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: f.name, Err: errors.New("it is no regular file")}
	}
	text, err := os.ReadFile(f.name)
	if err != nil {
		return nil, err
	}
	return Load(f.name, text, f.planner)
}

func look(name string) os.FileInfo {
	info, err := os.Stat(name)
	if err != nil {
		return nil
	}
	return info
}
