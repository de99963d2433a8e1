package stunserver

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/turn/v3"
)

// shared is a server with the alternate ports of contract 7.1: one more UDP socket, and connections that somebody else accepts.
func shared(t *testing.T, cfg Config, credentials bool) *relaying {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	clock := newHandClock()
	s := &relaying{clock: clock, creds: NewCredentials(clock)}
	t.Cleanup(s.creds.Close)
	var err error
	if s.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.ListenUDP("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	var cfgTURN TURNConfig
	if credentials {
		cfgTURN.Credentials = s.creds
	}
	if err := s.Serve(cfgTURN); err != nil {
		t.Fatal(err)
	}
	return s
}

// pass accepts one connection, as a port that is shared with HTTP does, gives it to the server and returns the client's end.
func (s *relaying) pass(t *testing.T, secure bool) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	c := dial(t, "tcp", netip.MustParseAddrPort(ln.Addr().String()))
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s.ServeConn(conn, secure)
	return c
}

func TestAlternatePortsAnswerBinding(t *testing.T) {
	for _, credentials := range []bool{false, true} {
		s := shared(t, Config{}, credentials)
		if more := s.MoreUDP(); len(more) != 1 || more[0].Port() == 0 {
			t.Fatalf("bound to %v", more)
		}
		for _, c := range []net.Conn{dial(t, "udp", s.MoreUDP()[0]), s.pass(t, false)} {
			req := request()
			write(t, c, req.Raw)
			expectOwnAddress(t, c, req)
		}
	}
}

func TestAlternatePortsRelay(t *testing.T) {
	s := shared(t, Config{}, true)
	peer := echo(t)
	s.addr = s.MoreUDP()[0]
	if err := round(s.allocate(t, "udp"), peer, "over the second socket"); err != nil {
		t.Error(err)
	}
	for transport, secure := range map[string]bool{"tcp": false, "tls": true} {
		username, password := s.issue()
		conn := s.pass(t, secure)
		relay := relayOf(t, clientOn(t, turn.NewSTUNConn(conn), conn.RemoteAddr().String(), username, password))
		if err := round(relay, peer, "over "+transport); err != nil {
			t.Error(err)
		}
		seen := false
		for _, a := range s.Stats().Allocations {
			seen = seen || a.Transport == transport
		}
		if !seen {
			t.Errorf("no allocation over %s in %+v", transport, s.Stats().Allocations)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left := s.Stats(); len(left.Allocations)+left.Connections != 0 {
		t.Errorf("left after Close: %+v", left)
	}
}

func TestConnectionsFromElsewhereAreCountedAndEndWithTheServer(t *testing.T) {
	s := shared(t, Config{MaxConns: 1}, true)
	first, req := s.pass(t, false), request()
	write(t, first, req.Raw)
	expectOwnAddress(t, first, req)
	second := s.pass(t, false)
	expectClosed(t, first) // one too many
	if got := s.Stats(); got.Refused["connections"] != 1 || got.Connections != 1 {
		t.Errorf("%d connections, %d refused ones", got.Connections, got.Refused["connections"])
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	expectClosed(t, second)
	expectClosed(t, s.pass(t, false)) // after the end
}

func TestABusyAlternatePortIsNamed(t *testing.T) {
	s := shared(t, Config{}, true)
	if err := s.ListenUDP(s.MoreUDP()[0].String()); !errors.Is(err, ErrBusy) {
		t.Errorf("twice the same socket: %v", err)
	}
	if err := s.ListenUDP("nowhere"); !errors.Is(err, ErrBadAddr) {
		t.Errorf("not an address: %v", err)
	}
}
