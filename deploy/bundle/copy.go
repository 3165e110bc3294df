package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// copies are files and folders of the repository, and where they are in a bundle. The
// Compose files keep their places, so that the commands in them stay right.
var copies = []struct{ from, to string }{
	{"LICENSE", "LICENSE"},
	{"docker-compose.yml", "docker-compose.yml"},
	{"deploy/compose", "deploy/compose"},
	{"deploy/scenarios", "deploy/scenarios"},
	{"deploy/tutorial", "deploy/tutorial"},
	{"delay-server/internal/exercise/builtin", "lessons"},
}

// copyFiles copies the files that git knows, so no files of an editor or an interpreter.
func (b *build) copyFiles(ctx context.Context) error {
	for _, c := range copies {
		list, err := output(ctx, "git", "ls-files", "-z", "--", c.from)
		if err != nil {
			return err
		}
		for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
			if name == "" {
				return fmt.Errorf("the repository has no %s", c.from)
			}
			if err := b.copyFile(name, c.to+strings.TrimPrefix(name, c.from)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *build) copyFile(from, to string) error {
	data, err := os.ReadFile(filepath.FromSlash(from))
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.FromSlash(from))
	if err != nil {
		return err
	}
	if to == "docker-compose.yml" || strings.HasPrefix(to, "deploy/compose/") {
		data = withoutBuild(data)
	}
	return b.write(to, data, info.Mode()&0o100 != 0)
}

// building matches the lines of a Compose file that build an image of both programs. A
// bundle has their images, and not their source.
var building = regexp.MustCompile(`(?m)^ *build: \{[^}]*dockerfile: deploy/Dockerfile[^}]*\}\n`)

// saysBuilding matches the comment about it.
var saysBuilding = regexp.MustCompile(`(?m)^# .*; otherwise it is built\.$`)

func withoutBuild(compose []byte) []byte {
	compose = building.ReplaceAll(compose, nil)
	return saysBuilding.ReplaceAll(compose, []byte("# Both images are in images.tar; sh start.sh --docker loads them."))
}

// writeModules writes the Go modules by deploy/offline/modules.
func (b *build) writeModules(ctx context.Context) error {
	if !b.modules {
		return nil
	}
	b.say("writing the Go modules")
	cmd := exec.CommandContext(ctx, "deploy/offline/modules", filepath.Join(b.dir, "modules"))
	version := os.Getenv("VERSION")
	if version != "" && !strings.HasPrefix(version, "v") {
		version = "v" + version
	}
	cmd.Env = append(os.Environ(), "VERSION="+version)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("%w: MODULES=false leaves the modules out", err),
			errors.New(strings.TrimSpace(stderr.String())))
	}
	return nil
}
