package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// errLocked means that another process holds the lock of the directory.
var errLocked = errors.New("another process holds it")

// ErrMemory is what Kept and Keep return where the CA lives, or would live, in memory.
var ErrMemory = errors.New("the CA cannot be kept")

// ErrStale is what Keep returns for a CA that is there, but has to make way for another one, which Open would make.
var ErrStale = errors.New("the CA that is kept there is not good for this")

// ErrBelow means that one of the names is a subdomain of another one, or of one that the CA was made for: a CA is not good for
// subdomains of its names.
var ErrBelow = errors.New("the CA is for names without their subdomains")

// Config says for what names there is to be a certificate. The zero value is the standard names, in memory.
type Config struct {
	// Dir is the directory in which the CA is kept, made if it is not there; empty keeps it in memory.
	Dir string
	// Names are needed besides Standard: the CA must cover them. Host names and addresses, as Clean takes them.
	Names []string
	// Machine are the machine's own names and addresses (Machine). A CA that is made covers them; one that is there is
	// not replaced for their sake.
	Machine []string
	// Logger gets a line when a CA is made or replaced, or cannot be kept. Nil means silence.
	Logger *slog.Logger

	keep bool // as Keep does
}

// Source is where TLS listeners get their certificate from.
type Source struct {
	// fixed after construction
	ca    *authority // nil for a certificate of the user's
	file  string     // of the CA's certificate, empty in memory
	kept  error      // why it is in memory
	names []string
	now   func() time.Time

	mu    sync.Mutex
	whole *tls.Certificate // for all names
	named *tls.Certificate // for host names alone
}

// Open opens or makes the CA. A name that cannot be in a certificate is an error, as are names that cannot be in one together
// (ErrBelow); a directory that cannot be used is not.
func Open(cfg Config) (*Source, error) { return open(cfg, time.Now) }

// Check says whether one CA can be for names, beside those that every CA is for; it wraps ErrBelow where two of them exclude each other.
func Check(names []string) error {
	for _, name := range names {
		if _, err := Clean(name); err != nil {
			return err
		}
	}
	need := clean(Standard(), names)
	if len(need) > maxNames {
		return fmt.Errorf("%d names are more than %d", len(need), maxNames)
	}
	return together(need)
}

// Keep is Open for those who want to know the CA of the directory. It makes one where there is none, and changes none that is
// there: that is an error which wraps ErrStale. Where the CA cannot be kept there, the error wraps ErrMemory.
func Keep(cfg Config) (*Source, error) {
	cfg.keep = true
	return open(cfg, time.Now)
}

func open(cfg Config, now func() time.Time) (*Source, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := Check(cfg.Names); err != nil {
		return nil, err
	}
	need := clean(Standard(), cfg.Names)
	s := &Source{now: now}
	if err := s.openCA(cfg, need); err != nil {
		return nil, err
	}
	own := clean(cfg.Machine)
	left := slices.DeleteFunc(slices.Clone(own), s.ca.covers)
	if len(left) > 0 {
		cfg.Logger.Info("the CA was not made for some of this machine's names; --tls-name NAME adds one",
			"names", strings.Join(left, ","))
	}
	s.names = atMost(need, slices.DeleteFunc(own, func(name string) bool { return slices.Contains(left, name) }))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.issueLocked()
}

// issueLocked makes the certificates anew. A client that sends a host name gets one without addresses: BoringSSL, which is in
// workerd, Bun and Electron, has no constraints on addresses and refuses a certificate to which they would apply. Needs
// Source.mu.
func (s *Source) issueLocked() (err error) {
	hosts, _ := split(s.names)
	if s.named, err = s.ca.issue(s.now(), hosts); err != nil {
		return err
	}
	s.whole, err = s.ca.issue(s.now(), s.names)
	return err
}

func (s *Source) openCA(cfg Config, need []string) (err error) {
	s.kept = errors.New("there is no directory to keep it in")
	if cfg.Dir != "" {
		dir := state{cfg.Dir, cfg.Logger, cfg.keep}
		if s.ca, s.kept = dir.authority(s.now(), need, cfg.Machine); s.kept == nil {
			s.file = absolute(dir.path(caFile))
			return nil
		}
		switch {
		case errors.Is(s.kept, ErrStale), errors.Is(s.kept, ErrBelow):
			return s.kept
		case cfg.keep:
			return s.Kept()
		}
		cfg.Logger.Warn("the CA for HTTPS is kept in memory, so it is another one after the next start; --state-dir DIR names a "+
			"directory that can be written", "dir", cfg.Dir, "error", s.kept)
	}
	s.ca, err = newAuthority(s.now(), atMost(need, cfg.Machine))
	return err
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// Load takes a certificate chain and its key from PEM files.
func Load(certFile, keyFile string) (*Source, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &Source{whole: &pair, named: &pair, now: time.Now, kept: errors.New("the certificate is not callsemu's")}, nil
}

// TLS is a configuration for listeners, without ALPN. Its certificate is the right one at any time.
func (s *Source) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.certificate,
	}
}

func (s *Source) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ca != nil && !s.now().Add(renewBefore).Before(s.whole.Leaf.NotAfter) {
		if err := s.issueLocked(); err != nil {
			return nil, err
		}
	}
	if hello == nil || hello.ServerName == "" { // a client sends no name for an address (RFC 6066 section 3)
		return s.whole, nil
	}
	return s.named, nil
}

// Leaf is the certificate as it is at present, with all its names.
func (s *Source) Leaf() *x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole.Leaf
}

// CA is the certificate to trust, in PEM; nil for a certificate of the user's.
func (s *Source) CA() []byte {
	if s.ca == nil {
		return nil
	}
	return s.ca.certPEM()
}

// File is where the certificate to trust is kept, empty where it is not.
func (s *Source) File() string { return s.file }

// Kept is nil if the CA will be the same at the next start, and wraps ErrMemory otherwise.
func (s *Source) Kept() error {
	if s.kept != nil {
		return fmt.Errorf("%w: %w", ErrMemory, s.kept)
	}
	return nil
}

// Names are the host names and addresses of the certificate; empty for one of the user's.
func (s *Source) Names() []string { return slices.Clone(s.names) }

// PinOf is the hash of the key of the first certificate in a PEM file, as Chromium's --ignore-certificate-errors-spki-list
// takes it.
func PinOf(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != certBlock {
		return "", fmt.Errorf("%s is no certificate in PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", err
	}
	return pin(cert), nil
}
