// Bundle writes a folder, and a zip archive of it, with everything that a computer needs
// to run both programs: binaries, images, Compose files, lessons and start scripts.
// deploy/offline/bundle runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "deploy/offline/bundle:", err)
		os.Exit(1)
	}
}

// build has what the parts of a bundle have in common.
type build struct {
	dir       string     // the bundle
	platforms []platform // of the binaries
	version   string
	commit    string
	time      time.Time // of the last commit; all files have it
	modules   bool      // include the Go modules
	progress  io.Writer
}

// run writes a bundle of the repository in the current folder.
func run(ctx context.Context, args []string, getenv func(string) string, out io.Writer) (err error) {
	b, err := newBuild(ctx, args, getenv, out)
	if err != nil {
		return err
	}
	if err := removeEarlier(b.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(b.dir)) // all is of this bundle, and it is not complete
		}
	}()
	archive := b.dir + ".zip"
	for _, write := range []func(context.Context) error{
		b.writeBinaries, b.writeImages, b.copyFiles, b.writeModules, b.writeOwnFiles,
	} {
		if err := write(ctx); err != nil {
			return err
		}
	}
	if err := writeSums(b.dir); err != nil {
		return err
	}
	b.say("packing %s", archive)
	if err := writeArchive(ctx, archive, b.dir, b.time); err != nil {
		return err
	}
	return writeSizes(out, b.dir, archive)
}

// newBuild reads the arguments, the environment and the last commit.
func newBuild(ctx context.Context, args []string, getenv func(string) string, out io.Writer) (*build, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("got %d arguments, want one folder", len(args))
	}
	dir, err := filepath.Abs(args[0])
	if err != nil {
		return nil, err
	}
	b := &build{dir: dir, version: or(getenv("VERSION"), "dev"), progress: out}
	if b.platforms, err = parsePlatforms(getenv("PLATFORMS")); err != nil {
		return nil, err
	}
	switch text := or(getenv("MODULES"), "true"); text {
	case "true", "false":
		b.modules = text == "true"
	default:
		return nil, fmt.Errorf("MODULES=%s is invalid: use true or false", text)
	}
	shown, err := output(ctx, "git", "show", "-s", "--format=%H %ct", "HEAD")
	if err != nil {
		return nil, err
	}
	hash, seconds, _ := strings.Cut(shown, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("git show: %w", err)
	}
	b.commit, b.time = or(getenv("COMMIT"), hash), time.Unix(unix, 0).UTC()
	return b, nil
}

func (b *build) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }

// create creates a file of the bundle and its folders.
func (b *build) create(name string, executable bool) (*os.File, error) {
	file := filepath.Join(b.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	return os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

// write writes a file of the bundle.
func (b *build) write(name string, data []byte, executable bool) error {
	f, err := b.create(name, executable)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// output returns what a command prints, without the last line break.
func output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
