package emulator

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/stunserver"
)

// Values of Config that mean something other than an address.
const (
	// MediaAuto chooses loopback and the machine's own addresses.
	MediaAuto = "auto"
	// STUNOff leaves the STUN and TURN server out, or as TURNTLS its TLS alone.
	STUNOff = "off"
)

// The addresses used when Config names none: the SFU's own port number (contract 7.1) and the standard port of STUN.
const (
	DefaultListen = "127.0.0.1:1473"
	DefaultSTUN   = "127.0.0.1:3478"
)

// turnTLSPort is the standard port of TURN over TLS (contract 7.1).
const turnTLSPort = 5349

// Config says what to emulate and where. The zero value is what the command without arguments uses.
type Config struct {
	// Listen is the IP:PORT of the API and of ICE over TCP; port 0 picks a free one. Empty means DefaultListen.
	// 127.0.0.1 covers [::1] with the same port, where that exists.
	Listen string
	// HTTPS holds IP:PORT of more listeners for HTTPS, such as 0.0.0.0:443, where TURN is served as well, inside TLS and over UDP.
	// HTTPS alone is served at Listen in any case.
	HTTPS []string
	// HTTP holds IP:PORT of more listeners for HTTP without TLS, such as 0.0.0.0:80, where TURN over TCP is served as well.
	HTTP []string
	// TLSNames are names and addresses for which there is to be a certificate, besides the machine's and the service's own.
	TLSNames []string
	// TLSCert and TLSKey are PEM files with a certificate chain and its key to use instead of a CA of callsemu's.
	TLSCert, TLSKey string
	// StateDir is where the CA is kept, made if it is not there. Empty keeps it in memory.
	StateDir string
	// Media holds MediaAuto, or one IP[:PORT] per UDP socket; without a port, or with 0, the API's port number is
	// used. Empty means MediaAuto.
	Media []string
	// Advertise replaces the addresses of the candidates, IP[:PORT]; without a port the first UDP socket's is used.
	// At most three.
	Advertise []string
	// STUN is the IP:PORT of the STUN and TURN server, over UDP and TCP, or STUNOff. Empty means DefaultSTUN.
	STUN string
	// TURNTLS is the IP:PORT of TURN over TLS, or STUNOff. Empty means port 5349 of STUN's address, or a free one
	// where the port of STUN is 0.
	TURNTLS string
	// TURNHost stands in the URLs of STUN and TURN: what clients reach them by. With turn.cloudflare.com, and for those who ask the API
	// under the service's name where it is empty, they have the service's names; otherwise the address of STUN.
	TURNHost string
	// TURNKeys holds the API tokens of the seeded TURN keys by key id. When it is empty, one key is made up; see TURNKeyID,
	// TURNKeyToken. In dev mode any other key takes any token.
	TURNKeys map[string]string
	// RelayIP is the IPv4 address that TURN relays from; 0.0.0.0 is every one of the machine's. Empty means 127.0.0.1, from
	// where the SFU can be reached.
	RelayIP string
	// RelayPorts is FIRST-LAST, the ports of relays. Empty means any.
	RelayPorts string
	// Mode says how much like the real service it is; see Deviations. The zero value is session.ModeDev.
	Mode session.Mode
	// Contract is the day whose state of the service is emulated. The zero value is the newest.
	Contract session.Contract
	// Apps holds the secrets of the seeded apps by app id. When it is empty, one app is made up; see AppID, Secret.
	Apps map[string]string
	// Accounts holds the API tokens of the accounts whose apps and TURN keys can be managed, by account id. When it is empty,
	// one account is made up; see AccountID, AccountToken. In dev mode any other account is open to any token.
	Accounts map[string]string
	// Rules holds limits and timeouts; the zero value takes the contract's.
	Rules session.Rules
	// HideEmu leaves out everything under /_emu/, which lies outside the contract.
	HideEmu bool
	// Hosts are names under which /_emu/ is reached, besides TLSNames, addresses, localhost and names without a dot.
	Hosts []string
	// Clock measures every timeout of Rules. Nil means a clock.Adjustable, which /_emu/clock moves.
	Clock clock.Clock
	// Logger gets one line per API call and what goes wrong. Nil means silence.
	Logger *slog.Logger
}

// ConfigError is a value of Config that cannot be used: which one, why, and what to do about it, in one line.
type ConfigError struct {
	Setting string // the flag's name without dashes, for example "listen"
	Value   string
	Problem string
	Cure    string
	Cause   error // from the operating system, or nil
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("%s %s: %s; %s", e.Setting, e.Value, e.Problem, e.Cure)
}

func (e *ConfigError) Unwrap() error { return e.Cause }

func (c Config) withDefaults() Config {
	c.Listen = cmpOr(c.Listen, DefaultListen)
	c.STUN = cmpOr(c.STUN, DefaultSTUN)
	c.TURNTLS = strings.TrimSpace(c.TURNTLS)
	c.TURNHost = strings.TrimSpace(c.TURNHost)
	c.Media = filled(c.Media)
	if len(c.Media) == 0 {
		c.Media = []string{MediaAuto}
	}
	c.Advertise = filled(c.Advertise)
	c.HTTPS = filled(c.HTTPS)
	c.HTTP = filled(c.HTTP)
	c.TLSNames = filled(c.TLSNames)
	c.Hosts = filled(c.Hosts)
	c.Apps = maps.Clone(c.Apps)
	if len(c.Apps) == 0 {
		c.Apps = map[string]string{randomHex(16): randomHex(32)}
	}
	c.Accounts = maps.Clone(c.Accounts)
	if len(c.Accounts) == 0 {
		c.Accounts = map[string]string{randomHex(16): randomHex(20)}
	}
	c.TURNKeys = maps.Clone(c.TURNKeys)
	if len(c.TURNKeys) == 0 {
		c.TURNKeys = map[string]string{randomHex(16): randomHex(32)}
	}
	if c.Clock == nil {
		c.Clock = clock.NewAdjustable()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// filled drops empty values: an environment variable that is set to nothing means the default.
func filled(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.TrimSpace(v) == "" })
}

func cmpOr(value, otherwise string) string {
	if strings.TrimSpace(value) == "" {
		return otherwise
	}
	return strings.TrimSpace(value)
}

// randomHex returns 2n hexadecimal digits; ids and secrets have 32 and 64 (contract 0.3).
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// addresses are the parsed settings that name addresses.
type addresses struct {
	listen    netip.AddrPort
	http      []netip.AddrPort
	https     []netip.AddrPort
	media     []netip.AddrPort // nil means auto
	advertise []netip.AddrPort
	stun      netip.AddrPort // invalid means off

	turnTLS    netip.AddrPort // invalid means off
	relay      netip.Addr
	relayPorts stunserver.PortRange
}

func (c Config) addresses() (addresses, error) {
	var a addresses
	var err error
	if err = checkHosts(c.Hosts); err != nil {
		return a, err
	}
	if a.listen, err = parseListen("listen", c.Listen, DefaultListen); err != nil {
		return a, err
	}
	if a.http, err = parseListens("http", c.HTTP, "127.0.0.1:80"); err != nil {
		return a, err
	}
	if a.https, err = parseListens("https", c.HTTPS, "127.0.0.1:443"); err != nil {
		return a, err
	}
	if c.STUN != STUNOff {
		if a.stun, err = parseListen("stun", c.STUN, DefaultSTUN); err != nil {
			return a, err
		}
	}
	if a.turnTLS, err = c.turnTLS(a.stun); err != nil {
		return a, err
	}
	if err = errors.Join(checkTURNHost(c.TURNHost), c.parseRelay(&a)); err != nil {
		return a, err
	}
	if a.media, err = parseMedia(c.Media); err != nil {
		return a, err
	}
	if a.advertise, err = parseAddresses("advertise", c.Advertise, maxAdvertise); err != nil {
		return a, err
	}
	if err = a.distinct(); err != nil {
		return a, err
	}
	return a, a.local()
}

// parseMedia reads Config.Media; nil is MediaAuto.
func parseMedia(values []string) ([]netip.AddrPort, error) {
	switch auto := func(v string) bool { return strings.TrimSpace(v) == MediaAuto }; {
	case !slices.ContainsFunc(values, auto):
		return parseAddresses("media", values, maxMedia)
	case len(values) > 1:
		return nil, &ConfigError{Setting: "media", Value: strings.Join(values, ","), Problem: MediaAuto + " stands alone",
			Cure: "give " + MediaAuto + ", or the addresses without it"}
	}
	return nil, nil
}

// wanted is an address that a setting asks for.
type wanted struct {
	setting  string
	addr     netip.AddrPort
	tcp, udp bool // what it cannot do without
	six      bool // 127.0.0.1 covers [::1], too
	inherits bool // the port is that of the API
}

// all lists them. Media that is auto is not among them: it does with what is free.
func (a addresses) all() []wanted {
	list := []wanted{{setting: "listen", addr: a.listen, tcp: true, six: true}}
	for _, addr := range a.https {
		list = append(list, wanted{setting: "https", addr: addr, tcp: true, six: true})
	}
	for _, addr := range a.http {
		list = append(list, wanted{setting: "http", addr: addr, tcp: true, six: true})
	}
	list = append(list, wanted{setting: "stun", addr: a.stun, tcp: true, udp: true}, wanted{setting: "turn-tls", addr: a.turnTLS, tcp: true})
	for _, addr := range a.media {
		list = append(list, wanted{setting: "media", addr: mediaAddress(addr, a.listen.Port()), udp: true, inherits: addr.Port() == 0})
	}
	return slices.DeleteFunc(list, func(w wanted) bool { return !w.addr.IsValid() })
}

// distinct finds two settings that take the same port over TCP or UDP, since the system would blame another program, and an address for
// media that is given twice.
func (a addresses) distinct() error {
	rows := a.all()
	for i, second := range rows {
		for _, first := range rows[:i] {
			switch {
			case !first.tcp && !second.tcp && first.addr == second.addr:
				return &ConfigError{Setting: second.setting, Value: second.addr.String(), Problem: "the address is given twice",
					Cure: "keep one of them"}
			case (first.tcp && second.tcp || first.udp && second.udp) && overlap(first.addr, second.addr):
				return &ConfigError{Setting: second.setting, Value: second.addr.String(), Problem: "--" + first.setting + " takes this port already",
					Cure: "choose another one for one of them"}
			}
		}
	}
	return nil
}

// local finds an address that this machine does not have, whatever its ports are used for.
func (a addresses) local() error {
	for _, w := range a.all() {
		if err := probeUDP(netip.AddrPortFrom(w.addr.Addr(), 0)); errors.Is(err, syscall.EADDRNOTAVAIL) {
			return bindError(w.setting, w.addr, err)
		}
	}
	return nil
}

// overlap says whether two listeners cannot both be. The system chooses distinct ports where 0 is asked for.
func overlap(a, b netip.AddrPort) bool {
	return a.IsValid() && b.IsValid() && a.Port() == b.Port() && a.Port() != 0 &&
		(a.Addr() == b.Addr() || a.Addr().IsUnspecified() || b.Addr().IsUnspecified())
}

// hostNames are DNS names as a Host header has them, without a port.
var hostNames = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

func checkHosts(names []string) error {
	for _, name := range names {
		if !hostNames.MatchString(strings.TrimSpace(name)) {
			return &ConfigError{Setting: "host", Value: name, Problem: "not a host name",
				Cure: "write it without scheme and port, like calls.example"}
		}
	}
	return nil
}

// parseListen reads HOST:PORT with an IP address, localhost or nothing as HOST.
func parseListen(setting, value, example string) (netip.AddrPort, error) {
	wrong := &ConfigError{Setting: setting, Value: value, Problem: "not an IP:PORT", Cure: "write it like " + example}
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return netip.AddrPort{}, wrong
	}
	switch host {
	case "localhost":
		host = loopback.String()
	case "":
		host = netip.IPv6Unspecified().String()
	}
	addr, err := netip.ParseAddrPort(net.JoinHostPort(host, port))
	if err != nil {
		return netip.AddrPort{}, wrong
	}
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), nil
}

func parseListens(setting string, values []string, example string) (list []netip.AddrPort, err error) {
	for _, value := range values {
		addr, err := parseListen(setting, strings.TrimSpace(value), example)
		if err != nil {
			return nil, err
		}
		list = append(list, addr)
	}
	return list, nil
}

func parseAddresses(setting string, values []string, most int) ([]netip.AddrPort, error) {
	if len(values) > most {
		return nil, &ConfigError{Setting: setting, Value: strings.Join(values, ","),
			Problem: fmt.Sprintf("more than %d addresses", most),
			Cure:    fmt.Sprintf("an SDP carries at most %d candidates, UDP and TCP together", maxCandidates)}
	}
	var list []netip.AddrPort
	for _, v := range values {
		addr, err := parseAddress(strings.TrimSpace(v))
		switch {
		case err != nil:
			return nil, &ConfigError{Setting: setting, Value: v, Problem: "not an IP address",
				Cure: "write it like 192.0.2.7 or 192.0.2.7:1473"}
		case addr.Addr().IsUnspecified():
			return nil, &ConfigError{Setting: setting, Value: v, Problem: "a wildcard cannot be a candidate",
				Cure: "name the addresses that clients can reach"}
		}
		list = append(list, addr)
	}
	return list, nil
}

// ParseAccount reads ID:TOKEN.
func ParseAccount(s string) (id, token string, err error) {
	id, token, found := strings.Cut(s, ":")
	if !found || token == "" || !accountIDs.MatchString(id) {
		return "", "", errors.New("not ID:TOKEN with an id of at most 32 letters, digits, - and _")
	}
	return id, token, nil
}

// appIDs are the ids that clients can put into a path unescaped.
var appIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// ParseApp reads ID:SECRET.
func ParseApp(s string) (id, secret string, err error) {
	id, secret, found := strings.Cut(s, ":")
	if !found || secret == "" || !appIDs.MatchString(id) {
		return "", "", errors.New("not ID:SECRET with an id of letters, digits, - and _")
	}
	return id, secret, nil
}
