//go:build linux

package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Process is a running server.
type Process struct {
	Addr  netip.AddrPort // for HTTP/1.1
	Addr2 netip.AddrPort // for HTTP/2

	cmd    *exec.Cmd
	dir    string
	said   head // on stderr
	exited chan struct{}
	pids   []int // the process and its children, after the first call of family
}

// Start starts the server and returns when it answers. The caller must Stop it.
func (s Server) Start(ctx context.Context) (*Process, error) {
	addr, addr2, err := freePorts()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	own := ports{http1: int(addr.Port()), http2: int(addr2.Port())}
	cmd, err := s.command(dir, own)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if s.Scenario != "" {
		path := filepath.Join(dir, "scenario.yaml")
		if err := os.WriteFile(path, []byte(s.Scenario), 0o600); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		cmd.Env = append(cmd.Environ(), "SCENARIO="+path)
	}
	if s.Name != Nginx {
		addr2 = addr
	}
	p := &Process{Addr: addr, Addr2: addr2, cmd: cmd, dir: dir, exited: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.said
	}
	// A killed bench kills its servers.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Name, err), os.RemoveAll(dir))
	}
	go func() {
		cmd.Wait() // Stop does not need the result
		close(p.exited)
	}()
	if err := p.ready(ctx, s.Path(0)); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", s.Name, err), p.Stop())
	}
	return p, nil
}

// freePorts returns two ports that were free a moment ago.
func freePorts() (a, b netip.AddrPort, err error) {
	for _, to := range []*netip.AddrPort{&a, &b} {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return a, b, err
		}
		defer ln.Close()
		*to = ln.Addr().(*net.TCPAddr).AddrPort()
	}
	return a, b, nil
}

// ready waits until the server answers, and sends enough requests for what it creates on
// first use.
func (p *Process) ready(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("no answer within 10 s"))
	defer cancel()
	client := http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for answers := 0; answers < 200; {
		if err := get(ctx, &client, "http://"+p.Addr.String()+path); err == nil {
			answers++
			continue
		} else if answers > 0 {
			return err
		}
		select {
		case <-p.exited:
			return fmt.Errorf("it ended: %s", p.said.String())
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	reply, err := client.Do(req)
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, reply.Status)
	}
	return errors.Join(err, reply.Body.Close())
}

// Stop ends the server and removes its directory. It is an error if the server has ended
// before, or must be killed.
func (p *Process) Stop() error {
	defer os.RemoveAll(p.dir)
	select {
	case <-p.exited:
		return fmt.Errorf("%s ended by itself: %s", p.cmd.Path, p.said.String())
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(10 * time.Second):
		err := p.cmd.Process.Kill()
		<-p.exited
		return errors.Join(fmt.Errorf("%s did not end 10 s after SIGTERM", p.cmd.Path), err)
	}
}

// Ended reports whether the server has ended, and how: "exit status 0".
func (p *Process) Ended() (string, bool) {
	select {
	case <-p.exited:
		return p.cmd.ProcessState.String(), true
	default:
		return "", false
	}
}

// Signal sends the server a signal.
func (p *Process) Signal(signal os.Signal) error { return p.cmd.Process.Signal(signal) }

// head keeps the beginning of a process's output. It is read after the process has ended.
type head struct{ strings.Builder }

const maxSaid = 4 << 10 // bytes

func (t *head) Write(b []byte) (int, error) {
	t.Builder.Write(b[:min(len(b), maxSaid-t.Len())])
	return len(b), nil
}
