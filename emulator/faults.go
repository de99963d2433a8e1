package emulator

import (
	"github.com/callsemu/callsemu/emulator/fault"
	"github.com/callsemu/callsemu/emulator/session"
)

// faultRules lets the rules of package fault decide about the Registry's calls. Neither package knows the other.
type faultRules struct{ set *fault.Set }

var _ session.Faults = faultRules{}

// Decide implements session.Faults.
func (f faultRules) Decide(c session.Call) session.Fault {
	effect := f.set.Match(fault.Call(c))
	out := session.Fault{Delay: effect.Delay, After: effect.After, Error: effect.Error, Items: effect.Items}
	for _, silence := range effect.Silences {
		out.Silences = append(out.Silences, session.Silence(silence))
	}
	return out
}
