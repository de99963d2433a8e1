package emulator

import "github.com/callsemu/callsemu/emulator/session"

// Deviation is something that the emulator does on purpose unlike the real service.
type Deviation struct {
	ID   string // DEV-1 and so on; an id is never used again for something else
	Text string
	Off  string // what switches it off, or why nothing does
}

// deviations is the whole list: a difference from the contract that is not in it is a bug.
var deviations = []struct {
	Deviation
	inForce func(Config) bool
}{
	{
		Deviation{"DEV-1", "any app id with any bearer token is accepted", "--mode real"},
		func(c Config) bool { return c.Mode == session.ModeDev },
	},
	{
		Deviation{"DEV-2", "plain HTTP instead of HTTPS", "a TLS proxy in front"},
		func(Config) bool { return true },
	},
	{
		Deviation{"DEV-3", "/healthz and /readyz beside the API", "nothing; they lie outside the API's paths"},
		func(Config) bool { return true },
	},
	{
		Deviation{"DEV-4", "the /_emu/ zone", "--emu off"},
		func(c Config) bool { return !c.HideEmu },
	},
	{
		Deviation{"DEV-5", "ICE over TCP is offered", "nothing; a client that does not want it ignores it"},
		func(Config) bool { return true },
	},
}

// Deviations lists what is in force, in the order of the ids.
func (e *Emulator) Deviations() []Deviation {
	var list []Deviation
	for _, d := range deviations {
		if d.inForce(e.cfg) {
			list = append(list, d.Deviation)
		}
	}
	return list
}
