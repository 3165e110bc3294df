//go:build unix

package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// The test binary is also the program, for the tests that need a process.
const beTheProgram = "DELAY_SERVER_TEST_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beTheProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// TestReadersOfTheOutputGo has nobody read the log, and the greeting's reader go.
func TestReadersOfTheOutputGo(t *testing.T) {
	for _, on := range []string{"true", "false"} {
		t.Run("EVENT_LOOP="+on, func(t *testing.T) {
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			unread, log, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			unread.Close()
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = []string{
				beTheProgram + "=yes", "PORT=0", "LOG_LEVEL=debug", "EVENT_LOOP=" + on,
				"ADMIN_TOKEN=none", "HOST=0.0.0.0", // which it logs at the start
			}
			cmd.Stderr = log
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			log.Close()
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			url := regexp.MustCompile(`http://localhost:\d+`).FindString(line)
			out.Close()
			for _, path := range []string{"/delay/0", "/delay/0?zz", "/delay/x", "/version", "/delay/0"} {
				reply, err := http.Get(url + path)
				if err != nil {
					t.Fatalf("GET %s without a reader of the log: %v", path, err)
				}
				reply.Body.Close()
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("the process ended with %v, want status 0", err)
			}
		})
	}
}
