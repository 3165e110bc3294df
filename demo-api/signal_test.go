//go:build unix

package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is the program in a process of its own.
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
	cmd.Env = append(environ, beTheProgram+"=yes")
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
	_, base, slow := readGreeting(t, out)
	return process{cmd, base, slow, stderr}
}

// wait returns what the process ended with.
func (p process) wait(t *testing.T) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatalf("the process has not ended after 20s; it logged\n%s", p.stderr)
		return nil
	}
}

// until waits for text in the log.
func (p process) until(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.stderr.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %q in the log after 20s:\n%s", text, p.stderr)
		}
	}
}

// ask makes a request that waits, and returns when delay-server has it.
func (p process) ask(t *testing.T, path string) <-chan int {
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
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, metrics := get(t, p.slow+"/metrics"); strings.Contains(metrics, "waiting 1\n") || strings.Contains(metrics, "waiting 2\n") {
			return code
		}
		if time.Now().After(deadline) {
			t.Fatal("delay-server has no waiting request after 20s")
		}
	}
}

func TestSignalWhileARequestWaits(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			p := startProcess(t)
			code := p.ask(t, "/async_get_data?delay=1s")
			if err := p.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if got := <-code; got != 200 {
				t.Errorf("the request that waited got %d, want 200", got)
			}
			if err := p.wait(t); err != nil {
				t.Errorf("the process ended with %v, want status 0; it logged\n%s", err, p.stderr)
			}
		})
	}
}

func TestShutdownTimeout(t *testing.T) {
	p := startProcess(t, "SHUTDOWN_TIMEOUT=100ms")
	code := p.ask(t, "/get_data?delay=1m")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != 503 {
		t.Errorf("the request that waited got %d, want 503", got)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("the process ended with %v, want status 0; it logged\n%s", err, p.stderr)
	}
}

func TestSecondSignalKills(t *testing.T) {
	p := startProcess(t, "SHUTDOWN_TIMEOUT=10m")
	code := p.ask(t, "/get_data?delay=9m")
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until(t, "draining")
	go func() { // the one that comes once the first is handled
		for p.Process.Signal(syscall.SIGTERM) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	var exit *exec.ExitError
	if err := p.wait(t); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the process ended with %v, want SIGTERM", err)
	}
	if got := <-code; got != 0 {
		t.Errorf("the request that waited got %d, want no answer", got)
	}
}

// TestReadersOfTheOutputGo has nobody read the log, and the greeting's reader go.
func TestReadersOfTheOutputGo(t *testing.T) {
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
	_, base, _ := readGreeting(t, out)
	out.Close()
	for range 2 { // the log of the first one ends a process that SIGPIPE can end
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

// brokenPipe returns the writing end of a pipe that nobody reads.
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

// TestReaderOfACommandGoes as in demo-api --help | head -1: the command ends and says nothing of it.
func TestReaderOfACommandGoes(t *testing.T) {
	cmd, stderr := command(t)
	cmd.Args = append(cmd.Args, "--help")
	cmd.Stdout = brokenPipe(t)
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE || stderr.String() != "" {
		t.Errorf("the process ended with %v and said %q, want SIGPIPE and nothing", err, stderr)
	}
}

func TestExitStatus(t *testing.T) {
	cmd, stderr := command(t, "CALLS=two", "PROT=5000")
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("invalid settings: the process ended with %v, want status 2", err)
	}
	const want = "demo-api: invalid settings:\nPROT: unknown setting; did you mean PORT?\nCALLS: \"two\" is invalid: use a whole number\ndemo-api --help shows usage\n"
	if got := stderr.String(); got != want {
		t.Errorf("invalid settings: it said\n%swant\n%s", got, want)
	}
}
