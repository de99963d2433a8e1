package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
)

// askHTTPS looks at the certificate as a client would.
func askHTTPS(ctx context.Context, p *patient) Result {
	conn, err := p.dialTLS(ctx, p.at(), &tls.Config{InsecureSkipVerify: true, ServerName: p.host}) // verified below, with words
	var other tls.RecordHeaderError
	switch {
	case errors.As(err, &other) && p.url.Scheme == "https":
		return failed("the port speaks no TLS", "use --url http://"+p.at()+", or let callsemu listen there with --https")
	case err != nil && p.url.Scheme == "http":
		return skip("no TLS is spoken there (%s); callsemu would, so something stands between", reason(err))
	case err != nil:
		return failed("no TLS is spoken there ("+reason(err)+")", "give the port of --https or --listen, which the start message of callsemu shows")
	}
	defer func() { _ = conn.Close() }()
	return p.judgeCertificate(conn.ConnectionState().PeerCertificates)
}

func (p *patient) judgeCertificate(chain []*x509.Certificate) Result {
	leaf := chain[0]
	options := x509.VerifyOptions{Roots: p.roots, Intermediates: x509.NewCertPool(), DNSName: p.host}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := leaf.Verify(options)
	switch {
	case isNameError(err):
		return failed("the certificate is for "+namesOf(leaf)+", not for "+p.host, nameCure(p.host))
	case err != nil:
		return failed("the certificate for "+namesOf(leaf)+" is not trusted ("+err.Error()+")", p.trustCure())
	}
	if options.Roots, err = x509.SystemCertPool(); err == nil {
		_, err = leaf.Verify(options)
	}
	if err != nil {
		return okay("the certificate is for %s; trusted with the CA in %s, which clients need as well: callsemu env tells how", namesOf(leaf), p.cfg.CAFile)
	}
	return okay("the certificate is for %s; trusted", namesOf(leaf))
}

func isNameError(err error) bool {
	var names x509.HostnameError
	return errors.As(err, &names)
}

// nameCure says how a certificate comes to be for a name.
func nameCure(name string) string {
	return "start callsemu with --tls-name " + name + ", or with a --tls-cert that covers it"
}

// trustCure says how a client comes to trust the certificate.
func (p *patient) trustCure() string {
	if p.isLocal() && p.cfg.CAFile == "" {
		return `eval "$(callsemu env)" has this shell's programs trust the CA that is kept on this machine; for that of a container, ` + p.getCA()
	}
	return p.getCA()
}

func (p *patient) getCA() string {
	return "get the CA with curl -so ca.pem " + p.zoneURL() + "/_emu/ca.pem: callsemu env --ca-file ca.pem has programs trust it, and " +
		"callsemu doctor --ca-file ca.pem tries it (with --tls-cert it is the CA of who signed that)"
}

// zoneURL is where curl gets the CA without trusting it first.
func (p *patient) zoneURL() string {
	if p.url.Scheme == "https" {
		return "--insecure " + p.root()
	}
	return p.root()
}

// namesOf lists names and addresses of a certificate.
func namesOf(leaf *x509.Certificate) string {
	list := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}
