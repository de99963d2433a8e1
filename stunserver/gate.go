package stunserver

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/stun/v2"
	"github.com/pion/turn/v3"

	"github.com/callsemu/callsemu/internal/pionlog"
)

// link is one socket, or one stream, as a gate sees it.
type link interface {
	// read waits for one whole message. An error is the end.
	read(p []byte) (n int, from netip.AddrPort, err error)
	write(p []byte, to netip.AddrPort) error
	localAddr() netip.AddrPort
	// busy says whether an allocation lives on the link.
	busy(bool)
	close() error
}

// gate is the net.PacketConn from which pion/turn reads. It answers itself what pion/turn would not answer, or not rightly
// (package doc), and lets through what is left: requests with a good credential, and data for an allocation.
type gate struct {
	// fixed after construction
	server    *Server
	link      link
	transport string        // udp, tcp or tls
	ended     chan struct{} // closed when pion/turn's reader has had an error

	ending sync.Once

	// handling is held by pion/turn's reader while it handles a message. Whoever else has pion/turn delete an allocation passes
	// through it first: pion/turn has no order of its own between a deletion and a permission that is being made.
	handling sync.Mutex

	// owned by pion/turn's reader, the goroutine that calls ReadFrom
	asked *asked       // the request that was let through last
	local *net.UDPAddr // LocalAddr while that message is handled
	busy  bool         // it holds handling
	turns uint64       // makes local differ between allocations of one client

	mu     sync.Mutex
	relays map[netip.AddrPort]*relay // by client
}

// asked is a request with a good credential on its way through pion/turn.
type asked struct {
	from  netip.AddrPort
	grant grant
	even  bool          // EVEN-PORT
	life  time.Duration // what the client gets, 0 for the end
}

func (s *Server) newGate(l link, transport string) *gate {
	return &gate{server: s, link: l, transport: transport, ended: make(chan struct{}), relays: map[netip.AddrPort]*relay{}}
}

// start has pion/turn serve the gate. One turn.Server for each socket and each stream: it neither mixes clients of one address
// and port on different transports, nor waits with one client's message for another's stream. Its log never sees a username or a
// credential that is wrong, for admit has answered those.
func (g *gate) start() error {
	_, err := turn.NewServer(turn.ServerConfig{
		Realm:             Realm,
		AuthHandler:       g.authKey,
		LoggerFactory:     pionlog.Factory{Log: g.server.cfg.Logger},
		InboundMTU:        inboundMTU,
		PacketConnConfigs: []turn.PacketConnConfig{{PacketConn: g, RelayAddressGenerator: g}},
	})
	return err
}

// inboundMTU leaves room for the attributes that admit adds; pion/turn drops what fills its buffer.
const inboundMTU = maxMessage + 64

// authKey is pion/turn's AuthHandler. admit has checked the credential of the same message.
func (g *gate) authKey(string, string, net.Addr) ([]byte, bool) {
	if g.asked == nil {
		return nil, false
	}
	return g.asked.grant.key, true
}

// ReadFrom implements net.PacketConn: the next message that pion/turn is to handle.
func (g *gate) ReadFrom(p []byte) (int, net.Addr, error) {
	if g.busy {
		g.handling.Unlock()
		g.busy = false
	}
	for {
		n, from, err := g.link.read(p[:maxMessage+1])
		if err != nil {
			g.ending.Do(func() { close(g.ended) })
			return 0, nil, err
		}
		if n > maxMessage {
			continue
		}
		out, pass := g.admit(p[:n], from)
		switch {
		case pass != nil:
			g.face(from)
			g.handling.Lock()
			g.busy = true
			return copy(p, pass), net.UDPAddrFromAddrPort(from), nil
		case out != nil:
			if err := g.link.write(out, from); err != nil {
				g.server.cfg.Logger.Debug("turn write", "to", from, "err", err)
			}
		}
	}
}

// face chooses what LocalAddr shows while a message of that client is handled.
func (g *gate) face(from netip.AddrPort) {
	if r := g.relay(from); r != nil {
		g.local = r.local
		return
	}
	g.turns++
	ip := make(net.IP, net.IPv6len)
	binary.BigEndian.PutUint64(ip[8:], g.turns)
	g.local = &net.UDPAddr{IP: ip, Port: int(g.link.localAddr().Port())}
}

// LocalAddr implements net.PacketConn. pion/turn uses it only as a part of the key of an allocation. It is another one for each
// allocation, since pion/turn deletes by this key also when the relay socket's reader ends, which may be after the client has
// made its next allocation; that one must not go with it.
func (g *gate) LocalAddr() net.Addr {
	if g.local == nil {
		return net.UDPAddrFromAddrPort(g.link.localAddr())
	}
	return g.local
}

// WriteTo implements net.PacketConn: answers, and data from relays.
func (g *gate) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("not a UDP address")
	}
	if err := g.link.write(g.withLifetime(p), unmap(to.AddrPort())); err != nil {
		return 0, err
	}
	return len(p), nil
}

// withLifetime puts the client's lifetime into pion/turn's answer to Allocate and Refresh, and starts it. Those come from the
// reader alone.
func (g *gate) withLifetime(p []byte) []byte {
	const allocated, refreshed = 0x0103, 0x0104
	if len(p) < headerSize {
		return p
	}
	if t := binary.BigEndian.Uint16(p); t != allocated && t != refreshed || g.asked == nil || g.asked.life == 0 {
		return p
	}
	m, ok := parse(p)
	if !ok {
		return p
	}
	setters := []stun.Setter{m.Type, stun.NewTransactionIDSetter(m.TransactionID)}
	for _, attr := range m.Attributes {
		if attr.Type != stun.AttrLifetime && attr.Type != stun.AttrMessageIntegrity {
			setters = append(setters, attr)
		}
	}
	built, err := stun.Build(append(setters, seconds(g.asked.life), stun.MessageIntegrity(g.asked.grant.key))...)
	if err != nil { // never: it has what it had
		return p
	}
	if r := g.relay(g.asked.from); r != nil {
		r.live(g.asked.life)
	}
	return built.Raw
}

// Close implements net.PacketConn.
func (g *gate) Close() error { return g.link.close() }

// SetDeadline implements net.PacketConn. The link has its own.
func (g *gate) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.PacketConn.
func (g *gate) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.PacketConn.
func (g *gate) SetWriteDeadline(time.Time) error { return nil }

// Validate implements turn.RelayAddressGenerator.
func (g *gate) Validate() error { return nil }

// AllocateConn implements turn.RelayAddressGenerator. There is no TCP relay (contract 7.2), and pion/turn never asks.
func (g *gate) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errors.New("relays are UDP")
}

// AllocatePacketConn implements turn.RelayAddressGenerator for the request that was let through last.
func (g *gate) AllocatePacketConn(string, int) (net.PacketConn, net.Addr, error) {
	s := g.server
	if old := g.relay(g.asked.from); old != nil { // pion/turn is deleting it at this moment
		_ = old.Close()
		return nil, nil, ErrFull
	}
	conn, addr, err := s.turn.bind(g.asked.even)
	if err != nil {
		s.refuse("no-port", g.asked.from, "no relay port is free", "widen --relay-ports, or free what --relay-ip names", "err", err)
		return nil, nil, err
	}
	limits := s.turn.limits()
	r := &relay{
		conn: conn, addr: addr, gate: g, client: g.asked.from, local: g.local, username: g.asked.grant.username,
		begun: time.Now(), limits: newMeters(limits), ended: make(chan struct{}),
		peers: map[netip.Addr]time.Time{}, known: map[netip.Addr]struct{}{},
	}
	r.hold = &hold{grant: g.asked.grant, end: func(why error) {
		s.cfg.Logger.Info("turn allocation ended", "client", r.client, "transport", g.transport, "why", why)
		_ = r.Close()
	}}
	if err := s.keep(r, limits); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	g.mu.Lock()
	g.relays[r.client] = r
	g.mu.Unlock()
	g.link.busy(true)
	r.live(g.asked.life)
	s.turn.Credentials.add(r.hold)
	if r.closed.Load() { // by Close of the server or the credential, in the middle of this
		r.unregister()
	}
	return r, addr, nil
}

// relay finds a client's allocation, nil if it has none.
func (g *gate) relay(client netip.AddrPort) *relay {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.relays[client]
}

// forget is the end of a relay.
func (g *gate) forget(r *relay) {
	g.mu.Lock()
	if g.relays[r.client] == r {
		delete(g.relays, r.client)
	}
	left := len(g.relays)
	g.mu.Unlock()
	if left == 0 {
		g.link.busy(false)
	}
}

// admit decides about one message: pass is what pion/turn is to handle in its place, out an answer to it; with neither, it is
// dropped.
func (g *gate) admit(data []byte, from netip.AddrPort) (out, pass []byte) {
	g.asked = nil
	if isChannelData(data) {
		if g.relay(from) == nil {
			return nil, nil
		}
		return nil, data
	}
	m, ok := parse(data)
	switch {
	case !ok:
		return nil, nil
	case m.Type == stun.NewType(stun.MethodSend, stun.ClassIndication):
		if g.relay(from) == nil || !sendable(m) {
			return nil, nil
		}
		return nil, data
	case m.Type.Class != stun.ClassRequest:
		return nil, nil
	}
	switch m.Type.Method {
	case stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind:
		return g.request(m, from)
	default:
		return respond(data, from), nil
	}
}

// isChannelData reads the first bits of a message (RFC 8656 section 12).
func isChannelData(data []byte) bool { return len(data) >= 4 && data[0]&0xC0 == 0x40 }
