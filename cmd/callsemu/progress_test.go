package main

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/emulator"
)

func TestARunSaysWhatItChangesOfAnEmulatorThatIsNotItsOwn(t *testing.T) {
	all := []conformance.Need{conformance.OpenApps, conformance.MovableClock, conformance.FixableEstimate}
	own := func(context.Context) (conformance.Target, func(), error) { return conformance.Target{}, nil, nil }
	for name, c := range map[string]struct {
		suite conformance.Suite
		want  []string
	}{
		"all of it": {conformance.Suite{Target: conformance.Target{Emulator: true, Has: all}}, []string{"clock forward", "sets faults", "sets estimates"}},
		"nothing":   {conformance.Suite{Target: conformance.Target{Emulator: true, Has: all}, Pattern: regexp.MustCompile("^session/new$")}, nil},
		"the clock": {conformance.Suite{Target: conformance.Target{Emulator: true, Has: all}, Pattern: regexp.MustCompile("^life/lost$")}, []string{"clock forward"}},
		"no clock":  {conformance.Suite{Target: conformance.Target{Emulator: true}, Pattern: regexp.MustCompile("^life/lost$")}, nil},
		"its own":   {conformance.Suite{Target: conformance.Target{Emulator: true, Has: all}, Own: own}, nil},
		"a service": {conformance.Suite{}, nil},
	} {
		var b bytes.Buffer
		progressTo(&b).announce(c.suite)
		for _, text := range []string{"clock forward", "sets faults", "sets estimates"} {
			said, wanted := strings.Contains(b.String(), text), strings.Contains(strings.Join(c.want, " "), text)
			if said != wanted {
				t.Errorf("%s: %q is said: %t, want %t, in\n%s", name, text, said, wanted, b.String())
			}
		}
	}
	e := emulator.RunT(t)
	got := inThisProcess(t, "conformance", "--base-url="+e.BaseURL(), "--app-id="+e.AppID(), "--app-secret="+e.Secret(), "--run=^channel-life/|^life/fresh$")
	if !strings.Contains(got.stderr, "it moves the emulator's clock forward") {
		t.Errorf("got %+v", got)
	}
}
