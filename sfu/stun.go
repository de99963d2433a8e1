package sfu

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"

	"github.com/pion/stun/v4"
)

// attrUseCandidate and attrPriority: RFC 8445 section 16.1.
const (
	attrPriority     stun.AttrType = 0x0024
	attrUseCandidate stun.AttrType = 0x0025
)

// isSTUN, isDTLS and isMedia tell protocols apart by the first byte (RFC 7983 section 7).
func isSTUN(b []byte) bool {
	return len(b) >= 20 && b[0] < 4 && binary.BigEndian.Uint32(b[4:]) == 0x2112A442
}
func isDTLS(b []byte) bool  { return len(b) >= 13 && b[0] >= 20 && b[0] <= 63 }
func isMedia(b []byte) bool { return len(b) >= 12 && b[0]>>6 == 2 }

// isRTCP: RFC 5761 section 4.
func isRTCP(b []byte) bool { return b[1] >= 192 && b[1] <= 223 }

// serveSTUN is the whole of ICE-lite (RFC 8445 section 2.5, 7.3): answer the checks of endpoints that know a Peer's
// password, and note which path they nominate. Answers to the checks of full agents come here as well. Everything else is
// dropped in silence.
func (s *SFU) serveSTUN(b []byte, from path) {
	m := &stun.Message{Raw: b}
	if m.Decode() != nil {
		return
	}
	if m.Type == stun.BindingSuccess {
		s.checkAnswered(m, from)
		return
	}
	if m.Type != stun.BindingRequest {
		return
	}
	username, err := m.Get(stun.AttrUsername)
	if err != nil {
		return
	}
	ufrag, _, _ := strings.Cut(string(username), ":")
	known, ok := s.byUfrag(ufrag)
	if !ok {
		return
	}
	integrity := stun.NewShortTermIntegrity(known.pwd)
	if integrity.Check(m) != nil {
		return
	}
	var priority uint32
	if v, err := m.Get(attrPriority); err == nil && len(v) == 4 {
		priority = binary.BigEndian.Uint32(v)
	}
	if !known.peer.checked(from, priority, m.Contains(attrUseCandidate)) {
		return
	}
	mapped := from.addr
	if from.tcp != nil {
		mapped = addrPortOf(from.tcp.conn.RemoteAddr())
	}
	answer, err := stun.Build(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: net.IP(mapped.Addr().AsSlice()), Port: int(mapped.Port())}, integrity, stun.Fingerprint)
	if err != nil {
		return // cannot be: every attribute is ours
	}
	from.send(answer.Raw)
}

func addrPortOf(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
