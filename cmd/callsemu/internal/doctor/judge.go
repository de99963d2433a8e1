package doctor

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// judge puts what the ways of media found into results, in the order of ways, and says whether media flows in any.
func (p *patient) judge(ways []*way) (results []Result, flows bool) {
	f := findingsOf(ways)
	for _, w := range f.of("stun") {
		results = append(results, p.judgeSTUN(w))
	}
	if len(f.of("stun")) == 0 {
		results = append(results, Result{Name: "stun", Verdict: Skipped, Text: "no URL of STUN is known"})
	}
	results = append(results, p.judgeICE(f, "udp"), p.judgeICE(f, "tcp"))
	for _, w := range f.of("turn") {
		results = append(results, p.judgeTURN(w))
	}
	if len(f.of("turn")) == 0 {
		results = append(results, Result{Name: "turn", Verdict: Skipped, Text: "no URL of TURN is known"})
	}
	results = append(results, p.judgeData(f))
	return results, slices.ContainsFunc(ways, func(w *way) bool {
		return (w.kind == "ice" || w.kind == "turn") && w.works()
	})
}

func (w *way) works() bool { return w.unreached == nil && w.err == nil }

// findings are all ways after they were tried.
type findings []*way

func findingsOf(ways []*way) findings { return ways }

func (f findings) of(kind string) (list []*way) {
	for _, w := range f {
		if w.kind == kind {
			list = append(list, w)
		}
	}
	return list
}

// ice gives the candidates of a protocol that were reached, and those that were not with the last error that says something.
func (f findings) ice(protocol string) (reached, missed []netip.AddrPort, why error) {
	for _, w := range f.of("ice") {
		switch {
		case w.to.protocol != protocol:
		case w.works():
			reached = append(reached, w.to.addr)
		default:
			missed = append(missed, w.to.addr)
			if !silent(w.err) {
				why = w.err
			}
		}
	}
	return reached, missed, why
}

// silent says whether an error is nothing but the end of the wait.
func silent(err error) bool { return errors.Is(err, context.DeadlineExceeded) }

func (p *patient) judgeSTUN(w *way) Result {
	if w.works() {
		return Result{Name: "stun", Verdict: OK, Text: w.via.String() + " answers over UDP and sees this machine as " + w.seen}
	}
	return Result{Name: "stun", Verdict: Failed, Text: w.via.String() + " does not answer over UDP (" + reason(w.err) + ")",
		Cure: p.serverCure(w.via)}
}

func (p *patient) judgeICE(f findings, protocol string) Result {
	name := "ice-" + protocol
	reached, missed, why := f.ice(protocol)
	over := "over " + strings.ToUpper(protocol)
	switch {
	case len(reached)+len(missed) == 0 && protocol == "tcp":
		return Result{Name: name, Verdict: Skipped, Text: "no candidate " + over + " is offered, as with the real service; callsemu has some in the mode dev alone"}
	case len(reached)+len(missed) == 0:
		return Result{Name: name, Verdict: Failed, Text: "no candidate " + over + " is offered", Cure: "look at --media of callsemu"}
	case len(reached) > 0:
		text := "media flows both ways " + over + " with " + join(reached)
		if len(missed) > 0 {
			text += "; not reached from here: " + join(missed)
		}
		return Result{Name: name, Verdict: OK, Text: text + p.firefoxNote(f, protocol)}
	case why != nil:
		return Result{Name: name, Verdict: Failed, Text: "no media " + over + " with " + join(missed) + " (" + reason(why) + ")", Cure: p.iceCure(f, protocol)}
	}
	return Result{Name: name, Verdict: Failed, Text: "no media " + over + ": nobody answers at " + join(missed), Cure: p.iceCure(f, protocol)}
}

func (p *patient) judgeTURN(w *way) Result {
	r := Result{Name: "turn-" + w.via.transport, Verdict: OK, Text: "media flows through " + w.via.String()}
	switch {
	case w.works():
	case w.unreached != nil:
		r.Verdict, r.Text = Failed, w.via.String()+" does not answer ("+reason(w.unreached)+")"
		switch {
		case isNameError(w.unreached):
			r.Cure = nameCure(w.via.host) + ", or name a host that it is for with --turn-host"
		case isCertificateError(w.unreached):
			r.Cure = p.trustCure()
		default:
			r.Cure = p.serverCure(w.via)
		}
	case errors.Is(w.err, errNoRelay):
		r.Verdict, r.Text = Failed, w.via.String()+" answers, but gives no relay"
		r.Cure = "the log of callsemu, and turn.refused in /_emu/state, say why; --set turn-quota and turn-allocations move the limits"
	default:
		r.Verdict, r.Text = Failed, w.via.String()+" gives a relay, but no media flows through it ("+reason(w.err)+")"
		r.Cure = "relays do not reach the SFU: leave --relay-ip at 127.0.0.1, and let no firewall of callsemu's machine stand between its own addresses"
	}
	return r
}

func (p *patient) judgeData(f findings) Result {
	w := f.of("data")[0]
	reached, _, _ := f.ice("udp")
	switch {
	case w.works():
		return Result{Name: "data", Verdict: OK, Text: "a message goes over a data channel from one session to another, over UDP"}
	case len(reached) == 0:
		return Result{Name: "data", Verdict: Skipped, Text: "a data channel over UDP needs ice-udp"}
	}
	return Result{Name: "data", Verdict: Failed, Text: "no message comes over a data channel (" + reason(w.err) + ")",
		Cure: "media flows, so this is worth a report, with the log of callsemu"}
}

func join(list []netip.AddrPort) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, ", ")
}
