package bundle_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/internal/bundle"
	"flash.test/delay-server/kit/problem"
	"flash.test/delay-server/kit/wiretest"
)

// write writes a bundle with files of these contents, and its archive.
func write(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "flash")
	var sums strings.Builder
	for name, content := range contents {
		put(t, filepath.Join(dir, name), content)
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256([]byte(content)), name)
	}
	put(t, filepath.Join(dir, "SHA256SUMS"), sums.String())
	put(t, dir+".zip", "archive")
	put(t, dir+".zip.sha256", fmt.Sprintf("%x  flash.zip\n", sha256.Sum256([]byte("archive"))))
	return dir
}

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) (*bundle.Bundle, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	b, err := bundle.Open(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b, &log
}

func states(b *bundle.Bundle) map[string]bundle.State {
	all := map[string]bundle.State{}
	for _, f := range b.Files() {
		all[f.Name] = f.State
	}
	return all
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	whole := map[string]string{"bin/a": "a", "b": "b"}
	for _, test := range []struct {
		name string
		harm func(dir string) error
		want string
	}{
		{"no list", func(dir string) error { return os.Remove(filepath.Join(dir, "SHA256SUMS")) },
			"has no file SHA256SUMS: use a folder that deploy/offline/bundle wrote"},
		{"no folder", os.RemoveAll, "has no file SHA256SUMS"},
		{"an empty list", func(dir string) error { return os.Truncate(filepath.Join(dir, "SHA256SUMS"), 0) },
			"SHA256SUMS is empty: copy the bundle again"},
		{"half a line", func(dir string) error { return os.Truncate(filepath.Join(dir, "SHA256SUMS"), 30) },
			"SHA256SUMS, line 1: "},
		{"a path that leads out", func(dir string) error {
			line := fmt.Sprintf("%x  ../secret\n", sha256.Sum256(nil))
			return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(line), 0o600)
		}, "SHA256SUMS, line 1: "},
		{"a missing file", func(dir string) error { return os.Remove(filepath.Join(dir, "bin/a")) },
			"lacks 1 of the 2 files in SHA256SUMS, such as bin/a: copy the bundle again"},
		{"a link that leads out", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "b")), os.Symlink("/etc/passwd", filepath.Join(dir, "b")))
		}, "lacks 1 of the 2 files in SHA256SUMS, such as b"},
	} {
		dir := write(t, whole)
		if err := test.harm(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := bundle.Open(dir, slog.Default()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got error %v, want %s", test.name, err, test.want)
		}
	}
}

func TestFilesAreServedIfIntact(t *testing.T) {
	dir := write(t, map[string]string{"bin/a": "hello", "b": "b"})
	put(t, filepath.Join(dir, "b"), "B")
	put(t, filepath.Join(dir, "unlisted"), "x")
	b, log := open(t, dir)
	if got := states(b); len(got) != 4 || got["bin/a"] != bundle.Unchecked {
		t.Errorf("before the check: got %v, want four unchecked files", got)
	}
	b.Check()
	want := map[string]bundle.State{"bin/a": bundle.Intact, "b": bundle.Damaged, "SHA256SUMS": bundle.Intact,
		"flash.zip": bundle.Intact}
	if got := states(b); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after the check: got %v, want %v", got, want)
	}
	if !strings.Contains(log.String(), "file=b ") || !strings.Contains(log.String(), "damaged=1") {
		t.Errorf("the log has\n%s\nwant b as damaged", log)
	}

	h, sum, err := b.Open(t.Context(), "bin/a")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got, err := io.ReadAll(h); err != nil || string(got) != "hello" || sum != fmt.Sprintf("%x", sha256.Sum256(got)) {
		t.Errorf("bin/a: got %q, %v, checksum %s", got, err, sum)
	}
	if _, _, err := b.Open(t.Context(), "b"); !errors.Is(err, problem.BundleDamaged) {
		t.Errorf("a damaged file: got error %v, want %v", err, problem.BundleDamaged)
	}
	for _, name := range []string{"unlisted", "../flash.zip.sha256", "", "bin", "c"} {
		if _, _, err := b.Open(t.Context(), name); !errors.Is(err, problem.NotFound) {
			t.Errorf("%q: got error %v, want %v", name, err, problem.NotFound)
		}
	}
}

// A file that is replaced while the server runs is checked again.
func TestChangedFileIsCheckedAgain(t *testing.T) {
	dir := write(t, map[string]string{"a": "hello"})
	b, _ := open(t, dir)
	b.Check()
	put(t, filepath.Join(dir, "a"), "HELLO")
	later := time.Now().Add(time.Hour) // some file systems have a coarse clock
	if err := os.Chtimes(filepath.Join(dir, "a"), later, later); err != nil {
		t.Fatal(err)
	}
	isDamaged := func() {
		t.Helper()
		if _, _, err := b.Open(t.Context(), "a"); !errors.Is(err, problem.BundleDamaged) {
			t.Errorf("got error %v, want %v", err, problem.BundleDamaged)
		}
		if got := states(b)["a"]; got != bundle.Damaged {
			t.Errorf("the file is %s, want %s", got, bundle.Damaged)
		}
	}
	isDamaged()
	put(t, filepath.Join(dir, "a"), "hello")
	if h, _, err := b.Open(t.Context(), "a"); err != nil {
		t.Error(err)
	} else {
		h.Close()
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	isDamaged()
}

// The page and clients that leave do not wait until a large file is hashed.
func TestNothingWaitsForAHash(t *testing.T) {
	dir := write(t, map[string]string{"large": "x"})
	b, _ := open(t, dir)
	large := filepath.Join(dir, "large")
	if err := os.Truncate(large, 1<<40); err != nil { // without blocks; to hash it takes an hour
		t.Skip(err)
	}
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		b.Check()
	}()
	wiretest.Eventually(t, "the file is hashed", func() bool { return b.IsHashed("large") })
	if got := states(b)["large"]; got != bundle.Unchecked {
		t.Errorf("a file that is hashed is %s, want %s", got, bundle.Unchecked)
	}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, _, err := b.Open(ctx, "large"); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that leaves: got error %v, want %v", err, context.Canceled)
	}
	if err := os.Truncate(large, 0); err != nil { // ends the hash
		t.Fatal(err)
	}
	<-checked
}

// The folder may be copied without its archive.
func TestArchiveIsOptional(t *testing.T) {
	for _, name := range []string{".zip", ".zip.sha256"} {
		dir := write(t, map[string]string{"a": "a"})
		if err := os.Remove(dir + name); err != nil {
			t.Fatal(err)
		}
		b, _ := open(t, dir)
		if _, ok := states(b)["flash.zip"]; ok {
			t.Errorf("without flash%s: the archive is a file of the bundle", name)
		}
	}
}
