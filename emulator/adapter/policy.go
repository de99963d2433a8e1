package adapter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// reach is where an address leads.
type reach int

const (
	reachPublic    reach = iota
	reachMachine         // this machine
	reachPrivate         // a private network
	reachForbidden       // metadata services of clouds, link-local, multicast, reserved: no adapter has business there
)

// metadata are addresses at which clouds hand out credentials, outside the link-local ranges.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS, the agent of EKS
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("168.63.129.16"),   // Azure
}

var (
	privateRanges = []netip.Prefix{
		netip.MustParsePrefix("100.64.0.0/10"), // shared, RFC 6598
		netip.MustParsePrefix("fec0::/10"),     // site-local, RFC 3879
	}
	forbiddenRanges = []netip.Prefix{
		netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments, RFC 6890
		netip.MustParsePrefix("240.0.0.0/4"),    // reserved, and the broadcast address
		netip.MustParsePrefix("64:ff9b:1::/48"), // translation of a local kind, RFC 8215: it may lead anywhere
		netip.MustParsePrefix("2001::/32"),      // Teredo, RFC 4380
	}
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8") // the kernel takes 0.0.0.0 for this machine
)

// carriers are IPv6 ranges whose addresses stand for an IPv4 address, with its offset in bytes.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},     // NAT64, RFC 6052
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},  // translated, RFC 2765
	{netip.MustParsePrefix("::/96"), 12},            // compatible, RFC 4291
	{netip.MustParsePrefix("2002::/16"), 2},         // 6to4, RFC 3056
	{netip.MustParsePrefix("::ffff:0:0/96"), 12},    // mapped, RFC 4291
	{netip.MustParsePrefix("fe80::5efe:0:0/96"), 0}, // ISATAP, RFC 5214: link-local in any case
}

// reachOf classifies an address that a name was resolved to. What stands for an IPv4 address is judged as that.
func reachOf(a netip.Addr) reach {
	a = a.WithZone("")
	if a.IsLoopback() || a.IsUnspecified() {
		return reachMachine
	}
	a = carried(a)
	switch {
	case slices.Contains(metadata, a), a.IsLinkLocalUnicast(), a.IsMulticast(), within(a, forbiddenRanges):
		return reachForbidden
	case a.IsLoopback(), a.IsUnspecified(), thisNetwork.Contains(a):
		return reachMachine
	case a.IsPrivate(), within(a, privateRanges):
		return reachPrivate
	}
	return reachPublic
}

// carried is the IPv4 address that an IPv6 address stands for, else the address itself.
func carried(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	bytes := a.As16()
	for _, c := range carriers {
		if c.at > 0 && c.prefix.Contains(a) || c.prefix.Contains(a.Unmap()) {
			return netip.AddrFrom4([4]byte(bytes[c.at:]))
		}
	}
	return a.Unmap()
}

func within(a netip.Addr, ranges []netip.Prefix) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Policy says where adapters may connect to.
type Policy int

const (
	// PolicyReal is the real service's: public addresses (contract 5.1; that private ones are refused is inferred).
	PolicyReal Policy = iota
	// PolicyLocal allows this machine and private networks as well (DEV-8).
	PolicyLocal
)

// checkAddress judges the address of a connection that is about to be made. It fails with ErrLocalhost or ErrForbidden.
func (p Policy) checkAddress(a netip.Addr) error {
	switch r := reachOf(a); {
	case r == reachForbidden:
		return fmt.Errorf("%w: %s is link-local, multicast, reserved or a cloud's metadata service", ErrForbidden, a)
	case r == reachMachine && p == PolicyReal:
		return fmt.Errorf("%w: %s", ErrLocalhost, a)
	case r == reachPrivate && p == PolicyReal:
		return fmt.Errorf("%w: %s is in a private network", ErrForbidden, a)
	}
	return nil
}

// checkName judges a host before it is looked up: "localhost" is this machine, whatever a name server says (RFC 6761).
func (p Policy) checkName(host string) error {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if p == PolicyReal && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return fmt.Errorf("%w: it is called localhost", ErrLocalhost)
	}
	return nil
}
