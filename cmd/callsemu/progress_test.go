package main

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/emulator"
)

// TestProgressNamesWhatRuns: on a terminal in one line that never wraps, elsewhere once all have begun.
func TestProgressNamesWhatRuns(t *testing.T) {
	long := strings.Repeat("l", 50)
	var b bytes.Buffer
	on := &progress{w: &b, columns: func() int { return 80 }}
	narrow := &progress{w: &b, columns: func() int { return 26 }}
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
		if got := lines[len(lines)-1]; strings.TrimRight(got, " ") != step.line || len(got) > 79 {
			t.Errorf("%s %s: %q stands there, want %q", step.event.Case.ID, step.event.Status, got, step.line)
		}
		b.Reset()
		narrow.event(step.event)
		for _, line := range strings.Split(b.String(), "\r") {
			if len(line) > 25 && !strings.Contains(line, "\n") {
				t.Errorf("%s %s: %q wraps in 26 columns", step.event.Case.ID, step.event.Status, line)
			}
		}
		b.Reset()
		if elsewhere.event(step.event); b.String() != step.elsewhere {
			t.Errorf("%s %s: %q is written, want %q", step.event.Case.ID, step.event.Status, b.String(), step.elsewhere)
		}
	}
}

// TestProgressSaysThatARunIsBeingEnded: once, and what was not finished has not failed.
func TestProgressSaysThatARunIsBeingEnded(t *testing.T) {
	for emulator, want := range map[bool]string{true: "the run is being ended\n", false: "ended: its cases close what they made, and a second Ctrl-C would not let them\n"} {
		var b bytes.Buffer
		on := &progress{w: &b, columns: func() int { return 80 }}
		on.announce(conformance.Suite{Target: conformance.Target{Emulator: emulator}})
		for _, id := range []string{"a/1", "a/2"} {
			e := conformance.Event{Total: 2}
			e.Case.ID, e.Status = id, conformance.Unfinished
			on.event(e)
		}
		if text := b.String(); strings.Count(text, want) != 1 || !strings.HasSuffix(text, "\r0 of 2, 0 failed; 0 running") {
			t.Errorf("an emulator %t: written is %q", emulator, text)
		}
	}
}

// TestARunSaysWhatItMakesAtAService: who pays for it is to know before it begins.
func TestARunSaysWhatItMakesAtAService(t *testing.T) {
	target := conformance.Target{AppID: "the-app", TURNKeyID: "the-key", AccountID: "the-account", Has: []conformance.Need{conformance.TURN, conformance.AccountAPI}}
	all := []string{"sessions of app the-app", "credentials of TURN key the-key, and revokes them", "keys in account the-account, and deletes them", "takes about 5m10s\n", "takes about 10s\n"}
	for pattern, want := range map[string][]string{
		".":                                 {all[0], all[1], all[2], all[3]},
		"^(session|push)/":                  {all[0], all[4]},
		"^(session/|turn/list|turn/revoke)": {all[0], all[1], all[4]},
	} {
		var b bytes.Buffer
		progressTo(&b).announce(conformance.Suite{Target: target, Pattern: regexp.MustCompile(pattern)})
		for _, text := range all {
			if strings.Contains(b.String(), text) != slices.Contains(want, text) {
				t.Errorf("%s: %q is said: %t, in\n%s", pattern, text, !slices.Contains(want, text), b.String())
			}
		}
	}
	var b bytes.Buffer
	progressTo(&b).announce(conformance.Suite{Target: conformance.Target{Emulator: true, AppID: "the-app"}})
	if strings.Contains(b.String(), "the-app") || strings.Contains(b.String(), "takes about") {
		t.Errorf("of an emulator it says %s", b.String())
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
