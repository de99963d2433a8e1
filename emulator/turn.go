package emulator

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/stunserver"
)

// turnClock is the rules' clock as credentials read it.
type turnClock struct{ clock clock.Clock }

func (c turnClock) Now() time.Time { return c.clock.Now() }

func (c turnClock) At(moment time.Time) (fired <-chan time.Time, stop func()) {
	timer := c.clock.NewTimerAt(moment)
	return timer.C(), func() { timer.Stop() }
}

// openSTUN opens the sockets of STUN and TURN, if there are to be any. Over UDP they answer on the port numbers of HTTPS, too.
func openSTUN(want addresses, beside *doors, log *slog.Logger) (*stunserver.Server, error) {
	if !want.stun.IsValid() {
		return nil, nil
	}
	cfg := stunserver.Config{Addr: want.stun.String(), Logger: log}
	if want.turnTLS.IsValid() {
		cfg.TLSAddr = want.turnTLS.String()
	}
	server, err := stunserver.New(cfg)
	if err != nil {
		return nil, turnError(want, err)
	}
	for _, addr := range beside.https.addrs {
		// Whoever wants HTTPS alone is not to be kept from it by what else is on that port, such as HTTP/3.
		if err := server.ListenUDP(addr.String()); err != nil {
			log.Warn("no TURN over UDP on the port of --https, so no URL for it is listed", "address", addr.String(), "error", err)
		}
	}
	return server, nil
}

// serveTURN has them answered.
func (e *Emulator) serveTURN(want addresses) error {
	if e.stun == nil {
		return nil
	}
	e.turnEntries = e.entries()
	return e.stun.Serve(stunserver.TURNConfig{
		Credentials:     e.credentials,
		RelayIP:         want.relay,
		Announce:        announced(want.relay),
		RelayPorts:      want.relayPorts,
		TLS:             e.secure.source.TLS(),
		TLSCure:         e.secure.cure(),
		PublicPeersOnly: !e.cfg.deviates("DEV-9"),
		Own:             e.own,
		Limits:          e.turnLimits,
	})
}

func turnError(want addresses, err error) error {
	setting, addr := "stun", want.stun
	var ofTLS *stunserver.TLSError
	if errors.As(err, &ofTLS) {
		setting, addr = "turn-tls", want.turnTLS
	}
	return bindError(setting, addr, err)
}

// announced is the address that clients are told where relays are bound to all: the machine's first one that others can reach.
func announced(relay netip.Addr) netip.Addr {
	if !relay.IsUnspecified() {
		return relay
	}
	found, err := interfaces()
	if err != nil {
		return loopback
	}
	own := slices.DeleteFunc(ownAddresses(found), func(a netip.Addr) bool { return !a.Is4() })
	return own[len(own)-1] // loopback is the first one, and the last where there is no other
}

// mediaAddresses are the SFU's, as clients know them, each with where it is reached from this machine: peers of TURN in every mode. An
// advertised address may lead here from outside alone, as a container's published port does; relays are inside. Where an own address is
// offered as well, relays reach that, and nothing needs to stand for anything.
func mediaAddresses(media *sfu.SFU) map[netip.AddrPort]netip.AddrPort {
	sockets, byName := media.LocalAddrs(), map[netip.AddrPort]netip.AddrPort{}
	ownOffered := false
	for _, c := range media.Candidates() {
		if !c.TCP {
			byName[c.Addr] = c.Addr
			ownOffered = ownOffered || slices.Contains(sockets, c.Addr)
		}
	}
	if ownOffered {
		return byName
	}
	next := 0
	for _, c := range media.Candidates() { // one for each socket, since answers come from there
		if !c.TCP && next < len(sockets) {
			byName[c.Addr] = sockets[next]
			next++
		}
	}
	return byName
}

// own is mediaAddresses as they are now.
func (e *Emulator) own() map[netip.AddrPort]netip.AddrPort { return *e.addresses.Load() }

// turnLimits are the rules of TURN as they are now. What limits the speed of an allocation is left out in the mode dev, as the
// rate limit of requests is.
func (e *Emulator) turnLimits() stunserver.Limits {
	rules := e.registry.Rules()
	limits := stunserver.Limits{PerCredential: rules.TURNQuota, InAll: rules.TURNAllocations, Lifetime: rules.TURNLifetime}
	if !e.cfg.deviates("DEV-11") {
		limits.NewPeers, limits.Packets, limits.Bits = rules.TURNPeers, rules.TURNPackets, rules.TURNBits
	}
	return limits
}

// turnEntry is one place where STUN or TURN is reached.
type turnEntry struct {
	scheme    string // stun, turn or turns
	addr      netip.AddrPort
	transport string // udp or tcp; empty for stun
	shared    bool   // with HTTP
}

// entries lists where STUN and TURN answer, in the order of the documentation (contract 7.3): STUN, then UDP, TCP and TLS, of
// each the port of its own before those that TURN shares with HTTP.
func (e *Emulator) entries() []turnEntry {
	udp, tcp := e.stun.Addrs()
	list := []turnEntry{{scheme: "stun", addr: udp}}
	for _, kind := range []struct {
		scheme, transport string
		own               netip.AddrPort // invalid leaves out the kind
		shared            []netip.AddrPort
	}{
		{"turn", "udp", udp, e.stun.MoreUDP()},
		{"turn", "tcp", tcp, e.doors.http.addrs},
		{"turns", "tcp", e.stun.TLSAddr(), e.doors.https.addrs},
	} {
		if !kind.own.IsValid() {
			continue
		}
		for i, addr := range append([]netip.AddrPort{kind.own}, kind.shared...) {
			list = append(list, turnEntry{scheme: kind.scheme, addr: addr, transport: kind.transport, shared: i > 0})
		}
	}
	return list
}

// asked is by what a client has reached the API: the name that it used, and the address and port where that led.
type asked struct {
	host string
	at   netip.AddrPort
}

func askedBy(r *http.Request) asked {
	at, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if at == nil {
		return asked{host: hostOf(r.Host)}
	}
	ap := at.AddrPort()
	return asked{host: hostOf(r.Host), at: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
}

// turnURLs are the entries as that client wants them: those of STUN, and those that need a credential. The ports that TURN shares with
// HTTP are in the whole list alone, not in that of the older call (contract 7.3).
func (e *Emulator) turnURLs(by asked, whole bool) (stun, turn []string) {
	if e.stun == nil {
		return nil, nil
	}
	hosts := e.turnHosts(by)
	for _, entry := range e.turnEntries {
		if entry.shared && (!whole || hosts != serviceHosts || !e.reaches(by, entry)) {
			continue
		}
		url := entry.scheme + ":" + net.JoinHostPort(hosts.of(entry.scheme), strconv.Itoa(int(entry.addr.Port())))
		switch {
		case entry.transport == "":
			stun = append(stun, url)
		case !slices.Contains(turn, url+"?transport="+entry.transport): // there may be several addresses
			turn = append(turn, url+"?transport="+entry.transport)
		}
	}
	return stun, turn
}

// reaches says whether a client reaches a port that TURN shares with HTTP: it does if the service's names lead it to such a port
// now, at an address where the other one is open, too. One who came to the API's own port may have been led there by a rule for that
// name and port, or by a container's published port.
func (e *Emulator) reaches(by asked, entry turnEntry) bool {
	ip := entry.addr.Addr()
	return e.doors.has(by.at) && (ip.IsUnspecified() || ip == by.at.Addr())
}

// turnHosts are the hosts in those URLs.
type turnHosts struct{ stun, turn string }

func (h turnHosts) of(scheme string) string {
	if scheme == "stun" {
		return h.stun
	}
	return h.turn
}

// serviceHosts are the service's own (contract 7.1).
var serviceHosts = turnHosts{stun: "stun.cloudflare.com", turn: "turn.cloudflare.com"}

// apiHosts are those of the service's API. Who reaches the emulator by one of them has made the names of the service lead here.
var apiHosts = []string{"rtc.live.cloudflare.com", "api.cloudflare.com"}

// turnHosts chooses them: what is set, or else the service's own for those who asked under its name, or else the server's address.
func (e *Emulator) turnHosts(by asked) turnHosts {
	host := strings.Trim(e.cfg.TURNHost, "[]")
	switch {
	case hostOf(host) == serviceHosts.turn, host == "" && slices.Contains(apiHosts, by.host):
		return serviceHosts
	case host != "":
		return turnHosts{host, host}
	}
	udp, _ := e.stun.Addrs()
	host = reachable(udp).Addr().String()
	return turnHosts{host, host}
}

// TURNURLs are URLs for iceServers, with a credential; empty when the STUN server is off.
func (e *Emulator) TURNURLs() []string {
	_, turn := e.turnURLs(asked{}, true)
	return turn
}

// turnTLS is where TURN over TLS is to be; invalid means off.
func (c Config) turnTLS(stun netip.AddrPort) (netip.AddrPort, error) {
	switch {
	case c.TURNTLS == STUNOff:
		return netip.AddrPort{}, nil
	case c.TURNTLS != "":
		return parseListen("turn-tls", c.TURNTLS, "127.0.0.1:5349")
	case stun.Port() == 0:
		return netip.AddrPortFrom(stun.Addr(), 0), nil
	}
	return netip.AddrPortFrom(stun.Addr(), turnTLSPort), nil
}

// parseRelay reads the settings of relays.
func (c Config) parseRelay(a *addresses) error {
	var err error
	if a.relay, err = netip.ParseAddr(cmpOr(c.RelayIP, loopback.String())); err != nil || !a.relay.Is4() {
		return &ConfigError{Setting: "relay-ip", Value: c.RelayIP, Problem: "not an IPv4 address",
			Cure: "use 127.0.0.1, an address of this machine, or 0.0.0.0 for all of them"}
	}
	if !localRelay(a.relay) {
		return &ConfigError{Setting: "relay-ip", Value: c.RelayIP, Problem: "not an address of this machine",
			Cure: "use 127.0.0.1, an address of this machine, or 0.0.0.0 for all of them"}
	}
	if strings.TrimSpace(c.RelayPorts) == "" {
		return nil
	}
	first, last, found := strings.Cut(strings.TrimSpace(c.RelayPorts), "-")
	low, err := strconv.ParseUint(first, 10, 16)
	high, err2 := strconv.ParseUint(last, 10, 16)
	if !found || err != nil || err2 != nil || low == 0 || low > high {
		return &ConfigError{Setting: "relay-ports", Value: c.RelayPorts, Problem: "not FIRST-LAST", Cure: "write it like 49152-49999"}
	}
	a.relayPorts = stunserver.PortRange{First: uint16(low), Last: uint16(high)}
	return nil
}

// localRelay says whether a relay can be bound.
func localRelay(ip netip.Addr) bool { return probeUDP(netip.AddrPortFrom(ip, 0)) == nil }

// checkTURNHost checks the name for URLs.
func checkTURNHost(host string) error {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "" || hostNames.MatchString(host) {
		return nil
	}
	return &ConfigError{Setting: "turn-host", Value: host, Problem: "neither a host name nor an address",
		Cure: "write it without scheme and port, like localhost or 192.0.2.7"}
}

// ParseTURNKey reads ID:TOKEN.
func ParseTURNKey(s string) (id, token string, err error) {
	id, token, found := strings.Cut(s, ":")
	if !found || token == "" || !appIDs.MatchString(id) {
		return "", "", fmt.Errorf("not ID:TOKEN with an id of letters, digits, - and _")
	}
	return id, token, nil
}
