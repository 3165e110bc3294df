package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"flash.test/delay-server/delaytest"
	"flash.test/delay-server/server"
)

// The bars are what delay-server saw of the app's calls, or whole requests.
func TestRaceAgainst(t *testing.T) {
	srv := delaytest.NewServer(t, func(c *server.Config) { c.AdminToken = "secret" })
	defer http.DefaultClient.CloseIdleConnections()
	for _, tc := range []struct {
		name    string
		forward bool // X-Run-Id
		token   string
		bars    int
		stderr  string // in what is printed there for each lane
	}{
		{"with run IDs", true, "secret", 4, ""},
		{"without run IDs", false, "secret", 2, ""},
		{"without the token", true, "", 2, "DELAY_SERVER_TOKEN"},
		{"a wrong token", true, "guess", 2, "DELAY_SERVER_TOKEN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for range 2 {
					req, err := http.NewRequestWithContext(r.Context(), "GET",
						srv.URL+"/delay/"+r.URL.Query().Get("delay")+"/", nil)
					if err != nil {
						t.Error(err)
						return
					}
					if tc.forward {
						req.Header.Set("X-Run-Id", r.Header.Get("X-Run-Id"))
					}
					if resp, err := http.DefaultClient.Do(req); err == nil {
						resp.Body.Close()
					}
				}
			}))
			defer app.Close()
			out := filepath.Join(t.TempDir(), "race.svg")
			args := []string{"race", "--calls", "2", "--delay", "30ms", "--against", app.URL, "--out", out}
			var stdout, stderr bytes.Buffer
			environ := []string{"DELAY_SERVER_URL=" + srv.URL, "DELAY_SERVER_TOKEN=" + tc.token}
			if err := demoAPI.Run(t.Context(), args, environ, &stdout, &stderr); err != nil {
				t.Fatalf("race: %v, printed\n%s", err, &stdout)
			}
			if n := strings.Count(stderr.String(), tc.stderr); tc.stderr != "" && n != 2 ||
				tc.stderr == "" && stderr.Len() > 0 {
				t.Errorf("race printed to standard error\n%swant %q for each lane", &stderr, tc.stderr)
			}
			times := regexp.MustCompile(`(\d+\.\d\d) s`).FindAllString(stdout.String(), -1)
			if len(times) != 2 || times[0] < "0.06 s" || times[1] < "0.06 s" {
				t.Errorf("race printed\n%swant two times of 60 ms or more", &stdout)
			}
			svg, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(strings.Join(outline(t, svg), " "), "rect.bar"); n != tc.bars {
				t.Errorf("the picture has %d bars, want %d", n, tc.bars)
			}
		})
	}
}
