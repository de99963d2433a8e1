package emulator

import (
	"net/netip"
	"slices"
	"testing"
)

func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func addrPorts(list ...string) (out []netip.AddrPort) {
	for _, s := range list {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

func TestAutoTakesLoopbackThenOwnIPv4ThenGlobalIPv6(t *testing.T) {
	got := ownAddresses([]networkInterface{
		{"lo", true, addrs("127.0.0.1", "::1")},
		{"eth0", true, addrs("fd00::2", "fe80::1", "192.0.2.2", "169.254.1.1")},
		{"wlan0", true, addrs("198.51.100.7", "2001:db8::7")},
		{"eth1", false, addrs("203.0.113.1")},
	})
	want := addrs("127.0.0.1", "192.0.2.2", "198.51.100.7", "fd00::2", "2001:db8::7")
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHostBridgesAreLeftOutByNameNotByAddress(t *testing.T) {
	for name, kept := range map[string]bool{
		"docker0": false, "docker_gwbridge": false, "br-1a2b3c": false, "veth12ab": false, "virbr0": false,
		"eth0": true, "bridge0": true, "br0": true, "tailscale0": true,
	} {
		got := ownAddresses([]networkInterface{{name, true, addrs("172.17.0.2")}})
		if slices.Contains(got, netip.MustParseAddr("172.17.0.2")) != kept {
			t.Errorf("%s: kept is %v, want %v", name, !kept, kept)
		}
	}
}

func TestTCPIsOfferedWhereTheListenerReceives(t *testing.T) {
	two := addrPorts("127.0.0.1:9", "192.0.2.2:9")
	for _, c := range []struct {
		name   string
		listen string
		media  []netip.AddrPort
		want   []netip.AddrPort
	}{
		{"one address", "127.0.0.1:9", two, addrPorts("127.0.0.1:9")},
		{"wildcard", "0.0.0.0:9", two, addrPorts("127.0.0.1:9", "192.0.2.2:9")},
		{"wildcard of IPv6", "[::]:9", two, addrPorts("127.0.0.1:9", "192.0.2.2:9")},
		{"media on another port", "0.0.0.0:9", addrPorts("127.0.0.1:7", "127.0.0.1:8"), addrPorts("127.0.0.1:9")},
		{"six at most", "0.0.0.0:9", addrPorts("10.0.0.1:9", "10.0.0.2:9", "10.0.0.3:9", "10.0.0.4:9", "10.0.0.5:9"),
			addrPorts("10.0.0.1:9")},
	} {
		if got := tcpAddresses(netip.MustParseAddrPort(c.listen), c.media); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAddressWithOrWithoutPort(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7": "192.0.2.7:0", "192.0.2.7:80": "192.0.2.7:80", "2001:db8::1": "[2001:db8::1]:0",
		"[2001:db8::1]": "[2001:db8::1]:0", "[2001:db8::1]:80": "[2001:db8::1]:80", "::ffff:192.0.2.7": "192.0.2.7:0",
	} {
		got, err := parseAddress(in)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"", "host", "192.0.2", "192.0.2.7:x", "192.0.2.7:70000"} {
		if got, err := parseAddress(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}
