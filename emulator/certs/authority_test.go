package certs

import (
	"crypto/rand"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func mustAuthority(t *testing.T, names ...string) *authority {
	t.Helper()
	a, err := newAuthority(noon, clean(Standard(), names))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// verify signs a certificate with the CA's key, whatever the CA says, and tells what a client that trusts the CA thinks of it.
func verify(t *testing.T, a *authority, name string, usage x509.ExtKeyUsage) error {
	t.Helper()
	pair, err := a.issue(noon, []string{name})
	if err != nil {
		t.Fatal(err)
	}
	template := *pair.Leaf
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	der, err := x509.CreateCertificate(rand.Reader, &template, a.cert, pair.Leaf.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err = leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func TestCAIsGoodForItsNamesAlone(t *testing.T) {
	a := mustAuthority(t, "calls.test", "203.0.113.7", "2001:db8::7")
	for name, good := range map[string]bool{
		"localhost": true, "rtc.live.cloudflare.com": true, "stun.cloudflare.com": true, "turn.cloudflare.com": true,
		"api.cloudflare.com": true, "calls.test": true,
		"127.0.0.1": true, "127.1.2.3": true, "::1": true, "10.0.0.1": true, "172.31.0.2": true, "192.168.1.7": true, "fd00::7": true,
		"203.0.113.7": true, "2001:db8::7": true,

		"example.com": false, "cloudflare.com": false, "www.cloudflare.com": false, "live.cloudflare.com": false, "com": false,
		"x.rtc.live.cloudflare.com": false, "sub.localhost": false, "sub.calls.test": false, "notcalls.test": false, "test": false,
		"8.8.8.8": false, "203.0.113.8": false, "172.32.0.1": false, "2001:db8::8": false, "2606:4700::1": false,
	} {
		if err := verify(t, a, name, x509.ExtKeyUsageServerAuth); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
		if a.covers(name) != good {
			t.Errorf("%s: covers says %v", name, !good)
		}
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageCodeSigning, x509.ExtKeyUsageEmailProtection} {
		if verify(t, a, "localhost", usage) == nil {
			t.Errorf("good for usage %v", usage)
		}
	}
}

func TestShapeOfTheCA(t *testing.T) {
	a := mustAuthority(t)
	if !a.cert.PermittedDNSDomainsCritical || a.cert.MaxPathLen != 0 || !a.cert.MaxPathLenZero || !a.cert.IsCA {
		t.Errorf("the CA is %+v", a.cert)
	}
	if a.lasts(noon.Add(-2*day)) || !a.lasts(noon) || a.lasts(a.cert.NotAfter.Add(-leafLife)) {
		t.Error("its life is misjudged")
	}
	if other := mustAuthority(t); other.cert.Subject.CommonName == a.cert.Subject.CommonName {
		t.Error("two CAs have one name")
	}
}

// An older callsemu may have derived the key id in another way.
func TestRenewedCAIsFoundByWhatTheFormerOneSigned(t *testing.T) {
	a := mustAuthority(t)
	former := *a.cert
	former.SubjectKeyId = []byte("derived in another way")
	b, err := (&authority{&former, a.key}).renewed(noon, clean(Standard(), []string{"calls.test"}))
	if err != nil || string(b.cert.SubjectKeyId) != string(former.SubjectKeyId) || string(b.cert.RawSubject) != string(a.cert.RawSubject) || !b.key.Equal(a.key) {
		t.Errorf("%+v, %v", b, err)
	}
	if !b.covers("calls.test") || b.covers("example.com") || !b.cert.MaxPathLenZero || !b.cert.PermittedDNSDomainsCritical {
		t.Errorf("the constraints are %v", b.cert.PermittedDNSDomains)
	}
}

func TestNameBelowAnotherIsNotCovered(t *testing.T) {
	a := mustAuthority(t, "calls.test", "x.calls.test")
	if verify(t, a, "x.calls.test", x509.ExtKeyUsageServerAuth) == nil || a.covers("x.calls.test") || slices.Contains(a.names(), "x.calls.test") || !a.covers("calls.test") {
		t.Errorf("it is for %v", a.names())
	}
}

func TestCertificateLivesLessThanBrowsersAllow(t *testing.T) {
	pair, err := mustAuthority(t).issue(noon, []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if life := pair.Leaf.NotAfter.Sub(pair.Leaf.NotBefore); life > 398*day || life < 390*day {
		t.Errorf("it lives %v", life)
	}
	if len(pair.Certificate) != 2 {
		t.Error("the CA is not in the chain")
	}
}

func TestKeyFileIsReadBack(t *testing.T) {
	a, b := mustAuthority(t), mustAuthority(t)
	text, err := a.keyPEM()
	if err != nil {
		t.Fatal(err)
	}
	read, err := parseAuthority(text)
	if err != nil || !read.cert.Equal(a.cert) || !read.key.Equal(a.key) || !slices.Equal(read.names(), a.names()) {
		t.Errorf("read %+v, %v", read, err)
	}
	other, err := b.keyPEM()
	if err != nil {
		t.Fatal(err)
	}
	key, cert, _ := strings.Cut(string(text), "-----BEGIN CERT")
	otherKey, _, _ := strings.Cut(string(other), "-----BEGIN CERT")
	cert = "-----BEGIN CERT" + cert
	leaf, err := a.issue(noon, []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no key": cert, "no certificate": key, "another key": otherKey + cert, "torn": string(text[:len(text)-40]),
		"text": "hello", "a key that is none": strings.Replace(string(text), "M", "N", 1),
		"a certificate that is no CA": key + string((&authority{cert: leaf.Leaf}).certPEM()),
	} {
		if _, err := parseAuthority([]byte(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestNamesAreCleaned(t *testing.T) {
	for name, want := range map[string]string{
		"Calls.Test": "calls.test", " calls.test. ": "calls.test", "callsemu": "callsemu", "my_app": "my_app", "xn--bcher-kva.example": "xn--bcher-kva.example",
		"127.0.0.1": "127.0.0.1", "[::1]": "::1", "2001:DB8::1": "2001:db8::1", "::ffff:10.0.0.1": "10.0.0.1",
		"": "", "*.calls.test": "", "http://calls.test": "", "calls.test:443": "", "a b": "", "-x": "", "x-": "", "a..b": "", "bücher.example": "",
		"0.0.0.0": "", "::": "", "fe80::1%eth0": "", "1.2.3": "", "256.1.1.1": "", strings.Repeat("x", 64): "", strings.Repeat("x.", 127) + "x": "",
	} {
		got, err := Clean(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	if got := clean([]string{"b", "*"}, []string{"B", "a"}); !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("list %q", got)
	}
}

func TestMachineHasNamesThatACertificateCanHave(t *testing.T) {
	names := clean(Machine())
	if !slices.Contains(names, "127.0.0.1") {
		t.Errorf("names %q", names)
	}
}
