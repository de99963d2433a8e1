package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

const (
	day = 24 * time.Hour
	// caLife is the life of a CA: it is trusted by hand, and nobody wants to do that again.
	caLife = 3650 * day
	// leafLife keeps certificates below the 398 days that browsers take at most.
	leafLife = 397 * day
	// backdate lets clients take part whose clock is behind.
	backdate = day
	// renewBefore is how long before its end a certificate is replaced.
	renewBefore = 30 * day
)

// authority is a CA.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority makes a CA for these names, which are clean, and for the addresses of ranges.
func newAuthority(now time.Time, names []string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	random, err := newSerial()
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{Organization: []string{"callsemu"}, CommonName: "callsemu local CA " + hex.EncodeToString(random.Bytes()[:4])}
	return selfSigned(now, names, key, &x509.Certificate{Subject: subject})
}

// renewed is the CA with another certificate, for these names. Key, subject and key id stay, by which clients find who signed a
// certificate: who trusts the new one trusts what is signed under the former one, within the constraints of the new.
func (a *authority) renewed(now time.Time, names []string) (*authority, error) {
	return selfSigned(now, names, a.key, &x509.Certificate{RawSubject: a.cert.RawSubject, SubjectKeyId: a.cert.SubjectKeyId})
}

// selfSigned fills in the template, which has the subject.
func selfSigned(now time.Time, names []string, key *ecdsa.PrivateKey, template *x509.Certificate) (_ *authority, err error) {
	hosts, addrs := split(names)
	if template.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	template.NotBefore = now.Add(-backdate)
	template.NotAfter = now.Add(caLife)
	template.KeyUsage = x509.KeyUsageCertSign
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} // and no other from it
	template.BasicConstraintsValid = true
	template.IsCA = true
	template.MaxPathLenZero = true
	template.PermittedDNSDomainsCritical = true
	template.PermittedDNSDomains = hosts
	template.ExcludedDNSDomains = subdomains(hosts)
	template.PermittedIPRanges = permitted(addrs)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// subdomains are the constraints that keep a permitted name from permitting everything below it (RFC 5280 section
// 4.2.1.10 makes it so; with a dot in front a constraint is for what is below alone).
func subdomains(hosts []string) []string {
	var below []string
	for _, host := range hosts {
		below = append(below, "."+host)
	}
	return below
}

// permitted is ranges, and each address that lies in none of them.
func permitted(addrs []net.IP) []*net.IPNet {
	var list []*net.IPNet
	for _, r := range ranges {
		_, block, err := net.ParseCIDR(r)
		if err != nil {
			panic("certs: ranges: " + err.Error())
		}
		list = append(list, block)
	}
	for _, addr := range addrs {
		if !slices.ContainsFunc(list, func(n *net.IPNet) bool { return n.Contains(addr) }) {
			bits := 8 * len(addr)
			list = append(list, &net.IPNet{IP: addr, Mask: net.CIDRMask(bits, bits)})
		}
	}
	return list
}

// newSerial returns 126 random bits, never short of them: four bytes are in the CA's name.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}

// covers reports whether the CA may sign for a clean name.
func (a *authority) covers(name string) bool {
	hosts, addrs := split([]string{name})
	if len(addrs) > 0 {
		return slices.ContainsFunc(a.cert.PermittedIPRanges, func(n *net.IPNet) bool { return n.Contains(addrs[0]) })
	}
	_, below := above(a.cert.PermittedDNSDomains, hosts[0])
	return slices.Contains(a.cert.PermittedDNSDomains, hosts[0]) && !below
}

// names are what the CA was made for, and is good for: an older callsemu permitted what it excluded as well.
func (a *authority) names() []string {
	names := slices.DeleteFunc(slices.Clone(a.cert.PermittedDNSDomains), func(name string) bool { return !a.covers(name) })
	for _, n := range a.cert.PermittedIPRanges {
		if ones, bits := n.Mask.Size(); ones == bits {
			names = append(names, n.IP.String())
		}
	}
	return names
}

// lasts reports whether certificates can be signed that end before the CA does.
func (a *authority) lasts(now time.Time) bool {
	return !now.Before(a.cert.NotBefore) && now.Add(leafLife).Before(a.cert.NotAfter)
}

// issue makes a server certificate for clean names. The chain has the CA in it, which clients that trust it do not need
// but Chromium's list of exceptions does.
func (a *authority) issue(now time.Time, names []string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	hosts, addrs := split(names)
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"callsemu"}},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(leafLife - backdate),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     hosts,
		IPAddresses:  addrs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, err
}

// certPEM is the CA for everybody.
func (a *authority) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: a.cert.Raw})
}

// pin is the hash of the CA's key as Chromium's --ignore-certificate-errors-spki-list takes it.
func pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// PEM blocks of the key file.
const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY"
	certBegin = "-----BEGIN " + certBlock + "-----"
)

// keyPEM is the CA with its key.
func (a *authority) keyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), a.certPEM()...), nil
}

// parseAuthority reads what keyPEM wrote.
func parseAuthority(text []byte) (*authority, error) {
	first, rest := pem.Decode(text)
	if first == nil || first.Type != keyBlock {
		return nil, errors.New("it does not begin with a key in PEM")
	}
	second, _ := pem.Decode(rest)
	if second == nil || second.Type != certBlock {
		return nil, errors.New("no certificate in PEM follows its key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(first.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its key: %w", err)
	}
	cert, err := x509.ParseCertificate(second.Bytes)
	if err != nil {
		return nil, fmt.Errorf("its certificate: %w", err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) || !cert.IsCA {
		return nil, errors.New("its key is not that of its CA")
	}
	return &authority{cert, key}, nil
}
