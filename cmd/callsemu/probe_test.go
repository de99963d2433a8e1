package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/certs"
	"github.com/callsemu/callsemu/internal/porttest"
)

// answering serves /readyz with a status, in TLS where there is a source of certificates: for clients that send this name.
func answering(t *testing.T, status int, source *certs.Source, name string, edit ...func(*http.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	for _, f := range edit {
		f(s.Config)
	}
	t.Cleanup(s.Close)
	if source == nil {
		s.Start()
		return s
	}
	cert, err := source.TLS().GetCertificate(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		t.Fatal(err)
	}
	s.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	s.StartTLS()
	return s
}

func mustCA(t *testing.T, dir string) *certs.Source {
	t.Helper()
	source, err := certs.Keep(certs.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// accepting is the address of a server that does this with each connection, and closes it.
func accepting(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	working.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			do(conn)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); working.Wait() })
	return listener.Addr().String()
}

func TestWaitTellsWhyAndWhatToDo(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes the connection, nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	closing := accepting(t, func(conn net.Conn) { _ = conn.(*net.TCPConn).CloseWrite() })
	resetting := accepting(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }) // the rest is not read, as at a port for HTTPS alone
	gone := "//" + porttest.Reserve(t)
	own, other := t.TempDir(), t.TempDir()
	mustCA(t, other)
	secure := answering(t, 200, mustCA(t, own), "")
	for name, c := range map[string]struct {
		url, dir string
		want     []string
	}{
		"nobody":        {"http:" + gone, own, []string{"connection refused", "callsemu serve"}},
		"not yet":       {answering(t, 503, nil, "").URL, own, []string{"/readyz answers 503", "its log"}},
		"another":       {answering(t, 404, nil, "").URL, own, []string{"/readyz answers 404", "another program"}},
		"another CA":    {secure.URL, other, []string{"x509: certificate signed by unknown authority", "--ca-file", "--state-dir"}},
		"no CA":         {secure.URL, t.TempDir(), []string{"x509: certificate signed by unknown authority", "--ca-file", "--state-dir"}},
		"another name":  {answering(t, 200, mustCA(t, own), "localhost").URL, own, []string{"x509: cannot validate certificate for 127.0.0.1", "--tls-name"}},
		"no TLS":        {"https:" + gone, own, []string{"connection refused", "callsemu serve"}},
		"TLS at HTTP":   {strings.Replace(answering(t, 200, nil, "").URL, "http:", "https:", 1), own, []string{"HTTP response to HTTPS client", "http://"}},
		"silent":        {"http://" + silent.Addr().String(), own, []string{"no answer came", "firewall"}},
		"hangs up":      {"http://" + closing, own, []string{"begins with https://"}},
		"resets":        {"http://" + resetting, own, []string{"begins with https://"}},
		"not a CA file": {secure.URL, "file", []string{"--ca-file", "/_emu/ca.pem"}},
	} {
		t.Run(name, func(t *testing.T) {
			trusted := trustedCA{StateDir: c.dir}
			if c.dir == "file" {
				trusted.CAFile = filepath.Join(t.TempDir(), "ca.pem")
				if err := os.WriteFile(trusted.CAFile, []byte("none"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			roots, err := trusted.roots()
			if err == nil { // as Run does it, which has a time to keep
				if err = probe(t.Context(), c.url+"/readyz", roots); err == nil {
					t.Fatal("it is ready")
				}
				err = explained(err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in %v", part, err)
				}
			}
			if text := err.Error(); strings.Contains(text, "deadline") || strings.Contains(text, "Get ") || strings.Count(text, "callsemu serve") > 0 && !strings.Contains(text, "refused") {
				t.Errorf("it says %s", text)
			}
		})
	}
}

func TestNameThatDoesNotResolveIsExplained(t *testing.T) {
	err := explained(&url.Error{Op: "Get", URL: "http://calls.test/readyz", Err: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "calls.test"}}})
	if !strings.HasSuffix(err.Error(), "no such host; give a name or an address that leads to callsemu from here") {
		t.Error(err)
	}
}

// The last answer before the end counts, and not that the end cut the next one off.
func TestWaitTellsTheCauseFromBeforeTheEnd(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		<-r.Context().Done()
	}))
	defer s.Close()
	err := (&waitCommand{URL: s.URL, Timeout: 2 * time.Second, trustedCA: trustedCA{StateDir: t.TempDir()}}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "answers 503") || asked.Load() < 2 {
		t.Errorf("asked %d times: %v", asked.Load(), err)
	}
}

func TestWaitThatIsStoppedBlamesNobody(t *testing.T) {
	s := answering(t, 503, nil, "")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stopped"))
	err := (&waitCommand{URL: s.URL, Timeout: time.Minute, trustedCA: trustedCA{StateDir: t.TempDir()}}).Run(ctx)
	if err == nil || !strings.Contains(err.Error(), "stopped before it was ready") {
		t.Error(err)
	}
}

// An emulator may make its CA after wait has begun.
func TestWaitTrustsTheCAThatIsKeptHere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	elsewhere := mustCA(t, t.TempDir())
	asked := make(chan struct{}, 1000)
	late := answering(t, 200, elsewhere, "", func(s *http.Server) {
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				asked <- struct{}{}
			}
		}
	})
	w := &waitCommand{URL: late.URL, Timeout: patience, trustedCA: trustedCA{StateDir: dir}}
	done := make(chan error, 1)
	go func() { done <- w.Run(t.Context()) }()
	for range 2 { // the second time it has not trusted the first
		select {
		case err := <-done:
			t.Fatalf("without the CA: %v", err)
		case <-asked:
		}
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "ca.pem"), elsewhere.CA(), 0o600)); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	w.trustedCA = trustedCA{CAFile: elsewhere.File(), StateDir: t.TempDir()}
	if err := w.Run(t.Context()); err != nil {
		t.Errorf("with the CA named: %v", err)
	}
}
