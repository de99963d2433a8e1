package stunserver

import (
	"crypto/tls"
	"net/netip"
	"time"
)

// TURNConfig makes a Server relay. Everything but Credentials may be left zero.
type TURNConfig struct {
	// Credentials are those that clients must have. They outlive the Server.
	Credentials *Credentials

	// RelayIP is the IPv4 address that relays are bound to and that clients are told. Unspecified (0.0.0.0) binds all
	// addresses, and clients are told Announce. Zero means 127.0.0.1.
	RelayIP netip.Addr

	// Announce is what clients are told where RelayIP is unspecified. Zero means 127.0.0.1.
	Announce netip.Addr

	// RelayPorts are the ports of relays. Zero means any that is free.
	RelayPorts PortRange

	// TLS holds the certificate for Config.TLSAddr.
	TLS *tls.Config

	// TLSCure says, for the log, what is to be done about a handshake that a client ended because it does not trust the certificate:
	// where its CA is to be had. Empty tells of no place.
	TLSCure string

	// PublicPeersOnly refuses peers on private and loopback addresses, too (contract 7.2), but for Own and for other relays, by
	// which two clients of this server reach each other.
	PublicPeersOnly bool

	// Own has the addresses that are peers for everyone, the SFU's, as clients know them, each with where relays reach it: itself, or the
	// socket behind an address that leads here from outside alone. It is asked for each packet, and the map is not changed. Nil means none.
	Own func() map[netip.AddrPort]netip.AddrPort

	// Limits is asked at every request. Nil means the defaults.
	Limits func() Limits
}

// PortRange is First to Last, both included. The zero value is any port.
type PortRange struct{ First, Last uint16 }

// Limits bound what clients may take. A zero field has the default that it names, or none.
type Limits struct {
	PerCredential int           // allocations of one credential; 0 means 100
	InAll         int           // allocations in all; 0 means 1000
	Lifetime      time.Duration // of an allocation that asks for less, a second at least; 0 means 10 min

	// Of one allocation, each direction counted together (contract 6). Beyond these, packets are dropped. 0 means no limit.
	NewPeers int // peer addresses a second that it has not sent to before
	Packets  int // packets a second
	Bits     int // bits a second, headers not counted
}

const (
	defaultPerCredential = 100
	defaultInAll         = 1000
	// defaultLifetime and maxLifetime are those of RFC 8656 section 3.2, the latter less than pionLifetime.
	defaultLifetime = 10 * time.Minute
	maxLifetime     = time.Hour - 10*time.Second
	// pionLifetime is what pion/turn is asked for: the longest that it grants. Its own timer would delete an allocation in the
	// middle of a request for it; ours comes first.
	pionLifetime = time.Hour - time.Second
)

func (c TURNConfig) withDefaults() TURNConfig {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if !c.RelayIP.IsValid() {
		c.RelayIP = local
	}
	if !c.Announce.IsValid() {
		c.Announce = local
	}
	if !c.RelayIP.IsUnspecified() {
		c.Announce = c.RelayIP
	}
	if c.TLSCure == "" {
		c.TLSCure = "let the client trust the CA of the certificate"
	}
	if c.Own == nil {
		c.Own = func() map[netip.AddrPort]netip.AddrPort { return nil }
	}
	if c.Limits == nil {
		c.Limits = func() Limits { return Limits{} }
	}
	return c
}

func (c TURNConfig) limits() Limits {
	l := c.Limits()
	if l.PerCredential == 0 {
		l.PerCredential = defaultPerCredential
	}
	if l.InAll == 0 {
		l.InAll = defaultInAll
	}
	if l.Lifetime == 0 {
		l.Lifetime = defaultLifetime
	}
	return l
}

// allows says whether relays may send to that address, on any port, and receive from it.
func (c TURNConfig) allows(ip netip.Addr) bool {
	return ip.Is4() && isHost(ip) && (!c.PublicPeersOnly || isPublic(ip))
}

// isHost is the rule for peers in every mode: multicast and 255.255.255.255 reach hosts that never asked for it, 0.0.0.0/8 is no address
// of a peer, and link-local addresses are those of the metadata services of clouds. (The broadcast address of a network looks like any
// other one.)
func isHost(ip netip.Addr) bool {
	return (ip.IsGlobalUnicast() || ip.IsLoopback()) && ip.As4()[0] != 0
}

func (c TURNConfig) isOwn(at netip.AddrPort) bool {
	_, own := c.Own()[at]
	return own
}

// owns says whether one of Own is at that address, or the relays are: the service's are public.
func (c TURNConfig) owns(ip netip.Addr) bool {
	if ip == c.Announce {
		return true
	}
	for own := range c.Own() {
		if own.Addr() == ip {
			return true
		}
	}
	return false
}

// reserved are ranges of IPv4 that reach nobody on the internet, beyond those that netip knows (RFC 6890).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
}

// isPublic is the service's rule for peers (contract 7.2).
func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, prefix := range reserved {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}
