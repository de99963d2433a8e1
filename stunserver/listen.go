package stunserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// portAttempts bounds the search for a port that is free on UDP and on TCP.
// One attempt nearly always does: the system hands out TCP ports from a range
// in which few UDP sockets live.
const portAttempts = 32

// sockets opens the two sockets of a server on one address. It is a seam: a
// test makes ports busy without having to find them.
type sockets struct {
	tcp func(network string, addr *net.TCPAddr) (*net.TCPListener, error)
	udp func(network string, addr *net.UDPAddr) (*net.UDPConn, error)
}

// listen binds addr on UDP and TCP.
func listen(addr string) (*net.UDPConn, *net.TCPListener, error) {
	return sockets{tcp: net.ListenTCP, udp: net.ListenUDP}.listen(addr)
}

// listen binds the two sockets to one port. For port 0 it takes a TCP port from
// the system and tries it on UDP, some times over.
func (s sockets) listen(addr string) (*net.UDPConn, *net.TCPListener, error) {
	at, family, err := resolve(addr)
	if err != nil {
		return nil, nil, err
	}
	attempts := 1
	if at.Port() == 0 {
		attempts = portAttempts
	}
	for range attempts {
		var udp *net.UDPConn
		var tcp *net.TCPListener
		udp, tcp, err = s.pair(at, family)
		switch {
		case err == nil && at.Port() == 0 && misread(tcp):
			err = errors.Join(ErrBusy, udp.Close(), tcp.Close())
		case err == nil:
			return udp, tcp, nil
		}
		if !errors.Is(err, ErrBusy) {
			break
		}
	}
	return nil, nil, err
}

// pair makes one attempt.
func (s sockets) pair(at netip.AddrPort, family string) (*net.UDPConn, *net.TCPListener, error) {
	tcpAddr := net.TCPAddrFromAddrPort(at)
	tcp, err := s.tcp("tcp"+family, tcpAddr)
	if err != nil {
		return nil, nil, explain("tcp", tcpAddr, err)
	}
	udpAddr := net.UDPAddrFromAddrPort(at)
	udpAddr.Port = tcp.Addr().(*net.TCPAddr).Port
	udp, err := s.udp("udp"+family, udpAddr)
	if err != nil {
		_ = tcp.Close()
		return nil, nil, explain("udp", udpAddr, err)
	}
	return udp, tcp, nil
}

// listenTLS binds addr on TCP alone.
func (s sockets) listenTLS(addr string) (*net.TCPListener, error) {
	at, family, err := resolve(addr)
	if err != nil {
		return nil, err
	}
	tcpAddr := net.TCPAddrFromAddrPort(at)
	for range portAttempts {
		tcp, err := s.tcp("tcp"+family, tcpAddr)
		if err != nil {
			return nil, explain("tcp", tcpAddr, err)
		}
		if at.Port() != 0 || !misread(tcp) {
			return tcp, nil
		}
		_ = tcp.Close()
	}
	return nil, explain("tcp", tcpAddr, syscall.EADDRINUSE)
}

// listenUDP binds addr on UDP alone.
func (s sockets) listenUDP(addr string) (*net.UDPConn, error) {
	at, family, err := resolve(addr)
	if err != nil {
		return nil, err
	}
	udpAddr := net.UDPAddrFromAddrPort(at)
	udp, err := s.udp("udp"+family, udpAddr)
	if err != nil {
		return nil, explain("udp", udpAddr, err)
	}
	return udp, nil
}

// misread says that clients would drop a URL with this port: many leave out what contains ":53", for the port of DNS (contract
// 7.3). The system must not choose such a one.
func misread(tcp *net.TCPListener) bool {
	return strings.HasPrefix(strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port), "53")
}

// resolve turns host:port into an address, and the family suffix of the
// network name that keeps a socket to it: "4", "6", or none for an empty host,
// which means all addresses of both families (and no Addr in at).
func resolve(addr string) (at netip.AddrPort, family string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return at, "", fmt.Errorf("%w: %q", ErrBadAddr, addr)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return at, "", fmt.Errorf("%w: %q: the port must be 0 to 65535", ErrBadAddr, addr)
	}
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, uint16(n)), "", nil
	}
	ip, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return at, "", fmt.Errorf("%w: %q: %w", ErrBadAddr, addr, err)
	}
	a, _ := netip.AddrFromSlice(ip.IP)
	a = a.Unmap().WithZone(ip.Zone)
	family = "6"
	if a.Is4() {
		family = "4"
	}
	return netip.AddrPortFrom(a, uint16(n)), family, nil
}

// explain wraps an error of bind in the sentinel that says what to do about it.
func explain(network string, at net.Addr, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s %s: %w", network, at, ErrBusy)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s %s: %w", network, at, ErrNotLocal)
	default:
		return fmt.Errorf("%s %s: %w", network, at, err)
	}
}
