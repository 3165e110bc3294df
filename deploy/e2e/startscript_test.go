package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"flash.test/delay-server/server"
)

// startable writes a bundle with the real start script, and programs that print their
// arguments and settings.
func startable(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(filepath.Join(root, "deploy/bundle/files/start.sh"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "flash")
	var sums string
	for name, content := range map[string]string{
		"start.sh":                 string(script),
		thisBinary("demo-api"):     "#!/bin/sh\necho demo-api \"$@\"\n",
		thisBinary("delay-server"): "#!/bin/sh\necho delay-server \"$HOST\" \"$BOARD\" \"$BUNDLE_DIR\" \"$@\"\n",
	} {
		put(t, filepath.Join(dir, name), content)
		sums += fmt.Sprintf("%x  %s\n", sha256.Sum256([]byte(content)), name)
	}
	put(t, filepath.Join(dir, "SHA256SUMS"), sums)
	return dir
}

// thisBinary is the name of a program's binary for this machine in a bundle.
func thisBinary(program string) string {
	return "bin/" + program + "-" + runtime.GOOS + "-" + runtime.GOARCH
}

// startScript runs the start script of the bundle in dir, from another folder and with an
// environment of PATH alone.
func startScript(dir, from string, args ...string) (string, error) {
	return startScriptWith([]string{"PATH=/usr/bin:/bin"}, dir, from, args...)
}

func startScriptWith(environ []string, dir, from string, args ...string) (string, error) {
	cmd := exec.Command("/bin/sh", append([]string{filepath.Join(dir, "start.sh")}, args...)...)
	cmd.Dir, cmd.Env = from, environ
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func needStartScript(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("start.sh has no binary for this machine")
	}
}

func TestStartScript(t *testing.T) {
	needStartScript(t)
	dir := startable(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "demo-api"},
		{[]string{"race", "--out", "a b.svg"}, "demo-api race --out a b.svg"},
		{[]string{"--room"}, "delay-server 0.0.0.0 true " + dir},
	} {
		if out, err := startScript(dir, t.TempDir(), test.args...); err != nil || strings.TrimSpace(out) != test.want {
			t.Errorf("start.sh %q: got %q, %v, want %q", test.args, out, err, test.want)
		}
	}
}

// The leader's settings have precedence, except HOST, which some shells set.
func TestStartScriptKeepsSettings(t *testing.T) {
	needStartScript(t)
	dir := startable(t)
	environ := []string{"PATH=/usr/bin:/bin", "BOARD=false", "HOST=x86_64-conda-linux-gnu"}
	out, err := startScriptWith(environ, dir, dir, "--room")
	if want := "delay-server 0.0.0.0 false " + dir + "\n"; err != nil || out != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// A download has only one program, and a room needs all.
func TestStartScriptServesNoDownload(t *testing.T) {
	needStartScript(t)
	home := t.TempDir()
	out, err := startScript(startable(t), home, "http://192.0.2.1/get", "--room")
	if err == nil || !strings.Contains(out, "--room needs the whole bundle: open http://192.0.2.1/get in a browser") {
		t.Errorf("got %q, %v, want an error that says where the whole bundle is", out, err)
	}
	if names := fileNames(t, home); len(names) > 0 {
		t.Errorf("start.sh created %v", names)
	}
}

func TestStartScriptFindsDamage(t *testing.T) {
	needStartScript(t)
	program := thisBinary("demo-api")
	for _, test := range []struct {
		name string
		harm func(dir string) error
		want string
	}{
		{"half a program", func(dir string) error { return os.Truncate(filepath.Join(dir, program), 10) },
			program + " is damaged, its checksum is not in SHA256SUMS: copy the bundle again"},
		{"no program", func(dir string) error { return os.Remove(filepath.Join(dir, program)) },
			program + " is missing: only a part of the bundle was copied; copy it again"},
		{"no sums", func(dir string) error { return os.Remove(filepath.Join(dir, "SHA256SUMS")) },
			"SHA256SUMS is missing"},
		{"half the sums", func(dir string) error { return os.Truncate(filepath.Join(dir, "SHA256SUMS"), 20) },
			"SHA256SUMS has no " + program},
	} {
		dir := startable(t)
		if err := test.harm(dir); err != nil {
			t.Fatal(err)
		}
		out, err := startScript(dir, dir)
		if err == nil || !strings.HasPrefix(out, "start.sh: ") || !strings.Contains(out, test.want) {
			t.Errorf("%s: got %q, %v, want an error with %q", test.name, out, err, test.want)
		}
	}
}

// A USB stick may have lost the permission to execute.
func TestStartScriptWithoutPermission(t *testing.T) {
	needStartScript(t)
	dir := startable(t)
	if err := os.Chmod(filepath.Join(dir, thisBinary("demo-api")), 0o444); err != nil {
		t.Fatal(err)
	}
	if out, err := startScript(dir, dir, "sweep"); err != nil || out != "demo-api sweep\n" {
		t.Errorf("got %q, %v, want the program's output", out, err)
	}
}

// Where files cannot be made executable, the script starts a copy, which it makes once.
func TestStartScriptCopiesOnce(t *testing.T) {
	needStartScript(t)
	dir, temp, tools := startable(t), t.TempDir(), t.TempDir()
	if err := os.Chmod(filepath.Join(dir, thisBinary("demo-api")), 0o444); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(tools, "chmod"), "#!/bin/sh\ncase $2 in bin/*) exit 1 ;; esac\nexec /bin/chmod \"$@\"\n")
	if err := os.Chmod(filepath.Join(tools, "chmod"), 0o755); err != nil {
		t.Fatal(err)
	}
	environ := []string{"PATH=" + tools + ":/usr/bin:/bin", "TMPDIR=" + temp}
	var copies []string
	for _, harm := range []bool{false, false, true} {
		if harm {
			put(t, filepath.Join(temp, copies[0]), "half")
		}
		if out, err := startScriptWith(environ, dir, dir, "sweep"); err != nil || out != "demo-api sweep\n" {
			t.Fatalf("got %q, %v, want the program's output", out, err)
		}
		if copies = fileNames(t, temp); len(copies) != 1 {
			t.Fatalf("got copies %v, want one", copies)
		}
	}
}

// fileNames returns the names of all files below dir.
func fileNames(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The script downloads what it needs, once, and again if it is damaged.
func TestStartScriptDownloads(t *testing.T) {
	needStartScript(t)
	dir := startable(t)
	url := serveDelays(t, func(c *server.Config) { c.BundleDir = dir }) + "/get"
	home := t.TempDir()
	copied := filepath.Join(home, "flash", thisBinary("demo-api"))
	for _, test := range []struct {
		name string
		harm func() error
		want int // downloads
	}{
		{"first", func() error { return nil }, 2},
		{"again", func() error { return nil }, 1}, // SHA256SUMS alone
		{"damaged", func() error { return os.WriteFile(copied, []byte("half"), 0o600) }, 2},
	} {
		if err := test.harm(); err != nil {
			t.Fatal(err)
		}
		out, err := startScript(dir, home, url, "sweep")
		if err != nil || !strings.HasSuffix(out, "demo-api sweep\n") || strings.Count(out, "downloading") != test.want {
			t.Errorf("%s: got %q, %v, want %d downloads and the program's output", test.name, out, err, test.want)
		}
	}
	out, err := startScript(dir, home, url+"/nothing")
	if err == nil || !strings.Contains(out, "is the server still there?") {
		t.Errorf("a wrong URL: got %q, %v, want an error", out, err)
	}
}
