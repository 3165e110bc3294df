package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// putBundle writes a bundle of the start script and the instructions, and its archive.
func putBundle(t *testing.T, dir string) {
	t.Helper()
	b := &build{dir: dir}
	for _, name := range []string{"INSTRUCTIONS.html", "bin/a", "start.sh"} {
		if err := b.write(name, nil, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeSums(dir); err != nil {
		t.Fatal(err)
	}
	if err := writeArchive(t.Context(), dir+".zip", dir, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

// A bundle replaces an earlier one and nothing else.
func TestRemoveEarlier(t *testing.T) {
	put := func(name, content string) func(string) error {
		return func(dir string) error {
			return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
	}
	aloneWith := func(name, content string) func(string) error {
		return func(dir string) error {
			for _, name := range []string{dir, dir + ".zip", dir + ".zip.sha256"} {
				if err := os.RemoveAll(name); err != nil {
					return err
				}
			}
			return put(name, content)(dir)
		}
	}
	sum := strings.Repeat("0", 64) + "  "
	for _, test := range []struct {
		name   string
		change func(dir string) error // of a bundle
		want   string                 // the error, or "" if all files may go
	}{
		{"a bundle", func(string) error { return nil }, ""},
		{"a bundle without its archive", func(dir string) error {
			return errors.Join(os.Remove(dir+".zip"), os.Remove(dir+".zip.sha256"))
		}, ""},
		{"an archive without its bundle", os.RemoveAll, ""},
		{"a file is missing", func(dir string) error { return os.Remove(filepath.Join(dir, "bin/a")) }, ""},
		{"another file", put("photo.jpg", ""), "photo.jpg is not of the bundle"},
		{"other files", aloneWith("photo.jpg", ""), "has files and is no bundle"},
		{"sums of other files", aloneWith("SHA256SUMS", sum+"debian.iso\n"), "has files and is no bundle"},
		{"empty sums", aloneWith("SHA256SUMS", ""), "has files and is no bundle"},
		{"a file in place of the folder", func(dir string) error {
			return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600))
		}, "not a directory"},
		{"another archive", put("../flash.zip", "PK"), "flash.zip is there and is no archive of a bundle"},
		{"the checksum of another archive", put("../flash.zip.sha256", sum+"another.zip\n"),
			"flash.zip.sha256 is there and is not of a bundle"},
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "flash")
		putBundle(t, dir)
		if err := test.change(dir); err != nil {
			t.Fatal(err)
		}
		before, err := files(parent)
		if err != nil {
			t.Fatal(err)
		}
		failed := removeEarlier(dir)
		if test.want == "" && failed != nil || test.want != "" &&
			(failed == nil || !strings.Contains(failed.Error(), test.want)) {
			t.Errorf("%s: got error %v, want %q", test.name, failed, test.want)
		}
		after, err := files(parent)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case test.want == "" && len(after) > 0:
			t.Errorf("%s: %v are left, want none", test.name, after)
		case test.want != "" && !slices.Equal(before, after):
			t.Errorf("%s: %v are left, want %v", test.name, after, before)
		}
	}
}

// A bundle that is not finished leaves no file, so that the next has an empty folder.
func TestNothingIsLeftAfterAnError(t *testing.T) {
	t.Chdir("../..")
	parent := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	printed := writerFunc(func(p []byte) (int, error) {
		if strings.HasPrefix(string(p), "compiling") {
			stop()
		}
		return len(p), nil
	})
	err := run(ctx, []string{filepath.Join(parent, "flash")}, func(string) string { return "" }, printed)
	if err == nil {
		t.Fatal("got no error, want a failed build")
	}
	if left, err := files(parent); err != nil || len(left) > 0 {
		t.Errorf("%v are left, error %v", left, err)
	}
}

func TestArchiveEndsWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "flash")
	putBundle(t, dir)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := writeArchive(ctx, dir+"2.zip", dir, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
