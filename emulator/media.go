package emulator

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

const (
	// maxCandidates is how many candidates an SDP carries at most.
	maxCandidates = 6
	// maxMedia leaves one place for ICE over TCP.
	maxMedia = maxCandidates - 1
	// maxAdvertise: each advertised address is offered for UDP and for TCP.
	maxAdvertise = maxCandidates / 2
)

// loopback is the address every machine has; browsers other than Firefox use it.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// hostBridges are the names of interfaces that lead to containers and virtual machines of this machine only. The
// name decides, never the address: inside a container the private address of eth0 is the one that others need.
var hostBridges = []string{"docker", "br-", "veth", "virbr"}

// networkInterface is what the choice of media addresses looks at.
type networkInterface struct {
	name  string
	up    bool
	addrs []netip.Addr
}

// interfaces reads the machine's network interfaces.
func interfaces() ([]networkInterface, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var list []networkInterface
	for _, f := range found {
		addrs, err := f.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", f.Name, err)
		}
		list = append(list, networkInterface{name: f.Name, up: f.Flags&net.FlagUp != 0, addrs: plainAddrs(addrs)})
	}
	return list, nil
}

func plainAddrs(addrs []net.Addr) []netip.Addr {
	var list []netip.Addr
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, prefix.Addr().Unmap())
		}
	}
	return list
}

// ownAddresses is the choice of `--media auto`: loopback first, then the IPv4 addresses of every interface that is
// up, then the global IPv6 addresses.
func ownAddresses(list []networkInterface) []netip.Addr {
	chosen := []netip.Addr{loopback}
	var six []netip.Addr
	for _, i := range list {
		if !i.up || isHostBridge(i.name) {
			continue
		}
		for _, a := range i.addrs {
			switch {
			case !a.IsGlobalUnicast():
			case a.Is4():
				chosen = append(chosen, a)
			default:
				six = append(six, a)
			}
		}
	}
	return slices.Concat(chosen, six)
}

func isHostBridge(name string) bool {
	return slices.ContainsFunc(hostBridges, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// tcpAddresses are the places where ICE over TCP arrives: the listener's own address, or, for a wildcard listener,
// every media address. At most as many as UDP leaves room for.
func tcpAddresses(listen netip.AddrPort, media []netip.AddrPort) []netip.AddrPort {
	room := max(maxCandidates-len(media), 0)
	if !listen.Addr().IsUnspecified() {
		return []netip.AddrPort{listen}[:min(1, room)]
	}
	var list []netip.AddrPort
	for _, m := range media {
		if addr := netip.AddrPortFrom(m.Addr(), listen.Port()); !slices.Contains(list, addr) {
			list = append(list, addr)
		}
	}
	return list[:min(len(list), room)]
}

// parseAddress reads IP or IP:PORT, an IPv6 address with a port in brackets; without a port it is 0.
func parseAddress(s string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 0), nil
	}
	full, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an IP address, with or without a port", s)
	}
	return netip.AddrPortFrom(full.Addr().Unmap(), full.Port()), nil
}
