package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
)

// TestOfflineCarry saves the images, removes them and loads them again.
func TestOfflineCarry(t *testing.T) {
	slow(t, "builds, packs and loads images, which takes half a minute")
	dockertest.Require(t)
	// Another version, so that these images differ from the images under test.
	const version = "9.9.9-carried"
	image := newTags("carried-")
	environ := buildEnviron(image, version)
	archive := filepath.Join(t.TempDir(), "images.tar.gz")
	remove := func() error {
		_, err := command(nil, "docker", "rmi", image.delayServer, image.demoAPI)
		return err
	}

	must(t, environ, "deploy/offline/build")
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	saved := must(t, environ, "deploy/offline/save", archive)
	if !strings.Contains(saved, "deploy/offline/load "+archive) {
		t.Errorf("save: got %q, want the next command", saved)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if out, err := command(nil, "docker", "run", "--rm", "--label", label, image.demoAPI, "--version"); err == nil {
		t.Fatalf("docker run after the images were removed: got %q, want an error", out)
	}

	loaded := must(t, nil, "deploy/offline/load", archive)
	if !strings.Contains(loaded, "docker compose up") {
		t.Errorf("load: got %q, want the next command", loaded)
	}
	for _, tag := range []string{image.delayServer, image.demoAPI} {
		if got := must(t, nil, "docker", "run", "--rm", "--label", label, tag,
			"--version"); !strings.Contains(got, version) {
			t.Errorf("%s --version after load: got %q, want %q in it", tag, got, version)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(archive)); err != nil || len(entries) != 1 {
		t.Errorf("folder of the archive: got %v, error %v; want the archive alone", entries, err)
	}
}

func TestOfflineSaysWhatIsMissing(t *testing.T) {
	const noEngine = "DOCKER_HOST=unix:///nonexistent/docker.sock"
	none := t.TempDir()
	onlyGo, onlyDocker, both := t.TempDir(), t.TempDir(), t.TempDir()
	stub(t, onlyGo, "go")
	stub(t, onlyDocker, "docker")
	stub(t, both, "go")
	if docker, err := exec.LookPath("docker"); err == nil {
		if err := os.Symlink(docker, filepath.Join(both, "docker")); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(none, "images.tar.gz")
	archive := filepath.Join(t.TempDir(), "empty.tar.gz")
	if err := os.WriteFile(archive, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name, path string
		script     []string
		want       string
		needs      string // a program that the row needs
	}{
		{"build without Go", none, []string{"build"}, "go is not installed", ""},
		{"build without Docker", onlyGo, []string{"build"}, "docker is not installed", ""},
		{"build without an engine", both, []string{"build"}, "engine does not answer", "docker"},
		{"save without Docker", none, []string{"save", file}, "docker is not installed", ""},
		{"save without an engine", both, []string{"save", file}, "engine does not answer", "docker"},
		{"load without Docker", none, []string{"load", archive}, "docker is not installed", ""},
		{"load without an engine", both, []string{"load", archive}, "engine does not answer", "docker"},
		{"load of no file", onlyDocker, []string{"load", file}, "no file " + file, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(test.path, test.needs)); err != nil {
				t.Skipf("%s is not installed", test.needs)
			}
			args := append([]string{"deploy/offline/" + test.script[0]}, test.script[1:]...)
			out, err := command([]string{"PATH=" + test.path, noEngine}, "/bin/sh", args...)
			if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(out, test.want) {
				t.Errorf("%s: got %q, error %v; want exit status 1 and %q",
					strings.Join(args, " "), out, err, test.want)
			}
		})
	}
}

// stub creates a program in dir that does nothing.
func stub(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestOfflineSaveNeedsImages(t *testing.T) {
	dockertest.Require(t)
	image := newTags("missing-")
	file := filepath.Join(t.TempDir(), "images.tar.gz")
	out, err := command(image.environ(), "deploy/offline/save", file)
	if want := "no image " + image.delayServer; err == nil || !strings.Contains(out, want) {
		t.Errorf("save without images: got %q, error %v; want %q", out, err, want)
	}
	if _, err := os.Stat(file); err == nil {
		t.Errorf("save without images: %s is there, want no file", file)
	}
}
