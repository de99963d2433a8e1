package stunserver

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v2"
)

// Two clients of the server reach each other by their relays, whose addresses are public at the service.
func TestRelaysReachEachOtherWherePeersMustBePublic(t *testing.T) {
	s := startTURN(t, func(_ *Config, turn *TURNConfig) { turn.PublicPeersOnly = true })
	here, there := s.allocate(t, "udp"), s.allocate(t, "tcp")
	expect := func(relay net.PacketConn, want string) {
		t.Helper()
		if err := relay.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 2000)
		for n := 0; string(buf[:n]) != want; {
			var err error
			if n, _, err = relay.ReadFrom(buf); err != nil {
				t.Fatalf("%q does not arrive: %v", want, err)
			}
		}
	}
	send := func(from, to net.PacketConn, text string) {
		t.Helper()
		if _, err := from.WriteTo([]byte(text), to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	send(here, there, "lost, unless its permission is there already")
	send(there, here, "first")
	expect(here, "first")
	send(here, there, "second")
	expect(there, "second")

	// What else is at the relays' address stays out of reach.
	before := s.Stats().Dropped
	if _, err := here.WriteTo([]byte("to a neighbour"), echo(t)); err != nil {
		t.Fatal(err)
	}
	until(t, "a packet to another port of the relays' address is dropped", func() bool { return s.Stats().Dropped > before })
}

// pion/turn reads 1600 bytes of a datagram, and would relay what it has of a larger one.
func TestADatagramThatWouldBeCutIsDropped(t *testing.T) {
	s := startTURN(t, nil)
	username, password := s.issue()
	x := s.session(t, username, password)
	res := x.ask(stun.MethodAllocate, overUDP())
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(res, stun.AttrXORRelayedAddress); err != nil {
		t.Fatal(err)
	}
	peer, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(relayed.String())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = peer.Close() }()
	wantCode(t, "channel", x.ask(stun.MethodChannelBind, raw(stun.AttrChannelNumber, 0x40, 0, 0, 0), peerAttr(peer.LocalAddr().String())), 0)
	for _, size := range []int{1700, 1600, 1500} {
		write(t, peer, make([]byte, size))
	}
	buf := make([]byte, 2000)
	if n, err := x.conn.Read(buf); err != nil || n != channelHeader+1500 {
		t.Errorf("got %d bytes, %v, want those of the datagram that is whole", n, err)
	}
	if got := s.Stats().Dropped; got != 2 {
		t.Errorf("%d packets were dropped, want 2", got)
	}
}
