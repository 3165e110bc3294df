package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages a package may import. No arrow runs up: the
// lines of a module are in order, and a package imports only packages of lines above
// its own. A package is named by its path without flash.test/ and internal/, and
// within its module without the module's path. A package without a line may not
// exist.
var mayImport = map[string][]rule{
	"delay-server": {
		// Shared by both programs.
		{"kit/highlight", ""},
		{"kit/spelling", ""},
		{"kit/tracing", ""},
		{"kit/urlpath", ""},
		{"kit/version", ""},
		{"kit/wiretest", ""}, // only tests import it, and this table ignores tests
		{"kit/problem", "kit/spelling"},
		{"kit/program", "kit/version"},
		{"kit/query", "kit/problem kit/spelling"},
		{"kit/settings", "kit/spelling"},
		{"kit/httpkit", "kit/problem kit/program kit/settings kit/version"},

		// What a request asks for and what it waits for. None of these knows HTTP servers.
		{"delay", "kit/spelling"},
		{"cond", ""},
		{"timerfd", ""},
		{"authority", ""},
		{"clock", "cond timerfd"},
		{"gate", "clock cond"},
		{"journal", "delay cond clock kit/problem kit/spelling"},
		{"answer", "delay kit/problem"},
		{"check", "answer delay journal kit/problem kit/query kit/spelling"},
		{"plan", "delay gate answer kit/problem kit/query kit/spelling"},
		{"yamlfile", "kit/problem kit/spelling"},
		{"reload", ""},
		{"scenario", "plan reload yamlfile kit/problem kit/spelling"},
		{"exercise", "check plan reload yamlfile kit/problem kit/query kit/urlpath"},
		{"flow", "plan answer journal gate clock kit/problem kit/query"},
		{"eventloop", "flow plan answer gate clock timerfd kit/problem"},

		// Over net/http.
		{"cors", "kit/httpkit"},
		{"flash", "cors plan kit/urlpath"},
		{"forward", "answer kit/httpkit kit/problem"},
		{"httpflow", "answer clock cors flow forward gate journal plan " +
			"kit/httpkit kit/problem kit/program kit/tracing"},
		{"metrics", "gate journal"},
		{"feed", "gate kit/httpkit kit/problem"},
		{"bundle", "kit/problem"},
		{"distribution", "delay"},
		{"board", "check clock exercise feed journal kit/problem kit/query kit/spelling"},
		{"client", "delay kit/problem"},
		{"admin", "check client delay feed plan gate journal clock scenario " +
			"kit/httpkit kit/problem kit/program kit/query kit/spelling"},

		{"server", "admin answer authority board bundle check clock cors delay distribution eventloop exercise " +
			"flash flow forward gate httpflow journal metrics plan scenario " + kit},
		{"delaytest", "server client delay"},
		{"(main)", "server " + kit},
	},
	"delay-server/delayserver": {
		{"", "delay-server/client delay-server/delay"},
		{"dockertest", "delay-server/delayserver"},
	},
	"demo-api": {
		{"fetch", ""},
		{"web", ""},
		{"ideal", "delay-server/delay"},
		{"sweep", "fetch ideal"},
		{"config", "delay-server/delay " + kitOfDelayServer},
		{"upstream", "delay-server/client " + kitOfDelayServer},
		{"server", "fetch ideal sweep upstream web delay-server/delay deploy/tutorial " + kitOfDelayServer},
		{"(main)", "config fetch ideal server sweep upstream delay-server/client delay-server/delay " +
			"delay-server/server " + kitOfDelayServer},
	},
	"deploy/bench": { // never delay-server: it is measured from outside, as its peers are
		{"drive", ""},
		{"peer", ""},
		{"report", ""},
		{"attack", "drive peer"},
		{"", "drive peer report"},
	},
	"deploy/bundle":   {{"", ""}},
	"deploy/goproxy":  {{"", ""}},
	"deploy/tutorial": {{"go", ""}, {"", ""}},
}

const (
	kit = "kit/highlight kit/httpkit kit/problem kit/program kit/query kit/settings kit/spelling kit/tracing " +
		"kit/urlpath kit/version"

	kitOfDelayServer = "delay-server/kit/highlight delay-server/kit/httpkit delay-server/kit/problem " +
		"delay-server/kit/program delay-server/kit/query delay-server/kit/settings delay-server/kit/spelling " +
		"delay-server/kit/tracing delay-server/kit/urlpath delay-server/kit/version"
)

// ours begins the import paths of this repository.
const ours = "flash.test/"

type rule struct{ pkg, may string }

// onlyImporters says which packages may import a third-party module. A module that is
// not listed may not be imported.
var onlyImporters = []struct{ module, importers string }{
	{"github.com/labstack/echo", "delay-server/kit/httpkit delay-server/admin delay-server/board delay-server/feed " +
		"delay-server/flash delay-server/forward delay-server/httpflow delay-server/server demo-api/server " +
		"deploy/bench/peer"},
	{"github.com/prometheus/client_golang", "delay-server/metrics"},
	{"github.com/caarlos0/env", "delay-server/kit/settings"},
	{"github.com/KimMachineGun/automemlimit", "delay-server/(main) delay-server/server"},
	{"github.com/agnivade/levenshtein", "delay-server/kit/spelling"},
	{"gonum.org/v1/gonum", "delay-server/delay"},
	{"gonum.org/v1/plot", "demo-api/sweep deploy/bench/report"},
	{"rsc.io/qr", "delay-server/server"},
	{"golang.org/x/mod", "deploy/goproxy"},
	{"github.com/google/go-containerregistry", "deploy/bundle"},
	{"golang.org/x/sync", "demo-api/fetch demo-api/server"},
	{"golang.org/x/time/rate", "delay-server/kit/program"},
	{"go.yaml.in/yaml", "delay-server/exercise delay-server/scenario delay-server/server delay-server/yamlfile"},
	{"github.com/hashicorp/golang-lru", "delay-server/gate delay-server/plan"},
	{"golang.org/x/sys", "delay-server/eventloop delay-server/timerfd deploy/bench/drive"},
	{"golang.org/x/crypto", "delay-server/(main) demo-api/(main)"},
	{"go.opentelemetry.io/otel", "delay-server/kit/tracing delay-server/httpflow"},
	{"go.opentelemetry.io/contrib", "delay-server/kit/tracing"},
	{"github.com/go-logr/logr", "delay-server/kit/tracing"},
	{"github.com/ncruces/go-sqlite3", "demo-api/upstream"},
	{"github.com/jackc/pgx", "demo-api/upstream demo-api/config"},
	{"github.com/testcontainers/testcontainers-go", "delay-server/delayserver delay-server/delayserver/dockertest"},
	{"github.com/containerd/errdefs", "delay-server/delayserver"},
	{"github.com/HdrHistogram/hdrhistogram-go", "deploy/bench/drive"},
	{"golang.org/x/net/http2", "deploy/bench/attack deploy/bench/drive"},
	{"github.com/mccutchen/go-httpbin", "deploy/bench/peer"},
	{"fortio.org/fortio", "deploy/bench/peer"},
}

// pkg is a package as `go list` prints it.
type pkg struct {
	Dir        string
	ImportPath string
	Name       string
	GoFiles    []string
	Imports    []string
}

// list returns the packages of a module as they are built for the images.
func list(t *testing.T, module string) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,Name,GoFiles,Imports", "./...")
	cmd.Dir = filepath.Join(root, module)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output() // without "go: downloading …" on standard error
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list in %s: %v", module, err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestNoImportRunsUp(t *testing.T) {
	for module, rules := range mayImport {
		var above []string
		for _, r := range rules {
			for _, imported := range strings.Fields(r.may) {
				otherModule := strings.HasPrefix(imported, "delay-server/") || mayImport[imported] != nil
				if !otherModule && !slices.Contains(above, imported) {
					t.Errorf("%s: package %q imports %s, whose line is not above its own", module, r.pkg, imported)
				}
			}
			above = append(above, r.pkg)
		}
	}
}

func TestImportRules(t *testing.T) {
	for module, rules := range mayImport {
		for _, p := range list(t, module) {
			name := shortName(p.ImportPath)
			i := slices.IndexFunc(rules, func(r rule) bool { return path.Join(module, r.pkg) == name })
			if i < 0 {
				t.Errorf("package %s: mayImport has no line for it", name)
				continue
			}
			for _, imported := range p.Imports {
				if reason := forbidden(module, name, rules[i].may, imported); reason != "" {
					t.Errorf("package %s imports %s: %s", name, imported, reason)
				}
			}
		}
	}
}

// forbidden returns why the package name may not import another, or "".
func forbidden(module, name, may, imported string) string {
	switch first, _, _ := strings.Cut(imported, "/"); {
	case strings.HasPrefix(imported, ours):
		short := strings.TrimPrefix(shortName(imported), module+"/")
		if !slices.Contains(strings.Fields(may), short) {
			return "mayImport allows only: " + may
		}
	case strings.Contains(first, "."):
		for _, rule := range onlyImporters {
			if !strings.HasPrefix(imported+"/", rule.module+"/") {
				continue
			}
			if !slices.Contains(strings.Fields(rule.importers), name) {
				return "only these may: " + rule.importers
			}
			return ""
		}
		return "onlyImporters has no line for it"
	}
	return ""
}

func shortName(importPath string) string {
	name := strings.Replace(strings.TrimPrefix(importPath, ours), "internal/", "", 1)
	if !strings.Contains(name, "/") {
		return name + "/(main)"
	}
	return name
}
