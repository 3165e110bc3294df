// Package bundle serves the files of a bundle that deploy/offline/bundle wrote.
package bundle

import (
	"bufio"
	"bytes"
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
	"sync"
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

	mu       sync.Mutex
	checked  bool
	size     int64     // when it was checked
	modified time.Time // when it was checked
	err      error     // why it may not be served
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
		return nil, fmt.Errorf("%s is empty: deploy/offline/bundle did not finish", filepath.Join(dir, sumsName))
	}
	var missing []string
	for _, f := range files {
		if info, err := f.stat(); err != nil || !info.Mode().IsRegular() {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s lacks %d of the %d files in %s, such as %s: copy the bundle again",
			dir, len(missing), len(files), sumsName, missing[0])
	}
	sum := sha256.Sum256(list)
	files = append(files, &file{dir: dir, name: sumsName, sum: hex.EncodeToString(sum[:])})
	files = append(files, archive(dir)...)
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
		files = append(files, &file{dir: dir, name: m[2], sum: m[1]})
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
	if info, err := files[0].stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return files
}

// Files returns the files in the order of SHA256SUMS, then SHA256SUMS and the archive.
func (b *Bundle) Files() []File {
	all := make([]File, 0, len(b.files))
	for _, f := range b.files {
		if info, err := f.stat(); err == nil {
			all = append(all, File{f.name, info.Size(), f.state(info)})
		}
	}
	return all
}

// Check compares all files with their checksums, and logs which are damaged.
func (b *Bundle) Check() {
	damaged := 0
	for _, f := range b.files {
		h, err := f.open()
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

// Open opens a file, and returns its SHA-256 in hexadecimal. The error is a problem: the
// bundle has no such file, or it is damaged. The first call for a file reads all of it.
func (b *Bundle) Open(name string) (h *os.File, sum string, err error) {
	f := b.named[name]
	if f == nil {
		return nil, "", problem.NotFound.New("the bundle has no file %s; see /get", problem.Quote(name))
	}
	h, err = f.open()
	if err != nil {
		return nil, "", problem.BundleDamaged.New("%s is not as %s says (%v); copy the bundle again",
			name, sumsName, err)
	}
	return h, f.sum, nil
}

// state returns the state of a file that is as info says now.
func (f *file) state(info fs.FileInfo) State {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.isChecked(info):
		return Unchecked
	case f.err != nil:
		return Damaged
	}
	return Intact
}

func (f *file) isChecked(info fs.FileInfo) bool {
	return f.checked && f.size == info.Size() && f.modified.Equal(info.ModTime())
}

func (f *file) stat() (fs.FileInfo, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(f.name)
}

// errSum is the error of a file whose checksum is not the one in SHA256SUMS.
var errSum = errors.New("another checksum")

// open opens the file for reading from its begin. A file is hashed when it is first
// opened, and again when its size or its time has changed.
func (f *file) open() (*os.File, error) {
	h, err := os.OpenInRoot(f.dir, f.name)
	if err != nil {
		return nil, err
	}
	if err := f.check(h); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (f *file) check(h *os.File) error {
	info, err := h.Stat()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isChecked(info) {
		return f.err
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, h); err != nil {
		return err
	}
	if _, err := h.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.checked, f.size, f.modified, f.err = true, info.Size(), info.ModTime(), nil
	if hex.EncodeToString(hash.Sum(nil)) != f.sum {
		f.err = errSum
	}
	return f.err
}
