package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/zip"
)

// proxy writes the folder, in the layout of the GOPROXY protocol.
type proxy struct{ dir string }

// info is a version's .info file.
type info struct {
	Version string
	Time    time.Time `json:",omitzero"`
}

// addOurs writes one of our modules.
func (p *proxy) addOurs(m ourModule) error {
	v := module.Version{Path: m.path, Version: m.version}
	text, err := json.Marshal(info{m.version, m.committed})
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := zip.Create(&packed, v, m.files); err != nil {
		return err
	}
	return errors.Join(p.write(v, ".info", text), p.write(v, ".mod", m.goMod), p.write(v, ".zip", packed.Bytes()))
}

// addNeeded adds the modules that another module downloads which imports all packages of
// ours and keeps its go.mod tidy, and returns how many. They come from Go's module cache if
// it has them. Our go.sum files have their checksums.
func (p *proxy) addNeeded(ctx context.Context, ours []ourModule) (n int, err error) {
	importer, err := os.MkdirTemp("", "importer")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(importer)
	cache, err := os.MkdirTemp("", "cache")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(cache)
	if err := writeImporter(ctx, importer, ours); err != nil {
		return 0, err
	}
	settings, err := output(ctx, "", nil, "go", "env", "GOMODCACHE", "GOPROXY", "GONOSUMDB")
	if err != nil {
		return 0, err
	}
	setting := strings.Split(settings, "\n")
	environ := []string{
		"GOMODCACHE=" + cache, "GOFLAGS=-modcacherw -mod=mod",
		"GOPROXY=" + fileURL(p.dir) + "," + fileURL(downloads(setting[0])) + "," + setting[1],
		"GONOSUMDB=" + strings.Trim(ours[0].path+","+setting[2], ","),
	}
	if _, err := output(ctx, importer, environ, "go", "mod", "tidy"); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(downloads(cache), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".info", ".mod", ".zip"}, filepath.Ext(name)) {
			return err
		}
		if filepath.Ext(name) == ".zip" {
			n++
		}
		below, err := filepath.Rel(downloads(cache), name)
		if err != nil {
			return err
		}
		return p.copy(downloads(cache), below)
	})
	return n - len(ours), err
}

// downloads returns the folder of a module cache that has the layout of a proxy.
func downloads(cache string) string { return filepath.Join(cache, "cache", "download") }

// writeImporter writes a module that needs all packages of ours to a folder.
func writeImporter(ctx context.Context, dir string, ours []ourModule) error {
	first, err := modfile.ParseLax("go.mod", ours[0].goMod, nil)
	if err != nil {
		return err
	}
	goMod := fmt.Sprintf("module goproxy.test\n\ngo %s\n\ntool %s\n\n", first.Go.Version, ours[0].path)
	imports := "package goproxy\n\n"
	var sums []byte
	for _, m := range ours {
		goMod += fmt.Sprintf("require %s %s\n", m.path, m.version)
		sums = append(sums, m.goSum...)
		packages, err := output(ctx, m.folder, nil, "go", "list", "-f", "{{.Name}} {{.ImportPath}}", "./...")
		if err != nil {
			return err
		}
		for line := range strings.Lines(packages) {
			name, path, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name != "main" && !slices.Contains(strings.Split(path, "/"), "internal") {
				imports += fmt.Sprintf("import _ %q\n", path)
			}
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(goMod), 0o600),
		os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600),
		os.WriteFile(filepath.Join(dir, "imports.go"), []byte(imports), 0o600),
	)
}

// copy copies a file of a module cache to the folder.
func (p *proxy) copy(cache, name string) error {
	text, err := os.ReadFile(filepath.Join(cache, name))
	if err != nil {
		return err
	}
	return p.writeFile(name, text)
}

// write writes a file of the version.
func (p *proxy) write(v module.Version, kind string, text []byte) error {
	name, err := escaped(v, kind)
	if err != nil {
		return err
	}
	return p.writeFile(name, text)
}

func (p *proxy) writeFile(name string, text []byte) error {
	name = filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// escaped returns the path of a file of the version, below the folder.
func escaped(v module.Version, kind string) (string, error) {
	path, err := module.EscapePath(v.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(v.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.FromSlash(path), "@v", version+kind), nil
}

// writeLists writes the files list and @latest of each module, with the versions that
// the folder has, also from earlier calls, and .info files that Go did not download.
func (p *proxy) writeLists() error {
	versions := map[string][]string{} // by the folder @v
	err := filepath.WalkDir(p.dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".zip" {
			return err
		}
		folder, base := filepath.Split(name)
		version, err := module.UnescapeVersion(strings.TrimSuffix(base, ".zip"))
		versions[folder] = append(versions[folder], version)
		return err
	})
	if err != nil {
		return err
	}
	for folder, all := range versions {
		semver.Sort(all)
		if err := writeInfos(folder, all); err != nil {
			return err
		}
		tagged := slices.DeleteFunc(all, module.IsPseudoVersion) // as the protocol says
		if err := os.WriteFile(filepath.Join(folder, "list"), []byte(strings.Join(tagged, "\n")), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeInfos writes the missing .info files of the versions in a folder, and @latest
// beside it. The versions are sorted.
func writeInfos(folder string, versions []string) error {
	var text []byte
	for _, version := range versions {
		escaped, err := module.EscapeVersion(version)
		if err != nil {
			return err
		}
		name := filepath.Join(folder, escaped+".info")
		if text, err = os.ReadFile(name); errors.Is(err, fs.ErrNotExist) {
			if text, err = json.Marshal(info{Version: version}); err == nil {
				err = os.WriteFile(name, text, 0o644)
			}
		}
		if err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(filepath.Dir(filepath.Clean(folder)), "@latest"), text, 0o644)
}

// fileURL returns the URL of a folder.
func fileURL(dir string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}
	return u.String()
}
