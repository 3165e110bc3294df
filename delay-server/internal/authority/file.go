package authority

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// read reads a key and its certificate. The error is fs.ErrNotExist, wrapped,
// where there is no such file, and says remedy where it is of no use.
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

// create writes a file, whole, unless it is there already.
func create(path string, text []byte, mode fs.FileMode) error {
	err := write(path, text, mode, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// replace writes a file for this user alone, whole, over what is there.
func replace(path string, text []byte) error { return write(path, text, 0o600, os.Rename) }

// write writes a file beside path and lets put give it that name: a reader
// finds all of it or nothing.
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
