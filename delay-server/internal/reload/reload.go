// Package reload keeps a value that is loaded from a file, and loads it again when the
// file changes.
package reload

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Source says how a value is loaded, and how the log names it.
type Source[T any] struct {
	What string // such as "scenario"

	// Load loads the value from the text of the file with the name. It returns the other
	// files that it has read or missed too, also after an error.
	Load func(name, text string) (value *T, others Files, err error)

	// Size is logged, such as ("routes", 3).
	Size func(*T) (of string, n int)
}

// Files are other files that a value depends on, as they were before they were read. They
// are in a folder, and not out of it by a link.
type Files struct {
	Folder string
	Read   map[string]os.FileInfo // by name in the folder; nil for a file that is not there
}

// File is a value that can be loaded again. Use Open.
type File[T any] struct {
	name    string
	source  Source[T]
	log     *slog.Logger
	current atomic.Pointer[T]
	changed func() // called with mu held after current has changed; nil for none

	mu      sync.Mutex // held while reading the file
	loaded  snapshot   // last load, successful or not
	pending *snapshot  // a change that was seen once; nil for none
}

// snapshot is the state of a file, and of others, at one time.
type snapshot struct {
	info   os.FileInfo // nil if the file did not exist
	text   string      // "" after an error
	err    error       // from reading the file
	others Files
}

// same reports whether both snapshots are of the same version of the files. It compares
// the text too, since file times may be coarse.
func (s snapshot) same(other snapshot) bool {
	return sameInfo(s.info, other.info) && s.text == other.text && s.others.same(other.others)
}

// same reports whether the files, which have the same names, are the same.
func (f Files) same(others Files) bool {
	for name, info := range f.Read {
		if !sameInfo(info, others.Read[name]) {
			return false
		}
	}
	return true
}

// now returns the files as they are now.
func (f Files) now() Files {
	now := Files{f.Folder, map[string]os.FileInfo{}}
	for name := range f.Read {
		now.Read[name] = nil
	}
	folder, err := os.OpenRoot(f.Folder)
	if err != nil {
		return now
	}
	defer folder.Close()
	for name := range f.Read {
		now.Read[name], _ = folder.Stat(name)
	}
	return now
}

// sameInfo reports whether a and b have the same file, time and size, or are both nil.
func sameInfo(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Open loads the file. The error is from reading the file or from Load.
func Open[T any](name string, source Source[T], log *slog.Logger) (*File[T], error) {
	f := &File[T]{name: name, source: source, log: log}
	value, err := f.load(read(name, Files{}))
	if err != nil {
		return nil, err
	}
	f.current.Store(value)
	of, n := source.Size(value)
	log.Info(source.What+" loaded", "file", name, of, n)
	return f, nil
}

// Name returns the name of the file.
func (f *File[T]) Name() string { return f.name }

// Current returns the value that was last loaded.
func (f *File[T]) Current() *T { return f.current.Load() }

// OnChange sets a function that is called after each reload, one at a time. It is set
// before the file is watched.
func (f *File[T]) OnChange(changed func()) { f.changed = changed }

// Reload loads the file again at once. If the file is invalid, Reload logs the error and
// keeps the current value.
func (f *File[T]) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reload(read(f.name, f.loaded.others))
}

// Watch polls at each tick until ctx is done. So it also notices that an editor replaced
// the file, and changes in a mounted folder.
func (f *File[T]) Watch(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-tick:
			f.Poll()
		case <-ctx.Done():
			return
		}
	}
}

// Poll reloads the file if this call and the one before have found the same change, so
// that it does not load a half-written file.
func (f *File[T]) Poll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, _ := os.Stat(f.name); f.pending == nil && sameInfo(f.loaded.info, info) &&
		f.loaded.others.same(f.loaded.others.now()) {
		return // without reading the file
	}
	now := read(f.name, f.loaded.others)
	switch {
	case f.loaded.same(now):
		f.pending = nil
	case f.pending != nil && f.pending.same(now):
		f.reload(now)
	default:
		f.pending = &now
	}
}

func (f *File[T]) reload(now snapshot) {
	value, err := f.load(now)
	if err != nil {
		f.log.Error(f.source.What+" not reloaded, keeping the old one", "file", f.name, "error", err)
		return
	}
	f.current.Store(value)
	if f.changed != nil {
		f.changed()
	}
	of, n := f.source.Size(value)
	f.log.Info(f.source.What+" reloaded", "file", f.name, of, n)
}

// load loads the value, and notes the snapshot and what Load has read.
func (f *File[T]) load(s snapshot) (value *T, err error) {
	others := s.others
	if err = s.err; err == nil {
		value, others, err = f.source.Load(f.name, s.text)
	}
	s.others = others
	f.loaded, f.pending = s, nil
	return value, err
}

// read returns a snapshot of the file and the others.
func read(name string, others Files) snapshot {
	s := snapshot{others: others.now()}
	if s.info, s.err = os.Stat(name); s.err != nil {
		s.info = nil
		return s
	}
	if !s.info.Mode().IsRegular() {
		s.err = &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
		return s
	}
	text, err := os.ReadFile(name)
	s.text, s.err = string(text), err
	return s
}
