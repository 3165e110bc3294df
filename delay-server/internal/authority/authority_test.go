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

// trusts returns what a client says that trusts authority at a time.
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
			t.Errorf("a client asks %s: %v, want trust %v", host, err, want)
		}
	}
	if got := leaf(t, a); got.NotAfter.Sub(got.NotBefore) > 397*day {
		t.Errorf("valid from %v to %v, want 397 days at most", got.NotBefore, got.NotAfter)
	}
	stranger := open(t, t.TempDir(), at, "flash.siwalik.in")
	if err := trusts(stranger.PEM(), leaf(t, a), "flash.siwalik.in", at.Time); err == nil {
		t.Error("a client that trusts another authority trusts this one's certificate")
	}
}

func TestFilesAreKeptAndKeysAreForThisUserAlone(t *testing.T) {
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
		t.Errorf("ca.pem: got %s, want one certificate alone", published)
	}
	again := open(t, dir, at, "A.test", "a.test")
	if !bytes.Equal(again.PEM(), a.PEM()) || !leaf(t, again).Equal(leaf(t, a)) {
		t.Error("the second start has another authority or another certificate, want the same")
	}
}

func TestCertificateIsRenewedWhileRunning(t *testing.T) {
	at, dir := newClock(), t.TempDir()
	a := open(t, dir, at, "a.test")
	first := leaf(t, a)

	at.Time = first.NotAfter.Add(-30 * day)
	if !leaf(t, a).Equal(first) {
		t.Error("it is renewed with 30 days to go, want with less")
	}
	at.Time = at.Add(time.Second)
	second := leaf(t, a)
	if second.Equal(first) || !second.NotAfter.Equal(at.Add(365*day)) {
		t.Errorf("with less than 30 days to go: got one that ends %v, want a new one for 365 days", second.NotAfter)
	}
	if err := trusts(a.PEM(), second, "a.test", at.Time); err != nil {
		t.Errorf("a client of the first day: %v, want trust", err)
	}
	if !leaf(t, open(t, dir, at, "a.test")).Equal(second) {
		t.Error("the next start has another certificate, want the renewed one")
	}

	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	at.Time = second.NotAfter
	if third := leaf(t, a); third.Equal(second) {
		t.Error("it is not renewed without its folder")
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
		{"the clock was wrong, and is two days back", []string{"a.test"}, -day - time.Second, nil, false},
		{"a host less", []string{"a.test", "b.test"}, 0, []string{"a.test"}, false},
		{"a name below", []string{"a.test"}, 0, []string{"a.test", "www.a.test"}, false},
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
				t.Errorf("the certificate is the same: %v, want %v", got, tc.same)
			}
			for _, host := range tc.opened {
				if err := trusts(before.PEM(), leaf(t, a), host, at.Time); err != nil {
					t.Errorf("a client of the first day asks %s: %v, want trust", host, err)
				}
			}
		})
	}
}

func TestAuthorityVouchesForNoOtherHosts(t *testing.T) {
	for _, tc := range []struct {
		name        string
		made, other []string
	}{
		{"another name", []string{"a.test"}, []string{"a.test", "b.test"}},
		{"the name above", []string{"a.test"}, []string{"test"}},
		{"an address, made for a name", []string{"a.test"}, []string{"10.0.0.1"}},
		{"a name, made for an address", []string{"10.0.0.1"}, []string{"b.test"}},
		{"the next address", []string{"10.0.0.1"}, []string{"10.0.0.2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			at, dir := newClock(), t.TempDir()
			open(t, dir, at, tc.made...)
			_, err := authority.Open(dir, tc.other, at.now, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), "was made for other hosts") || !strings.Contains(err.Error(), "remove authority.pem and ca.pem") {
				t.Errorf("Open(%v) of an authority for %v: got %v, want an error that says what to remove", tc.other, tc.made, err)
			}
		})
	}
}

func TestAuthorityEnds(t *testing.T) {
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
		t.Errorf("the last certificate ends %v, want with the authority, %v", last.NotAfter, ca.NotAfter)
	}
	open(t, dir, at, "a.test")
	at.Time = ca.NotAfter.Add(-29 * day)
	if !leaf(t, a).Equal(last) {
		t.Error("the last certificate is replaced, want it kept: no other would last longer")
	}
	if _, err := authority.Open(dir, []string{"a.test"}, at.now, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "it is valid until") {
		t.Errorf("Open with 29 days to go: got %v, want an error that says until when", err)
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

// TestBadFilesAreReportedAndKept breaks a good folder in one way each.
func TestBadFilesAreReportedAndKept(t *testing.T) {
	at := newClock()
	other := t.TempDir()
	open(t, other, at, "a.test")
	half := func(text []byte) []byte { return text[:len(text)/2] }
	mixed := func(mine, others []byte) []byte { // the key of one and the certificate of the other
		key, _ := pem.Decode(mine)
		_, certificate := pem.Decode(others)
		return append(pem.EncodeToMemory(key), certificate...)
	}
	for _, tc := range []struct {
		name, file string
		spoil      func(good []byte) []byte
		want       string
	}{
		{"an empty authority", "authority.pem", func([]byte) []byte { return nil }, "remove authority.pem and ca.pem"},
		{"half an authority", "authority.pem", half, "remove authority.pem and ca.pem"},
		{"an authority of text", "authority.pem", func([]byte) []byte { return []byte("hello\n") }, "remove authority.pem and ca.pem"},
		{"an authority without its key", "authority.pem", func(good []byte) []byte { _, rest := pem.Decode(good); return rest }, "remove authority.pem and ca.pem"},
		{"an authority with another's key", "authority.pem", func(good []byte) []byte { return mixed(contents(t, other, "authority.pem"), good) }, "private key does not match"},
		{"a certificate as authority", "authority.pem", func([]byte) []byte { return contents(t, other, "server.pem") }, "no authority's certificate"},
		{"another authority than clients read", "authority.pem", func([]byte) []byte { return contents(t, other, "authority.pem") }, "ca.pem: this is not the certificate of authority.pem"},
		{"another's certificate for clients", "ca.pem", func([]byte) []byte { return []byte("hello\n") }, "ca.pem: this is not the certificate of authority.pem"},
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
			if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, tc.file)) && !strings.Contains(err.Error(), filepath.Join(dir, "ca.pem")) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open: got %v, want an error that names the file and says %q", err, tc.want)
			}
			if got := contents(t, dir, tc.file); !bytes.Equal(got, bad) {
				t.Errorf("%s was replaced, want it as it was found", tc.file)
			}
		})
	}
}

func TestFolderThatCannotBeUsed(t *testing.T) {
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
		{"a file in its place", file, file},
		{"a folder in the place of a file", occupied, filepath.Join(occupied, "authority.pem")},
		{"not this user's", closed, fmt.Sprintf("of the user who runs this, id %d", os.Getuid())},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.dir == closed && os.Getuid() == 0 {
				t.Skip("root may use every folder")
			}
			_, err := authority.Open(tc.dir, []string{"a.test"}, time.Now, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open: got %v, want an error that says %q", err, tc.want)
			}
		})
	}
}

// TestManyStartAtOnce is of processes: what they share is the folder alone.
func TestManyStartAtOnce(t *testing.T) {
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
				t.Errorf("process %d: %v, or another authority than that of ca.pem", i, err)
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
			t.Fatalf("handshake %d: got the old certificate, or another than the first, want one new one for all", i)
		}
	}
}
