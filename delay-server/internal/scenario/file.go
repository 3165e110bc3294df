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

// File is a scenario that can reload its file. Use Open.
type File struct {
	name    string
	planner *plan.Planner
	log     *slog.Logger
	current atomic.Pointer[Scenario]
	changed func() // called with mu held after current has changed; nil for none

	mu      sync.Mutex // held while reading the file
	loaded  snapshot   // last load, successful or not
	pending *snapshot  // a change that was seen once; nil for none
}

// snapshot is the state of a file at one time.
type snapshot struct {
	info os.FileInfo // nil if the file did not exist
	text string      // "" after an error
	err  error       // from reading the file
}

// same reports whether both snapshots are of the same version of the file. It compares
// the text too, since file times may be coarse.
func (s snapshot) same(other snapshot) bool {
	return sameInfo(s.info, other.info) && s.text == other.text
}

// sameInfo reports whether a and b have the same file, time and size, or are both nil.
func sameInfo(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Open loads the file. The error is from reading the file or from Load.
func Open(name string, planner *plan.Planner, log *slog.Logger) (*File, error) {
	f := &File{name: name, planner: planner, log: log, loaded: read(name)}
	s, err := f.load(f.loaded)
	if err != nil {
		return nil, err
	}
	f.current.Store(s)
	log.Info("scenario loaded", "file", name, "routes", s.Routes())
	return f, nil
}

// Current returns the scenario that was last loaded.
func (f *File) Current() *Scenario { return f.current.Load() }

// Reload loads the file again at once. If the file is invalid, Reload logs the error and
// keeps the current scenario.
func (f *File) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reload(read(f.name))
}

// Watch reloads the file after two ticks in a row have found the same change, so that it
// does not load a half-written file. It runs until ctx is done. It polls, so it also
// notices that an editor replaced the file, and changes in a mounted folder.
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
	if info, _ := os.Stat(f.name); f.pending == nil && sameInfo(f.loaded.info, info) {
		return // without reading the file
	}
	now := read(f.name)
	switch {
	case f.loaded.same(now):
		f.pending = nil
	case f.pending != nil && f.pending.same(now):
		f.reload(now)
	default:
		f.pending = &now
	}
}

func (f *File) reload(now snapshot) {
	f.loaded, f.pending = now, nil
	s, err := f.load(now)
	if err != nil {
		f.log.Error("scenario not reloaded, keeping the old one", "file", f.name, "error", err)
		return
	}
	f.current.Store(s)
	if f.changed != nil {
		f.changed()
	}
	f.log.Info("scenario reloaded", "file", f.name, "routes", s.Routes())
}

func (f *File) load(s snapshot) (*Scenario, error) {
	if s.err != nil {
		return nil, s.err
	}
	return Load(f.name, []byte(s.text), f.planner)
}

// read returns a snapshot of the file.
func read(name string) snapshot {
	info, err := os.Stat(name)
	if err != nil {
		return snapshot{err: err}
	}
	if !info.Mode().IsRegular() {
		return snapshot{info: info, err: &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}}
	}
	text, err := os.ReadFile(name)
	return snapshot{info: info, text: string(text), err: err}
}
