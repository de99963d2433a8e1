package emulator

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// doors are the listeners beside the API's own port. HTTP and TURN share them, as they share the ports 80 and 443 of the service's
// names (contract 7.1).
type doors struct {
	http, https opened
}

// opened is the listeners of one setting.
type opened struct {
	listeners []net.Listener
	addrs     []netip.AddrPort // as they were asked for, with the ports that were chosen
}

// openDoors opens the listeners of Config.HTTP and Config.HTTPS. On an error nothing stays open.
func openDoors(want addresses, log *slog.Logger) (*doors, error) {
	d := &doors{}
	for _, row := range []struct {
		setting string
		want    []netip.AddrPort
		to      *opened
	}{{"http", want.http, &d.http}, {"https", want.https, &d.https}} {
		for _, addr := range row.want {
			list, err := listenShared(row.setting, addr, log)
			if err != nil {
				d.close()
				return nil, err
			}
			row.to.listeners = append(row.to.listeners, list...)
			row.to.addrs = append(row.to.addrs, netip.AddrPortFrom(addr.Addr(), portOf(list[0])))
		}
	}
	return d, nil
}

// listenShared opens an address for HTTP and TURN. For port 0 it looks for one that is free over UDP as well, and that no client takes
// for the port of DNS (contract 7.3: URLs with ":53" are filtered out).
func listenShared(setting string, want netip.AddrPort, log *slog.Logger) (list []net.Listener, err error) {
	for range portTries {
		if list, err = listenTCP(setting, want, log); err != nil || want.Port() != 0 {
			return list, err
		}
		port := portOf(list[0])
		if !strings.HasPrefix(strconv.Itoa(int(port)), "53") && probeUDP(netip.AddrPortFrom(want.Addr(), port)) == nil {
			return list, nil
		}
		closeListeners(list)
	}
	return nil, bindError(setting, want, syscall.EADDRINUSE)
}

// has says whether one of them took a connection to that address.
func (d *doors) has(at netip.AddrPort) bool {
	return slices.ContainsFunc(slices.Concat(d.http.addrs, d.https.addrs), func(door netip.AddrPort) bool { return door.Port() == at.Port() })
}

// close is for what the demux has not taken over.
func (d *doors) close() { closeListeners(slices.Concat(d.http.listeners, d.https.listeners)) }

// serveDoors has the demux serve everything that accepts TCP: by whom, the first byte of a connection tells.
func (e *Emulator) serveDoors(api []net.Listener) {
	web, plain, inside := e.demux.web.give, e.turnTaker(false), e.turnTaker(true)
	e.demux.open(api, entrance{web: web, stun: e.media.ServeTCP, tls: e.secure.web, within: &entrance{web: web}})
	e.demux.open(e.doors.http.listeners, entrance{web: web, stun: plain})
	e.demux.open(e.doors.https.listeners, entrance{tls: e.secure.shared, within: &entrance{web: web, stun: inside}})
}

// turnTaker takes TURN's connections of a shared port, inside TLS or not; nil where TURN is off there.
func (e *Emulator) turnTaker(inside bool) func(net.Conn) {
	if e.stun == nil || inside && !e.stun.TLSAddr().IsValid() {
		return nil
	}
	return func(conn net.Conn) { e.stun.ServeConn(conn, inside) }
}
