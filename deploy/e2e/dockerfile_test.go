package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"flash.test/delay-server/delayserver/dockertest"
)

// TestDockerfile builds deploy/Dockerfile, with its build stage. The images equal the
// images of deploy/offline/build.
func TestDockerfile(t *testing.T) {
	slow(t, "compiles both programs inside a container, which takes minutes")
	offline := images(t)
	provideGoImage(t)

	// Tag the build stage too, so that it can be removed with the classic builder's layers.
	names := newTags("dockerfile-")
	stage := names.delayServer + "-build"
	for _, target := range []struct{ name, tag string }{
		{"build", stage}, {"delay-server", names.delayServer}, {"demo-api", names.demoAPI},
	} {
		must(t, nil, "docker", "build", "--file", "deploy/Dockerfile", "--target", target.name, "--tag", target.tag,
			"--build-arg", "VERSION="+testVersion, "--build-arg", "COMMIT="+testCommit, ".")
		t.Cleanup(func() { must(t, nil, "docker", "rmi", target.tag) })
	}

	sameImage(t, names.delayServer, offline.delayServer)
	sameImage(t, names.demoAPI, offline.demoAPI)
	if got, want := must(t, nil, "docker", "run", "--rm", "--label", label, names.demoAPI, "--version"),
		must(t, nil, "docker", "run", "--rm", "--label", label, offline.demoAPI, "--version"); got != want {
		t.Errorf("--version: got %q by deploy/Dockerfile, %q by deploy/offline/build; want the same", got, want)
	}
	c := start(t, names.demoAPI, demoAPIPort)
	getBody(t, baseURL(t, c, demoAPIPort)+"/async_get_data?delay=1", `{"r1":200,"r2":200}`)
}

// sameImage compares the configurations of two images.
func sameImage(t *testing.T, tag, offline string) {
	t.Helper()
	got, want := config(t, tag), config(t, offline)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want it as %s: %+v", tag, got, offline, want)
	}
	if got.User != "65532:65532" {
		t.Errorf("%s: got user %q, want 65532:65532", tag, got.User)
	}
}

func config(t *testing.T, tag string) container.Config {
	t.Helper()
	var found []struct{ Config container.Config }
	if err := json.Unmarshal([]byte(must(t, nil, "docker", "image", "inspect", tag)), &found); err != nil {
		t.Fatal(err)
	}
	c := found[0].Config
	c.Image = "" // the parent layer, set by the classic builder
	return c
}

// Without a registry, each Dockerfile says what to do.
func TestNoRegistrySaysWhatToDo(t *testing.T) {
	t.Parallel()
	dockertest.Require(t)
	for _, tc := range []struct{ file, image, hint string }{
		{"deploy/Dockerfile", goImage, "run deploy/offline/build, then docker compose up"},
		{"deploy/tutorial/python/Dockerfile", "python:3-slim", "carry flash-tutorial from another machine"},
	} {
		t.Run(tc.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(root, tc.file))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("docker", "build", "-")
			cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0") // BuildKit prints the file's lines only once
			cmd.Stdin = strings.NewReader(strings.ReplaceAll(string(text), tc.image, "127.0.0.1:1/none"))
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "no registry? "+tc.hint) {
				t.Errorf("%s without a registry: got error %v and\n%s\nwant a hint to %q", cmd, err, out, tc.hint)
			}
		})
	}
}
