package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// marks are files of each bundle, and hardly of any other folder with a SHA256SUMS.
var marks = []string{"start.sh", "INSTRUCTIONS.html"}

// removeEarlier removes an earlier bundle in dir and its archive. If there are other files,
// it removes nothing and fails.
func removeEarlier(dir string) error {
	if err := errors.Join(checkFolder(dir), checkArchive(dir+".zip")); err != nil {
		return err
	}
	return remove(dir)
}

// remove removes all files in dir, and the archive beside it.
func remove(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = errors.Join(os.RemoveAll(dir+".zip"), os.RemoveAll(dir+".zip.sha256"))
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// checkFolder fails if dir has files which are not of a bundle there.
func checkFolder(dir string) error {
	names, err := files(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	list, err := os.ReadFile(filepath.Join(dir, sumsName))
	if errors.Is(err, fs.ErrNotExist) && len(names) == 0 {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		_, name, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "  ")
		listed[name] = true
	}
	for _, name := range marks {
		if !listed[name] {
			return fmt.Errorf("%s has files and is no bundle (its %s has no %s): use an empty or a new folder",
				dir, sumsName, name)
		}
	}
	for _, name := range names {
		if !listed[name] {
			return fmt.Errorf("%s is not of the bundle in %s, which would be removed: move it, or use another folder",
				name, dir)
		}
	}
	return nil
}

// checkArchive fails if there is a file which is not the archive of a bundle or its
// checksum.
func checkArchive(archive string) error {
	if _, err := os.Lstat(archive); !errors.Is(err, fs.ErrNotExist) {
		if err := checkContents(archive); err != nil {
			return fmt.Errorf("%s is there and is no archive of a bundle (%w): move it, or use another folder",
				archive, err)
		}
	}
	sum, err := os.ReadFile(archive + ".sha256")
	if err == nil && !strings.HasSuffix(string(sum), "  "+filepath.Base(archive)+"\n") {
		return fmt.Errorf("%s.sha256 is there and is not of a bundle: move it, or use another folder", archive)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func checkContents(archive string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer r.Close()
	folder := strings.TrimSuffix(filepath.Base(archive), ".zip")
	for _, name := range marks {
		if _, err := fs.Stat(r, folder+"/"+name); err != nil {
			return err
		}
	}
	return nil
}
