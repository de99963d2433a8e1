package stunserver

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Bounds of one relay.
const (
	// maxPeers is how many addresses have a permission at one time. pion/turn looks channels up one by one.
	maxPeers = 256
	// permissionLife is how long pion/turn keeps a permission (RFC 8656 section 9.2).
	permissionLife = 5 * time.Minute
	// portTries bounds the search for a port.
	portTries = 64
)

// relay is the socket of one allocation. pion/turn reads and writes it; closing it makes pion/turn delete the allocation.
type relay struct {
	// fixed after construction
	conn     *net.UDPConn
	addr     *net.UDPAddr // what the client is told
	gate     *gate
	client   netip.AddrPort
	local    *net.UDPAddr // stands for the server's end in pion/turn's key of the allocation; see gate.LocalAddr
	username string
	begun    time.Time
	limits   meters
	hold     *hold
	ended    chan struct{} // closed once pion/turn's reader has had an error
	sent     traffic       // to peers
	received traffic       // from peers

	closing sync.Once
	closed  atomic.Bool
	ending  sync.Once

	mu    sync.Mutex
	timer *time.Timer                       // the end of its lifetime
	peers map[netip.Addr]time.Time          // when the permission was last asked for
	known map[netip.Addr]struct{}           // peers that were sent to, while NewPeers is limited
	names map[netip.AddrPort]netip.AddrPort // as what the client knows whom it reaches at that address of Own
}

// traffic is updated without a lock.
type traffic struct{ packets, bytes, dropped atomic.Uint64 }

// meters are the limits of an allocation; nil where there is none.
type meters struct{ peers, packets, bits *rate.Limiter }

func newMeters(l Limits) meters {
	limiter := func(n, burst int) *rate.Limiter {
		if n == 0 {
			return nil
		}
		return rate.NewLimiter(rate.Limit(n), max(n, burst))
	}
	return meters{
		peers:   limiter(l.NewPeers, 1),
		packets: limiter(l.Packets, 1),
		bits:    limiter(l.Bits, 8*maxMessage), // one packet always fits
	}
}

// pass says whether a packet of that size is within the limits.
func (m meters) pass(size int) bool {
	now := time.Now()
	return (m.packets == nil || m.packets.AllowN(now, 1)) && (m.bits == nil || m.bits.AllowN(now, 8*size))
}

// ReadFrom implements net.PacketConn for pion/turn.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(p)
		if err != nil {
			_ = r.Close() // no request for it comes to pion/turn after this,
			r.gate.handling.Lock()
			r.gate.handling.Unlock() //nolint:staticcheck // and the one that it handles at this moment ends before this
			r.ending.Do(func() { close(r.ended) })
			return 0, nil, err
		}
		from = r.nameOf(unmap(from))
		// What fills the buffer was cut, most likely: half a packet is worse than none.
		if n == len(p) || !r.limits.pass(n) || !r.reaches(from) {
			r.received.drop()
			continue
		}
		r.received.count(n)
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// WriteTo implements net.PacketConn for pion/turn. A packet that cannot go is lost, as UDP has it: an error would end nothing
// and fill the log.
func (r *relay) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, fmt.Errorf("%s is not a UDP address", addr)
	}
	at := unmap(to.AddrPort())
	if !r.limits.pass(len(p)) || !r.reaches(at) || !r.meets(at.Addr()) {
		r.sent.drop()
		return len(p), nil
	}
	r.sent.count(len(p))
	if _, err := r.conn.WriteToUDPAddrPort(p, r.wayTo(at)); err != nil {
		if errors.Is(err, net.ErrClosed) {
			return 0, err
		}
		r.sent.drop()
	}
	return len(p), nil
}

// reaches says whether packets may pass between the relay and that address. Permissions are of addresses alone, so the ports of
// the SFU and of other relays, where nothing else of their addresses is allowed, are looked at here.
func (r *relay) reaches(at netip.AddrPort) bool {
	s := r.gate.server
	return s.turn.allows(at.Addr()) || s.turn.isOwn(at) || s.relaysAt(at)
}

// wayTo is where a peer is reached from here.
func (r *relay) wayTo(at netip.AddrPort) netip.AddrPort {
	to, own := r.gate.server.turn.Own()[at]
	if !own || to == at {
		return at
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.names == nil {
		r.names = map[netip.AddrPort]netip.AddrPort{}
	}
	r.names[to] = at
	return to
}

// nameOf is the inverse of wayTo, for those that were sent to.
func (r *relay) nameOf(from netip.AddrPort) netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, found := r.names[from]; found {
		return at
	}
	return from
}

// meets counts a peer that was not sent to before.
func (r *relay) meets(ip netip.Addr) bool {
	if r.limits.peers == nil {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, old := r.known[ip]; old {
		return true
	}
	if !r.limits.peers.Allow() {
		return false
	}
	if len(r.known) >= maxPeers { // far more than have a permission now
		clear(r.known)
	}
	r.known[ip] = struct{}{}
	return true
}

// permit notes a permission; false where there are too many.
func (r *relay) permit(ip netip.Addr) bool {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, old := r.peers[ip]; !old && len(r.peers) >= maxPeers {
		for peer, asked := range r.peers {
			if now.Sub(asked) > permissionLife {
				delete(r.peers, peer)
			}
		}
		if len(r.peers) >= maxPeers {
			return false
		}
	}
	r.peers[ip] = now
	return true
}

// Close implements net.PacketConn. pion/turn calls it when it deletes the allocation, the Server to make it do so.
func (r *relay) Close() error {
	r.closing.Do(func() {
		r.mu.Lock()
		r.closed.Store(true)
		if r.timer != nil {
			r.timer.Stop()
		}
		r.mu.Unlock()
		_ = r.conn.Close()
		r.unregister()
	})
	return nil // an error would keep pion/turn from closing the others
}

// live gives the allocation that much time from now on.
func (r *relay) live(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed.Load():
	case r.timer == nil:
		r.timer = time.AfterFunc(d, func() { _ = r.Close() })
	default:
		r.timer.Reset(d)
	}
}

// unregister makes everybody forget the relay. Any number of calls.
func (r *relay) unregister() {
	r.gate.server.turn.Credentials.drop(r.hold)
	r.gate.forget(r)
	r.gate.server.forget(r)
}

// LocalAddr implements net.PacketConn.
func (r *relay) LocalAddr() net.Addr { return r.addr }

// SetDeadline implements net.PacketConn.
func (r *relay) SetDeadline(t time.Time) error { return r.conn.SetDeadline(t) }

// SetReadDeadline implements net.PacketConn.
func (r *relay) SetReadDeadline(t time.Time) error { return r.conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.PacketConn.
func (r *relay) SetWriteDeadline(t time.Time) error { return r.conn.SetWriteDeadline(t) }

func (t *traffic) count(n int) {
	t.packets.Add(1)
	t.bytes.Add(uint64(n))
}

func (t *traffic) drop() { t.dropped.Add(1) }

// bind opens the socket of a relay: on a port of the range, even where that is asked for.
func (c TURNConfig) bind(even bool) (*net.UDPConn, *net.UDPAddr, error) {
	anyPort := c.RelayPorts == PortRange{}
	span := int(c.RelayPorts.Last) - int(c.RelayPorts.First) + 1
	start := rand.IntN(span)
	tries := span
	if anyPort {
		tries = portTries
	}
	for i := range tries {
		port := 0
		if !anyPort {
			port = int(c.RelayPorts.First) + (start+i)%span
		}
		if even && port%2 == 1 {
			continue
		}
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: c.RelayIP.AsSlice(), Port: port})
		switch {
		case err != nil && anyPort:
			return nil, nil, err
		case err != nil: // another program's, most likely
			continue
		}
		got := conn.LocalAddr().(*net.UDPAddr).Port
		if even && got%2 == 1 {
			_ = conn.Close()
			continue
		}
		return conn, &net.UDPAddr{IP: c.Announce.AsSlice(), Port: got}, nil
	}
	return nil, nil, ErrNoPort
}
