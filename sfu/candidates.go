package sfu

import (
	"fmt"
	"net/netip"
)

// maxCandidates bounds what an SDP offers; endpoints check every pair.
const maxCandidates = 6

// Candidate is an address at which endpoints reach the SFU.
type Candidate struct {
	Addr     netip.AddrPort
	TCP      bool
	priority uint32
	index    int
}

// String is the candidate as it stands in an SDP behind "a=" (RFC 8839 section 5.1, RFC 6544 section 4.5).
func (c Candidate) String() string {
	proto, tail := "udp", ""
	if c.TCP {
		proto, tail = "tcp", " tcptype passive"
	}
	return fmt.Sprintf("candidate:%d 1 %s %d %s %d typ host%s", c.index+1, proto, c.priority, c.Addr.Addr(), c.Addr.Port(), tail)
}

// Candidates lists what every SDP of this SFU offers, UDP before TCP, at most six.
func (s *SFU) Candidates() []Candidate {
	s.mu.RLock()
	tcp, advertise := s.tcp, s.advertise
	s.mu.RUnlock()
	udp := s.LocalAddrs()
	if len(advertise) > 0 {
		udp, tcp = s.advertised(advertise, len(tcp) > 0)
	}
	if s.cfg.OnlyFirst {
		udp, tcp = udp[:1], nil
	}
	var out []Candidate
	add := func(addrs []netip.AddrPort, isTCP bool, room int) {
		for i, a := range addrs {
			if len(out) == room {
				return
			}
			out = append(out, Candidate{Addr: a, TCP: isTCP, priority: priority(isTCP, i), index: len(out)})
		}
	}
	room := maxCandidates
	if len(tcp) > 0 {
		room-- // one place is TCP's: it is what is left when UDP is blocked
	}
	add(udp, false, room)
	add(tcp, true, maxCandidates)
	return out
}

// advertised are the addresses set from outside, for TCP too where TCP is served at all.
func (s *SFU) advertised(list []netip.AddrPort, withTCP bool) (udp, tcp []netip.AddrPort) {
	port := s.sockets[0].Addr().Port()
	for _, a := range list {
		if a.Port() == 0 {
			a = netip.AddrPortFrom(a.Addr(), port)
		}
		udp = append(udp, a)
	}
	if withTCP {
		tcp = udp
	}
	return udp, tcp
}

// priority: RFC 8445 section 5.1.2.1 with type preference 126 for host; local preferences as RFC 6544 section 4.2 for
// TCP. The first UDP candidate has the recorded 2130706431 (contract 3.1).
func priority(tcp bool, i int) uint32 {
	if tcp {
		return 90<<24 + uint32(1<<16-1-i)<<8 + 255 // type preference 90: below every UDP candidate
	}
	return 126<<24 + uint32(1<<16-1-i)<<8 + 255
}
