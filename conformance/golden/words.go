package golden

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// Words writes the comparison, case by case. Differences that are alike in several steps of a case stand once, with how often.
func (c Comparison) Words(w io.Writer) error {
	var b strings.Builder
	key := func(d Difference) string { return d.ID + " " + unnumbered(d.Call+d.What+d.Was+d.Is) }
	times := map[string]int{}
	for _, d := range c.Differences {
		times[key(d)]++
	}
	last := ""
	for i, d := range c.Differences {
		if d.ID != last || i == 0 {
			last = d.ID
			fmt.Fprintf(&b, "%s [contract %s, %s], %s\n", d.ID, d.Section, d.Mark, d.Outcome)
		}
		if n := times[key(d)]; n > 0 { // the first of its kind
			times[key(d)] = 0
			fmt.Fprintf(&b, "  %s", strings.ReplaceAll(d.String(), "\n", "\n    "))
			if n > 1 {
				fmt.Fprintf(&b, " (%d times in this case)", n)
			}
			fmt.Fprintln(&b)
		}
	}
	if len(c.Differences) > 0 {
		fmt.Fprintln(&b)
	}
	for _, line := range c.NotCompared() {
		fmt.Fprintln(&b, line)
	}
	fmt.Fprintf(&b, "%s compared, %s\n", conformance.Counted(c.Compared, "case"), conformance.Counted(len(c.Differences), "difference"))
	_, err := io.WriteString(w, b.String())
	return err
}

// NotCompared says in a line for each reason which cases were not compared.
func (c Comparison) NotCompared() (lines []string) {
	by := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(c.Incomparable)) {
		why := c.Incomparable[id]
		by[why] = append(by[why], id)
	}
	for _, why := range slices.Sorted(maps.Keys(by)) {
		lines = append(lines, fmt.Sprintf("%d not compared, %s: %s", len(by[why]), why, strings.Join(by[why], ", ")))
	}
	return lines
}

// Group is a difference with all places where it shows.
type Group struct {
	Difference          // the first one
	Cases      []string // ids
	Places     []string // calls, or names of observations, each once; none for what has neither
	Times      int
}

// Groups puts together what is the same difference, and sorts: the heaviest kind first (see Kind), then
// what the surest cases show (doc before recorded, seen and inferred), then what shows most often.
func (c Comparison) Groups() []Group {
	var groups []Group
	index := map[string]int{}
	for _, d := range c.Differences {
		key := d.groupedBy()
		i, known := index[key]
		if !known {
			i = len(groups)
			index[key] = i
			groups = append(groups, Group{Difference: d})
		}
		g := &groups[i]
		g.Times++
		if !slices.Contains(g.Cases, d.ID) {
			g.Cases = append(g.Cases, d.ID)
		}
		if place := d.place(); place != "" && !slices.Contains(g.Places, place) {
			g.Places = append(g.Places, place)
		}
		if sureness(d) < sureness(g.Difference) {
			g.Difference = d
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		for _, order := range []int{int(a.Kind) - int(b.Kind), sureness(a.Difference) - sureness(b.Difference), b.Times - a.Times} {
			if order != 0 {
				return order
			}
		}
		return 0
	})
	return groups
}

// place is where a difference shows.
func (d Difference) place() string {
	if d.Kind == Seen {
		return d.What
	}
	return unnumbered(d.Call)
}

// ofErrors are the differences in an error, which one row of a catalogue decides for all calls: its code, its text, or both with its
// status; observed it stands under a name.
var ofErrors = regexp.MustCompile(`(?:^body field (?:.*\.)?(errorCode|errorDescription)|^observation ".*: (error)")$`)

// groupedBy is equal for what is one difference: a line of SDP, a header or an error wherever it comes, anything else at one kind of
// call, and what has a name of the case's own, such as an observation, in that case; statuses that were observed there are one.
func (d Difference) groupedBy() string {
	key := fmt.Sprint(d.Kind, unnumbered(d.Was), "\n", unnumbered(d.Is), "\n")
	part := ofErrors.FindStringSubmatch(d.What)
	switch {
	case part != nil && d.Was != "" && d.Is != "":
		return key + part[1] + part[2]
	case d.Kind == Status && strings.Contains(d.Was, " ") && strings.Contains(d.Is, " "): // of an error, with its code and text
		return key
	case d.Kind == Seen && strings.HasSuffix(d.What, `: status"`):
		return key + d.ID
	case d.Kind == SDP || d.Kind == Seen && strings.HasSuffix(d.What, ", line"):
		return key
	case d.Kind == Header:
		return key + d.What
	case d.Kind == Seen || d.Kind == MissingCase || d.Kind == Outcome:
		return key + d.What + d.ID
	}
	return key + d.What + unnumbered(d.Call)
}

func sureness(d Difference) int {
	return slices.Index([]string{"doc", "recorded", "seen", "inferred"}, string(d.Mark))
}
