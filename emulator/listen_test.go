package emulator

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// machine is an opener on port 0 of loopback with one interface eth0 that has the given addresses; probing refuses
// what refuse names.
func machine(refuse func(netip.AddrPort) error, own ...string) opener {
	return opener{
		want:       addresses{listen: netip.MustParseAddrPort("127.0.0.1:0")},
		interfaces: func() ([]networkInterface, error) { return []networkInterface{{"eth0", true, addrs(own...)}}, nil },
		probe:      refuse,
		log:        slog.New(slog.DiscardHandler),
	}
}

func closeSockets(t *testing.T, s *sockets) {
	t.Helper()
	s.closeTCP()
	if err := s.media.Close(); err != nil {
		t.Error(err)
	}
}

func TestPortZeroIsGivenUpWhenItsUDPSideIsTaken(t *testing.T) {
	defer goleak.VerifyNone(t)
	var asked []uint16
	o := machine(func(a netip.AddrPort) error {
		asked = append(asked, a.Port())
		if len(asked) <= 2 {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		return probeUDP(a)
	})
	s, err := o.open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeSockets(t, s)
	if len(asked) < 3 || s.listen.Port() != asked[len(asked)-1] { // others may have taken more of them
		t.Errorf("asked for %v, listens on %v", asked, s.listen)
	}
	for _, a := range s.media.LocalAddrs() {
		if a.Port() != s.listen.Port() {
			t.Errorf("media on %v, API on %v", a, s.listen)
		}
	}
}

func TestSearchForAFreePortEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	tries := 0
	_, err := machine(func(netip.AddrPort) error { tries++; return syscall.EADDRINUSE }).open()
	var wrong *ConfigError
	if !errors.As(err, &wrong) || tries == 0 || tries > portTries { // a number that another has at [::1] is not probed
		t.Errorf("got %v after %d tries", err, tries)
	}
}

func TestSearchThatFailsLeavesNoListenerOpen(t *testing.T) {
	var err error
	for range 5 { // another program may take the port meanwhile
		var port uint16
		o := machine(func(a netip.AddrPort) error { port = a.Port(); return syscall.EPERM })
		if _, err := o.open(); err == nil {
			t.Fatal("opened")
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", netip.AddrPortFrom(loopback, port).String()); err == nil {
			_ = ln.Close()
			return
		}
	}
	t.Fatalf("the port is still taken: %v", err)
}

func TestAutoLeavesOutWhatCannotBeBound(t *testing.T) {
	refuse := func(a netip.AddrPort) error {
		if a.Addr() == netip.MustParseAddr("192.0.2.200") {
			return syscall.EADDRNOTAVAIL
		}
		return nil
	}
	got, err := machine(refuse, "192.0.2.200", "192.0.2.201").mediaAddresses(7)
	if err != nil || !slices.Equal(got, addrPorts("127.0.0.1:7", "192.0.2.201:7")) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAutoWithNothingLeftIsAnError(t *testing.T) {
	got, err := machine(func(netip.AddrPort) error { return syscall.EPERM }).mediaAddresses(7)
	if err == nil {
		t.Errorf("got %v, want an error", got)
	}
}

func TestAutoTakesFiveAddressesAtMost(t *testing.T) {
	all := machine(func(netip.AddrPort) error { return nil }, "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
	got, err := all.mediaAddresses(7)
	if err != nil || len(got) != maxMedia || got[0] != netip.MustParseAddrPort("127.0.0.1:7") {
		t.Errorf("got %v, %v", got, err)
	}
}

// onIPv6 is [::1] with a port, and nothing where the machine has no [::1], as a container may.
func onIPv6(t *testing.T, port string) []string {
	t.Helper()
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Logf("this machine has no [::1]: %v", err)
		return nil
	}
	_ = ln.Close()
	return []string{net.JoinHostPort("::1", port)}
}

func TestLoopbackListensOnIPv6TooWhereItExists(t *testing.T) {
	defer goleak.VerifyNone(t)
	exists := len(onIPv6(t, "0")) > 0
	s, err := machine(probeUDP).open()
	if err != nil {
		t.Fatal(err)
	}
	defer closeSockets(t, s)
	if (len(s.tcp) == 2) != exists {
		t.Fatalf("%d listeners, [::1] exists: %v", len(s.tcp), exists)
	}
	for _, ln := range s.tcp {
		if got := ln.Addr().(*net.TCPAddr).AddrPort().Port(); got != s.listen.Port() {
			t.Errorf("%v, want port %d", ln.Addr(), s.listen.Port())
		}
	}
}

func TestPortTakenOnIPv6LoopbackIsAnError(t *testing.T) {
	defer goleak.VerifyNone(t)
	six, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Logf("this machine has no [::1], where nothing can be taken: %v", err)
		return
	}
	defer six.Close()
	o := machine(probeUDP)
	o.want.listen = netip.AddrPortFrom(loopback, six.Addr().(*net.TCPAddr).AddrPort().Port())
	s, err := o.open()
	if err == nil {
		closeSockets(t, s)
		t.Fatal("accepted")
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
}
