package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flash.test/delay-server/delayserver/dockertest"
)

func languagesProject(image tags, compose ...string) project {
	return project{append(compose, "-f", "docker-compose.yml", "-f", "deploy/compose/languages.yml"),
		append(environ(image), "GO_PORT=0")}
}

// Both Composes read deploy/compose/languages.yml.
func TestLanguagesOverlay(t *testing.T) {
	t.Parallel()
	requireLoopback(t)
	for _, compose := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		name := strings.Join(compose, " ")
		t.Run(name, func(t *testing.T) {
			p := languagesProject(images(t), compose...)
			if _, err := p.try("version"); err != nil {
				dockertest.Missing(t, "%s is not installed: %v", name, err)
			}
			if got := p.run(t, "config", "--quiet"); got != "" {
				t.Errorf("config --quiet: got %q, want no warning", got)
			}
			got := strings.Fields(p.run(t, "config", "--services"))
			for _, service := range []string{"python", "node", "java", "go"} {
				if !slices.Contains(got, service) {
					t.Errorf("config --services: got %v, want %s among them", got, service)
				}
			}
		})
	}
}

// TestLanguagesOverlayInGo runs the app in Go, whose image tests can provide.
func TestLanguagesOverlayInGo(t *testing.T) {
	slow(t, "compiles the app inside a container, which takes a minute")
	requireLoopback(t)
	image := images(t)
	provideGoImage(t)
	p := languagesProject(image, "docker", "compose")
	t.Cleanup(func() {
		if _, err := p.try("down", "--volumes"); err != nil {
			t.Error(err)
		}
	})
	p.run(t, "up", "--detach", "--no-build", "go")
	for !strings.Contains(p.run(t, "logs", "go"), "listening at http://localhost:5004") {
		if state := p.inspect(t, "go").State; !state.Running {
			t.Fatalf("the app ended:\n%s", p.run(t, "logs", "go"))
		}
		time.Sleep(time.Second) // compiling
	}
	url := published(t, p.inspect(t, "go"))
	getBody(t, url+"/async_get_data?delay=1", `{"r1":200,"r2":200}`)
	checkDatabase(t, url+"/get_data", false)
}
