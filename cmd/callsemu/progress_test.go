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

// TestProgressNamesWhatRuns: on a terminal in one line that never wraps, elsewhere once all have begun.
func TestProgressNamesWhatRuns(t *testing.T) {
	long := strings.Repeat("l", 50)
	var b bytes.Buffer
	on := &progress{w: &b, terminal: true}
	elsewhere := &progress{w: &b}
	event := func(id string, status conformance.Status, done int) (e conformance.Event) {
		e.Case.ID, e.Status, e.Done, e.Total = id, status, done, 4
		return e
	}
	for _, step := range []struct {
		event           conformance.Event
		line, elsewhere string // that stands there then; that is written
	}{
		{event("a/1", "", 0), "0 of 4, 0 failed; 1 running: a/1", ""},
		{event("a/2", "", 0), "0 of 4, 0 failed; 2 running: a/1, a/2", ""},
		{event("a/1", conformance.Failed, 1), "1 of 4, 1 failed; 1 running: a/2", "failed  a/1 (0s)\n"},
		{event(long, "", 1), "1 of 4, 1 failed; 2 running: a/2, ...", ""},
		{event("a/4", "", 1), "1 of 4, 1 failed; 3 running: a/2, ...", "1 of 4 have ended, still running: a/2, " + long + ", a/4\n"},
		{event("a/2", conformance.Passed, 2), "2 of 4, 1 failed; 2 running", "passed  a/2 (0s)\n"},
		{event(long, conformance.Observed, 3), "3 of 4, 1 failed; 1 running: a/4", "observed " + long + " (0s)\n"},
	} {
		b.Reset()
		on.event(step.event)
		lines := strings.Split(b.String(), "\r")
		if got := lines[len(lines)-1]; strings.TrimRight(got, " ") != step.line || len(got) > progressColumns {
			t.Errorf("%s %s: %q stands there, want %q", step.event.Case.ID, step.event.Status, got, step.line)
		}
		b.Reset()
		if elsewhere.event(step.event); b.String() != step.elsewhere {
			t.Errorf("%s %s: %q is written, want %q", step.event.Case.ID, step.event.Status, b.String(), step.elsewhere)
		}
	}
}

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
