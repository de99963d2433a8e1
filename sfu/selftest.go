package sfu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pion/stun/v4"
)

// selfTestRetry is the first retransmission interval of STUN (RFC 8489 section 6.2.1), shortened for a local socket.
const selfTestRetry = 100 * time.Millisecond

// SelfTest runs an ICE connectivity check against every socket of the SFU, from a socket on the same address, and against
// every TCP address that SetTCP named. It succeeds when all have answered, and fails with the first that has not when
// ctx ends.
func (s *SFU) SelfTest(ctx context.Context) error {
	p, err := s.NewPeer()
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // always nil
	for _, addr := range s.LocalAddrs() {
		if err := checkUDP(ctx, p, addr); err != nil {
			return fmt.Errorf("ice self-test over udp %s: %w", addr, err)
		}
	}
	s.mu.RLock()
	tcp := s.tcp
	s.mu.RUnlock()
	for _, addr := range tcp {
		if err := checkTCP(ctx, p, addr); err != nil {
			return fmt.Errorf("ice self-test over tcp %s: %w", addr, err)
		}
	}
	return nil
}

// selfCheck is a connectivity check as an endpoint would send it (RFC 8445 section 7.2.2).
func selfCheck(p *Peer) (*stun.Message, stun.MessageIntegrity, error) {
	integrity := stun.NewShortTermIntegrity(p.pwd)
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(p.ufrag+":self"), integrity, stun.Fingerprint)
	return m, integrity, err
}

func checkUDP(ctx context.Context, p *Peer, addr netip.AddrPort) error {
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr.Addr(), 0))
	conn, err := net.DialUDP("udp", local, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	defer closeQuietly(conn)
	request, integrity, err := selfCheck(p)
	if err != nil {
		return err
	}
	buf := make([]byte, maxPacket)
	for wait := selfTestRetry; ; wait *= 2 {
		if _, err := conn.Write(request.Raw); err != nil {
			return err
		}
		if err := conn.SetReadDeadline(soonest(ctx, wait)); err != nil {
			return err
		}
		n, err := conn.Read(buf)
		if err == nil {
			return answered(buf[:n], request, integrity)
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func checkTCP(ctx context.Context, p *Peer, addr netip.AddrPort) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	defer closeQuietly(conn)
	request, integrity, err := selfCheck(p)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(soonest(ctx, time.Minute)); err != nil {
		return err
	}
	frame := binary.BigEndian.AppendUint16(nil, uint16(len(request.Raw)))
	if _, err := conn.Write(append(frame, request.Raw...)); err != nil {
		return err
	}
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	buf := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return err
	}
	return answered(buf, request, integrity)
}

func answered(b []byte, request *stun.Message, integrity stun.MessageIntegrity) error {
	m := &stun.Message{Raw: b}
	if err := m.Decode(); err != nil {
		return err
	}
	if m.Type != stun.BindingSuccess || m.TransactionID != request.TransactionID {
		return fmt.Errorf("unexpected answer %s", m.Type)
	}
	return integrity.Check(m)
}

// soonest is wait from now, or the end of ctx where that comes first.
func soonest(ctx context.Context, wait time.Duration) time.Time {
	t := time.Now().Add(wait)
	if end, ok := ctx.Deadline(); ok && end.Before(t) {
		return end
	}
	return t
}

// closeQuietly closes a connection that has served its purpose.
func closeQuietly(c io.Closer) { _ = c.Close() }
