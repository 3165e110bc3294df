package e2e

import (
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// importerTest is a test that a module outside the repository runs.
const importerTest = `package shop

import (
	"testing"

	"flash.test/delay-server/delaytest"
)

func TestThreeCallsAtOnce(t *testing.T) {
	srv := delaytest.NewServer(t)
	run, prices := srv.Run("checkout"), srv.Hold("prices")
	done := make(chan error, 3)
	for range cap(done) {
		go func() {
			res, err := run.HTTPClient().Get(prices.URL)
			if err == nil {
				res.Body.Close()
			}
			done <- err
		}()
	}
	prices.Await(3)
	prices.Release()
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	delaytest.AssertConcurrent(t, run, 3)
}
`

// TestOfflineModules runs the commands in deploy/offline/README.md. The module outside
// the repository has an empty module cache, and no network: GOPROXY is the folder alone.
func TestOfflineModules(t *testing.T) {
	slow(t, "compiles delay-server and its modules again, which takes a minute")
	const version = "v0.9.1"
	blocks := offlineCommands(t)
	dir, git := copyOfRepository(t)
	git("add", "--all")
	git("commit", "--quiet", "-m", "All")
	home, outside := t.TempDir(), t.TempDir()
	cache := must(t, nil, "go", "env", "GOCACHE")
	environ := []string{"HOME=" + home, "GOWORK=off", "GOCACHE=" + cache}

	here := append(environ, "GOMODCACHE="+must(t, nil, "go", "env", "GOMODCACHE"), "VERSION="+version)
	said := in(t, dir, here, "sh", "-ec", blocks[0])
	if !strings.Contains(said, version) || !strings.Contains(said, "go get flash.test/delay-server/delaytest\n") {
		t.Errorf("deploy/offline/modules says %s, want the version and the command that follows", said)
	}

	there := append(environ, "GOMODCACHE="+filepath.Join(home, "cache"), "GOFLAGS=-modcacherw -trimpath", "GOVCS=*:off")
	if err := os.WriteFile(filepath.Join(outside, "shop_test.go"), []byte(importerTest), 0o644); err != nil {
		t.Fatal(err)
	}
	in(t, outside, there, "go", "mod", "init", "shop.example")
	out := in(t, outside, there, "sh", "-ec", blocks[1]+"\ngo mod tidy\ngo list -m flash.test/delay-server")
	if !strings.Contains(out, "ok  \tshop.example") || !strings.Contains(out, "flash.test/delay-server "+version) {
		t.Errorf("%s\nprints\n%s\nwant a passed test, and version %s", blocks[1], out, version)
	}
	in(t, outside, there, "sh", "-ec", blocks[1]+"\ngo get flash.test/delay-server/delayserver\n"+
		"go list -deps flash.test/delay-server/delayserver\n"+
		"go install flash.test/delay-server@latest\n~/go/bin/delay-server --version")
}

// offlineCommands returns the two blocks of commands for modules in
// deploy/offline/README.md, and checks that README.md and /doc have the same.
func offlineCommands(t *testing.T) []string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(root, "deploy/offline/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "delay-server/server/pages/doc.html"))
	if err != nil {
		t.Fatal(err)
	}
	top, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		if strings.Contains(m[1], "flash-modules") {
			blocks = append(blocks, m[1])
		}
	}
	if len(blocks) != 2 {
		t.Fatalf("deploy/offline/README.md has %d blocks with flash-modules, want 2", len(blocks))
	}
	for _, block := range blocks {
		if !strings.Contains(html.UnescapeString(string(page)), strings.TrimSpace(block)) {
			t.Errorf("/doc does not have the commands of deploy/offline/README.md:\n%s", block)
		}
		if !strings.Contains(string(top), strings.TrimSpace(block)) {
			t.Errorf("README.md does not have the commands of deploy/offline/README.md:\n%s", block)
		}
	}
	return blocks
}

func TestOfflineModulesSaysWhatIsWrong(t *testing.T) {
	dir, git := copyOfRepository(t)
	git("add", "--all")
	git("commit", "--quiet", "-m", "All")
	to := t.TempDir()
	fails := func(what, want string, environ []string, args ...string) {
		t.Helper()
		cmd := exec.Command("deploy/offline/modules", args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %q, error %v; want an error that contains %q", what, out, err, want)
		}
	}
	fails("without a folder", "use: deploy/offline/modules DIR", nil)
	fails("a version without v", `"1.2.3"`, []string{"VERSION=1.2.3"}, to)
	fails("a version of another major", "use one such as v0.1.0", []string{"VERSION=v2.0.0"}, to)
	if err := os.WriteFile(filepath.Join(dir, "delay-server", "new.go"), []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fails("a change", "commit them first:\n?? delay-server/new.go", nil, to)
	if entries, err := os.ReadDir(to); err != nil || len(entries) > 0 {
		t.Errorf("the folder has %v, %v, want nothing", entries, err)
	}
}
