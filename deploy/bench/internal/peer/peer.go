//go:build linux

// Package peer starts the servers to measure, each as a process on a free port of the
// loopback, without access logs, and reads what it costs the machine.
package peer

import (
	"fmt"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// Server is a server to measure.
type Server struct {
	Name  string
	About string // what it is, with its version

	// Path returns the path and query for a wait in whole milliseconds.
	Path func(wait time.Duration) string

	// Scenario is the YAML of routes that delay-server is started with; "" for none.
	Scenario string

	// HTTP2 is whether it supports HTTP/2 without TLS, with prior knowledge.
	HTTP2 bool

	// Missing is why it cannot be measured here; "" if it can.
	Missing string

	// command returns the command that starts it in a new directory.
	command func(dir string, ports ports) (*exec.Cmd, error)
}

// With returns s with a scenario, which only delay-server reads.
func (s Server) With(scenario string) Server {
	s.Scenario = scenario
	return s
}

// Command returns the command that starts a server in a new directory, on free ports of the
// loopback: one for HTTP/1.1, and one for HTTP/2 without TLS, for servers that need two.
type Command func(dir string, http1, http2 int) (*exec.Cmd, error)

// New returns a server that is not among Servers. A server named Nginx has its second port
// for HTTP/2. The error of a failed server has its stderr, unless the command redirects it.
func New(name string, path func(time.Duration) string, command Command) Server {
	return Server{Name: name, Path: path, HTTP2: true, command: func(dir string, p ports) (*exec.Cmd, error) {
		return command(dir, p.http1, p.http2)
	}}
}

// ports are free ports of the loopback. They may be equal if a server tells HTTP/1.1 and
// HTTP/2 apart.
type ports struct{ http1, http2 int }

// EventLoopSetting is the setting that chooses between event loops and net/http.
const EventLoopSetting = "EVENT_LOOP"

// Names of the servers.
const (
	EventLoop = "delay-server"
	NetHTTP   = "delay-server-nethttp"
	Nginx     = "nginx"
	GoHTTPBin = "go-httpbin"
	Fortio    = "fortio"
	Echo      = "echo"
)

// Servers returns all servers. delayServer and self are the paths of delay-server and of
// this program, which serves the Go peers (see Serve).
func Servers(delayServer, self string) []Server {
	return []Server{
		{Name: EventLoop, About: "delay-server with its default settings", Path: milliseconds, HTTP2: true,
			command: ours(delayServer, true)},
		{Name: NetHTTP, About: "delay-server with " + EventLoopSetting + "=false: net/http answers all",
			Path: milliseconds, HTTP2: true, command: ours(delayServer, false)},
		nginx(),
		{Name: GoHTTPBin, About: "go-httpbin " + moduleVersion("github.com/mccutchen/go-httpbin/v2"),
			Path: goDuration("/delay/"), command: goPeer(self, GoHTTPBin)},
		{Name: Fortio, About: "fortio's echo server " + moduleVersion("fortio.org/fortio"),
			Path: goDuration("/?delay="), HTTP2: true, command: goPeer(self, Fortio)},
		{Name: Echo, About: "a plain handler that sleeps, Echo " + moduleVersion("github.com/labstack/echo/v4"),
			Path: milliseconds, HTTP2: true, command: goPeer(self, Echo)},
	}
}

func milliseconds(wait time.Duration) string { return fmt.Sprintf("/delay/%d", wait.Milliseconds()) }

func goDuration(prefix string) func(time.Duration) string {
	return func(wait time.Duration) string { return prefix + wait.String() }
}

// ours returns the command that starts delay-server.
func ours(binary string, eventLoop bool) func(string, ports) (*exec.Cmd, error) {
	return func(_ string, p ports) (*exec.Cmd, error) {
		cmd := exec.Command(binary)
		cmd.Env = []string{"HOST=127.0.0.1", fmt.Sprintf("PORT=%d", p.http1),
			fmt.Sprintf("%s=%t", EventLoopSetting, eventLoop), "LOG_LEVEL=warn", "SHUTDOWN_TIMEOUT=1s"}
		return cmd, nil
	}
}

// goPeer returns the command that starts this program as one of the Go peers.
func goPeer(self, name string) func(string, ports) (*exec.Cmd, error) {
	return func(_ string, p ports) (*exec.Cmd, error) {
		cmd := exec.Command(self, ServeArgument, name, fmt.Sprintf("127.0.0.1:%d", p.http1))
		cmd.Env = []string{} // all run with default settings, such as GOGC
		return cmd, nil
	}
}

// moduleVersion returns the version of a module in this program.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "of unknown version"
}
