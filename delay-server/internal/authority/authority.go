// Package authority keeps a private certificate authority and the server certificate
// that it signs. Clients that trust the authority can use https with the server, even
// under host names that belong to another public server.
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

// The files in an authority's folder. A key shares a file with its certificate, so
// that neither exists without the other.
const (
	caFile     = "authority.pem" // the authority's key and certificate
	publicFile = "ca.pem"        // the authority's certificate
	leafFile   = "server.pem"    // the server's key and certificate
)

// Remedies in errors about unusable files.
const (
	replaceCA   = "remove " + caFile + " and " + publicFile + " for a new authority, which clients must trust again"
	replaceLeaf = "remove " + leafFile + " for a new certificate"
)

// Authority issues certificates for the server's hosts. Create it with Open.
type Authority struct {
	dir   string
	hosts []string
	now   func() time.Time
	log   *slog.Logger
	ca    *tls.Certificate

	mu   sync.Mutex
	leaf *tls.Certificate
}

// Open returns the authority in dir, with a certificate for hosts, which are DNS names
// and IP addresses. It creates missing files, and replaces a certificate that is for
// other hosts or expires soon. Several processes may open one dir concurrently. It
// returns an error that says what to do if a file is unusable or the authority was
// created for other hosts.
func Open(dir string, hosts []string, now func() time.Time, log *slog.Logger) (*Authority, error) {
	a := &Authority{dir: dir, hosts: canonical(hosts), now: now, log: log}
	err := a.open()
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: user %d must own the folder and its files, on a file system with hard links",
			err, os.Getuid())
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

// PEM returns the authority's certificate.
func (a *Authority) PEM() []byte { return encodeCertificate(a.ca) }

// GetCertificate returns the server's certificate, and renews it before it expires. It
// implements tls.Config.GetCertificate. The error is always nil.
func (a *Authority) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if !a.expiring(a.leaf, now) {
		return a.leaf, nil
	}
	leaf, err := a.issue(now)
	if err != nil {
		a.log.Error("certificate not renewed", "error", err)
		return a.leaf, nil
	}
	a.leaf = leaf
	a.log.Info("certificate renewed", "until", leaf.Leaf.NotAfter)
	if err := replace(filepath.Join(a.dir, leafFile), encode(leaf)); err != nil {
		a.log.Warn("renewed certificate not saved: the next start creates another", "error", err)
	}
	return a.leaf, nil
}

// openCA reads the authority, or creates it. If another process creates it at the same
// time, both use the same one.
func (a *Authority) openCA(path string) error {
	ca, err := read(path, replaceCA)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = newCA(a.hosts, a.now())
		if err == nil {
			err = create(path, encode(ca), 0o600)
		}
		if err == nil {
			ca, err = read(path, replaceCA)
		}
	}
	if err != nil {
		return err
	}
	switch from, until := ca.Leaf.NotBefore, ca.Leaf.NotAfter; {
	case !ca.Leaf.IsCA:
		return fmt.Errorf("%s: not the certificate of an authority; %s", path, replaceCA)
	case a.now().Before(from):
		return fmt.Errorf("%s: valid from %v, but this machine's clock shows %v", path, from, a.now())
	case a.now().After(until.Add(-renewal)):
		return fmt.Errorf("%s: expires too soon, at %v; %s", path, until, replaceCA)
	}
	a.ca = ca
	return nil
}

// publish writes the authority's certificate to a file that clients can read.
func (a *Authority) publish(path string) error {
	published, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, a.PEM(), 0o644)
	}
	if err == nil && !bytes.Equal(published, a.PEM()) {
		err = fmt.Errorf("%s: not the certificate in %s; %s", path, caFile, replaceCA)
	}
	return err
}

// openLeaf reads the server's certificate, or creates one if none is usable.
func (a *Authority) openLeaf(path string) error {
	now := a.now()
	leaf, err := read(path, replaceLeaf)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !a.expiring(leaf, now) && a.verify(leaf, now) == nil:
		a.leaf = leaf
		return nil
	}
	if a.leaf, err = a.issue(now); err != nil {
		return err
	}
	a.log.Info("certificate created", "hosts", a.hosts, "until", a.leaf.Leaf.NotAfter, "file", path)
	return replace(path, encode(a.leaf))
}

// expiring reports whether leaf expires soon and a new one would last longer.
func (a *Authority) expiring(leaf *tls.Certificate, now time.Time) bool {
	until := leaf.Leaf.NotAfter
	return now.After(until.Add(-renewal)) && until.Before(a.ca.Leaf.NotAfter)
}

// verify returns an error unless leaf is a valid certificate of this authority for
// exactly its hosts.
func (a *Authority) verify(leaf *tls.Certificate, now time.Time) error {
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

// issue creates a certificate. It returns an error if the authority was created for
// other hosts.
func (a *Authority) issue(now time.Time) (*tls.Certificate, error) {
	leaf, err := newLeaf(a.ca, a.hosts, now)
	if err != nil {
		return nil, err
	}
	if err := a.verify(leaf, now); err != nil {
		return nil, fmt.Errorf("%s was created for other hosts than %s: %w; use those hosts, or %s",
			filepath.Join(a.dir, caFile), strings.Join(a.hosts, ","), err, replaceCA)
	}
	return leaf, nil
}

// canonical returns hosts in the form of certificates, sorted and without duplicates.
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
