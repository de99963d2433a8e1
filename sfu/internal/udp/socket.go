package udp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
)

// kernelBuffer is the size asked for in each direction. A video key frame to 200 subscribers is about 20 MB/s for some
// milliseconds; 4 MB was enough for that without one EAGAIN.
const kernelBuffer = 4 << 20

// readBurst is how many datagrams one read takes at most, and maxDatagram how long each may be; a longer one is cut.
const (
	readBurst   = 32
	maxDatagram = 2048
)

// Packet is one received datagram, valid during the call that hands it out.
type Packet struct {
	Data []byte
	From netip.AddrPort // unmapped: never an IPv4 address in IPv6 form
}

// Socket is one UDP socket bound to one address, never to a wildcard: a reply must leave from the address that was
// asked.
type Socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	addr netip.AddrPort
	six  bool // an AF_INET6 socket

	gsoRefused atomic.Bool
	sent       atomic.Uint64
	dropped    atomic.Uint64
}

// Listen opens a socket on addr; port 0 picks one.
func Listen(addr netip.AddrPort) (*Socket, error) {
	network := "udp4"
	if addr.Addr().Is6() && !addr.Addr().Is4In6() {
		network = "udp6"
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, fmt.Errorf("listen on udp %s: %w", addr, err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The kernel may grant less than asked (net.core.rmem_max); that costs packets under load, not correctness.
	_ = conn.SetReadBuffer(kernelBuffer)
	_ = conn.SetWriteBuffer(kernelBuffer)
	local := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return &Socket{
		conn: conn,
		raw:  raw,
		addr: netip.AddrPortFrom(local.Addr().Unmap(), local.Port()),
		six:  network == "udp6",
	}, nil
}

// Addr is the address that the socket is bound to.
func (s *Socket) Addr() netip.AddrPort { return s.addr }

// WriteTo sends one datagram at once, past any Batch. It may block while the kernel's buffer is full.
func (s *Socket) WriteTo(b []byte, to netip.AddrPort) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// Sent and Dropped count the datagrams that Batches gave to the kernel, and those that the kernel refused.
func (s *Socket) Sent() uint64 { return s.sent.Load() }

// Dropped counts the datagrams that the kernel refused.
func (s *Socket) Dropped() uint64 { return s.dropped.Load() }

// Close ends Serve. It may be called twice.
func (s *Socket) Close() error { return s.conn.Close() }
