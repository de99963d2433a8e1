package emulator

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/emulator/certs"
	"github.com/callsemu/callsemu/stunserver"
)

// secure is what HTTPS needs: the certificate, and how it is used where HTTP alone is spoken, and where TURN is as well.
type secure struct {
	source *certs.Source
	web    *tls.Config
	shared *tls.Config
}

// openSecure opens the CA, where no certificate is given.
func openSecure(cfg Config, source *certs.Source) (*secure, error) {
	if source == nil {
		var err error
		if source, err = openCA(cfg); err != nil {
			return nil, err
		}
	}
	s := &secure{source: source, web: source.TLS(), shared: source.TLS()}
	s.web.NextProtos = webProtocols
	s.shared.NextProtos = slices.Concat(webProtocols, stunserver.Protocols)
	s.shared.MinVersion = stunserver.MinTLS
	return s, nil
}

// givenCert is the certificate of Config.TLSCert, nil where there is none. The names for one of a CA are checked.
func givenCert(cfg Config) (*certs.Source, error) {
	if cfg.TLSCert != "" || cfg.TLSKey != "" {
		return loadCert(cfg)
	}
	for _, name := range cfg.TLSNames {
		if _, err := certs.Clean(name); err != nil {
			return nil, &ConfigError{Setting: "tls-name", Value: name, Problem: "neither a host name nor an address",
				Cure: "write it like calls.example or 192.0.2.7", Cause: err}
		}
	}
	if err := certs.Check(cfg.TLSNames); err != nil {
		return nil, &ConfigError{Setting: "tls-name", Value: strings.Join(cfg.TLSNames, ","), Problem: err.Error(), Cure: "name fewer, or others", Cause: err}
	}
	if err := certs.Check(cfg.certNames()); err != nil { // the host of TURN over TLS is among these
		return nil, &ConfigError{Setting: "turn-host", Value: cfg.TURNHost, Problem: err.Error(), Cure: "choose another name, or --turn-tls off", Cause: err}
	}
	return nil, nil
}

func openCA(cfg Config) (*certs.Source, error) {
	source, err := certs.Open(certs.Config{Dir: cfg.StateDir, Names: cfg.certNames(), Machine: certs.Machine(), Logger: cfg.Logger})
	switch {
	case errors.Is(err, certs.ErrBelow):
		return nil, &ConfigError{Setting: "tls-name", Value: strings.Join(cfg.certNames(), ","), Problem: err.Error(),
			Cure: "name others, or keep another CA with --state-dir DIR", Cause: err}
	case err != nil:
		return nil, &ConfigError{Setting: "tls-name", Value: "", Problem: err.Error(), Cure: "name fewer", Cause: err}
	}
	return source, nil
}

// certNames are what the certificate has to be for: the host of TURN as well, where that is spoken over TLS.
func (c Config) certNames() []string {
	if c.STUN == STUNOff || c.TURNTLS == STUNOff {
		return c.TLSNames
	}
	return slices.Concat(c.TLSNames, filled([]string{c.TURNHost}))
}

func loadCert(cfg Config) (*certs.Source, error) {
	switch {
	case cfg.TLSKey == "":
		return nil, &ConfigError{Setting: "tls-cert", Value: cfg.TLSCert, Problem: "its key is missing", Cure: "name it with --tls-key"}
	case cfg.TLSCert == "":
		return nil, &ConfigError{Setting: "tls-key", Value: cfg.TLSKey, Problem: "its certificate is missing", Cure: "name it with --tls-cert"}
	case len(cfg.TLSNames) > 0:
		return nil, &ConfigError{Setting: "tls-name", Value: cfg.TLSNames[0], Problem: "a certificate is given",
			Cure: "leave out either this or --tls-cert; for /_emu/ alone a name is given with --host"}
	}
	source, err := certs.Load(cfg.TLSCert, cfg.TLSKey)
	if err != nil {
		return nil, &ConfigError{Setting: "tls-cert", Value: cfg.TLSCert, Problem: err.Error(),
			Cure: "give a certificate chain and its key as PEM files", Cause: err}
	}
	logCert(cfg.Logger, source)
	return source, nil
}

// logCert shows what a certificate of the user's is for: whoever names the wrong one sees it here.
func logCert(log *slog.Logger, source *certs.Source) {
	leaf := source.Leaf()
	log.Info("the certificate for HTTPS is the given one", "names", leaf.DNSNames, "addresses", leaf.IPAddresses, "until", leaf.NotAfter)
}

// cure says how a client comes to trust the certificate.
func (s *secure) cure() string {
	if s.source.CA() == nil {
		return "it is that of --tls-cert, so let the client trust the CA which signed that"
	}
	return "callsemu env tells how to trust its CA"
}

// HTTPSURLs are base URLs like BaseURL, for HTTPS: that of the API's own port first, then those of Config.HTTPS.
func (e *Emulator) HTTPSURLs() []string {
	urls := []string{"https://" + reachable(e.listen).String() + "/v1"}
	for _, addr := range e.doors.https.addrs {
		urls = append(urls, "https://"+reachable(addr).String()+"/v1")
	}
	return urls
}

// CA is the certificate, in PEM, that a client has to trust for HTTPS. It is nil where the certificate was given by Config.
func (e *Emulator) CA() []byte { return e.secure.source.CA() }

// CAFile is where CA is kept, empty where it is not.
func (e *Emulator) CAFile() string { return e.secure.source.File() }

// HTTPURLs are those of Config.HTTP.
func (e *Emulator) HTTPURLs() []string {
	var urls []string
	for _, addr := range e.doors.http.addrs {
		urls = append(urls, "http://"+reachable(addr).String()+"/v1")
	}
	return urls
}
