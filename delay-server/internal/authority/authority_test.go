package authority_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"flash.test/delay-server/internal/authority"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const day = 24 * time.Hour

// removeCA is the remedy in errors about the authority's files.
const removeCA = "remove authority.pem and ca.pem"

// clock is a time that a test sets.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newClock() *clock { return &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func open(t *testing.T, dir string, at *clock, hosts ...string) *authority.Authority {
	t.Helper()
	a, err := authority.Open(dir, hosts, at.now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatalf("Open(%s): %v", strings.Join(hosts, ","), err)
	}
	return a
}

// leaf returns the certificate that a serves now.
func leaf(t *testing.T, a *authority.Authority) *x509.Certificate {
	t.Helper()
	served, err := a.GetCertificate(new(tls.ClientHelloInfo))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(served.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// trusts returns nil if a client that trusts authority accepts c for host.
func trusts(authority []byte, c *x509.Certificate, host string, at time.Time) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	_, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: at})
	return err
}

func TestClientsTrustTheCertificateForItsHosts(t *testing.T) {
	at := newClock()
	a := open(t, t.TempDir(), at, "Flash.Siwalik.in", "localhost", "127.0.0.1", "::1")
	for host, want := range map[string]bool{
		"flash.siwalik.in": true, "FLASH.siwalik.in": true, "localhost": true, "127.0.0.1": true, "[::1]": true,
		"siwalik.in": false, "www.flash.siwalik.in": false, "127.0.0.2": false,
	} {
		if err := trusts(a.PEM(), leaf(t, a), host, at.Time); (err == nil) != want {
			t.Errorf("a client of %s: %v, want trust %v", host, err, want)
		}
	}
	if got := leaf(t, a); got.NotAfter.Sub(got.NotBefore) > 397*day {
		t.Errorf("valid from %v to %v, want 397 days at most", got.NotBefore, got.NotAfter)
	}
	other := open(t, t.TempDir(), at, "flash.siwalik.in")
	if err := trusts(other.PEM(), leaf(t, a), "flash.siwalik.in", at.Time); err == nil {
		t.Error("a client of another authority trusts the certificate")
	}
}

func TestFilesAreReusedAndKeysArePrivate(t *testing.T) {
	at, dir := newClock(), filepath.Join(t.TempDir(), "new", "tls")
	a := open(t, dir, at, "a.test")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("got files %v, error %v, want three", entries, err)
	}
	for name, mode := range map[string]fs.FileMode{"authority.pem": 0o600, "server.pem": 0o600, "ca.pem": 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("%s: got mode %v, want %v", name, info.Mode(), mode)
		}
	}
	published := contents(t, dir, "ca.pem")
	if !bytes.Equal(published, a.PEM()) {
		t.Errorf("ca.pem: got %s, want %s", published, a.PEM())
	}
	if block, rest := pem.Decode(published); block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Errorf("ca.pem: got %s, want one certificate", published)
	}
	again := open(t, dir, at, "A.test", "a.test")
	if !bytes.Equal(again.PEM(), a.PEM()) || !leaf(t, again).Equal(leaf(t, a)) {
		t.Error("the second start has another authority or certificate, want the same")
	}
}

func TestCertificateIsRenewedWhileRunning(t *testing.T) {
	at, dir := newClock(), t.TempDir()
	a := open(t, dir, at, "a.test")
	first := leaf(t, a)

	at.Time = first.NotAfter.Add(-30 * day)
	if !leaf(t, a).Equal(first) {
		t.Error("it was renewed 30 days before it expires, want later")
	}
	at.Time = at.Add(time.Second)
	second := leaf(t, a)
	if second.Equal(first) || !second.NotAfter.Equal(at.Add(365*day)) {
		t.Errorf("less than 30 days before expiry: got one until %v, want a new one for 365 days", second.NotAfter)
	}
	if err := trusts(a.PEM(), second, "a.test", at.Time); err != nil {
		t.Errorf("a client since the first day: %v, want trust", err)
	}
	if !leaf(t, open(t, dir, at, "a.test")).Equal(second) {
		t.Error("the next start uses another certificate, want the renewed one")
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	at.Time = second.NotAfter
	if third := leaf(t, a); third.Equal(second) {
		t.Error("it was not renewed without its folder")
	}
}

func TestCertificateIsRenewedAtTheStart(t *testing.T) {
	for _, tc := range []struct {
		name   string
		made   []string
		after  time.Duration
		opened []string
		same   bool
	}{
		{"nothing changed", []string{"a.test", "127.0.0.1"}, 0, []string{"127.0.0.1", "a.test"}, true},
		{"335 days later", []string{"a.test"}, 335 * day, []string{"a.test"}, true},
		{"336 days later", []string{"a.test"}, 336 * day, []string{"a.test"}, false},
		{"two years later", []string{"a.test"}, 730 * day, []string{"a.test"}, false},
		{"the clock goes back two days", []string{"a.test"}, -day - time.Second, nil, false},
		{"one host less", []string{"a.test", "b.test"}, 0, []string{"a.test"}, false},
		{"a subdomain", []string{"a.test"}, 0, []string{"a.test", "www.a.test"}, false},
		{"loopback too", []string{"a.test"}, 0, []string{"a.test", "localhost", "127.0.0.1", "::1"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, dir := newClock(), t.TempDir()
			before := open(t, dir, at, tc.made...)
			first := leaf(t, before)
			at.Time = at.Add(tc.after)
			if tc.opened == nil {
				_, err := authority.Open(dir, tc.made, at.now, slog.New(slog.DiscardHandler))
				if err == nil || !strings.Contains(err.Error(), "this machine's clock shows") {
					t.Errorf("got %v, want an error about the clock", err)
				}
				return
			}
			a := open(t, dir, at, tc.opened...)
			if got := leaf(t, a).Equal(first); got != tc.same {
				t.Errorf("same certificate: %v, want %v", got, tc.same)
			}
			for _, host := range tc.opened {
				if err := trusts(before.PEM(), leaf(t, a), host, at.Time); err != nil {
					t.Errorf("a client of %s since the first day: %v, want trust", host, err)
				}
			}
		})
	}
}

func TestAuthorityRejectsOtherHosts(t *testing.T) {
	for _, tc := range []struct {
		name        string
		made, other []string
	}{
		{"another name", []string{"a.test"}, []string{"a.test", "b.test"}},
		{"the parent domain", []string{"a.test"}, []string{"test"}},
		{"an address instead of a name", []string{"a.test"}, []string{"10.0.0.1"}},
		{"a name instead of an address", []string{"10.0.0.1"}, []string{"b.test"}},
		{"the next address", []string{"10.0.0.1"}, []string{"10.0.0.2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, dir := newClock(), t.TempDir()
			open(t, dir, at, tc.made...)
			_, err := authority.Open(dir, tc.other, at.now, slog.New(slog.DiscardHandler))
			text := fmt.Sprint(err)
			if !strings.Contains(text, "was created for other hosts") || !strings.Contains(text, removeCA) {
				t.Errorf("Open(%v) of an authority for %v: got %v, want an error that names the files to remove",
					tc.other, tc.made, err)
			}
		})
	}
}

func TestAuthorityExpires(t *testing.T) {
	at, dir := newClock(), t.TempDir()
	a := open(t, dir, at, "a.test")
	block, _ := pem.Decode(a.PEM())
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	at.Time = ca.NotAfter.Add(-31 * day)
	last := leaf(t, a)
	if !last.NotAfter.Equal(ca.NotAfter) {
		t.Errorf("the last certificate expires at %v, want %v like the authority", last.NotAfter, ca.NotAfter)
	}
	open(t, dir, at, "a.test")
	at.Time = ca.NotAfter.Add(-29 * day)
	if !leaf(t, a).Equal(last) {
		t.Error("the last certificate was replaced, but no other lasts longer")
	}
	_, err = authority.Open(dir, []string{"a.test"}, at.now, slog.New(slog.DiscardHandler))
	if !strings.Contains(fmt.Sprint(err), "expires too soon") {
		t.Errorf("Open 29 days before expiry = %v, want an error", err)
	}
}

func contents(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Each row damages one file of a good folder.
func TestDamagedFilesAreReportedAndKept(t *testing.T) {
	at := newClock()
	other := t.TempDir()
	open(t, other, at, "a.test")
	half := func(text []byte) []byte { return text[:len(text)/2] }
	empty := func([]byte) []byte { return nil }
	notPEM := func([]byte) []byte { return []byte("hello\n") }
	withoutKey := func(good []byte) []byte { _, rest := pem.Decode(good); return rest }
	otherFile := func(name string) func([]byte) []byte {
		return func([]byte) []byte { return contents(t, other, name) }
	}
	mixed := func(mine, others []byte) []byte { // the key of one, the certificate of the other
		key, _ := pem.Decode(mine)
		_, certificate := pem.Decode(others)
		return append(pem.EncodeToMemory(key), certificate...)
	}
	for _, tc := range []struct {
		name, file string
		spoil      func(good []byte) []byte
		want       string
	}{
		{"an empty authority", "authority.pem", empty, removeCA},
		{"half an authority", "authority.pem", half, removeCA},
		{"an authority that is not PEM", "authority.pem", notPEM, removeCA},
		{"an authority without a key", "authority.pem", withoutKey, removeCA},
		{"an authority with another key", "authority.pem", func(good []byte) []byte {
			return mixed(contents(t, other, "authority.pem"), good)
		}, "private key does not match"},
		{"a server certificate as authority", "authority.pem", otherFile("server.pem"),
			"not the certificate of an authority"},
		{"an authority that is not in ca.pem", "authority.pem", otherFile("authority.pem"),
			"ca.pem: not the certificate in authority.pem"},
		{"another ca.pem", "ca.pem", notPEM, "ca.pem: not the certificate in authority.pem"},
		{"half a certificate", "server.pem", half, "remove server.pem"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, at, "a.test")
			path, bad := filepath.Join(dir, tc.file), tc.spoil(contents(t, dir, tc.file))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := authority.Open(dir, []string{"a.test"}, at.now, slog.New(slog.DiscardHandler))
			if text := fmt.Sprint(err); !strings.Contains(text, dir) || !strings.Contains(text, tc.want) {
				t.Errorf("Open: got %v, want an error that names the file and %q", err, tc.want)
			}
			if got := contents(t, dir, tc.file); !bytes.Equal(got, bad) {
				t.Errorf("%s was replaced, want it unchanged", tc.file)
			}
		})
	}
}

func TestUnusableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	occupied := t.TempDir()
	if err := os.Mkdir(filepath.Join(occupied, "authority.pem"), 0o700); err != nil {
		t.Fatal(err)
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, dir, want string }{
		{"a file", file, file},
		{"a folder instead of a file", occupied, filepath.Join(occupied, "authority.pem")},
		{"another user's folder", closed, fmt.Sprintf("user %d must own", os.Getuid())},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.dir == closed && os.Getuid() == 0 {
				t.Skip("root may use any folder")
			}
			_, err := authority.Open(tc.dir, []string{"a.test"}, time.Now, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open: got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// Concurrent processes share only the folder.
func TestConcurrentStart(t *testing.T) {
	at := newClock()
	for range 20 {
		dir := t.TempDir()
		var all [8]*authority.Authority
		var wg sync.WaitGroup
		for i := range all {
			wg.Go(func() {
				var err error
				all[i], err = authority.Open(dir, []string{"a.test"}, at.now, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		published := contents(t, dir, "ca.pem")
		for i, a := range all {
			if err := trusts(published, leaf(t, a), "a.test", at.Time); err != nil || !bytes.Equal(a.PEM(), published) {
				t.Errorf("process %d: %v, or an authority that is not in ca.pem", i, err)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
			t.Errorf("got files %v, error %v, want three", entries, err)
		}
		open(t, dir, at, "a.test")
	}
}

func TestRenewalUnderLoad(t *testing.T) {
	at, dir := newClock(), t.TempDir()
	a := open(t, dir, at, "a.test")
	first := leaf(t, a)
	at.Time = first.NotAfter
	var served [50]*tls.Certificate
	var wg sync.WaitGroup
	for i := range served {
		wg.Go(func() { served[i], _ = a.GetCertificate(new(tls.ClientHelloInfo)) })
	}
	wg.Wait()
	for i, c := range served {
		if c != served[0] || c.Leaf.Equal(first) {
			t.Fatalf("handshake %d: got the old certificate or a second new one, want one for all", i)
		}
	}
}
