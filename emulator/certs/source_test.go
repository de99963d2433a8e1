package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// logged is a log's target.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// take returns what was logged since the last time.
func (l *logged) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func mustOpen(t *testing.T, cfg Config, now time.Time) *Source {
	t.Helper()
	s, err := open(cfg, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCAIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "state")
	log := &logged{}
	cfg := Config{Dir: dir, Names: []string{"calls.test"}, Machine: []string{"laptop", "192.168.1.7", "203.0.113.7"}, Logger: log.logger()}
	first := mustOpen(t, cfg, noon)
	if text := log.take(); !strings.Contains(text, "a CA was made") || first.Kept() != nil || first.File() != filepath.Join(dir, caFile) {
		t.Errorf("kept %v in %s; log %s", first.Kept(), first.File(), text)
	}
	for _, name := range []string{"localhost", "calls.test", "laptop", "192.168.1.7", "203.0.113.7", "::1"} {
		if !slices.Contains(first.Names(), name) {
			t.Errorf("the certificate is not for %s: %v", name, first.Names())
		}
	}
	if onDisk, err := os.ReadFile(first.File()); err != nil || string(onDisk) != string(first.CA()) {
		t.Errorf("ca.pem: %v", err)
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{"": 0o700, keyFile: 0o600, caFile: 0o644} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil || info.Mode().Perm() != want {
				t.Errorf("%q has mode %v, %v", name, info.Mode(), err)
			}
		}
	}

	cfg.Machine = []string{"laptop", "192.168.2.9", "203.0.113.9", "other"}
	second := mustOpen(t, cfg, noon.Add(400*day))
	if text := log.take(); string(second.CA()) != string(first.CA()) || !strings.Contains(text, "203.0.113.9,other") || strings.Contains(text, "192.168.2.9") {
		t.Errorf("another CA, or log %s", text)
	}
	if names := second.Names(); !slices.Contains(names, "192.168.2.9") || slices.Contains(names, "203.0.113.9") || slices.Contains(names, "other") {
		t.Errorf("names %v", names)
	}
}

func TestCAHasANewCertificateWhereItDoesNotCoverWhatIsAsked(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	first := mustOpen(t, Config{Dir: dir, Names: []string{"one.test"}, Logger: log.logger()}, noon)
	log.take()
	second := mustOpen(t, Config{Dir: dir, Names: []string{"two.test", "203.0.113.7"}, Logger: log.logger()}, noon)
	text := log.take()
	if string(second.CA()) == string(first.CA()) || !strings.Contains(text, "stays trusted") || !strings.Contains(text, "two.test, 203.0.113.7") {
		t.Errorf("log %s", text)
	}
	third := mustOpen(t, Config{Dir: dir, Names: []string{"one.test"}, Logger: log.logger()}, noon)
	if string(third.CA()) != string(second.CA()) || log.take() != "" {
		t.Error("the new CA does not cover what the old one did")
	}
	if slices.Contains(third.Names(), "two.test") {
		t.Errorf("the certificate is for more than is asked: %v", third.Names())
	}
}

// What runs has its certificate from the former CA, and whoever asks for the CA now gets the new one.
func TestWhatRunsStaysTrustedByTheNewCertificateOfItsCA(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Names: []string{"one.test"}}
	now := time.Now()
	ended := mustOpen(t, cfg, now.Add(-caLife+leafLife-day))
	first := mustOpen(t, cfg, now) // for a longer life
	cfg.Names = []string{"two.test"}
	second := mustOpen(t, cfg, now)
	for name, s := range map[string]*Source{"ended": ended, "first": first, "second": second} {
		if name == "ended" { // its certificate is not made anew before somebody asks for it
			s.now = time.Now
		}
		for _, host := range []string{"localhost", "127.0.0.1"} {
			if err := handshake(t, s, second.CA(), host); err != nil {
				t.Errorf("%s at %s: %v", host, name, err)
			}
		}
	}
	if err := handshake(t, first, second.CA(), "one.test"); err != nil {
		t.Errorf("a name of the one that runs: %v", err)
	}
	if err := handshake(t, second, first.CA(), "two.test"); err == nil {
		t.Error("who trusts the former certificate trusts a name that it is not for")
	}
	if pin(first.ca.cert) != pin(second.ca.cert) || first.ca.cert.SerialNumber.Cmp(second.ca.cert.SerialNumber) == 0 {
		t.Error("another key, or two certificates with one number")
	}
}

func TestKeepChangesNoCA(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	first, err := Keep(Config{Dir: dir, Names: []string{"one.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Keep(Config{Dir: dir}); err != nil || string(again.CA()) != string(first.CA()) {
		t.Errorf("what it has: %v", err)
	}
	for _, what := range []string{"it was not made for two.test", "ca-key.pem cannot be used"} {
		if strings.Contains(what, "used") {
			if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("torn"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Keep(Config{Dir: dir, Names: []string{"two.test"}, Logger: log.logger()})
		if s != nil || !errors.Is(err, ErrStale) || errors.Is(err, ErrMemory) || !strings.Contains(err.Error(), what) || log.take() != "" {
			t.Errorf("%s: %v", what, err)
		}
		if onDisk, err := os.ReadFile(first.File()); err != nil || string(onDisk) != string(first.CA()) {
			t.Errorf("%s: the CA has changed, %v", what, err)
		}
	}
}

func TestNamesThatOneCACannotHaveTogether(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(Config{Names: []string{"x.calls.test", "calls.test"}}); !errors.Is(err, ErrBelow) || !strings.Contains(err.Error(), "x.calls.test is below calls.test") {
		t.Errorf("in one list: %v", err)
	}
	first := mustOpen(t, Config{Dir: dir, Names: []string{"calls.test"}, Machine: []string{"x.calls.test", "203.0.113.7"}}, time.Now())
	if names := first.Names(); slices.Contains(names, "x.calls.test") || !slices.Contains(names, "203.0.113.7") {
		t.Errorf("with one of the machine's: %v", names)
	}
	if err := handshake(t, first, first.CA(), "calls.test"); err != nil {
		t.Errorf("with one of the machine's: %v", err)
	}
	for _, name := range []string{"x.calls.test", "test"} {
		if _, err := Open(Config{Dir: dir, Names: []string{name}}); !errors.Is(err, ErrBelow) || errors.Is(err, ErrMemory) {
			t.Errorf("%s beside one of a former start: %v", name, err)
		}
	}
	if again := mustOpen(t, Config{Dir: dir}, time.Now()); string(again.CA()) != string(first.CA()) || slices.Contains(first.ca.cert.PermittedDNSDomains, "x.calls.test") {
		t.Error("the CA has changed, or permits what it excludes")
	}
}

// A name that nobody asked for gives way to one that somebody does.
func TestNameOfTheMachineBlocksNoOther(t *testing.T) {
	dir, machine := t.TempDir(), []string{"laptop.corp.test"}
	mustOpen(t, Config{Dir: dir, Machine: machine}, time.Now())
	s := mustOpen(t, Config{Dir: dir, Names: []string{"corp.test"}, Machine: machine}, time.Now())
	if err := handshake(t, s, s.CA(), "corp.test"); err != nil {
		t.Error(err)
	}
}

func TestNamesOfACAOnlyGrow(t *testing.T) {
	dir := t.TempDir()
	var many []string
	for i := range 3 * maxNames / 2 {
		many = append(many, "n"+strings.Repeat("x", i%50)+strings.Repeat("y", i/50)+".test")
	}
	mustOpen(t, Config{Dir: dir, Names: many[:maxNames/2]}, noon)
	mustOpen(t, Config{Dir: dir, Names: many[maxNames/2 : maxNames]}, noon)
	last := mustOpen(t, Config{Dir: dir, Names: many[maxNames:], Machine: []string{"laptop"}}, noon)
	for _, name := range many {
		if !last.ca.covers(name) {
			t.Errorf("%s is lost", name)
		}
	}
	if names := last.Names(); slices.Contains(names, many[0]) || len(names) > maxNames {
		t.Errorf("%d names: %v", len(names), names)
	}
}

func TestCAIsReplacedNearItsEndOrWhenItCannotBeRead(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	cfg := Config{Dir: dir, Logger: log.logger()}
	first := mustOpen(t, cfg, noon)
	log.take()
	later := noon.Add(caLife - 300*day)
	second := mustOpen(t, cfg, later)
	if text := log.take(); string(second.CA()) == string(first.CA()) || !strings.Contains(text, "it ends, or has ended") {
		t.Errorf("log %s", text)
	}
	if err := os.WriteFile(filepath.Join(dir, keyFile), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := mustOpen(t, cfg, later)
	if text := log.take(); string(third.CA()) == string(second.CA()) || !strings.Contains(text, "ca-key.pem cannot be used") || third.Kept() != nil {
		t.Errorf("log %s", text)
	}
}

func TestPublishedCertificateFollowsTheKeyFile(t *testing.T) {
	dir := t.TempDir()
	first := mustOpen(t, Config{Dir: dir}, noon)
	for _, spoil := range []func() error{
		func() error { return os.Remove(first.File()) },
		func() error { return os.WriteFile(first.File(), []byte("another"), 0o644) },
		func() error { return os.Chmod(filepath.Join(dir, keyFile), 0o644) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, Config{Dir: dir}, noon)
		if onDisk, err := os.ReadFile(first.File()); err != nil || string(onDisk) != string(first.CA()) {
			t.Errorf("ca.pem: %v", err)
		}
		info, err := os.Stat(filepath.Join(dir, keyFile))
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("the key has mode %v, %v", info.Mode(), err)
		}
	}
}

func TestDirectoryThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log := &logged{}
	s := mustOpen(t, Config{Dir: filepath.Join(file, "state"), Logger: log.logger(), Machine: []string{"laptop"}}, noon)
	if text := log.take(); !strings.Contains(text, "kept in memory") || !strings.Contains(text, "--state-dir DIR") {
		t.Errorf("log %s", text)
	}
	if !errors.Is(s.Kept(), ErrMemory) || s.File() != "" || s.CA() == nil || !slices.Contains(s.Names(), "laptop") {
		t.Errorf("kept %v, file %q", s.Kept(), s.File())
	}
	if s, err := Keep(Config{Dir: filepath.Join(file, "state"), Logger: log.logger()}); s != nil || !errors.Is(err, ErrMemory) || log.take() != "" {
		t.Errorf("one that must be kept: %v", err)
	}
	quiet := mustOpen(t, Config{Logger: log.logger()}, noon)
	if text := log.take(); text != "" || !errors.Is(quiet.Kept(), ErrMemory) {
		t.Errorf("without a directory: log %s", text)
	}
}

// A lock that cannot be had, like one in a directory that cannot be written, does not keep a CA from being used.
func TestCAOfADirectoryThatCannotBeLocked(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	first := mustOpen(t, Config{Dir: dir}, noon)
	if err := errors.Join(os.Remove(filepath.Join(dir, lockFile)), os.Mkdir(filepath.Join(dir, lockFile), 0o700)); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, Config{Dir: dir, Logger: log.logger()}, noon)
	if string(second.CA()) != string(first.CA()) || second.Kept() != nil || log.take() != "" {
		t.Errorf("kept %v", second.Kept())
	}
	third := mustOpen(t, Config{Dir: dir, Names: []string{"more.test"}, Logger: log.logger()}, noon)
	if third.Kept() == nil || !slices.Contains(third.Names(), "more.test") || !strings.Contains(log.take(), "kept in memory") {
		t.Errorf("kept %v, names %v", third.Kept(), third.Names())
	}
}

func TestStartsThatShareADirectoryAgree(t *testing.T) {
	dir := t.TempDir()
	for round, name := range []string{"one.test", "two.test"} { // the first CA, and one that replaces it
		var all sync.WaitGroup
		cas := make([]string, 8)
		for i := range cas {
			all.Go(func() {
				s, err := open(Config{Dir: dir, Names: []string{name}}, time.Now)
				if err != nil || s.Kept() != nil {
					t.Errorf("%v, %v", err, s.Kept())
					return
				}
				cas[i] = string(s.CA())
			})
		}
		all.Wait()
		if len(slices.Compact(cas)) != 1 || cas[0] == "" {
			t.Errorf("round %d: not one CA", round)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLockThatIsHeldIsWaitedForAWhile(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockFile)
	unlock, err := lock(path, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path, 20*time.Millisecond); !errors.Is(err, errLocked) {
		t.Errorf("taken twice: %v", err)
	}
	second := make(chan error, 1)
	go func() {
		unlock, err := lock(path, time.Minute)
		if err == nil {
			unlock()
		}
		second <- err
	}()
	unlock()
	if err := <-second; err != nil {
		t.Errorf("not handed over: %v", err)
	}
}

func TestCertificateIsRenewedNearItsEnd(t *testing.T) {
	now := noon
	s, err := open(Config{}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	get := func() *tls.Certificate {
		cert, err := s.TLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	first := get()
	now = first.Leaf.NotAfter.Add(-renewBefore - time.Hour)
	if get() != first {
		t.Error("renewed too early")
	}
	now = first.Leaf.NotAfter.Add(-renewBefore)
	second := get()
	if second == first || !second.Leaf.NotAfter.After(now.Add(300*day)) || get() != second {
		t.Errorf("it ends at %v", second.Leaf.NotAfter)
	}
}

// handshake connects as a client that trusts the CA.
func handshake(t *testing.T, s *Source, ca []byte, name string) error {
	t.Helper()
	server, client := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Server(server, s.TLS()).Handshake() // the client's error says it all
		_ = server.Close()
	}()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	err := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: name}).Handshake()
	_ = client.Close()
	<-done
	return err
}

func TestClientsThatTrustTheCAConnect(t *testing.T) {
	s, err := Open(Config{Names: []string{"calls.test"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{"localhost": true, "rtc.live.cloudflare.com": true, "calls.test": true, "127.0.0.1": true, "example.com": false} {
		if err := handshake(t, s, s.CA(), name); (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if handshake(t, s, nil, "localhost") == nil {
		t.Error("connects without the CA")
	}
}

// A certificate without addresses is one to which constraints on addresses do not apply: BoringSSL knows none.
func TestClientsThatSendANameGetNoAddresses(t *testing.T) {
	s, err := Open(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"": 2, "localhost": 0, "calls.test": 0} {
		cert, err := s.TLS().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
		if err != nil || len(cert.Leaf.IPAddresses) != want || len(cert.Leaf.DNSNames) != 5 {
			t.Errorf("%q: %v and %v, %v", name, cert.Leaf.DNSNames, cert.Leaf.IPAddresses, err)
		}
	}
}

func TestCertificateOfTheUsers(t *testing.T) {
	a := mustAuthority(t)
	pair, err := a.issue(time.Now(), []string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certPath, keyPath, caPath := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "ca")
	for path, text := range map[string][]byte{
		certPath: pem.EncodeToMemory(&pem.Block{Type: certBlock, Bytes: pair.Certificate[0]}),
		keyPath:  pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: key}),
		caPath:   a.certPEM(),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(certPath, keyPath)
	if err != nil || s.CA() != nil || s.File() != "" || s.Kept() == nil || len(s.Names()) != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	leaf, err := s.TLS().GetCertificate(nil)
	if err != nil || !leaf.Leaf.Equal(pair.Leaf) {
		t.Errorf("another certificate, %v", err)
	}
	if _, err := Load(certPath, caPath); err == nil {
		t.Error("a key that is none is taken")
	}
	if got, err := PinOf(caPath); err != nil || got != pin(a.cert) || len(got) != 44 {
		t.Errorf("pin %q, %v", got, err)
	}
	for _, path := range []string{keyPath, filepath.Join(dir, "none")} {
		if _, err := PinOf(path); err == nil {
			t.Errorf("%s has a pin", path)
		}
	}
}

func TestNamesThatNoCertificateCanHaveAreRefused(t *testing.T) {
	if _, err := Open(Config{Names: []string{"*.calls.test"}}); err == nil {
		t.Error("a wildcard is taken")
	}
	var many []string
	for i := range maxNames {
		many = append(many, "n"+strings.Repeat("x", i+1)[:min(i+1, 60)]+string(rune('a'+i%26))+string(rune('a'+i/26)))
	}
	if _, err := Open(Config{Names: many}); err == nil {
		t.Error("too many names are taken")
	}
	if s, err := Open(Config{Machine: append(many, "*")}); err != nil || len(s.Names()) != maxNames {
		t.Errorf("too many names of the machine: %d, %v", len(s.Names()), err)
	}
}

// A system may trust a former certificate of the CA, which OpenSSL would take for the newest.
func TestBundleHasNoFormerCertificateOfTheCA(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "state")}
	first := mustOpen(t, cfg, noon)
	roots := filepath.Join(t.TempDir(), "roots")
	other := string(mustAuthority(t).certPEM())
	if err := os.WriteFile(roots, []byte("# one\n"+other+"# former\n"+string(first.CA())+"# two\n"+other+"# end"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Names = []string{"one.test"}
	second := mustOpen(t, cfg, noon)
	path, err := second.Bundle(roots)
	text, readErr := os.ReadFile(path)
	if want := "# one\n" + other + "# two\n" + other + "# end\n" + string(second.CA()); err != nil || readErr != nil || string(text) != want {
		t.Errorf("%s, %v, %v", text, err, readErr)
	}
}

func TestBundleAddsTheCAToWhatTheSystemTrusts(t *testing.T) {
	dir := t.TempDir()
	roots := filepath.Join(dir, "roots")
	if err := os.WriteFile(roots, []byte("the system's"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Config{Dir: filepath.Join(dir, "state")}, noon)
	want := "the system's\n" + string(s.CA())
	for range 2 {
		path, err := s.Bundle("", filepath.Join(dir, "none"), filepath.Join(dir, "state", bundleFile), roots)
		text, readErr := os.ReadFile(path)
		if err := errors.Join(err, readErr); err != nil || string(text) != want || path != filepath.Join(dir, "state", bundleFile) {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	for _, change := range []func() error{
		func() error { return nil }, // for a name
		func() error { return os.WriteFile(filepath.Join(dir, "state", keyFile), nil, 0o600) },
		func() error { return os.WriteFile(filepath.Join(dir, "state", bundleFile), []byte(want), 0o600) }, // a former one
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		newer := mustOpen(t, Config{Dir: filepath.Join(dir, "state"), Names: []string{"one.test"}}, noon)
		text, err := os.ReadFile(filepath.Join(dir, "state", bundleFile))
		if err != nil || string(text) != "the system's\n"+string(newer.CA()) || string(text) == want {
			t.Errorf("after another process changed the CA: %q, %v", text, err)
		}
	}
	if path, err := s.Bundle(roots); err != nil || path != filepath.Join(dir, "state", bundleFile) {
		t.Error(err)
	} else if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), string(s.CA())) {
		t.Errorf("written with a former CA: %q, %v", text, err)
	}
	if _, err := mustOpen(t, Config{}, noon).Bundle(); !errors.Is(err, ErrMemory) {
		t.Errorf("in memory: %v", err)
	}
}
