package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// sumsName lists the SHA-256 of all other files, in the format of sha256sum.
const sumsName = "SHA256SUMS"

// files returns the names of all files in dir but SHA256SUMS in lexical order, with
// slashes.
func files(dir string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && name != sumsName {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// writeSums writes SHA256SUMS, the last file of a bundle.
func writeSums(dir string) error {
	names, err := files(dir)
	if err != nil {
		return err
	}
	var sums strings.Builder
	for _, name := range names {
		sum, err := sumOf(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
	}
	return os.WriteFile(filepath.Join(dir, sumsName), []byte(sums.String()), 0o644)
}

// sumOf returns the SHA-256 of a file in hexadecimal.
func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, f)
	return fmt.Sprintf("%x", hash.Sum(nil)), errors.Join(err, f.Close())
}

// writeSizes prints the size of each part.
func writeSizes(w io.Writer, dir, archive string) error {
	names, err := files(dir)
	if err != nil {
		return err
	}
	var parts []string
	sizes, counts := map[string]int64{}, map[string]int{}
	add := func(part, file string) error {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if counts[part] == 0 {
			parts = append(parts, part)
		}
		sizes[part] += info.Size()
		counts[part]++
		return nil
	}
	for _, name := range names {
		part, _, inFolder := strings.Cut(name, "/")
		switch {
		case part == "bin":
			part = name
		case inFolder:
			part += "/"
		}
		if err := add(part, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	if err := add(path.Base(filepath.ToSlash(archive)), archive); err != nil {
		return err
	}
	for _, part := range parts {
		fmt.Fprintf(w, "%7.1f MB  %s", float64(sizes[part])/1e6, part)
		if counts[part] > 1 {
			fmt.Fprintf(w, " (%d files)", counts[part])
		}
		fmt.Fprintln(w)
	}
	_, err = fmt.Fprintf(w, "wrote %s and %s; next, for example: BUNDLE_DIR=%s HOST=0.0.0.0 go run ./delay-server\n",
		dir, archive, dir)
	return err
}
