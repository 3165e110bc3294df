//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// process is the program in another process.
type process struct {
	*exec.Cmd
	base, slow string
	stderr     *output
}

// output is written by one goroutine and read by another.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func command(t *testing.T, environ ...string) (*exec.Cmd, *output) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, stderr := exec.CommandContext(t.Context(), self), new(output)
	cmd.Env = append(environ, runMain+"=yes")
	cmd.Stderr = stderr
	return cmd, stderr
}

func startProcess(t *testing.T, environ ...string) process {
	t.Helper()
	cmd, stderr := command(t, append(environ, "PORT=0")...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	_, base, slow := readBanner(t, out)
	return process{cmd, base, slow, stderr}
}

// wait returns the error of the process.
func (p process) wait(t *testing.T) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("the process is still running after 20s; the log is\n%s", p.stderr)
		return nil
	}
}

// setClock sends a command to the clock of the embedded delay-server.
func (p process) setClock(t *testing.T, command string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Post(p.slow+"/admin/clock", "application/json", strings.NewReader(command))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
		t.Fatalf("POST /admin/clock %s: got %s %s, want 200", command, resp.Status, text)
	}
}

// until waits for text in the log.
func (p process) until(t *testing.T, text string) {
	t.Helper()
	wiretest.Eventually(t, fmt.Sprintf("%q in the log", text), func() bool {
		return strings.Contains(p.stderr.String(), text)
	})
}

// send makes a request, and returns when delay-server has received it.
func (p process) send(t *testing.T, path string) <-chan int {
	t.Helper()
	code := make(chan int, 1)
	go func() {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(p.base + path)
		if err != nil {
			code <- 0
			return
		}
		resp.Body.Close()
		code <- resp.StatusCode
	}()
	wiretest.Eventually(t, "delay-server has a waiting request", func() bool {
		_, metrics := get(t, p.slow+"/metrics")
		return strings.Contains(metrics, "waiting 1\n") || strings.Contains(metrics, "waiting 2\n")
	})
	return code
}

func TestSignalDrains(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := startProcess(t)
			p.setClock(t, `{"freeze":true}`)
			code := p.send(t, "/async_get_data?calls=1&delay=1s")
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			p.until(t, "draining")
			p.setClock(t, `{"advance":"1s"}`)
			if got := <-code; got != 200 {
				t.Errorf("the request in flight got %d, want 200", got)
			}
			if err := p.wait(t); err != nil {
				t.Errorf("the process ended with %v, want status 0; the log is\n%s", err, p.stderr)
			}
		})
	}
}

func TestShutdownTimeout(t *testing.T) {
	p := startProcess(t, "SHUTDOWN_TIMEOUT=100ms")
	code := p.send(t, "/get_data?delay=1m")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 503 {
		t.Errorf("the request in flight got %d, want 503", got)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("the process ended with %v, want status 0; the log is\n%s", err, p.stderr)
	}
}

func TestSecondSignalKills(t *testing.T) {
	p := startProcess(t, "SHUTDOWN_TIMEOUT=10m")
	code := p.send(t, "/get_data?delay=9m")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until(t, "draining")
	go func() { // until the first is handled
		for p.Process.Signal(syscall.SIGTERM) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var exit *exec.ExitError
	if err := p.wait(t); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want SIGTERM", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("the request in flight got %d, want no response", got)
	}
}

// A server goes on when the readers of its banner and its log have gone.
func TestServerIgnoresSIGPIPE(t *testing.T) {
	cmd, _ := command(t, "PORT=0", "LOG_LEVEL=debug")
	cmd.Stderr = brokenPipe(t)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	_, base, _ := readBanner(t, out)
	out.Close()
	for range 2 { // the log line of the first would end the process
		if code, _ := get(t, base+"/get_data?calls=1&delay=0"); code != 200 {
			t.Fatalf("GET /get_data without a reader of the log: status %d, want 200", code)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v, want status 0", err)
	}
}

// brokenPipe returns the writing end of a pipe without a reader.
func brokenPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	return w
}

// A command ends silently when its reader has gone, as in demo-api --help | head -1.
func TestCommandEndsBySIGPIPE(t *testing.T) {
	cmd, stderr := command(t)
	cmd.Args = append(cmd.Args, "--help")
	cmd.Stdout = brokenPipe(t)
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || stderr.String() != "" {
		t.Errorf("the process ended with %v and wrote %q, want SIGPIPE and nothing", err, stderr)
	}
}

func TestExitStatus(t *testing.T) {
	cmd, stderr := command(t, "CALLS=two", "PROT=5000")
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("invalid settings: the process ended with %v, want status 2", err)
	}
	const want = "demo-api: invalid settings:\nPROT: unknown setting; did you mean PORT?\n" +
		"CALLS: \"two\" is invalid: use a whole number\ndemo-api --help shows usage\n"
	if got := stderr.String(); got != want {
		t.Errorf("invalid settings: stderr is\n%swant\n%s", got, want)
	}
}
