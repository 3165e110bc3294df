package e2e

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
)

const goImage = "golang:1.26-alpine"

// provideGoImage provides the Dockerfile's Go image: the real one, if the engine has it, or
// a substitute with the local Go, a static busybox and the modules of both programs.
func provideGoImage(t *testing.T) {
	t.Helper()
	if _, err := command(nil, "docker", "image", "inspect", goImage); err == nil {
		return
	}
	if runtime.GOOS != "linux" {
		t.Skipf("no image %s, and the Go of %s cannot stand in for it", goImage, runtime.GOOS)
	}
	busybox := findBusybox(t)
	modules := moduleProxy(t)
	goroot := must(t, nil, "go", "env", "GOROOT")

	cmd := exec.Command("docker", "import",
		"--change", "LABEL "+label,
		"--change", "ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOPROXY=file:///modules GOSUMDB=off",
		"-", goImage)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	packed := packGoImage(stdin, goroot, busybox, modules)
	stdin.Close()
	if err := cmd.Wait(); err != nil || packed != nil {
		t.Fatalf("%s: %v %v\n%s", cmd, packed, err, &said)
	}
	t.Cleanup(func() { must(t, nil, "docker", "rmi", goImage) })
}

func findBusybox(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/bin/busybox", "/usr/bin/busybox"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	dockertest.Missing(t, "no image %s, and no static busybox to make a stand-in: install busybox-static", goImage)
	return ""
}

// moduleProxy returns a directory with the modules of both programs as a GOPROXY, copied
// from the local module cache if possible.
func moduleProxy(t *testing.T) string {
	t.Helper()
	cache := t.TempDir()
	proxy := "GOPROXY=file://" + must(t, nil, "go", "env", "GOMODCACHE") + "/cache/download," +
		must(t, nil, "go", "env", "GOPROXY")
	for _, module := range []string{"delay-server", "demo-api"} {
		must(t, []string{"GOMODCACHE=" + cache, "GOFLAGS=-modcacherw", "GOWORK=off", "GOSUMDB=off", proxy}, "go", "mod",
			"download", "-C", module)
	}
	return filepath.Join(cache, "cache/download")
}

// packGoImage writes the file system of the substitute: the parts of goroot that a build
// without cgo needs, the shell for RUN, and modules.
func packGoImage(w io.Writer, goroot, busybox, modules string) error {
	tw := tar.NewWriter(w)
	for _, tree := range []struct{ from, to string }{
		{filepath.Join(goroot, "VERSION"), "usr/local/go/VERSION"},
		{filepath.Join(goroot, "go.env"), "usr/local/go/go.env"},
		{filepath.Join(goroot, "bin/go"), "usr/local/go/bin/go"},
		{filepath.Join(goroot, "pkg"), "usr/local/go/pkg"},
		{filepath.Join(goroot, "src"), "usr/local/go/src"},
		{busybox, "bin/sh"},
		{modules, "modules"},
	} {
		if err := pack(tw, tree.from, tree.to); err != nil {
			return fmt.Errorf("pack %s: %w", tree.from, err)
		}
	}
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	return tw.Close()
}

// pack writes the file or tree at from with the name to, without tests and without the
// source of commands, half the size of Go's source.
func pack(tw *tar.Writer, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || strings.HasSuffix(path, "src/cmd") {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		header.Name = to + strings.TrimPrefix(path, from)
		if err := tw.WriteHeader(header); err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(tw, f)
		return err
	})
}
