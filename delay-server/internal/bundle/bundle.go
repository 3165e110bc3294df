// Package bundle serves the files of a bundle that deploy/offline/bundle wrote.
package bundle

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"flash.test/delay-server/kit/problem"
)

const sumsName = "SHA256SUMS"

// Bundle is a folder whose file SHA256SUMS lists its other files. Use Open.
type Bundle struct {
	log   *slog.Logger
	files []*file
	named map[string]*file
}

// file is a file that may be served.
type file struct {
	dir, name string
	sum       string // that SHA256SUMS has, in hexadecimal

	last    atomic.Pointer[check]
	hashing chan struct{} // has a value while the file is hashed
}

// check is what was found when a file was looked at.
type check struct {
	size     int64
	modified time.Time
	state    State
}

// State says whether a file is as SHA256SUMS says.
type State string

// The states of a file.
const (
	Unchecked State = "unchecked"
	Intact    State = "intact"
	Damaged   State = "damaged"
)

// File describes a file of a bundle.
type File struct {
	Name  string // with slashes
	Size  int64  // bytes
	State State
}

// Open reads the list of the bundle in dir. The error says what is missing. The archive
// beside the folder is a file of the bundle too, if it is there with its checksum.
func Open(dir string, log *slog.Logger) (*Bundle, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	list, err := os.ReadFile(filepath.Join(dir, sumsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no file %s: use a folder that deploy/offline/bundle wrote", dir, sumsName)
	} else if err != nil {
		return nil, err
	}
	files, err := parse(dir, list)
	if err != nil {
		return nil, fmt.Errorf("%s, %w", filepath.Join(dir, sumsName), err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s is empty: copy the bundle again", filepath.Join(dir, sumsName))
	}
	var missing []string
	for _, f := range files {
		if !f.find() {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s lacks %d of the %d files in %s, such as %s: copy the bundle again",
			dir, len(missing), len(files), sumsName, missing[0])
	}
	sum := sha256.Sum256(list)
	sums := newFile(dir, sumsName, hex.EncodeToString(sum[:]))
	for _, f := range append([]*file{sums}, archive(dir)...) {
		if f.find() {
			files = append(files, f)
		}
	}
	b := &Bundle{log: log, files: files, named: make(map[string]*file, len(files))}
	for _, f := range files {
		b.named[f.name] = f
	}
	return b, nil
}

// sumLine matches a line of sha256sum.
var sumLine = regexp.MustCompile(`^([0-9a-f]{64}) [ *](.+)$`)

// parse parses the output of sha256sum for files below dir.
func parse(dir string, list []byte) ([]*file, error) {
	var files []*file
	lines := bufio.NewScanner(bytes.NewReader(list))
	for n := 1; lines.Scan(); n++ {
		m := sumLine.FindStringSubmatch(strings.TrimSuffix(lines.Text(), "\r"))
		if m == nil || !fs.ValidPath(m[2]) || m[2] == "." {
			return nil, fmt.Errorf("line %d: %s is invalid: use a SHA-256, two spaces and a path below the folder", n,
				problem.Quote(lines.Text()))
		}
		files = append(files, newFile(dir, m[2], m[1]))
	}
	return files, lines.Err()
}

// archive returns the archive DIR.zip, whose checksum is in DIR.zip.sha256.
func archive(dir string) []*file {
	list, err := os.ReadFile(dir + ".zip.sha256")
	if err != nil {
		return nil
	}
	files, err := parse(filepath.Dir(dir), list)
	if err != nil || len(files) != 1 || files[0].name != filepath.Base(dir)+".zip" {
		return nil
	}
	return files
}

// Files returns the files in the order of SHA256SUMS, then SHA256SUMS and the archive, as
// they were when they were last opened or checked. It never waits for a check.
func (b *Bundle) Files() []File {
	all := make([]File, len(b.files))
	for i, f := range b.files {
		last := f.last.Load()
		all[i] = File{f.name, last.size, last.state}
	}
	return all
}

// Check compares all files with their checksums, and logs which are damaged.
func (b *Bundle) Check() {
	damaged := 0
	for _, f := range b.files {
		h, err := f.open(context.Background())
		if err == nil {
			err = h.Close()
		}
		if err != nil {
			b.log.Error("bundle: a file is damaged and will not be served: copy the bundle again",
				"file", f.name, "error", err)
			damaged++
		}
	}
	b.log.Info("bundle: checked", "files", len(b.files), "damaged", damaged)
}

// Open opens a file, and returns its SHA-256 in hexadecimal. The error is the context's, or
// a problem: the bundle has no such file, or it is damaged. The first call for a file reads
// all of it, and calls at that time wait.
func (b *Bundle) Open(ctx context.Context, name string) (h *os.File, sum string, err error) {
	f := b.named[name]
	if f == nil {
		return nil, "", problem.NotFound.New("the bundle has no file %s; see /get", problem.Quote(name))
	}
	h, err = f.open(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, "", ctx.Err()
	case err != nil:
		return nil, "", problem.BundleDamaged.New("%s is not as %s says (%v); copy the bundle again",
			name, sumsName, err)
	}
	return h, f.sum, nil
}

func newFile(dir, name, sum string) *file {
	return &file{dir: dir, name: name, sum: sum, hashing: make(chan struct{}, 1)}
}

// find reports whether the file is there.
func (f *file) find() bool {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Stat(f.name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f.last.Store(&check{info.Size(), info.ModTime(), Unchecked})
	return true
}

// errSum is the error of a file whose checksum is not the one in SHA256SUMS.
var errSum = errors.New("another checksum")

// open opens the file for reading from its begin. A file is hashed when it is first
// opened, and again when its size or its time has changed.
func (f *file) open(ctx context.Context) (*os.File, error) {
	h, err := os.OpenInRoot(f.dir, f.name)
	if err != nil {
		f.last.Store(&check{size: f.last.Load().size, state: Damaged})
		return nil, err
	}
	if err := f.compare(ctx, h); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// compare compares the file with its checksum, unless that is done since it changed.
func (f *file) compare(ctx context.Context, h *os.File) error {
	info, err := h.Stat()
	if err != nil {
		return err
	}
	if last := f.last.Load(); last.isOf(info) {
		return last.err()
	}
	select {
	case f.hashing <- struct{}{}:
		defer func() { <-f.hashing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if last := f.last.Load(); last.isOf(info) { // by another call meanwhile
		return last.err()
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, h); err != nil {
		return err
	}
	if _, err := h.Seek(0, io.SeekStart); err != nil {
		return err
	}
	now := &check{info.Size(), info.ModTime(), Intact}
	if hex.EncodeToString(hash.Sum(nil)) != f.sum {
		now.state = Damaged
	}
	f.last.Store(now)
	return now.err()
}

// isOf reports whether c has the state of a file that is now as info says.
func (c *check) isOf(info fs.FileInfo) bool {
	return c.state != Unchecked && c.size == info.Size() && c.modified.Equal(info.ModTime())
}

func (c *check) err() error {
	if c.state == Damaged {
		return errSum
	}
	return nil
}
