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
)

// The bars are what delay-server saw of the app's calls, or whole requests.
func TestRaceAgainst(t *testing.T) {
	srv := delaytest.NewServer(t)
	defer http.DefaultClient.CloseIdleConnections()
	for _, tc := range []struct {
		name    string
		forward bool // X-Run-Id
		bars    int
	}{{"with run IDs", true, 4}, {"without run IDs", false, 2}} {
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
			var stdout bytes.Buffer
			environ := []string{"DELAY_SERVER_URL=" + srv.URL}
			if err := demoAPI.Run(t.Context(), args, environ, &stdout, &stdout); err != nil {
				t.Fatalf("race: %v, printed\n%s", err, &stdout)
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
