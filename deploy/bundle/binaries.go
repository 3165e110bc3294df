package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs are the programs of a bundle, and their folders in the repository.
var programs = []string{"delay-server", "demo-api"}

// platform is what a binary is compiled for, in Go's names.
type platform struct{ os, arch string }

// allPlatforms are the platforms of a bundle by default.
var allPlatforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// parsePlatforms parses platforms such as "linux/amd64 darwin/arm64"; "" is all.
func parsePlatforms(text string) ([]platform, error) {
	if text == "" {
		return allPlatforms, nil
	}
	var chosen []platform
	for _, field := range strings.Fields(text) {
		os, arch, _ := strings.Cut(field, "/")
		p := platform{os, arch}
		if !slices.Contains(allPlatforms, p) {
			return nil, fmt.Errorf("PLATFORMS: %q is invalid: use linux, darwin or windows, each with /amd64 or "+
				"/arm64, separated by spaces", field)
		}
		if !slices.Contains(chosen, p) {
			chosen = append(chosen, p)
		}
	}
	return chosen, nil
}

// binary returns the name of a program's binary in a bundle.
func binary(program string, p platform) string {
	name := "bin/" + program + "-" + p.os + "-" + p.arch
	if p.os == "windows" {
		name += ".exe"
	}
	return name
}

// writeBinaries compiles both programs for all platforms.
func (b *build) writeBinaries(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(b.dir, "bin"), 0o755); err != nil {
		return err
	}
	for _, p := range b.platforms {
		for _, program := range programs {
			b.say("compiling %s for %s/%s", program, p.os, p.arch)
			if err := b.compile(ctx, program, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// compile compiles one program with the flags of deploy/Dockerfile.
func (b *build) compile(ctx context.Context, program string, p platform) error {
	const kit = "flash.test/delay-server/kit/version"
	stamp := fmt.Sprintf("-s -w -X %s.number=%s -X %s.commit=%s", kit, b.version, kit, b.commit)
	cmd := exec.CommandContext(ctx, "go", "build", "-C", program, "-trimpath", "-buildvcs=false",
		"-ldflags", stamp, "-o", filepath.Join(b.dir, filepath.FromSlash(binary(program, p))), ".")
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build of %s for %s/%s: %w\n%s", program, p.os, p.arch, err, out)
	}
	return nil
}
