//go:build linux

// Package peer starts the servers that are measured, each as a process of its
// own on a free port of the loopback, without access logs, and reads what it
// costs the machine.
package peer

import (
	"fmt"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// Server is a server that can be measured.
type Server struct {
	Name  string
	About string // what it is, with its version

	// Path returns the path and query that ask for a wait, which is in whole
	// milliseconds.
	Path func(wait time.Duration) string

	// Scenario is the YAML of routes that delay-server is started with; "" for none.
	Scenario string

	// HTTP2 tells that it speaks HTTP/2 without TLS, to clients that know.
	HTTP2 bool

	// Missing says why it cannot be measured here; "" where it can.
	Missing string

	// command returns what starts it in a folder of its own.
	command func(dir string, ports ports) (*exec.Cmd, error)
}

// With returns s with a scenario, which only delay-server reads.
func (s Server) With(scenario string) Server {
	s.Scenario = scenario
	return s
}

// Command returns what starts a server in a folder of its own, on free ports of
// the loopback: one for HTTP/1.1, and one for HTTP/2 without TLS, for servers
// that cannot have both on one.
type Command func(dir string, http1, http2 int) (*exec.Cmd, error)

// New returns a server that is not among Servers. Named Nginx, it is reached by
// HTTP/2 on its second port. What its command does not send elsewhere of stderr
// is in the error when the server fails.
func New(name string, path func(time.Duration) string, command Command) Server {
	return Server{Name: name, Path: path, HTTP2: true, command: func(dir string, p ports) (*exec.Cmd, error) {
		return command(dir, p.http1, p.http2)
	}}
}

// ports are free ports of the loopback. They may be the same where a server
// tells HTTP/1.1 and HTTP/2 apart by itself.
type ports struct{ http1, http2 int }

// EventLoopSetting is delay-server's setting that has requests wait in event
// loops, or in net/http.
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

// Servers returns all servers: delayServer is the path of delay-server's
// binary, self that of this program, which serves the Go peers (see Serve).
func Servers(delayServer, self string) []Server {
	return []Server{
		{Name: EventLoop, About: "delay-server with its default settings", Path: milliseconds, HTTP2: true, command: ours(delayServer, true)},
		{Name: NetHTTP, About: "delay-server with " + EventLoopSetting + "=false: net/http answers all", Path: milliseconds, HTTP2: true, command: ours(delayServer, false)},
		nginx(),
		{Name: GoHTTPBin, About: "go-httpbin " + moduleVersion("github.com/mccutchen/go-httpbin/v2"), Path: goDuration("/delay/"), command: goPeer(self, GoHTTPBin)},
		{Name: Fortio, About: "fortio's echo server " + moduleVersion("fortio.org/fortio"), Path: goDuration("/?delay="), HTTP2: true, command: goPeer(self, Fortio)},
		{Name: Echo, About: "a plain handler that sleeps, Echo " + moduleVersion("github.com/labstack/echo/v4"), Path: milliseconds, HTTP2: true, command: goPeer(self, Echo)},
	}
}

func milliseconds(wait time.Duration) string { return fmt.Sprintf("/delay/%d", wait.Milliseconds()) }

func goDuration(prefix string) func(time.Duration) string {
	return func(wait time.Duration) string { return prefix + wait.String() }
}

// ours returns what starts delay-server.
func ours(binary string, eventLoop bool) func(string, ports) (*exec.Cmd, error) {
	return func(_ string, p ports) (*exec.Cmd, error) {
		cmd := exec.Command(binary)
		cmd.Env = []string{"HOST=127.0.0.1", fmt.Sprintf("PORT=%d", p.http1), fmt.Sprintf("%s=%t", EventLoopSetting, eventLoop), "LOG_LEVEL=warn", "SHUTDOWN_TIMEOUT=1s"}
		return cmd, nil
	}
}

// goPeer returns what starts this program as one of the Go peers.
func goPeer(self, name string) func(string, ports) (*exec.Cmd, error) {
	return func(_ string, p ports) (*exec.Cmd, error) {
		cmd := exec.Command(self, ServeArgument, name, fmt.Sprintf("127.0.0.1:%d", p.http1))
		cmd.Env = []string{} // GOGC and the like are not passed on: all run by their defaults
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
