package stunserver

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v2"
)

// answered sends a Binding request and expects the answer.
func answered(t *testing.T, c net.Conn) {
	t.Helper()
	req := request()
	write(t, c, req.Raw)
	expectOwnAddress(t, c, req)
}

// bounded is a server with two places for connections, which time alone does not free.
func bounded(t *testing.T) *relaying {
	t.Helper()
	return startTURN(t, func(c *Config, _ *TURNConfig) { c.MaxConns, c.IdleTimeout = 2, time.Hour })
}

func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	hello := []byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3} // as a ClientHello begins
	for name, said := range map[string]int{"nothing": 0, "a byte": 1, "half a message": 10} {
		t.Run(name, func(t *testing.T) {
			s := bounded(t)
			var silent []net.Conn
			for range 2 {
				for to, text := range map[netip.AddrPort][]byte{s.addr: request().Raw, s.TLSAddr(): hello} {
					c := dial(t, "tcp", to)
					write(t, c, text[:said])
					silent = append(silent, c)
				}
			}
			until(t, "all have come", func() bool { return s.heard.Load() == 4 })
			for range 2 {
				answered(t, dial(t, "tcp", s.addr))
			}
			for _, c := range silent {
				expectClosed(t, c)
			}
			if got := s.Stats(); got.Refused["connections"] != 4 || got.Refused["tls"] != 0 || got.Connections != 2 {
				t.Errorf("%d connections, refused %v", got.Connections, got.Refused)
			}
		})
	}
}

func TestThePlaceIsThatOfWhoSpokeLast(t *testing.T) {
	s := bounded(t)
	speaker, trickler := dial(t, "tcp", s.addr), dial(t, "tcp", s.addr)
	write(t, trickler, request().Raw[:5])
	until(t, "both have come", func() bool { return s.heard.Load() == 2 })
	answered(t, speaker)
	write(t, trickler, request().Raw[5:6]) // says nothing yet
	answered(t, dial(t, "tcp", s.addr))
	expectClosed(t, trickler)
	answered(t, speaker)
}

func TestConnectionsWithAllocationsAreBounded(t *testing.T) {
	s := bounded(t)
	username, password := s.issue()
	first, second := s.sessionOver(t, "tcp", username, password), s.sessionOver(t, "tcp", username, password)
	for _, x := range []*session{first, second} {
		wantCode(t, "allocate", x.ask(stun.MethodAllocate, overUDP()), 0)
	}
	expectClosed(t, dial(t, "tcp", s.addr))
	if got := s.Stats(); got.Refused["connections"] != 1 || len(got.Allocations) != 2 {
		t.Errorf("%d allocations, refused %v", len(got.Allocations), got.Refused)
	}
	answered(t, second.conn)

	// Without its allocation, a connection is as the others: the one that spoke last stays.
	for _, x := range []*session{first, second} {
		wantCode(t, "the end", x.ask(stun.MethodRefresh, seconds(0)), 0)
	}
	until(t, "both allocations have ended", func() bool { return len(s.Stats().Allocations) == 0 })
	answered(t, first.conn)
	answered(t, dial(t, "tcp", s.addr))
	expectClosed(t, second.conn)
	answered(t, first.conn)

	// A place that is given back is free.
	_ = first.conn.Close()
	until(t, "the place is free", func() bool { return s.Stats().Connections == 1 })
	answered(t, dial(t, "tcp", s.addr))
	if got := s.Stats().Refused["connections"]; got != 2 {
		t.Errorf("%d refused connections are counted", got)
	}
}

func TestAPlaceIsGivenUpAtOnce(t *testing.T) {
	s, _ := talkative()
	s.cfg.MaxConns, s.conns = 2, map[net.Conn]*place{}
	var sat []*place
	for n := range 5 {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		p, dropped, _ := s.seat(near)
		if sat = append(sat, p); n >= 2 && dropped != sat[n-2] || n < 2 && dropped != nil {
			t.Errorf("connection %d has the place of another than the oldest", n)
		}
		if len(s.conns) > 2 {
			t.Errorf("%d places are taken", len(s.conns))
		}
	}
}

// inside is a connection inside another one.
type inside struct{ net.Conn }

func (c inside) NetConn() net.Conn { return c.Conn }

// TestNobodyWaitsForAClientThatTakesNothing: what nobody reads of a pipe cannot be written to it.
func TestNobodyWaitsForAClientThatTakesNothing(t *testing.T) {
	certificate, roots := testCertificate(t)
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		secure := tls.Server(near, &tls.Config{Certificates: []tls.Certificate{certificate}, SessionTicketsDisabled: true})
		client := tls.Client(far, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
		var shaking sync.WaitGroup
		shaking.Go(func() {
			if err := client.Handshake(); err != nil {
				t.Error(err)
			}
		})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		shaking.Wait()
		begun := time.Now()
		cut(inside{secure}) // as a shared port hands it over
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || time.Since(begun) != 0 {
			t.Errorf("after %s the other end has %v", time.Since(begun), err)
		}
	})
}
