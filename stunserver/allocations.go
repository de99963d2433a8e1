package stunserver

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/stun/v2"
)

// addrPort is what clients are told of a relay.
func addrPort(r *relay) netip.AddrPort { return unmap(r.addr.AddrPort()) }

// room says whether another allocation may be made with a credential.
func (s *Server) room(a *asked) (refused stun.ErrorCode) {
	limits := s.turn.limits()
	s.mu.Lock()
	own, all := s.byUsername[a.grant.username], len(s.relays)
	s.mu.Unlock()
	switch {
	case own >= limits.PerCredential:
		s.refuse("quota", a.from, "the credential has as many allocations as one may have",
			"close PeerConnections, or raise turn-quota", "allocations", own)
		return stun.CodeAllocQuotaReached
	case all >= limits.InAll:
		s.refuse("full", a.from, "there are as many allocations as there may be in all",
			"close PeerConnections, or raise turn-allocations", "allocations", all)
		return stun.CodeInsufficientCapacity
	}
	return 0
}

// keep registers a relay. Between room and this, other sockets may have taken the last place.
func (s *Server) keep(r *relay, limits Limits) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case len(s.relays) >= limits.InAll || s.byUsername[r.username] >= limits.PerCredential:
		return ErrFull
	}
	s.relays[r] = struct{}{}
	s.relayed[addrPort(r)] = struct{}{}
	s.byUsername[r.username]++
	s.counters.allocated++
	return nil
}

// forget is the end of a relay.
func (s *Server) forget(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, kept := s.relays[r]; !kept {
		return
	}
	delete(s.relays, r)
	delete(s.relayed, addrPort(r))
	s.byUsername[r.username]--
	if s.byUsername[r.username] == 0 {
		delete(s.byUsername, r.username)
	}
	s.counters.past.add(r)
}

// relaysAt says whether a relay has that address.
func (s *Server) relaysAt(at netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, live := s.relayed[at]
	return live
}

// closeRelays ends every allocation and waits for pion/turn's readers of them.
func (s *Server) closeRelays() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.relays))
	s.mu.Unlock()
	closeAll(all)
}

// closeRelays ends the allocations of the gate.
func (g *gate) closeRelays() {
	g.mu.Lock()
	all := slices.Collect(maps.Values(g.relays))
	g.mu.Unlock()
	closeAll(all)
}

func closeAll(relays []*relay) {
	for _, r := range relays {
		_ = r.Close()
		<-r.ended
	}
}

// counters are what Stats adds up.
type counters struct {
	// guarded by Server.mu
	allocated uint64
	past      totals // of allocations that have ended

	mu      sync.Mutex
	refused map[string]uint64
}

// refuse counts a refusal and logs why, and what to do. Neither usernames nor credentials are logged.
func (s *Server) refuse(reason string, client netip.AddrPort, why, cure string, attrs ...any) {
	c := &s.counters
	c.mu.Lock()
	if c.refused == nil {
		c.refused = map[string]uint64{}
	}
	c.refused[reason]++
	c.mu.Unlock()
	s.lines.Warn(s.cfg.Logger, reason, "turn refused", append([]any{"reason", reason, "client", client, "why", why, "cure", cure}, attrs...)...)
}

// totals is the traffic of allocations.
type totals struct{ sent, received, dropped, sentBytes, receivedBytes uint64 }

func (t *totals) add(r *relay) {
	t.sent += r.sent.packets.Load()
	t.sentBytes += r.sent.bytes.Load()
	t.received += r.received.packets.Load()
	t.receivedBytes += r.received.bytes.Load()
	t.dropped += r.sent.dropped.Load() + r.received.dropped.Load()
}

// Stats is what a Server has done.
type Stats struct {
	Allocations []Allocation      // those that live, oldest first
	Allocated   uint64            // since the start
	Refused     map[string]uint64 // requests and connections, by reason
	SentPackets uint64            // to peers, since the start
	SentBytes   uint64
	RecvPackets uint64 // from peers
	RecvBytes   uint64
	Dropped     uint64 // packets that could not go, or were beyond a limit
	Connections int    // over TCP and TLS
}

// Allocation is one live allocation.
type Allocation struct {
	Client    netip.AddrPort
	Transport string // udp, tcp or tls
	Relay     netip.AddrPort
	Since     time.Time
	Peers     int // addresses with a permission, or that had one lately
	SentBytes uint64
	RecvBytes uint64
}

// Stats is a copy.
func (s *Server) Stats() Stats {
	var out Stats
	s.counters.mu.Lock()
	out.Refused = maps.Clone(s.counters.refused)
	s.counters.mu.Unlock()
	s.mu.Lock()
	relays := slices.Collect(maps.Keys(s.relays))
	sum := s.counters.past
	out.Allocated, out.Connections = s.counters.allocated, len(s.conns)
	s.mu.Unlock()
	for _, r := range relays {
		sum.add(r)
		out.Allocations = append(out.Allocations, r.describe())
	}
	slices.SortFunc(out.Allocations, func(a, b Allocation) int {
		return cmp.Or(a.Since.Compare(b.Since), a.Relay.Compare(b.Relay))
	})
	out.SentPackets, out.SentBytes, out.RecvPackets, out.RecvBytes, out.Dropped =
		sum.sent, sum.sentBytes, sum.received, sum.receivedBytes, sum.dropped
	return out
}

func (r *relay) describe() Allocation {
	r.mu.Lock()
	peers := len(r.peers)
	r.mu.Unlock()
	return Allocation{
		Client: r.client, Transport: r.gate.transport, Relay: r.addr.AddrPort(), Since: r.begun, Peers: peers,
		SentBytes: r.sent.bytes.Load(), RecvBytes: r.received.bytes.Load(),
	}
}
