package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/callsemu/callsemu/conformance"
)

// progress tells a person how far a suite is: on a terminal in one line that changes, elsewhere in a line for each case.
type progress struct {
	w       io.Writer
	columns func() int // of the terminal; nil where lines stay
	failed  int
	begun   int      // cases
	running []string // ids, in the order in which they began
	ending  bool     // it has been said that the run is
	tidying string   // what is said with that
	width   int      // of the line that stands there
}

func progressTo(w io.Writer) *progress {
	p := &progress{w: w}
	if file, is := w.(*os.File); is && term.IsTerminal(int(file.Fd())) {
		p.columns = func() int {
			columns, _, err := term.GetSize(int(file.Fd())) // anew each time, since windows are resized
			if err != nil || columns < 1 {
				return usualColumns
			}
			return columns
		}
	}
	return p
}

// usualColumns are those of a terminal that does not tell.
const usualColumns = 80

// announce says what is going to happen, and what will take long.
func (p *progress) announce(suite conformance.Suite) {
	total, alone, longest, changes, needs := 0, 0, time.Duration(0), changed{}, []conformance.Need{}
	var waiting []string
	for _, planned := range suite.Plan() {
		if planned.Lacks != nil {
			continue
		}
		total++
		changes.note(planned)
		needs = append(needs, planned.Case.Needs...)
		if planned.Lane == conformance.Alone {
			alone++
		}
		if planned.Waits > 0 {
			waiting, longest = append(waiting, planned.Case.ID), max(longest, planned.Waits)
		}
	}
	kind := "the service"
	if suite.Target.Emulator {
		kind = "the emulator"
	}
	p.line(fmt.Sprintf("%s against %s at %s", conformance.Counted(total, "case"), kind, suite.Target.BaseURL))
	if alone > 0 && alone < total {
		p.line(fmt.Sprintf("%d alone at first, then %d beside each other", alone, cmp.Or(suite.Parallel, conformance.DefaultParallel)))
	}
	if suite.Target.Emulator && suite.Own == nil {
		for _, text := range changes.lines() {
			p.line(text)
		}
	}
	if !suite.Target.Emulator {
		p.tidying = ": its cases close what they made, and a second Ctrl-C would not let them"
		for _, text := range leaves(suite.Target, needs) {
			p.line(text)
		}
		p.line(fmt.Sprintf("it calls as slowly as a guest should, and takes about %s", max(longest, time.Duration(total)*guestTime).Round(10*time.Second)))
	}
	if len(waiting) > 0 {
		p.line(fmt.Sprintf("its timeouts are waited for in real time, up to %s each, beside the others, in %s: %s",
			longest, conformance.Counted(len(waiting), "case"), strings.Join(waiting, ", ")))
	}
}

// guestTime is what a case adds to a run at the service: some 14 calls, of which there are 25 a second.
const guestTime = 600 * time.Millisecond

// leaves says what cases with these needs make at a service that somebody pays for, and what becomes of it.
func leaves(at conformance.Target, needs []conformance.Need) []string {
	lines := []string{fmt.Sprintf("it makes sessions of app %s and sends some media through them; each case closes what it made", at.AppID)}
	if slices.Contains(needs, conformance.TURN) {
		lines = append(lines, fmt.Sprintf("it issues credentials of TURN key %s, and revokes them", at.TURNKeyID))
	}
	if slices.Contains(needs, conformance.AccountAPI) {
		lines = append(lines, fmt.Sprintf("it makes apps and TURN keys in account %s, and deletes them; it touches no others", at.AccountID))
	}
	return lines
}

// changed is what a run changes of an emulator that others may use at the same time.
type changed struct{ clock, faults, settings bool }

func (c *changed) note(p conformance.Planned) {
	c.clock = c.clock || p.Case.Slow > 0 && p.Waits == 0
	c.faults = c.faults || strings.HasPrefix(p.Case.ID, "fault/")
	c.settings = c.settings || slices.Contains(p.Case.Needs, conformance.FixableEstimate)
}

// lines say it, each with what becomes of it.
func (c changed) lines() (lines []string) {
	for _, change := range []struct {
		is   bool
		text string
	}{
		{c.clock, "it moves the emulator's clock forward, for everybody there: what waits for a timeout ends, and the clock is not put back"},
		{c.faults, "it sets faults for apps of its own, each for one call"},
		{c.settings, "it sets estimates for sessions of its own, and takes them away"},
	} {
		if change.is {
			lines = append(lines, change.text)
		}
	}
	return lines
}

// event is for Suite.Run.
func (p *progress) event(e conformance.Event) {
	if e.Status == "" {
		p.begins(e)
		return
	}
	p.running = slices.DeleteFunc(p.running, func(id string) bool { return id == e.Case.ID })
	good := e.Status == conformance.Passed || e.Status == conformance.Observed
	if e.Status == conformance.Failed {
		p.failed++
	}
	if e.Status == conformance.Unfinished && !p.ending {
		p.ending = true
		p.line("the run is being ended" + p.tidying)
	}
	if p.columns == nil || !good {
		p.line(fmt.Sprintf("%-7s %s (%s)", e.Status, e.Case.ID, e.Result.Elapsed.Round(time.Millisecond)))
	}
	if p.columns != nil {
		p.counter(e)
	}
}

// begins notes a case that begins. Where lines stay, the last one is the time to say whose end is waited for.
func (p *progress) begins(e conformance.Event) {
	p.begun++
	p.running = append(p.running, e.Case.ID)
	switch {
	case p.columns != nil:
		p.counter(e)
	case e.Waits > 0:
		p.line(fmt.Sprintf("waits   %s, up to %s", e.Case.ID, e.Waits))
	}
	if p.columns == nil && p.begun == e.Total && e.Done > 0 {
		p.line(fmt.Sprintf("%d of %d have ended, still running: %s", e.Done, e.Total, strings.Join(p.running, ", ")))
	}
}

// counter replaces the line that changes. It names what runs, the longest first, as far as there is room: that is what is waited for. A
// line that wraps could not be replaced, and some terminals wrap one that is full.
func (p *progress) counter(e conformance.Event) {
	const rest = ", ..."
	most := p.columns() - 1
	text := fmt.Sprintf("%d of %d, %d failed; %d running", e.Done, e.Total, p.failed, len(p.running))
	before := ": "
	for i, id := range p.running {
		room := most - len(text) - len(before)
		if i < len(p.running)-1 {
			room -= len(rest)
		}
		if len(id) > room {
			if i > 0 {
				text += rest
			}
			break
		}
		text, before = text+before+id, ", "
	}
	text = text[:min(len(text), max(most, 0))]
	_, _ = fmt.Fprintf(p.w, "\r%-*s", min(p.width, most), text)
	p.width = len(text)
}

// line writes a line that stays.
func (p *progress) line(text string) {
	p.end()
	_, _ = fmt.Fprintln(p.w, text)
}

// end takes away the line that changes.
func (p *progress) end() {
	if p.width > 0 {
		_, _ = fmt.Fprintf(p.w, "\r%*s\r", p.width, "")
		p.width = 0
	}
}
