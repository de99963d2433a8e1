package certs

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
)

// maxNames bounds what one certificate is made for.
const maxNames = 100

// Standard are the names that every CA and certificate is for: this machine's, and the service's own (contract 0.3, 7.1, 8).
func Standard() []string {
	return []string{"localhost", "rtc.live.cloudflare.com", "stun.cloudflare.com", "turn.cloudflare.com", "api.cloudflare.com",
		"127.0.0.1", "::1"}
}

// ranges are the addresses that every CA may sign for. None of them belongs to anyone on the internet, and a machine's
// address moves within them.
var ranges = []string{
	"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", // RFC 1122, RFC 1918
	"169.254.0.0/16", "100.64.0.0/10", // RFC 3927, RFC 6598
	"::1/128", "fc00::/7", "fe80::/10", // RFC 4291, RFC 4193
}

// dnsNames are what a certificate of ours can name: lower-case letters, digits, - and _ between single dots.
var dnsNames = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$`)

// Machine lists this machine's own name and addresses.
func Machine() []string {
	var names []string
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
		if !strings.Contains(host, ".") {
			names = append(names, host+".local") // as it is found by multicast DNS
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return names // the name has to do
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && !prefix.Addr().IsLinkLocalUnicast() {
			names = append(names, prefix.Addr().Unmap().String())
		}
	}
	return names
}

// Clean checks a DNS name or an address and gives it in the form in which it is compared.
func Clean(name string) (string, error) {
	name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), ".")
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		if addr.IsUnspecified() || addr.Zone() != "" {
			return "", fmt.Errorf("%q is not an address that a client connects to", name)
		}
		return addr.Unmap().String(), nil
	}
	if len(name) > 253 || !dnsNames.MatchString(name) || digitsAndDots(name) {
		return "", fmt.Errorf("%q is neither a host name nor an address", name)
	}
	return name, nil
}

// digitsAndDots tells what looks like an IPv4 address, which clients do not take for a name.
func digitsAndDots(name string) bool { return strings.Trim(name, "0123456789.") == "" }

// clean cleans a list, without repetitions; what cannot be in a certificate is left out.
func clean(lists ...[]string) []string {
	var all []string
	for _, name := range slices.Concat(lists...) {
		if name, err := Clean(name); err == nil && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

// above finds the name of a list that a name lies below. One CA cannot be for both, since its constraints keep out what is below
// its names (subdomains).
func above(list []string, name string) (upper string, found bool) {
	i := slices.IndexFunc(list, func(upper string) bool { return strings.HasSuffix(name, "."+upper) })
	if i < 0 {
		return "", false
	}
	return list[i], true
}

// together checks that one CA can be for clean names; the error wraps ErrBelow.
func together(names []string) error {
	for _, name := range names {
		if upper, found := above(names, name); found {
			return fmt.Errorf("%w: %s is below %s", ErrBelow, name, upper)
		}
	}
	return nil
}

// atMost adds to clean names what else there is room for, and what one CA can be for beside them.
func atMost(need, extra []string) []string {
	all := slices.Clone(need)
	for _, name := range clean(extra) {
		if more := append(all, name); len(more) <= maxNames && !slices.Contains(all, name) && together(more) == nil {
			all = more
		}
	}
	return all
}

// split parts host names from addresses.
func split(names []string) (hosts []string, addrs []net.IP) {
	for _, name := range names {
		if addr, err := netip.ParseAddr(name); err == nil {
			addrs = append(addrs, addr.AsSlice())
		} else {
			hosts = append(hosts, name)
		}
	}
	return hosts, addrs
}
