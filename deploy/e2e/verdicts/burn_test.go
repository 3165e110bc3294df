package verdicts

import (
	"io"
	"os"
	"os/exec"
	"testing"
)

// burning is set in a process that only keeps a processor busy.
const burning = "VERDICTS_BURN"

func TestMain(m *testing.M) {
	if os.Getenv(burning) == "" {
		os.Exit(m.Run())
	}
	go func() {
		for n := 0; ; n++ { // staticcheck rejects a loop that has nothing to do
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// burn keeps processors busy with n processes until the test ends.
func burn(t *testing.T, n int) {
	t.Helper()
	for range n {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), burning+"=1")
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close() // ends it, as the end of this process does
			_ = cmd.Wait()
		})
	}
}
