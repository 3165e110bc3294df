// Package version identifies the build of a program.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker: -ldflags "-X flash.test/delay-server/kit/version.number=0.1.0
// -X flash.test/delay-server/kit/version.commit=…".
var (
	number string
	commit string
)

// Info identifies a build. It is the body of GET /version.
type Info struct {
	Version string `json:"version"` // "dev" if not set by the linker
	Commit  string `json:"commit"`  // "unknown" if not set and not built from a checkout
	Go      string `json:"go"`
}

// Get returns the build of the running program.
func Get() Info {
	info := Info{Version: number, Commit: commit, Go: runtime.Version()}
	if build, ok := debug.ReadBuildInfo(); ok && info.Commit == "" {
		for _, s := range build.Settings {
			if s.Key == "vcs.revision" {
				info.Commit = s.Value
			}
		}
	}
	info.Version = cmp.Or(info.Version, "dev")
	info.Commit = cmp.Or(info.Commit, "unknown")
	return info
}

// String returns "0.1.0 (commit 3f2a9c1, go1.26.0)".
func (i Info) String() string {
	return fmt.Sprintf("%s (commit %.12s, %s)", i.Version, i.Commit, i.Go)
}
