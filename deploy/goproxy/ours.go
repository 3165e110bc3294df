package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// folders are the folders of our modules, the one with the tags first.
var folders = []string{"delay-server", "delay-server/delayserver"}

// ourModule is one of our modules as another module needs it: its go.mod requires our
// other modules at the version, where ours has replace lines.
type ourModule struct {
	folder, path, version string
	committed             time.Time
	goMod, goSum          []byte
	files                 []zip.File
}

// readModules reads our modules from the last commit of the repository in the current
// folder.
func readModules(ctx context.Context, version string) ([]ourModule, error) {
	status, err := output(ctx, "", nil, "git", "status", "--porcelain", "--", folders[0], "LICENSE")
	if err != nil {
		return nil, err
	}
	if status != "" {
		return nil, fmt.Errorf("these changes would not be in the modules, commit them first:\n%s", status)
	}
	seconds, err := output(ctx, "", nil, "git", "show", "-s", "--format=%ct", "HEAD")
	if err != nil {
		return nil, err
	}
	var unix int64
	if _, err := fmt.Sscan(seconds, &unix); err != nil {
		return nil, fmt.Errorf("git show: %w", err)
	}
	committed := time.Unix(unix, 0).UTC()
	if version == "" {
		if version, err = commitVersion(ctx, committed); err != nil {
			return nil, err
		}
	}
	files, err := committedFiles(ctx)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	var ours []ourModule
	for _, folder := range folders {
		goMod := find(files, folder+"/go.mod")
		m := ourModule{folder: folder, path: modfile.ModulePath(goMod), version: version, committed: committed,
			goSum: find(files, folder+"/go.sum")}
		if err := module.Check(m.path, version); err != nil {
			return nil, fmt.Errorf("VERSION %q is invalid (%w): use one such as v0.1.0", version, err)
		}
		versions[m.path] = version
		if m.goMod, err = published(goMod, versions); err != nil {
			return nil, fmt.Errorf("%s/go.mod: %w", folder, err)
		}
		m.files = m.of(files)
		ours = append(ours, m)
	}
	return ours, nil
}

// commitVersion returns the version of the last commit, as go get names it: its tag, or
// a pseudo-version.
func commitVersion(ctx context.Context, committed time.Time) (string, error) {
	prefix := folders[0] + "/"
	tag, err := output(ctx, "", nil, "git", "describe", "--tags", "--exact-match", "--match", prefix+"v*", "HEAD")
	if err == nil {
		return strings.TrimPrefix(strings.TrimSpace(tag), prefix), nil
	}
	revision, err := output(ctx, "", nil, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "", err
	}
	return module.PseudoVersion("v0", "", committed, revision[:12]), nil
}

// published returns our go.mod without replace lines of the modules in versions, which
// it requires at these versions.
func published(goMod []byte, versions map[string]string) ([]byte, error) {
	f, err := modfile.Parse("go.mod", goMod, nil)
	if err != nil {
		return nil, err
	}
	for _, r := range f.Replace {
		if versions[r.Old.Path] == "" {
			return nil, fmt.Errorf("%s is replaced, which has no effect in another module", r.Old.Path)
		}
		if err := f.DropReplace(r.Old.Path, r.Old.Version); err != nil {
			return nil, err
		}
	}
	for _, r := range f.Require {
		if version := versions[r.Mod.Path]; version != "" {
			if err := f.AddRequire(r.Mod.Path, version); err != nil {
				return nil, err
			}
		}
	}
	f.Cleanup()
	return f.Format()
}

// of returns the files of m, with its own go.mod and the license. zip.Create leaves out
// other modules below its folder.
func (m ourModule) of(files []file) (own []zip.File) {
	for _, f := range files {
		switch name, below := strings.CutPrefix(f.path, m.folder+"/"); {
		case name == "go.mod":
			own = append(own, file{"go.mod", f.info, m.goMod})
		case below:
			own = append(own, file{name, f.info, f.text})
		case f.path == "LICENSE":
			own = append(own, f)
		}
	}
	return own
}

// file is a zip.File in memory.
type file struct {
	path string
	info fs.FileInfo
	text []byte
}

// Path implements zip.File.
func (f file) Path() string { return f.path }

// Lstat implements zip.File.
func (f file) Lstat() (os.FileInfo, error) { return sized{f.info, int64(len(f.text))}, nil }

// Open implements zip.File.
func (f file) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.text)), nil }

// sized is a FileInfo with another size.
type sized struct {
	fs.FileInfo
	size int64
}

// Size implements fs.FileInfo.
func (s sized) Size() int64 { return s.size }

// committedFiles returns our modules' files in the last commit, and the license.
func committedFiles(ctx context.Context) ([]file, error) {
	archive, err := output(ctx, "", nil, "git", "archive", "--format=tar", "HEAD", "--", folders[0], "LICENSE")
	if err != nil {
		return nil, err
	}
	var files []file
	for r := tar.NewReader(strings.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("git archive: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("git archive: %w", err)
		}
		files = append(files, file{path.Clean(h.Name), h.FileInfo(), text})
	}
}

// find returns the text of a file, nil for none.
func find(files []file, name string) []byte {
	for _, f := range files {
		if f.path == name {
			return f.text
		}
	}
	return nil
}

// downloading matches a line of progress.
var downloading = regexp.MustCompile(`(?m)^go: downloading .*\n`)

// output returns what a command in the folder prints, with environ added to the
// environment. Go commands use the module of that folder alone.
func output(ctx context.Context, folder string, environ []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = folder, slices.Concat(os.Environ(), []string{"GOWORK=off"}, environ)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, downloading.ReplaceAll(stderr.Bytes(), nil))
	}
	return stdout.String(), nil
}
