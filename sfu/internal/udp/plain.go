//go:build !linux

package udp

import (
	"errors"
	"net"
	"net/netip"
)

// Batch sends at once: other systems have no sendmmsg.
type Batch struct {
	sock *Socket
	buf  []byte
}

// NewBatch makes a Batch for the calling goroutine.
func (s *Socket) NewBatch() *Batch { return &Batch{sock: s, buf: make([]byte, maxDatagram)} }

// Reserve returns n bytes in which the next datagram may be built.
func (b *Batch) Reserve(n int) []byte {
	if n > len(b.buf) {
		b.buf = make([]byte, n)
	}
	return b.buf[:n:n]
}

// Commit sends the first n bytes of what Reserve returned to to.
func (b *Batch) Commit(n int, to netip.AddrPort) {
	if b.sock.WriteTo(b.buf[:n], to) != nil {
		b.sock.dropped.Add(1)
		return
	}
	b.sock.sent.Add(1)
}

// Flush has nothing left to do here.
func (b *Batch) Flush() {}

// Serve hands every datagram that arrives to handle, on the caller's goroutine, until Close.
func (s *Socket) Serve(handle func([]Packet)) error {
	buf := make([]byte, maxDatagram)
	var burst [1]Packet
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			continue // an ICMP message from some peer is not the socket's end
		}
		burst[0] = Packet{Data: buf[:n], From: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
		handle(burst[:])
	}
}
