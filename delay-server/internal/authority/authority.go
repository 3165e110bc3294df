// Package authority is the server's own certificate authority and the
// certificate that it signs for the server: clients that trust the one can ask
// the server by https, under names that lead elsewhere in public.
package authority

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The files of an authority's folder. A key shares a file with its certificate,
// so that neither is ever there without the other.
const (
	caFile     = "authority.pem" // the authority's key and certificate
	publicFile = "ca.pem"        // that certificate alone
	leafFile   = "server.pem"    // the server's key and certificate
)

// What to do about files that cannot be used.
const (
	anotherCA   = "remove " + caFile + " and " + publicFile + " to have a new authority made, which clients must trust anew"
	anotherLeaf = "remove " + leafFile + " to have a new certificate made"
)

// Authority vouches for the server's hosts. Use Open.
type Authority struct {
	dir   string
	hosts []string
	now   func() time.Time
	log   *slog.Logger
	ca    *tls.Certificate

	mu   sync.Mutex
	leaf *tls.Certificate
}

// Open returns the authority that is kept in dir, with a certificate for hosts,
// one or more DNS names and IP addresses. What is not there yet is made; a
// certificate that is for other hosts, or about to run out by now, is replaced.
// Processes may open one folder at once. The error is that of a file which
// cannot be read, written or understood, or of hosts that the authority was not
// made for, and says what to do.
func Open(dir string, hosts []string, now func() time.Time, log *slog.Logger) (*Authority, error) {
	a := &Authority{dir: dir, hosts: canonical(hosts), now: now, log: log}
	err := a.open()
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w; the folder and its files must be of the user who runs this, id %d, on a file system with hard links", err, os.Getuid())
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (a *Authority) open() error {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	if err := a.openCA(filepath.Join(a.dir, caFile)); err != nil {
		return err
	}
	if err := a.publish(filepath.Join(a.dir, publicFile)); err != nil {
		return err
	}
	return a.openLeaf(filepath.Join(a.dir, leafFile))
}

// PEM returns the authority's certificate, for clients to trust.
func (a *Authority) PEM() []byte { return encodeCertificate(a.ca) }

// GetCertificate returns the server's certificate, renewed where it is about to
// run out. It is for a tls.Config; the error is always nil.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if !a.due(a.leaf, now) {
		return a.leaf, nil
	}
	leaf, err := a.issue(now)
	if err != nil {
		a.log.Error("the certificate is not renewed", "error", err)
		return a.leaf, nil
	}
	a.leaf = leaf
	a.log.Info("the certificate is renewed", "until", leaf.Leaf.NotAfter)
	if err := replace(filepath.Join(a.dir, leafFile), encode(leaf)); err != nil {
		a.log.Warn("the new certificate is not kept: the next start makes another", "error", err)
	}
	return a.leaf, nil
}

// openCA reads the authority, or makes one, which another process that starts
// now may have done before.
func (a *Authority) openCA(path string) error {
	ca, err := read(path, anotherCA)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = newCA(a.hosts, a.now())
		if err == nil {
			err = create(path, encode(ca), 0o600)
		}
		if err == nil {
			ca, err = read(path, anotherCA)
		}
	}
	if err != nil {
		return err
	}
	switch from, until := ca.Leaf.NotBefore, ca.Leaf.NotAfter; {
	case !ca.Leaf.IsCA:
		return fmt.Errorf("%s: this is no authority's certificate; %s", path, anotherCA)
	case a.now().Before(from):
		return fmt.Errorf("%s: it is valid from %v, and this machine's clock shows %v", path, from, a.now())
	case a.now().After(until.Add(-renewal)):
		return fmt.Errorf("%s: it is valid until %v, which is too soon; %s", path, until, anotherCA)
	}
	a.ca = ca
	return nil
}

// publish writes the authority's certificate where clients can read it.
func (a *Authority) publish(path string) error {
	published, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, a.PEM(), 0o644)
	}
	if err == nil && !bytes.Equal(published, a.PEM()) {
		err = fmt.Errorf("%s: this is not the certificate of %s; %s", path, caFile, anotherCA)
	}
	return err
}

// openLeaf reads the server's certificate, or makes one where there is none
// that suits.
func (a *Authority) openLeaf(path string) error {
	now := a.now()
	leaf, err := read(path, anotherLeaf)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !a.due(leaf, now) && a.vouches(leaf, now) == nil:
		a.leaf = leaf
		return nil
	}
	if a.leaf, err = a.issue(now); err != nil {
		return err
	}
	a.log.Info("a new certificate is made", "hosts", a.hosts, "until", a.leaf.Leaf.NotAfter, "file", path)
	return replace(path, encode(a.leaf))
}

// due reports whether leaf is to be replaced: it runs out soon, and a new one
// would last longer.
func (a *Authority) due(leaf *tls.Certificate, now time.Time) bool {
	until := leaf.Leaf.NotAfter
	return now.After(until.Add(-renewal)) && until.Before(a.ca.Leaf.NotAfter)
}

// vouches returns an error where leaf is not, now, this authority's certificate
// for just these hosts.
func (a *Authority) vouches(leaf *tls.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.ca.Leaf)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return err
	}
	for _, host := range a.hosts {
		if err := leaf.Leaf.VerifyHostname(host); err != nil {
			return err
		}
	}
	if n := len(leaf.Leaf.DNSNames) + len(leaf.Leaf.IPAddresses); n != len(a.hosts) {
		return fmt.Errorf("certificate for %d hosts, want %d", n, len(a.hosts))
	}
	return nil
}

// issue makes a certificate. The error is that of hosts that the authority was
// not made for.
func (a *Authority) issue(now time.Time) (*tls.Certificate, error) {
	leaf, err := newLeaf(a.ca, a.hosts, now)
	if err != nil {
		return nil, err
	}
	if err := a.vouches(leaf, now); err != nil {
		return nil, fmt.Errorf("%s was made for other hosts than %s: %w; set those, or %s", filepath.Join(a.dir, caFile), strings.Join(a.hosts, ","), err, anotherCA)
	}
	return leaf, nil
}

// canonical returns hosts sorted, each once and as a certificate has it.
func canonical(hosts []string) []string {
	var all []string
	for _, host := range hosts {
		if ip, err := netip.ParseAddr(host); err == nil {
			host = ip.Unmap().String()
		}
		all = append(all, strings.ToLower(host))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
