package server

import (
	"io"
	"regexp"
	"strings"
	"testing"
)

// TestPagesListTheHeadersThatALinkMaySet as the refusal of another does.
func TestPagesListTheHeadersThatALinkMaySet(t *testing.T) {
	bothWays(t, func(t *testing.T, config Config) {
		_, base, _ := start(t, config, io.Discard)
		reply, body := do(t, newClient(t), "GET", base+"/delay/0?header=X-Accel-Redirect:/etc/passwd", nil)
		listed := regexp.MustCompile(`and (Accept-Patch.*Warning);`).FindStringSubmatch(body)
		if reply.StatusCode != 400 || !strings.Contains(body, "X-Accel-Redirect") || listed == nil {
			t.Fatalf("X-Accel-Redirect: got %d %s, want 400 and what is accepted", reply.StatusCode, body)
		}
		for path, quoted := range map[string]string{"/doc": "<code>%</code>", "/openapi.yaml": "`%`"} {
			_, page := do(t, newClient(t), "GET", base+path, nil)
			page = strings.ToLower(page)
			for _, name := range strings.Split(listed[1], ", ") {
				if !strings.Contains(page, strings.ToLower(strings.Replace(quoted, "%", name, 1))) {
					t.Errorf("%s does not list %s", path, name)
				}
			}
		}
	})
}
