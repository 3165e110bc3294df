package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
	"flash.test/delay-server/kit/wiretest"
)

// In a room run by Compose, everybody reads the board and the bundle, and only the leader
// has the admin API.
func TestRoomOverlay(t *testing.T) {
	t.Parallel()
	requireLoopback(t)
	image, bundle := images(t), sharedBundle(t)
	for _, compose := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		name := strings.Join(compose, " ")
		t.Run(name, func(t *testing.T) {
			p := project{append(compose, "-f", "docker-compose.yml", "-f", "deploy/compose/room.yml",
				"-f", "deploy/compose/bundle.yml"), append(environ(image), "BUNDLE="+bundle)}
			if _, err := p.try("version"); err != nil {
				dockertest.Missing(t, "%s is not installed: %v", name, err)
			}
			p.testRoom(t)
		})
	}
}

func (p project) testRoom(t *testing.T) {
	withoutToken := project{p.command, append(p.environ, "ADMIN_TOKEN=")}
	if _, err := withoutToken.try("config", "--quiet"); err == nil || !strings.Contains(err.Error(), "choose a token") {
		t.Errorf("without ADMIN_TOKEN: got %v, want an error that says what to do", err)
	}
	t.Cleanup(func() {
		if _, err := p.try("down", "--volumes"); err != nil {
			t.Error(err)
		}
	})
	p.run(t, "up", "--detach", "--no-build", "delay-server")
	server := p.inspect(t, "delay-server")
	checkRestricted(t, server)
	url := published(t, server)
	wiretest.Eventually(t, url+"/readyz answers 200", func() bool {
		r, err := get(url + "/readyz")
		return err == nil && r.status == http.StatusOK
	})
	for path, want := range map[string]int{
		"/board": 200, "/exercises": 200, "/get": 200, "/get/start.sh": 200,
		"/admin/runs": 401, "/admin/live": 401,
	} {
		r, err := get(url + path)
		if err != nil || r.status != want {
			t.Errorf("GET %s without a token: got %d, %v; want %d", path, r.status, err, want)
		}
	}
}

// sharedBundle returns a small bundle in a folder that all users can read, such as the
// user of a container.
func sharedBundle(t *testing.T) string {
	t.Helper()
	dir := smallBundle(t)
	for folder := dir; folder != os.TempDir() && folder != "/"; folder = filepath.Dir(folder) {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
