// Package version says which build a program is.
package version

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Stamped by the linker: -ldflags "-X flash.test/delay-server/kit/version.number=0.1.0
// -X flash.test/delay-server/kit/version.commit=…".
var (
	number string
	commit string
)

// Info is a build's identity, the body of GET /version.
type Info struct {
	Version string `json:"version"` // "dev" where the build was not stamped
	Commit  string `json:"commit"`  // "unknown" where neither stamped nor built from a checkout
	Go      string `json:"go"`
}

// Get returns the identity of the running program.
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
