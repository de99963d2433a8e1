package sfutest

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// link is the peer's own network: the machine's or that of Config.Net, with a switch that cuts it. A cut link swallows packets both ways
// without an error, which is how a laptop lid looks to the far end: no close_notify, nothing.
type link struct {
	transport.Net
	cut atomic.Bool
}

func newLink(given transport.Net) (*link, error) {
	if given != nil {
		return &link{Net: given}, nil
	}
	n, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("sfutest: network: %w", err)
	}
	return &link{Net: n}, nil
}

// ListenUDP opens a socket that obeys the switch.
func (l *link) ListenUDP(network string, local *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := l.Net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20) // as much as the system allows: nobody else's load is to look like loss
	return &linkConn{UDPConn: conn, link: l}, nil
}

// ListenPacket is ListenUDP for clients of TURN over UDP.
func (l *link) ListenPacket(network, address string) (net.PacketConn, error) {
	conn, err := l.Net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &linkPackets{PacketConn: conn, link: l}, nil
}

type linkConn struct {
	transport.UDPConn
	link *link
}

func (c *linkConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	return c.link.write(c.UDPConn, p, addr)
}

func (c *linkConn) ReadFrom(p []byte) (int, net.Addr, error) { return c.link.read(c.UDPConn, p) }

type linkPackets struct {
	net.PacketConn
	link *link
}

func (c *linkPackets) WriteTo(p []byte, addr net.Addr) (int, error) {
	return c.link.write(c.PacketConn, p, addr)
}

func (c *linkPackets) ReadFrom(p []byte) (int, net.Addr, error) { return c.link.read(c.PacketConn, p) }

func (l *link) write(conn net.PacketConn, p []byte, addr net.Addr) (int, error) {
	if l.cut.Load() {
		return len(p), nil
	}
	return conn.WriteTo(p, addr)
}

func (l *link) read(conn net.PacketConn, p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := conn.ReadFrom(p)
		if err != nil || !l.cut.Load() {
			return n, addr, err
		}
	}
}
