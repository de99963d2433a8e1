package stunserver

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// talkative is a server without sockets, and its log.
func talkative() (*Server, *lockedBuilder) {
	out := &lockedBuilder{}
	return &Server{cfg: Config{Logger: slog.New(slog.NewTextHandler(out, nil))}, done: make(chan struct{})}, out
}

func TestAFloodOfRefusalsIsCountedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out := talkative()
		for range 1000 {
			s.refuse("quota", netip.AddrPort{}, "why", "cure")
		}
		logged := strings.Count(out.String(), "reason=quota")
		if logged == 0 || logged > 20 || s.counters.refused["quota"] != 1000 {
			t.Errorf("of a flood %d lines are logged, %d are counted", logged, s.counters.refused["quota"])
		}
		s.refuse("full", netip.AddrPort{}, "why", "cure")
		if !strings.Contains(out.String(), "reason=full") {
			t.Error("a flood of one reason hides another")
		}
		<-time.After(time.Minute)
		s.refuse("quota", netip.AddrPort{}, "why", "cure")
		if want := fmt.Sprintf("not_logged=%d", 1000-logged); !strings.Contains(out.String(), want) {
			t.Errorf("the next line does not say %s:\n%s", want, out.String())
		}
	})
}

func TestASocketThatKeepsFailingIsCountedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, out := talkative()
		tries := 0
		for ; tries < 1000; tries++ {
			if !s.pause("stun tcp accept", syscall.EMFILE) {
				t.Fatal("it ends")
			}
		}
		if lines := strings.Count(out.String(), "\n"); lines > 150 || !strings.Contains(out.String(), "not_logged=") {
			t.Errorf("%d failures, %d lines", tries, lines)
		}
	})
}

// The server knows neither what made its certificate nor how that is trusted: who configures it says so.
func TestHandshakesThatFailAreToldApart(t *testing.T) {
	out := &lockedBuilder{}
	s := startTURN(t, func(c *Config, turn *TURNConfig) {
		c.Logger = slog.New(slog.NewTextHandler(out, nil))
		turn.TLSCure = "ask the janitor"
	})
	wantLine := func(parts ...string) {
		t.Helper()
		until(t, strings.Join(parts, " ")+" in the log", func() bool {
			for line := range strings.Lines(out.String()) {
				if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
					return true
				}
			}
			return false
		})
	}
	distrusting, err := tls.Dial("tcp", s.TLSAddr().String(), &tls.Config{RootCAs: x509.NewCertPool()})
	if err == nil {
		_ = distrusting.Close()
		t.Fatal("connected without the CA")
	}
	wantLine(`why="the client does not trust the certificate: remote error: tls: `, `cure="ask the janitor"`)
	plain, err := net.Dial("tcp", s.TLSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	write(t, plain, request().Raw)
	wantLine(`why="the TLS handshake failed: `, `cure="the client speaks no TLS there`)
}
