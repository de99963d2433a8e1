package emulator

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/stunserver"
)

// portTries bounds the search for a number that is free for TCP and for UDP, when the port is 0.
const portTries = 16

// sockets are everything that the API and the media listen on, under one port number.
type sockets struct {
	tcp       []net.Listener // the first one is the address asked for
	listen    netip.AddrPort // with the port that was chosen
	media     *sfu.SFU
	advertise []netip.AddrPort // as given to media
}

// opener opens sockets. What it asks of the machine are fields, so that tests can have other machines.
type opener struct {
	want       addresses
	onlyFirst  bool // offer the first UDP address alone, and no TCP (contract 3.1)
	interfaces func() ([]networkInterface, error)
	probe      func(netip.AddrPort) error // whether UDP can be bound
	log        *slog.Logger
}

func newOpener(want addresses, onlyFirst bool, log *slog.Logger) opener {
	return opener{want: want, onlyFirst: onlyFirst, interfaces: interfaces, probe: probeUDP, log: log}
}

// open opens TCP first and UDP on the same number. With port 0 a number whose UDP side is taken is given up for
// another.
func (o opener) open() (*sockets, error) {
	var err error
	for range portTries {
		var s *sockets
		if s, err = o.openOnce(); err == nil {
			return s, nil
		}
		if o.want.listen.Port() != 0 || !isBusy(err) {
			return nil, err
		}
	}
	return nil, err
}

func (o opener) openOnce() (*sockets, error) {
	s := &sockets{}
	var err error
	if s.tcp, err = listenTCP("listen", o.want.listen, o.log); err != nil {
		return nil, err
	}
	s.listen = netip.AddrPortFrom(o.want.listen.Addr(), portOf(s.tcp[0]))
	if err := o.openMedia(s); err != nil {
		s.closeTCP()
		return nil, err
	}
	return s, nil
}

func (s *sockets) closeTCP() { closeListeners(s.tcp) }

func closeListeners(list []net.Listener) {
	for _, ln := range list {
		_ = ln.Close()
	}
}

// listenTCP opens an address of a setting; 127.0.0.1 covers [::1] with the same port, where that exists.
func listenTCP(setting string, want netip.AddrPort, log *slog.Logger) ([]net.Listener, error) {
	ln, err := net.Listen("tcp", want.String())
	if err != nil {
		return nil, bindError(setting, want, err)
	}
	list := []net.Listener{ln}
	if want.Addr() != loopback {
		return list, nil
	}
	six := netip.AddrPortFrom(netip.IPv6Loopback(), portOf(ln))
	ln, err = net.Listen("tcp6", six.String())
	switch {
	case err == nil:
		list = append(list, ln)
	case isBusy(err): // whoever holds it would get what is meant for localhost
		closeListeners(list)
		return nil, bindErrorAt(setting, want, six, err)
	default:
		log.Debug("no [::1] beside 127.0.0.1", "error", err)
	}
	return list, nil
}

func portOf(ln net.Listener) uint16 { return ln.Addr().(*net.TCPAddr).AddrPort().Port() }

func (o opener) openMedia(s *sockets) error {
	udp, err := o.mediaAddresses(s.listen.Port())
	if err != nil {
		return err
	}
	s.advertise = o.want.advertise
	s.media, err = sfu.New(sfu.Config{
		UDP:       udp,
		TCP:       tcpAddresses(s.listen, udp),
		Advertise: s.advertise,
		OnlyFirst: o.onlyFirst,
		Logger:    o.log,
	})
	switch {
	case isBusy(err): // taken since it was probed
		return bindError("listen", s.listen, err)
	case err != nil:
		return fmt.Errorf("open media sockets: %w", err)
	}
	return nil
}

// mediaAddresses returns the addresses for UDP, each of which could be bound a moment ago.
func (o opener) mediaAddresses(port uint16) ([]netip.AddrPort, error) {
	if o.want.media == nil {
		return o.autoAddresses(port)
	}
	var list []netip.AddrPort
	for _, addr := range o.want.media {
		at := mediaAddress(addr, port)
		switch err := o.probe(at); {
		case isBusy(err) && addr.Port() == 0: // the port is the API's, so that setting moves it
			return nil, bindErrorAt("listen", o.want.listen, at, err)
		case err != nil:
			return nil, bindError("media", at, err)
		}
		list = append(list, at)
	}
	return list, nil
}

// mediaAddress is an address for media with its port, which is the API's where none was given.
func mediaAddress(addr netip.AddrPort, api uint16) netip.AddrPort {
	if addr.Port() == 0 {
		return netip.AddrPortFrom(addr.Addr(), api)
	}
	return addr
}

// autoAddresses leaves out what cannot be bound, as long as something remains. A chosen port that is taken on any
// address is given up for another one.
func (o opener) autoAddresses(port uint16) ([]netip.AddrPort, error) {
	found, err := o.interfaces()
	if err != nil {
		return nil, err
	}
	var list []netip.AddrPort
	var firstErr error
	for _, a := range ownAddresses(found) {
		addr := netip.AddrPortFrom(a, port)
		err := o.probe(addr)
		switch {
		case err == nil && len(list) == maxMedia:
			o.log.Info("media address left out: enough others", "address", addr.String())
		case err == nil:
			list = append(list, addr)
		case o.want.listen.Port() == 0 && isBusy(err):
			return nil, bindErrorAt("listen", o.want.listen, addr, err)
		default:
			o.log.Warn("media address left out: it cannot be bound", "address", addr.String(), "error", err)
			if firstErr == nil {
				firstErr = bindErrorAt("listen", o.want.listen, addr, err)
			}
		}
	}
	if len(list) == 0 {
		return nil, firstErr
	}
	if len(list) == 1 && list[0].Addr().IsLoopback() {
		o.log.Warn("media on loopback only, as this machine has no other usable address; Firefox will not connect to it")
	}
	return list, nil
}

func probeUDP(addr netip.AddrPort) error {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	return conn.Close()
}

func isBusy(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, stunserver.ErrBusy)
}

// busy names every setting whose port is taken, once a first one was found: joined *ConfigErrors, since whoever starts a second emulator
// is to learn it in one go. Nothing is open meanwhile.
func (a addresses) busy(first error) error {
	var list []error
	listen := false // it is named
	for _, w := range a.all() {
		err := w.taken()
		if w.inherits && isBusy(err) {
			err = bindErrorAt("listen", a.listen, w.addr, err) // that setting moves it
			w.setting = "listen"
		}
		if !isBusy(err) || listen && w.setting == "listen" {
			continue
		}
		list = append(list, err)
		listen = listen || w.setting == "listen"
	}
	if len(list) == 0 { // it is free by now, or has not been asked for by its number
		return first
	}
	return errors.Join(list...)
}

// taken tries an address, for its port alone, and leaves nothing open.
func (w wanted) taken() error {
	if w.addr.Port() == 0 {
		return nil
	}
	if w.six {
		list, err := listenTCP(w.setting, w.addr, slog.New(slog.DiscardHandler))
		closeListeners(list)
		return err
	}
	if w.tcp {
		ln, err := net.Listen("tcp", w.addr.String())
		if err != nil {
			return bindError(w.setting, w.addr, err)
		}
		_ = ln.Close()
	}
	if w.udp {
		if err := probeUDP(w.addr); err != nil {
			return bindError(w.setting, w.addr, err)
		}
	}
	return nil
}

// bindErrorAt is bindError where the address that was refused is another one than the setting's, which decides about its port.
func bindErrorAt(setting string, given, at netip.AddrPort, err error) error {
	if !isBusy(err) || given == at {
		return bindError(setting, at, err)
	}
	e := bindError(setting, netip.AddrPortFrom(given.Addr(), at.Port()), err)
	e.Value = given.String()
	e.Problem += " at " + at.Addr().String()
	return e
}

// bindError turns the refusal of an address into what a user can act on.
func bindError(setting string, addr netip.AddrPort, err error) *ConfigError {
	e := &ConfigError{Setting: setting, Value: addr.String(), Cause: err}
	other := netip.AddrPortFrom(addr.Addr(), 0).String()
	switch {
	case isBusy(err):
		e.Problem = "port " + strconv.Itoa(int(addr.Port())) + " is in use by another program"
		e.Cure = fmt.Sprintf("stop that program, or choose another port; --%s %s takes a free one", setting, other)
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, stunserver.ErrNotLocal):
		e.Problem = "not an address of this machine"
		e.Cure = "use 127.0.0.1 or one of the addresses that the operating system lists for this machine"
	case errors.Is(err, syscall.EACCES):
		e.Problem = "this user may not use port " + strconv.Itoa(int(addr.Port()))
		e.Cure = "choose a port from 1024 up, or let users have it: sysctl net.ipv4.ip_unprivileged_port_start=80 on Linux"
	default:
		e.Problem = err.Error()
		e.Cure = "choose another address"
	}
	if setting == "stun" || setting == "turn-tls" {
		e.Cure += ", or --" + setting + " " + STUNOff
	}
	return e
}
