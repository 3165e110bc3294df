package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// startWithTLS serves config on two free ports of loopback, of which TLS_PORT
// is one, until the test ends. It returns the URL without TLS.
func startWithTLS(t *testing.T, config Config) (base string) {
	t.Helper()
	_, base, _, _ = serveTLS(t, config, io.Discard)
	return base
}

// serveTLS is startWithTLS that returns more: the server, its URL with TLS, by
// the original name, and a function that does what SIGTERM does.
func serveTLS(t *testing.T, config Config, log io.Writer) (srv *Server, base, secureBase string, stop func()) {
	t.Helper()
	var lns [2]net.Listener
	for i := range lns {
		lns[i] = wiretest.Listen(t)
	}
	plain, secure := lns[0], lns[1]
	config.TLSHosts, config.TLSDir = []string{"flash.siwalik.in", "127.0.0.1"}, t.TempDir()
	config.TLSPort = secure.Addr().(*net.TCPAddr).Port
	srv, err := New(config, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(ctx, plain, srv.TLS(secure)); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	_, port, _ := net.SplitHostPort(secure.Addr().String())
	return srv, "http://" + plain.Addr().String(), "https://flash.siwalik.in:" + port, stop
}

// trusting returns a client that trusts what base serves as /ca.pem, and for
// which every name leads to this machine.
func trusting(t *testing.T, base string, protocol func(*http.Protocols, bool)) *http.Client {
	t.Helper()
	reply, ca := do(t, newClient(t), "GET", base+"/ca.pem", nil)
	roots := x509.NewCertPool()
	if kind := reply.Header.Get("Content-Type"); reply.StatusCode != 200 || kind != "application/x-pem-file" || !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatalf("GET /ca.pem: got %d %q %s, want a certificate", reply.StatusCode, kind, ca)
	}
	if strings.Contains(ca, "PRIVATE") {
		t.Fatal("GET /ca.pem gives the key away")
	}
	client := newClient(t)
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	transport.Protocols = new(http.Protocols)
	protocol(transport.Protocols, true)
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(addr)
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return client
}

var (
	http1 = (*http.Protocols).SetHTTP1
	http2 = (*http.Protocols).SetHTTP2
)

func TestTLS(t *testing.T) {
	_, base, secure, _ := serveTLS(t, DefaultConfig(), io.Discard)
	for want, protocol := range map[string]func(*http.Protocols, bool){"HTTP/1.1": http1, "HTTP/2.0": http2} {
		client := trusting(t, base, protocol)
		begin := time.Now()
		reply, body := do(t, client, "GET", secure+"/delay/50", nil)
		if took := time.Since(begin); took < 50*time.Millisecond {
			t.Errorf("%s: answered after %v, want 50ms or more", want, took)
		}
		if reply.Proto != want || body != `{"status":200,"message":"Mock response from Flash","delay":"50 ms"}` {
			t.Errorf("got %s %s, want %s and Flash's answer", reply.Proto, body, want)
		}
		for _, path := range []string{"/", "/doc"} {
			if _, page := do(t, client, "GET", secure+path, nil); !strings.Contains(page, "curl "+secure+"/delay/") {
				t.Errorf("%s over TLS: its curl lines are not of %s", path, secure)
			}
		}
		_, err := client.Get(strings.Replace(secure, "flash.siwalik.in", "other.test", 1))
		var wrong x509.HostnameError
		if !errors.As(err, &wrong) {
			t.Errorf("%s: of a host that is not in TLS_HOSTS: got %v, want a certificate that is not for it", want, err)
		}
	}
	var unknown x509.UnknownAuthorityError
	if _, err := newClient(t).Get(strings.Replace(secure, "flash.siwalik.in", "127.0.0.1", 1)); !errors.As(err, &unknown) {
		t.Errorf("a client that does not trust the authority: got %v, want that it refuses", err)
	}
	if reply, body := do(t, newClient(t), "GET", strings.Replace(secure, "https://flash.siwalik.in", "http://127.0.0.1", 1), nil); reply.StatusCode != 400 || !strings.Contains(body, "HTTP request to an HTTPS server") {
		t.Errorf("without TLS where TLS is spoken: got %d %s, want 400", reply.StatusCode, body)
	}
}

func TestFaultsOverTLS(t *testing.T) {
	_, base, secure, _ := serveTLS(t, DefaultConfig(), io.Discard)
	client := trusting(t, base, http1)
	for fault, want := range map[string]string{"reset": syscall.ECONNRESET.Error(), "empty": "EOF", "garbage": "malformed HTTP"} {
		_, err := client.Post(secure+"/delay/0?fault="+fault, "", nil) // which is not tried again
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fault=%s: got %v, want %s", fault, err, want)
		}
	}
}

func TestOneDrainOverAllListeners(t *testing.T) {
	t.Parallel()
	const each = 20
	var log logbook
	srv, base, secure, stop := serveTLS(t, DefaultConfig(), &log)
	clients := map[*http.Client]string{newClient(t): base, trusting(t, base, http1): secure, trusting(t, base, http2): secure}
	var wg sync.WaitGroup
	for client, at := range clients {
		for range each {
			wg.Go(func() {
				if reply, _ := do(t, client, "GET", at+"/delay/1s", nil); reply.StatusCode != 200 {
					t.Errorf("%s: status %d, want 200", at, reply.StatusCode)
				}
			})
		}
	}
	wiretest.Eventually(t, "all wait", func() bool { return srv.journal.Waiting() == 3*each })
	stop()
	wg.Wait()
	if got := log.String(); strings.Count(got, "draining waiting=60") != 1 || strings.Count(got, "stopped aborted=0") != 1 {
		t.Errorf("the log does not say once draining waiting=60 and stopped aborted=0:\n%s", got)
	}
	for client, at := range clients {
		if reply, err := client.Get(at + "/healthz"); err == nil {
			reply.Body.Close()
			t.Errorf("%s: a stopped server still accepts", at)
		}
	}
}

// failing is a listener that fails at once.
type failing struct{ net.Listener }

var errAccept = errors.New("no more connections")

func (failing) Accept() (net.Conn, error) { return nil, errAccept }

func TestOneListenerThatFailsEndsAll(t *testing.T) {
	var lns [2]net.Listener
	for i := range lns {
		lns[i] = wiretest.Listen(t)
	}
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Serve(t.Context(), lns[0], failing{lns[1]}); !errors.Is(err, errAccept) || !strings.Contains(err.Error(), lns[1].Addr().String()) {
		t.Errorf("Serve: got %v, want %v of %s", err, errAccept, lns[1].Addr())
	}
	for _, ln := range lns {
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: got %v, want it closed", ln.Addr(), err)
		}
	}
}

func TestWithoutTLSThereIsNoAuthority(t *testing.T) {
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	srv.Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/ca.pem", nil))
	if rec.Code != 404 || !strings.Contains(rec.Body.String(), "TLS_HOSTS") {
		t.Errorf("GET /ca.pem: got %d %s, want 404 and TLS_HOSTS", rec.Code, rec.Body)
	}
}

func TestBadTLSDirStopsTheStart(t *testing.T) {
	config := DefaultConfig()
	config.TLSHosts, config.TLSDir = []string{"a.test"}, t.TempDir()
	if err := os.WriteFile(filepath.Join(config.TLSDir, "authority.pem"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(config, slog.New(slog.DiscardHandler)); err == nil || !strings.HasPrefix(err.Error(), "TLS_DIR: ") || !strings.Contains(err.Error(), "remove authority.pem") {
		t.Errorf("New: got %v, want an error of TLS_DIR that says what to remove", err)
	}
}
