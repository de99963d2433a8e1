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

type linkConn struct {
	transport.UDPConn
	link *link
}

func (c *linkConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	if c.link.cut.Load() {
		return len(p), nil
	}
	return c.UDPConn.WriteTo(p, addr)
}

func (c *linkConn) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.UDPConn.ReadFrom(p)
		if err != nil || !c.link.cut.Load() {
			return n, addr, err
		}
	}
}
