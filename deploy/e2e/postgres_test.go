package e2e

import (
	"strings"
	"testing"

	"flash.test/delay-server/delayserver/dockertest"
)

// TestPostgresOverlay reads the overlay with every Compose that is installed. It does not
// run it, since its image needs a registry; demo-api's tests use a local PostgreSQL.
func TestPostgresOverlay(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"docker", "compose"}, {"docker-compose"}} {
		name := strings.Join(command, " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := project{command: append(command, "-f", "docker-compose.yml", "-f", "deploy/compose/postgres.yml")}
			if _, err := p.try("version"); err != nil {
				dockertest.Missing(t, "%s is not installed: %v", name, err)
			}
			if got := p.run(t, "config", "--quiet"); got != "" {
				t.Errorf("config --quiet: got %q, want no warning", got)
			}
			got := p.run(t, "config")
			for _, want := range []string{
				"DATABASE_URL: postgres://demo:demo@postgres:5432/demo",
				"DELAY_SERVER_URL: http://delay-server:3000", // what the overlay adds to is still there
				"image: postgres:17-alpine",
			} {
				if !strings.Contains(got, want) {
					t.Errorf("config: got no %q in\n%s", want, got)
				}
			}
			if n := strings.Count(got, "condition: service_healthy"); n != 2 {
				t.Errorf("config: %d services are waited for, want delay-server and postgres, in\n%s", n, got)
			}
		})
	}
}
