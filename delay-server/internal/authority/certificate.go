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
	leafLife = 365 * day // clients reject certificates for more than 397 days
	renewal  = 30 * day  // certificates are replaced so long before they expire
	maxSkew  = day       // how far a client's clock may be behind
)

// newCA creates an authority. Its key can sign certificates only for hosts, their
// subdomains, and loopback.
func newCA(hosts []string, now time.Time) (*tls.Certificate, error) {
	// Include names and addresses: an empty list would permit all.
	names, addresses := split(canonical(slices.Concat(hosts, []string{"localhost", "127.0.0.1", "::1"})))
	var ranges []*net.IPNet
	for _, ip := range addresses {
		ranges = append(ranges, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	return sign(&x509.Certificate{
		// A unique name: a client may trust several authorities.
		Subject: pkix.Name{
			Organization: []string{"delay-server"}, CommonName: "delay-server authority " + rand.Text()[:8],
		},
		NotBefore: now.Add(-maxSkew), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: ranges,
	}, nil)
}

// newLeaf creates a certificate for hosts, signed by ca.
func newLeaf(ca *tls.Certificate, hosts []string, now time.Time) (*tls.Certificate, error) {
	names, addresses := split(hosts)
	until := now.Add(leafLife)
	if ca.Leaf.NotAfter.Before(until) {
		until = ca.Leaf.NotAfter
	}
	return sign(&x509.Certificate{
		Subject:   pkix.Name{Organization: []string{"delay-server"}},
		NotBefore: now.Add(-maxSkew), NotAfter: until,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              names, IPAddresses: addresses,
	}, ca)
}

// split splits hosts into names and addresses of 4 or 16 bytes.
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

// sign creates a key and its certificate from the template. parent signs it; if parent
// is nil, it is self-signed.
func sign(template *x509.Certificate, parent *tls.Certificate) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	issuer, by := template, crypto.PrivateKey(key)
	if parent != nil {
		issuer, by = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// encode returns the key and certificate as PEM. sign created the key.
func encode(c *tls.Certificate) []byte {
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		panic(err) // not a key of sign
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), encodeCertificate(c)...)
}

func encodeCertificate(c *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
}
