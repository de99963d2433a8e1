package emulator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/emulator/session"
)

// Deviation is something that the emulator does on purpose unlike the real service.
type Deviation struct {
	ID   string // DEV-1 and so on; an id is never used again for something else
	Text string
	Off  string // what switches it off, or why nothing does

	inForce func(Config) bool
}

// offInReal is how the deviations are switched off by which dev differs from real.
const offInReal = "`--mode real`"

func inDev(c Config) bool { return c.Mode == session.ModeDev }

func always(Config) bool { return true }

// deviations is the whole list: a difference from the contract that is not in it is a bug. What `real` does otherwise
// than `dev` are exactly the rows that offInReal ends.
var deviations = []Deviation{
	{"DEV-1", "any app id with any bearer token is accepted", offInReal, inDev},
	{"DEV-2", "plain HTTP beside HTTPS", "nothing; a base URL that begins with https:// does without it", always},
	{"DEV-3", "`/healthz` and `/readyz` beside the API", "nothing; they lie outside the API's paths", always},
	{"DEV-4", "the `/_emu/` zone", "`--emu off`", func(c Config) bool { return !c.HideEmu }},
	{"DEV-5", "up to six candidates are offered, ICE over TCP among them", offInReal + ": the first UDP address alone", inDev},
	{"DEV-6", "a session takes any number of requests a second", offInReal + ": 50, then 429", inDev},
	{"DEV-7", "refusals explain themselves in the header `X-Emu-Explain`", offInReal + ": in the log alone", inDev},
	{"DEV-8", "adapters may dial this machine and private networks", offInReal, inDev},
	{"DEV-9", "TURN relays to peers on this machine and private networks", offInReal + ": to public ones, the SFU and other relays", inDev},
	{"DEV-10", "any account is open to any API token (`/client/v4/accounts/`)", offInReal, inDev},
	{"DEV-11", "a TURN allocation relays at any speed", offInReal + ": 5 new peers, 10,000 packets and 100 Mbit a second", inDev},
	{"DEV-12", "any TURN key id with any bearer token is accepted", offInReal, inDev},
}

// deviates reports whether the deviation of that id is in force.
func (c Config) deviates(id string) bool {
	i := slices.IndexFunc(deviations, func(d Deviation) bool { return d.ID == id })
	return i >= 0 && deviations[i].inForce(c)
}

// strictness is what the mode strict refuses beyond real, though the service may let it pass.
var strictness = []Deviation{
	{"STR-1", "a mutation that overlaps another one of its session is refused with 406", "any other mode", inStrict},
	{"STR-2", "an offer to renegotiate (ICE restart) is refused", "any other mode", inStrict},
}

func inStrict(c Config) bool { return c.Mode == session.ModeStrict }

// AllDeviations is every deviation there is, in the order of the ids.
func AllDeviations() []Deviation { return slices.Concat(deviations, strictness) }

// Deviations lists what is in force.
func (e *Emulator) Deviations() []Deviation {
	return slices.DeleteFunc(AllDeviations(), func(d Deviation) bool { return !d.inForce(e.cfg) })
}

// DeviationTable is AllDeviations, and every dated change of the service, as the README has them in
// Markdown.
func DeviationTable() string {
	var b strings.Builder
	b.WriteString("| id | deviation | switched off by |\n|---|---|---|\n")
	for _, d := range AllDeviations() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", d.ID, d.Text, d.Off)
	}
	for _, c := range session.Changes() {
		fmt.Fprintf(&b, "| %s | %s | `--contract` before %s |\n", c.Since, c.Help, c.Since)
	}
	return b.String()
}
