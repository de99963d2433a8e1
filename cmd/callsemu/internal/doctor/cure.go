package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// iceCure says what to change where no candidate of a protocol is reached.
func (p *patient) iceCure(f findings, protocol string) string {
	_, offered, _ := f.ice(protocol)
	stun := f.of("stun")
	hasAddress := slices.ContainsFunc(offered, func(a netip.AddrPort) bool { return p.has(a.Addr()) })
	hasPort := slices.ContainsFunc(offered, func(a netip.AddrPort) bool { return p.has(a.Addr()) && a.Port() == p.port })
	switch {
	case !hasAddress && !p.isLocal() && !slices.ContainsFunc(offered, func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }):
		return "loopback is this machine here, not the one of callsemu; leave --media at auto there, or offer the address by which clients come: " +
			p.advertise(protocol)
	case !hasAddress:
		return "the API is reached at " + p.address() + ", which is not among them; publish the port for " + strings.ToUpper(protocol) +
			" there and offer that address: " + p.advertise(protocol)
	case !hasPort:
		return fmt.Sprintf("the API is reached at port %d; where a container's port has another number outside, offer that one: %s", p.port, p.advertise(protocol))
	case protocol == "tcp":
		return "publish the port for TCP (" + p.publishing("tcp") + "), or offer where it is published: " + p.advertise(protocol)
	case len(stun) > 0 && !slices.ContainsFunc(stun, func(w *way) bool { return w.works() }):
		return "no UDP comes through, not to STUN either: a firewall or VPN, or ports of a container published without /udp" +
			p.meanwhile(f) + "; where UDP has another port outside, offer it: " + p.advertise(protocol)
	}
	return "publish the port for UDP, too (" + p.publishing("udp") + "), and let it through the firewall" + p.meanwhile(f) +
		"; where UDP has another port outside, offer it: " + p.advertise(protocol)
}

// publishing is how a container's port is published where the API is looked for.
func (p *patient) publishing(protocol string) string {
	at, note := "", ""
	if p.isLocal() {
		at = p.address() + ":"
	}
	if p.port != ownPort {
		note = fmt.Sprintf(" where callsemu listens on %d", ownPort)
	}
	return fmt.Sprintf("-p %s%d:%d/%s%s", at, p.port, ownPort, protocol, note)
}

// ownPort is that of callsemu where no flag says otherwise.
const ownPort = 1473

// advertise is how candidates are changed. Where UDP is published, only the container's engine knows.
func (p *patient) advertise(protocol string) string {
	port, note := "PORT", " (docker port CONTAINER shows the PORT)"
	if protocol == "tcp" && p.port != 80 && p.port != 443 { // those two are for HTTP alone
		port, note = fmt.Sprint(p.port), ""
	}
	at := p.address() + ":" + port
	text := "callsemu --advertise " + at
	if p.zone {
		text += fmt.Sprintf(`, or while it runs curl -X PUT %s/_emu/settings -d '{"advertise":["%s"]}'`, p.root(), at)
	}
	return text + note
}

// meanwhile consoles.
func (p *patient) meanwhile(f findings) string {
	if reached, _, _ := f.ice("tcp"); len(reached) > 0 {
		return "; until then media goes over TCP, which is worse where packets are lost"
	}
	return ""
}

// firefoxNote warns where loopback is all that is reached, once.
func (p *patient) firefoxNote(f findings, protocol string) string {
	udp, _, _ := f.ice("udp")
	tcp, _, _ := f.ice("tcp")
	if slices.ContainsFunc(slices.Concat(udp, tcp), func(a netip.AddrPort) bool { return !a.Addr().IsLoopback() }) || protocol == "tcp" && len(udp) > 0 {
		return ""
	}
	return ". Firefox never uses a loopback address: for it, offer this machine's address in the network, with --media auto, or with " +
		"--advertise ADDRESS and the port published on it where callsemu is in a container (the README has more)"
}

// serverCure says what to change where a server of STUN or TURN does not answer.
func (p *patient) serverCure(u iceURL) string {
	addr, err := netip.ParseAddr(u.host)
	if loopback := err == nil && addr.IsLoopback() || u.host == "localhost"; loopback && !p.isLocal() {
		return u.host + " is this machine here, not the one of callsemu; " + p.turnHostCure()
	}
	protocol := "/tcp"
	if u.transport == "udp" {
		protocol = "/udp"
	}
	cure := fmt.Sprintf("publish the port of the container (-p %s:%s%s), or let it through the firewall", u.port, u.port, protocol)
	if u.host != p.host {
		cure += "; if clients reach it by another name, " + p.turnHostCure()
	}
	return cure
}

func isCertificateError(err error) bool {
	var bad *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &bad) || errors.As(err, &unknown)
}
