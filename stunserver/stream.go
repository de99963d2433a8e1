package stunserver

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// writeWait bounds how long a client may not take what is sent to it. While it lasts, its own relays wait and lose packets,
// nobody else's.
const writeWait = 10 * time.Second

// channelHeader is the fixed part of ChannelData (RFC 8656 section 12.4).
const channelHeader = 4

// stream is a link over TCP or TLS. It cuts the stream into messages itself: pion/turn's own framing takes a length near 65535
// for zero, and then reads for ever without waiting.
type stream struct {
	// fixed after construction
	conn  net.Conn
	from  netip.AddrPort
	place *place // its connection's
	idle  time.Duration

	mu sync.Mutex // keeps the deadline that of the newest change
}

// read implements link: the next message, framed by the length in its header (RFC 8489 section 6.2.2, RFC 8656 section 12.5).
// A stream that is out of step cannot be brought into step again, so that is its end.
func (s *stream) read(p []byte) (int, netip.AddrPort, error) {
	s.arm()
	if _, err := io.ReadFull(s.conn, p[:channelHeader]); err != nil {
		return 0, s.from, err
	}
	// One deadline for the rest: a client that trickles bytes does not renew it.
	if err := s.conn.SetReadDeadline(time.Now().Add(s.idle)); err != nil {
		return 0, s.from, err
	}
	n, err := s.rest(p)
	if err == nil {
		s.place.speak()
	}
	return n, s.from, err
}

func (s *stream) rest(p []byte) (int, error) {
	if isChannelData(p[:channelHeader]) {
		n := channelHeader + int(binary.BigEndian.Uint16(p[2:4]))
		padded := (n + 3) &^ 3
		if padded > maxMessage {
			return 0, errFrame
		}
		_, err := io.ReadFull(s.conn, p[channelHeader:padded])
		return n, err
	}
	if _, err := io.ReadFull(s.conn, p[channelHeader:headerSize]); err != nil {
		return 0, err
	}
	n, ok := messageLength(p[:headerSize])
	if !ok || n > maxMessage {
		return 0, errFrame
	}
	_, err := io.ReadFull(s.conn, p[headerSize:n])
	return n, err
}

// arm sets how long the stream may stay silent: as long as it likes while an allocation lives on it.
func (s *stream) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := time.Time{}
	if !s.place.relayed.Load() {
		deadline = time.Now().Add(s.idle)
	}
	_ = s.conn.SetReadDeadline(deadline) // the read that follows has the error
}

// busy implements link. The end of the last allocation counts as the start of idleness.
func (s *stream) busy(relayed bool) {
	s.place.relayed.Store(relayed)
	if !relayed {
		s.place.speak()
		s.arm()
	}
}

// write implements link.
func (s *stream) write(p []byte, _ netip.AddrPort) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeWait)) // the write has the error
	_, err := s.conn.Write(p)
	if err != nil {
		_ = s.conn.Close() // half a message may be out
	}
	return err
}

// localAddr implements link.
func (s *stream) localAddr() netip.AddrPort { return tcpAddr(s.conn.LocalAddr()) }

// close implements link.
func (s *stream) close() error { return s.conn.Close() }

func tcpAddr(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return unmap(tcp.AddrPort())
	}
	return netip.AddrPort{}
}
