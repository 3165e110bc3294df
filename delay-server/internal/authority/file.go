package authority

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// read reads a key and its certificate. The error wraps fs.ErrNotExist if the file does
// not exist, and ends with remedy if its contents are invalid.
func read(path, remedy string) (*tls.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; %s", path, err, remedy)
	}
	return &pair, nil
}

// create writes a file atomically, unless it exists.
func create(path string, text []byte, mode fs.FileMode) error {
	err := write(path, text, mode, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// replace writes a file atomically, readable by this user only.
func replace(path string, text []byte) error { return write(path, text, 0o600, os.Rename) }

// write writes a temporary file next to path and calls put to give it that name.
// Readers see all of it or nothing.
func write(path string, text []byte, mode fs.FileMode, put func(from, to string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // of mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, errWrite := f.Write(text)
	err = errors.Join(errWrite, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return put(f.Name(), path)
}
