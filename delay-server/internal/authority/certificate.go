package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	day = 24 * time.Hour

	caLife   = 10 * 365 * day
	leafLife = 365 * day // clients refuse one that is valid for over 397 days
	renewal  = 30 * day  // before its end a certificate is replaced
	behind   = day       // so much may a client's clock be
)

// newCA makes an authority. Whoever gets hold of its key can pass for hosts,
// for what is below them, and for loopback, yet for nobody else.
func newCA(hosts []string, now time.Time) (*tls.Certificate, error) {
	// Both kinds are named: one that is not would be free.
	names, addresses := split(canonical(slices.Concat(hosts, []string{"localhost", "127.0.0.1", "::1"})))
	var ranges []*net.IPNet
	for _, ip := range addresses {
		ranges = append(ranges, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	return sign(&x509.Certificate{
		// A name of its own: a client may trust several.
		Subject:   pkix.Name{Organization: []string{"delay-server"}, CommonName: "delay-server authority " + rand.Text()[:8]},
		NotBefore: now.Add(-behind), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: ranges,
	}, nil)
}

// newLeaf makes a certificate for hosts that ca signs.
func newLeaf(ca *tls.Certificate, hosts []string, now time.Time) (*tls.Certificate, error) {
	names, addresses := split(hosts)
	until := now.Add(leafLife)
	if ca.Leaf.NotAfter.Before(until) {
		until = ca.Leaf.NotAfter
	}
	return sign(&x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"delay-server"}},
		NotBefore: now.Add(-behind), NotAfter: until,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              names, IPAddresses: addresses,
	}, ca)
}

// split tells names from addresses, which have as many bytes as their kind.
func split(hosts []string) (names []string, addresses []net.IP) {
	for _, host := range hosts {
		switch ip := net.ParseIP(host); {
		case ip == nil:
			names = append(names, host)
		case ip.To4() != nil:
			addresses = append(addresses, ip.To4())
		default:
			addresses = append(addresses, ip)
		}
	}
	return names, addresses
}

// sign makes a key and, of the template, its certificate: by the key of parent,
// or by itself where that is nil.
func sign(template *x509.Certificate, parent *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	issuer, by := template, crypto.PrivateKey(key)
	if parent != nil {
		issuer, by = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// encode returns key and certificate as PEM. The key is one that sign made.
func encode(c *tls.Certificate) []byte {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		panic(err) // no key of sign's
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), encodeCertificate(c)...)
}

func encodeCertificate(c *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}
