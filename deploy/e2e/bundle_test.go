package e2e

import (
	"archive/tar"
	"archive/zip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/image"

	"flash.test/delay-server/kit/wiretest"
)

// maxImages is the size of both images for one architecture in bytes, compressed.
const maxImages = 40e6

// TestBundle writes a bundle for this machine and starts it from the archive alone.
func TestBundle(t *testing.T) {
	slow(t, "compiles and packs both programs, which takes half a minute")
	needStartScript(t)
	dir := filepath.Join(t.TempDir(), "flash")
	environ := []string{"PLATFORMS=linux/" + runtime.GOARCH + " " + runtime.GOOS + "/" + runtime.GOARCH,
		"MODULES=false", "VERSION=" + testVersion, "COMMIT=" + testCommit}
	bundle := func() string {
		t.Log(must(t, environ, "deploy/offline/bundle", dir))
		sum, err := os.ReadFile(dir + ".zip.sha256")
		if err != nil {
			t.Fatal(err)
		}
		return string(sum)
	}
	if first, second := bundle(), bundle(); first != second {
		t.Errorf("two bundles of the same source: got %s and %s", first, second)
	}
	info, err := os.Stat(filepath.Join(dir, "images.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > maxImages {
		t.Errorf("images.tar has %d bytes for one architecture, want at most %.0f", info.Size(), maxImages)
	}

	begun := time.Now()
	to := t.TempDir()
	unzip(t, dir+".zip", to)
	copied := filepath.Join(to, "flash")
	t.Run("program", func(t *testing.T) { firstAnswer(t, copied, begun) })
	t.Run("compose", func(t *testing.T) { composeBundle(t, copied) })
	t.Run("images", func(t *testing.T) { compareImages(t, copied) })
	t.Run("half copied", func(t *testing.T) {
		if err := os.Truncate(filepath.Join(copied, thisBinary("demo-api")), 1<<20); err != nil {
			t.Fatal(err)
		}
		if out, err := startScript(copied, to); err == nil || !strings.Contains(out, "is damaged") {
			t.Errorf("got %q, %v, want an error", out, err)
		}
	})
}

// unzip writes the files of an archive with their permissions.
func unzip(t *testing.T, archive, to string) {
	t.Helper()
	r, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, f := range r.File {
		file := filepath.Join(to, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, f.Mode())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, from); err != nil {
			t.Fatal(err)
		}
		from.Close()
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// firstAnswer starts the script with an environment of PATH and PORT alone.
func firstAnswer(t *testing.T, dir string, begun time.Time) {
	ln := wiretest.Listen(t)
	url := "http://" + ln.Addr().String()
	_, port, _ := strings.Cut(ln.Addr().String(), ":")
	ln.Close()
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "/bin/sh", filepath.Join(dir, "start.sh"))
	cmd.Env = []string{"PATH=/usr/bin:/bin", "PORT=" + port}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		if err := cmd.Wait(); t.Failed() {
			t.Logf("%v\n%s", err, out.String())
		}
	}()
	wiretest.Eventually(t, url+" answers", func() bool {
		r, err := get(url + "/async_get_data?calls=2&delay=1")
		return err == nil && r.status == 200
	})
	t.Logf("from the archive to the first answer: %v", time.Since(begun).Round(time.Millisecond))
}

// composeBundle starts the images of the bundle by its script.
func composeBundle(t *testing.T, dir string) {
	requireLoopback(t)
	names := newTags("bundle-")
	environ := append(environ(names), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
	run := func(name string, args ...string) (string, error) {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(environ, dockerEnviron()...)
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	command := []string{"docker", "compose"}
	if _, err := run("docker", "compose", "version"); err != nil {
		command = []string{"docker-compose"}
	}
	t.Cleanup(func() {
		_, err := run(command[0], append(command[1:], "down", "--volumes")...)
		if out, rmi := run("docker", "rmi", names.delayServer, names.demoAPI); err != nil || rmi != nil {
			t.Errorf("%v, %v: %s", err, rmi, out)
		}
	})
	begun := time.Now()
	out, err := run("/bin/sh", "start.sh", "--docker")
	if err != nil || !strings.Contains(out, "demo-api is at http://localhost:") {
		t.Fatalf("start.sh --docker: %v\n%s", err, out)
	}
	id, err := run(command[0], append(command[1:], "ps", "--quiet", "demo-api")...)
	if err != nil {
		t.Fatal(err)
	}
	port := must(t, nil, "docker", "port", id, "5000")
	wiretest.Eventually(t, "demo-api answers", func() bool {
		r, err := get("http://" + strings.Fields(port)[0] + "/async_get_data?calls=2&delay=1")
		return err == nil && r.status == 200
	})
	t.Logf("from the archive to the first answer in a container: %v", time.Since(begun).Round(time.Millisecond))
	if out, _ := run("docker", "image", "ls", "--quiet", "flash-demo-api:"+runtime.GOARCH); out != "" {
		t.Errorf("start.sh leaves the image flash-demo-api:%s", runtime.GOARCH)
	}
}

// dockerEnviron returns the settings of the docker command.
func dockerEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return !strings.HasPrefix(v, "DOCKER_") })
}

// compareImages compares the images of the bundle with the images that the engine makes from
// the Dockerfile.
func compareImages(t *testing.T, dir string) {
	built := images(t)
	must(t, nil, "docker", "load", "--input", filepath.Join(dir, "images.tar"))
	for built, program := range map[string]string{built.delayServer: "delay-server", built.demoAPI: "demo-api"} {
		tag := "flash-" + program + ":" + runtime.GOARCH
		got, want := inspectImage(t, tag), inspectImage(t, built)
		if list, other := filesOf(t, tag), filesOf(t, built); list != other {
			t.Errorf("%s: files\n%s\nwant\n%s", program, list, other)
		}
		must(t, nil, "docker", "rmi", tag)
		isPath := func(v string) bool { return strings.HasPrefix(v, "PATH=") } // BuildKit adds a default
		want.Config.Env = slices.DeleteFunc(want.Config.Env, isPath)
		a, b := got.Config, want.Config
		for what, pair := range map[string][2]any{
			"user": {a.User, b.User}, "environment": {a.Env, b.Env}, "labels": {a.Labels, b.Labels},
			"ports": {a.ExposedPorts, b.ExposedPorts}, "entrypoint": {a.Entrypoint, b.Entrypoint},
			"command": {a.Cmd, b.Cmd}, "health check": {a.Healthcheck, b.Healthcheck},
			"volumes":     {a.Volumes, b.Volumes},
			"stop signal": {a.StopSignal, b.StopSignal}, "architecture": {got.Architecture, want.Architecture},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %s is %v, want %v, as deploy/Dockerfile says", program, what, pair[0], pair[1])
			}
		}
	}
}

// filesOf lists the files of an image: mode, owner, size and name of each.
func filesOf(t *testing.T, image string) string {
	t.Helper()
	id := must(t, nil, "docker", "create", "--label", label, image)
	archive := filepath.Join(t.TempDir(), "image.tar")
	must(t, nil, "docker", "export", "--output", archive, id)
	must(t, nil, "docker", "rm", id)
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []string
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			slices.Sort(list)
			return strings.Join(list, "\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		top, _, _ := strings.Cut(h.Name, "/")
		if !slices.Contains([]string{".dockerenv", "dev", "etc", "proc", "sys"}, top) { // of the engine
			list = append(list, fmt.Sprintf("%o %d:%d %d %s", h.Mode, h.Uid, h.Gid, h.Size, h.Name))
		}
	}
}

func inspectImage(t *testing.T, name string) image.InspectResponse {
	t.Helper()
	var found []image.InspectResponse
	if err := json.Unmarshal([]byte(must(t, nil, "docker", "image", "inspect", name)), &found); err != nil {
		t.Fatal(err)
	}
	return found[0]
}
