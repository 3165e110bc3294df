package verdicts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is the time after which a client hangs.
const patience = time.Minute

// program is a running program of testdata. It has clients by name, and sends the
// requests of many at once.
type program struct {
	mu    sync.Mutex
	stdin io.Writer
	over  map[string]chan string // by URL, receives the client's error
}

// start runs a program until the test ends.
func start(t *testing.T, command ...string) *program {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	p := &program{stdin: stdin, over: map[string]chan string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.receive(stdout)
	}()
	t.Cleanup(func() {
		stdin.Close() // ends the program
		<-done
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v\n%s", cmd, err, stderr.String())
		}
	})
	return p
}

// send has a client of the program send its requests to url, which no other has.
func (p *program) send(client, url string) error {
	over := make(chan string, 1)
	p.mu.Lock()
	p.over[url] = over
	_, err := fmt.Fprintln(p.stdin, client, url)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case failure := <-over:
		if failure != "" {
			return errors.New(failure)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("not over after %v", patience)
	}
}

// receive reads what the program prints, until the program ends.
func (p *program) receive(stdout io.Reader) {
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		url, failure, _ := strings.Cut(lines.Text(), " ")
		p.mu.Lock()
		if over := p.over[url]; over != nil {
			over <- failure
			delete(p.over, url)
		}
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, over := range p.over {
		over <- "the program has ended"
	}
}
