package sfu

import (
	"net/netip"
	"time"
)

// PeerInfo is a snapshot of a transport.
type PeerInfo struct {
	State     State
	Connected time.Time      // when State became StateConnected last, in real time; zero before the first time
	Protocol  string         // udp or tcp, empty before a path was nominated
	Local     netip.AddrPort // of the path that is used
	Remote    netip.AddrPort
	LastSeen  time.Time // zero before the first authenticated packet
	Estimate  uint64    // bandwidth towards the endpoint in bits a second, 0 for unknown
	Fixed     bool      // Estimate was set from outside
}

// LayerInfo is a snapshot of one incoming stream.
type LayerInfo struct {
	RID        string // empty without simulcast
	SSRC       uint32
	Bitrate    uint64 // bits a second
	Packets    uint64
	LastPacket time.Time
	Alive      bool
}

// PublicationInfo is a snapshot of a published track.
type PublicationInfo struct {
	Codec     string
	Packets   uint64
	Receivers int
	Layers    []LayerInfo // in byte order of the rids
}

// SubscriptionInfo is a snapshot of a pulled track.
type SubscriptionInfo struct {
	Forwarded string // rid of the layer that is sent; empty without simulcast, or when nothing is sent
	Wanted    string // rid that a switch waits for; the same as Forwarded when none does
	Sending   bool   // packets of the present source have been sent
	Packets   uint32
	Octets    uint32
	Bitrate   uint64 // bits a second of payload
}

// LastSeen is when the newest authenticated packet of the endpoint arrived, in real time; zero before the first.
func (p *Peer) LastSeen() time.Time {
	if ns := p.lastSeen.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Info is a snapshot of the transport.
func (p *Peer) Info() PeerInfo {
	info := PeerInfo{LastSeen: p.LastSeen(), Estimate: p.estimated.Load()}
	if fixed := p.fixedEstimate.Load(); fixed != 0 {
		info.Estimate, info.Fixed = fixed, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	info.State, info.Connected = p.state, p.connected
	at, _ := p.inUseLocked()
	switch {
	case at.tcp != nil:
		info.Protocol = "tcp"
		info.Local, info.Remote = addrPortOf(at.tcp.conn.LocalAddr()), addrPortOf(at.tcp.conn.RemoteAddr())
	case at.sock != nil:
		info.Protocol, info.Local, info.Remote = "udp", at.sock.Addr(), at.addr
	}
	return info
}

// Info is a snapshot of the track.
func (pub *Publication) Info() PublicationInfo {
	now := time.Now()
	info := PublicationInfo{Codec: pub.Codec(), Packets: pub.Packets(), Receivers: len(*pub.receives.Load())}
	for _, st := range pub.youngest() {
		layer := LayerInfo{
			RID:     st.rid,
			SSRC:    st.ssrc,
			Bitrate: st.meter.rate.Load(),
			Packets: st.meter.packets.Load(),
			Alive:   st.meter.alive(now),
		}
		if ns := st.meter.last.Load(); ns != 0 {
			layer.LastPacket = time.Unix(0, ns)
		}
		info.Layers = append(info.Layers, layer)
	}
	return info
}

// Info is a snapshot of the track.
func (sub *Subscription) Info() SubscriptionInfo {
	sending := sub.Forwarding()
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	info := SubscriptionInfo{Sending: sending, Packets: sub.packets, Octets: sub.octets, Bitrate: sub.rate.bitrate}
	if sub.on != nil {
		info.Forwarded = sub.on.rid
	}
	if sub.target != nil {
		info.Wanted = sub.target.rid
	}
	return info
}
