package adapter

import (
	"errors"
	"net/netip"
	"testing"
)

func TestAddressesLeadWhereTheyLead(t *testing.T) {
	for want, list := range map[reach][]string{
		reachPublic: {"192.0.2.7", "8.8.8.8", "2001:db8::1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"},
		reachMachine: {"127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "0.1.2.3", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
			"::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1", "::ffff:0:127.0.0.1"},
		reachPrivate: {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1", "fec0::1",
			"::ffff:10.0.0.1", "64:ff9b::192.168.0.1", "2002:a00:1::1"},
		reachForbidden: {"169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "fe80::5efe:a9fe:a9fe", "fd00:ec2::254", "fd00:ec2::23", "fd00:42::42", "fd20:ce::254",
			"100.100.100.200", "192.0.0.192", "168.63.129.16", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
			"::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::169.254.169.254", "2002:a9fe:a9fe::1",
			"::ffff:0:169.254.169.254", "64:ff9b:1::1", "2001:0:1::1", "::ffff:100.100.100.200"},
	} {
		for _, s := range list {
			if got := reachOf(netip.MustParseAddr(s)); got != want {
				t.Errorf("%s: %d, want %d", s, got, want)
			}
		}
	}
}

func TestPoliciesDifferInWhatIsNear(t *testing.T) {
	for _, c := range []struct {
		addr        string
		real, local error
	}{
		{"192.0.2.7", nil, nil},
		{"127.0.0.1", ErrLocalhost, nil},
		{"::1", ErrLocalhost, nil},
		{"192.168.0.7", ErrForbidden, nil},
		{"169.254.169.254", ErrForbidden, ErrForbidden},
		{"::ffff:169.254.169.254", ErrForbidden, ErrForbidden},
	} {
		a := netip.MustParseAddr(c.addr)
		if err := PolicyReal.checkAddress(a); !errors.Is(err, c.real) {
			t.Errorf("real, %s: %v, want %v", c.addr, err, c.real)
		}
		if err := PolicyLocal.checkAddress(a); !errors.Is(err, c.local) {
			t.Errorf("local, %s: %v, want %v", c.addr, err, c.local)
		}
	}
	for host, local := range map[string]bool{"localhost": true, "LocalHost.": true, "x.localhost": true, "localhost.example": false, "": false} {
		if err := PolicyReal.checkName(host); errors.Is(err, ErrLocalhost) != local {
			t.Errorf("real, %q: %v", host, err)
		}
		if err := PolicyLocal.checkName(host); err != nil {
			t.Errorf("local, %q: %v", host, err)
		}
	}
}
