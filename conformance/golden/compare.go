package golden

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// Kind says what differs. The kinds come in the order of their weight.
type Kind int

// What can differ between two transcripts of a case.
const (
	Status      Kind = iota // of an answer, or that there is none
	Calls                   // calls were made by one side alone
	Outcome                 // passed on one side, failed on the other, though every call is answered alike
	Body                    // a member of the answer's JSON
	SDP                     // a line
	Seen                    // an observation
	Header                  // of the answer
	Time                    // its class
	MissingCase             // one side does not have the case
)

// Difference is one thing that a target does otherwise than the record says.
type Difference struct {
	Case
	Kind Kind
	Step int    // of the calls of the case in the record, from 1; 0 for what is no call's
	Call string // method and URL
	What string // such as "body field tracks[0].errorCode"
	Was  string // "" where there was nothing
	Is   string // "" where there is nothing

	Before, Now *Exchange // the call in the record and at the target; nil for what is no call's
}

// String is the difference in words, without the case.
func (d Difference) String() string {
	text := d.What
	switch {
	case d.Was == "":
		text += " added: " + d.Is
	case d.Is == "":
		text += " removed: " + d.Was
	default:
		text += ": " + d.Was + " -> " + d.Is
	}
	if d.Step > 0 {
		text = fmt.Sprintf("step %d, %s: %s", d.Step, d.Call, text)
	}
	return text
}

// Comparison is what Compare found.
type Comparison struct {
	Compared    int
	Differences []Difference // by case, in the order of the calls
	// Incomparable are cases that do not apply to one of the targets, were not finished, or were not to be in the record, with the reason.
	Incomparable map[string]string
	// Unfinished is how many of these were not finished, in the record or at the target: what they would show, nobody knows.
	Unfinished int
}

// Compare compares a target with the record. Cases that chosen refuses are left out; nil refuses none. What the record's own pattern
// did not choose is not compared.
func Compare(record, target Transcript, chosen func(id string) bool) Comparison {
	c := Comparison{Incomparable: map[string]string{}}
	was, is := byID(record), byID(target)
	if pattern, err := regexp.Compile(record.Pattern); err == nil { // Read has refused others
		for id := range is {
			if _, recorded := was[id]; !recorded && !pattern.MatchString(id) {
				c.Incomparable[id] = "outside of the record's --run " + record.Pattern
				delete(is, id)
			}
		}
	}
	ids := map[string]bool{}
	for _, side := range []map[string]Case{was, is} {
		for id := range side {
			ids[id] = ids[id] || chosen == nil || chosen(id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if ids[id] {
			c.compare(id, was, is)
		}
	}
	return c
}

func byID(t Transcript) map[string]Case {
	cases := map[string]Case{}
	for _, c := range t.Cases {
		cases[c.ID] = c
	}
	return cases
}

func (c *Comparison) compare(id string, record, target map[string]Case) {
	was, inRecord := record[id]
	is, inTarget := target[id]
	switch {
	case !inTarget:
		was.ID = id
		c.Differences = append(c.Differences, Difference{Case: was, Kind: MissingCase, What: "the case", Was: "it is in the record alone"})
	case !inRecord:
		c.Differences = append(c.Differences, Difference{Case: is, Kind: MissingCase, What: "the case", Is: "it is not in the record"})
	case was.Outcome == conformance.NotApplicable:
		c.Incomparable[id] = "not applicable to the record's target"
	case is.Outcome == conformance.NotApplicable:
		c.Incomparable[id] = "not applicable to the target"
	case was.Outcome == conformance.Unfinished:
		c.Incomparable[id] = "not finished in the record"
		c.Unfinished++
	case is.Outcome == conformance.Unfinished:
		c.Incomparable[id] = "not finished at the target"
		c.Unfinished++
	default:
		c.Compared++
		c.Differences = append(c.Differences, differences(was, is)...)
	}
}

// differences of a case that both sides have. That the outcome differs is said if nothing else is: else that is why.
func differences(was, is Case) []Difference {
	var list []Difference
	if was.Observes {
		list = observations(was, is)
	} else {
		list = calls(was, is)
	}
	if len(list) == 0 && was.Outcome != is.Outcome {
		because := string(is.Outcome)
		if len(is.Failures) > 0 {
			because += ": " + is.Failures[0]
		}
		list = append(list, Difference{Kind: Outcome, What: "outcome", Was: string(was.Outcome), Is: because})
	}
	for i := range list {
		list[i].Case = is
	}
	return list
}

func observations(was, is Case) (list []Difference) {
	before, now := map[string]Observation{}, map[string]Observation{}
	var names []string
	for _, side := range []struct {
		of []Observation
		by map[string]Observation
	}{{was.Observations, before}, {is.Observations, now}} {
		for _, o := range side.of {
			if !slices.Contains(names, o.Name) {
				names = append(names, o.Name)
			}
			side.by[o.Name] = o
		}
	}
	for _, name := range names {
		a, inA := before[name]
		b, inB := now[name]
		what := fmt.Sprintf("observation %q", name)
		switch {
		case inA != inB && ofMissingCall(name, before, now):
		case inA && inB && (a.Lines != nil || b.Lines != nil):
			for _, line := range lineDifferences(a.all(), b.all()) {
				list = append(list, Difference{Kind: Seen, What: what + ", line", Was: line[0], Is: line[1]})
			}
		case a.Value != b.Value || inA != inB:
			list = append(list, Difference{Kind: Seen, What: what, Was: a.said(inA), Is: b.said(inB)})
		}
	}
	return list
}

// ofMissingCall says whether an observation is of a call that one side alone has made, and is not the one of its status, which says so.
func ofMissingCall(name string, before, now map[string]Observation) bool {
	i := strings.LastIndex(name, ": ")
	if i < 0 || name[i:] == ": status" {
		return false
	}
	_, inA := before[name[:i]+": status"]
	_, inB := now[name[:i]+": status"]
	return inA != inB
}

func (o Observation) all() []string {
	if o.Lines == nil {
		return []string{o.Value}
	}
	return o.Lines
}

// said is the value for words; what was not observed is said as such, since it tells where a case got to.
func (o Observation) said(there bool) string {
	if !there {
		return "(not observed)"
	}
	return fmt.Sprintf("%q", strings.Join(o.all(), " | "))
}

// numbers of placeholders depend on how many came before; calls and lines are matched without.
var numbers = regexp.MustCompile(`<([a-z]+) \d+>`)

func unnumbered(s string) string { return numbers.ReplaceAllString(s, "<$1>") }

// calls compares call by call. When a case ends early on one side, what is missing behind is that end's doing and not said.
func calls(was, is Case) (list []Difference) {
	key := func(x Exchange) string { return x.Method + " " + unnumbered(x.URL) }
	pairs := align(was.Exchanges, is.Exchanges, func(a, b Exchange) bool { return key(a) == key(b) })
	for i, p := range pairs {
		if p.a >= 0 && p.b >= 0 {
			list = append(list, answers(p.a+1, &was.Exchanges[p.a], &is.Exchanges[p.b])...)
			continue
		}
		tail := !slices.ContainsFunc(pairs[i:], func(p pair) bool { return p.a >= 0 && p.b >= 0 })
		if tail && was.Outcome != is.Outcome && len(list) > 0 {
			break
		}
		d := Difference{Kind: Calls, What: "call"}
		if p.a >= 0 {
			d.Before = &was.Exchanges[p.a]
			d.Was, d.Step = key(*d.Before)+" was made, "+answered(*d.Before), p.a+1
			d.Call = d.Before.Method + " " + d.Before.URL
		} else {
			d.Now = &is.Exchanges[p.b]
			d.Is = key(*d.Now) + " is made, " + answered(*d.Now)
		}
		list = append(list, d)
	}
	return list
}

// answered is the status with the error, if it has one.
func answered(x Exchange) string {
	if x.Broken != "" {
		return "no answer (" + x.Broken + ")"
	}
	text := fmt.Sprint(x.Status)
	if body, is := x.Body.(map[string]any); is && body["errorCode"] != nil {
		text += fmt.Sprintf(" %v %q", body["errorCode"], fmt.Sprint(body["errorDescription"]))
	}
	return text
}

// answers compares two answers to one call. With another status everything else is another thing as well.
func answers(step int, was, is *Exchange) (list []Difference) {
	add := func(kind Kind, what, a, b string) {
		list = append(list, Difference{Kind: kind, Step: step, Call: was.Method + " " + was.URL, What: what, Was: a, Is: b, Before: was, Now: is})
	}
	if was.Status != is.Status || was.Broken != is.Broken {
		add(Status, "status", answered(*was), answered(*is))
		return list
	}
	compareJSON("", was.Body, is.Body, add)
	for _, name := range slices.Compact(slices.Sorted(maps.Keys(union(was.Header, is.Header)))) {
		if a, b := strings.Join(was.Header[name], ", "), strings.Join(is.Header[name], ", "); a != b {
			add(Header, "header "+name, a, b)
		}
	}
	if was.Time != is.Time {
		add(Time, "time of the answer", was.Time, is.Time)
	}
	return list
}

func union[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return all
}
