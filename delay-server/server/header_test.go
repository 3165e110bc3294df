package server

import (
	"io"
	"strings"
	"testing"

	"flash.test/delay-server/internal/plan"
)

func TestPagesListHeadersThatLinksMaySet(t *testing.T) {
	_, base, _ := start(t, DefaultConfig(), io.Discard)
	for path, quoted := range map[string]string{"/doc": "<code>%</code>", "/openapi.yaml": "`%`"} {
		_, page := do(t, newClient(t), "GET", base+path, nil)
		for _, name := range append(plan.SettableHeaders(), plan.ReservedHeaders()...) {
			if !strings.Contains(page, strings.Replace(quoted, "%", name, 1)) {
				t.Errorf("%s does not list %s", path, name)
			}
		}
	}
}
