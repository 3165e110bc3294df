package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"flash.test/delay-server/kit/wiretest"
)

// startWithTLS starts a server on two free ports of loopback, one of them TLS_PORT.
// It returns the URL without TLS.
func startWithTLS(t *testing.T, config Config) (base string) {
	t.Helper()
	_, base, _, _ = serveTLS(t, config, io.Discard)
	return base
}

// serveTLS is like startWithTLS, and also returns the server, its URL with TLS and
// Flash's host name, and a function that shuts it down.
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

// newTLSClient returns a client that trusts the certificate authority at base and
// resolves each name to this machine.
func newTLSClient(t *testing.T, base string, protocol func(*http.Protocols, bool)) *http.Client {
	t.Helper()
	reply, ca := do(t, newClient(t), "GET", base+"/ca.pem", nil)
	roots := x509.NewCertPool()
	contentType := reply.Header.Get("Content-Type")
	if contentType != "application/x-pem-file" || !roots.AppendCertsFromPEM([]byte(ca)) {
		t.Fatalf("GET /ca.pem: got %d %q %s, want a certificate", reply.StatusCode, contentType, ca)
	}
	if strings.Contains(ca, "PRIVATE") {
		t.Fatal("GET /ca.pem: got the private key")
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

// curlLine matches a curl command, with or without options, for a delay of the server at base.
func curlLine(base string) *regexp.Regexp {
	return regexp.MustCompile(`curl (-\w+ )?` + regexp.QuoteMeta(base+"/delay/"))
}

func TestTLS(t *testing.T) {
	_, base, secure, _ := serveTLS(t, DefaultConfig(), io.Discard)
	for want, protocol := range map[string]func(*http.Protocols, bool){"HTTP/1.1": http1, "HTTP/2.0": http2} {
		client := newTLSClient(t, base, protocol)
		begin := time.Now()
		reply, body := do(t, client, "GET", secure+"/delay/50", nil)
		if took := time.Since(begin); took < 50*time.Millisecond {
			t.Errorf("%s: answered after %v, want at least 50ms", want, took)
		}
		if reply.Proto != want || body != `{"status":200,"message":"Mock response from Flash","delay":"50 ms"}` {
			t.Errorf("got %s %s, want %s and Flash's body", reply.Proto, body, want)
		}
		for _, path := range []string{"/", "/doc"} {
			if _, page := do(t, client, "GET", secure+path, nil); !curlLine(secure).MatchString(page) {
				t.Errorf("GET %s over TLS: want %s in the curl commands", path, secure)
			}
		}
		_, err := client.Get(strings.Replace(secure, "flash.siwalik.in", "other.test", 1))
		if _, ok := errors.AsType[x509.HostnameError](err); !ok {
			t.Errorf("%s: host not in TLS_HOSTS: got error %v, want a HostnameError", want, err)
		}
	}
	_, err := newClient(t).Get(strings.Replace(secure, "flash.siwalik.in", "127.0.0.1", 1))
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("client without the authority: got error %v, want an UnknownAuthorityError", err)
	}
	plain := strings.Replace(secure, "https://flash.siwalik.in", "http://127.0.0.1", 1)
	reply, body := do(t, newClient(t), "GET", plain, nil)
	if reply.StatusCode != 400 || !strings.Contains(body, "HTTP request to an HTTPS server") {
		t.Errorf("HTTP request to the TLS port: got %d %s, want 400", reply.StatusCode, body)
	}
}

func TestFaultsOverTLS(t *testing.T) {
	_, base, secure, _ := serveTLS(t, DefaultConfig(), io.Discard)
	client := newTLSClient(t, base, http1)
	for fault, want := range map[string]string{
		"reset":   syscall.ECONNRESET.Error(),
		"empty":   "EOF",
		"garbage": "malformed HTTP",
	} {
		_, err := client.Post(secure+"/delay/0?fault="+fault, "", nil) // net/http does not retry POST
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fault=%s: got %v, want %s", fault, err, want)
		}
	}
}

func TestShutdownDrainsAllListeners(t *testing.T) {
	t.Parallel()
	const each = 20
	var log logbook
	srv, base, secure, stop := serveTLS(t, DefaultConfig(), &log)
	srv.engine.Clock.Freeze()
	clients := map[*http.Client]string{
		newClient(t):                 base,
		newTLSClient(t, base, http1): secure,
		newTLSClient(t, base, http2): secure,
	}
	var wg sync.WaitGroup
	for client, base := range clients {
		for range each {
			wg.Go(func() {
				if reply, _ := do(t, client, "GET", base+"/delay/1s", nil); reply.StatusCode != 200 {
					t.Errorf("%s: status %d, want 200", base, reply.StatusCode)
				}
			})
		}
	}
	awaitTimed(t, srv, 3*each)
	drain(t, base, stop, &wg)
	advance(t, srv, time.Second)
	wg.Wait()
	for _, want := range []string{"draining waiting=60", "stopped aborted=0"} {
		if got := log.String(); strings.Count(got, want) != 1 {
			t.Errorf("want %q in the log once, got:\n%s", want, got)
		}
	}
	for client, base := range clients {
		if reply, err := client.Get(base + "/healthz"); err == nil {
			reply.Body.Close()
			t.Errorf("%s: stopped server accepts connections", base)
		}
	}
}

// A failingListener returns errAccept from Accept.
type failingListener struct{ net.Listener }

var errAccept = errors.New("no more connections")

func (failingListener) Accept() (net.Conn, error) { return nil, errAccept }

func TestServeClosesAllListenersIfOneFails(t *testing.T) {
	var lns [2]net.Listener
	for i := range lns {
		lns[i] = wiretest.Listen(t)
	}
	srv, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = srv.Serve(t.Context(), lns[0], failingListener{lns[1]})
	if addr := lns[1].Addr().String(); !errors.Is(err, errAccept) || !strings.Contains(err.Error(), addr) {
		t.Errorf("Serve: got error %v, want %v with %s", err, errAccept, addr)
	}
	for _, ln := range lns {
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: Accept: got error %v, want %v", ln.Addr(), err, net.ErrClosed)
		}
	}
}

func TestNoAuthorityWithoutTLS(t *testing.T) {
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

func TestInvalidTLSDir(t *testing.T) {
	config := DefaultConfig()
	config.TLSHosts, config.TLSDir = []string{"a.test"}, t.TempDir()
	if err := os.WriteFile(filepath.Join(config.TLSDir, "authority.pem"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(config, slog.New(slog.DiscardHandler))
	if got := fmt.Sprint(err); !strings.HasPrefix(got, "TLS_DIR: ") || !strings.Contains(got, "remove authority.pem") {
		t.Errorf("New: got error %v, want TLS_DIR and the file to remove", err)
	}
}
