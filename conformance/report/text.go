package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// Text writes the summary: what failed alike in several cases, a table by area, what was left out and why, what was observed, what was not
// finished, what failed and why, which so is what a terminal shows in the end, and as the last line "N passed, M failed". What was
// observed counts in neither.
func Text(w io.Writer, r conformance.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n", target(r), r.Elapsed.Round(time.Second))
	if common := causes(r); len(common) > 0 {
		fmt.Fprint(&b, "failed alike in several cases:\n")
		for _, c := range common {
			fmt.Fprintf(&b, "  %s%s: %d cases\n", c.What, c.At(), len(c.Cases))
		}
		fmt.Fprintln(&b)
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(table, "area\tpassed\tfailed\tobserved\tnot applicable\tnot finished\t\n")
	for _, a := range areas(r) {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t\n", a.Name, a.Passed, a.Failed, a.Observed, a.NotApplicable, a.Unfinished)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if out := leftOut(r); len(out) > 0 {
		fmt.Fprint(&b, "\nnot applicable to this target:\n")
		for _, l := range out {
			fmt.Fprintf(&b, "  %d: %s\n     %s\n", len(l.Cases), l.Why, strings.Join(l.Cases, ", "))
		}
	}
	if seen := with(r, conformance.Observed); len(seen) > 0 {
		observed(&b, seen)
	}
	if cut := with(r, conformance.Unfinished); len(cut) > 0 {
		fmt.Fprintf(&b, "\nnot finished when the run was ended: %d\n", len(cut))
		for _, o := range cut {
			fmt.Fprintf(&b, "  %s\n", o.Case.ID)
		}
	}
	if failed := with(r, conformance.Failed); len(failed) > 0 {
		fmt.Fprint(&b, "\nfailed:\n")
		for _, o := range failed {
			fmt.Fprintf(&b, "  %s: %s [contract %s, %s: %s]\n", o.Case.ID, o.Case.Sentence, o.Case.Section, o.Case.Mark, meaning(o.Case.Mark))
			for _, failure := range different(o.Result) {
				fmt.Fprintf(&b, "    - %s\n", strings.ReplaceAll(failure.Text, "\n", "\n      "))
				for _, why := range failure.Explained {
					fmt.Fprintf(&b, "      explained: %s\n", why)
				}
			}
		}
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed\n", r.Count(conformance.Passed), r.Count(conformance.Failed))
	_, err := io.WriteString(w, b.String())
	return err
}

// fewObserved is for how many observing cases the summary has all that they saw: those of a question or two that somebody asks.
const fewObserved = 5

// observed writes the questions, and what was seen of them if they are few.
func observed(b *strings.Builder, seen []conformance.Outcome) {
	fmt.Fprintf(b, "\n%d observed: open questions of the contract, which neither pass nor fail\n", len(seen))
	for _, o := range seen {
		fmt.Fprintf(b, "  %s: %s\n", o.Case.ID, o.Case.Sentence)
		if len(seen) > fewObserved {
			continue
		}
		for _, saw := range o.Result.Observations {
			fmt.Fprintf(b, "    %s = %s\n", saw.Name, strings.ReplaceAll(saw.Value, "\n", "\n      "))
		}
	}
	if len(seen) > fewObserved {
		fmt.Fprintln(b, "  what the target did, is in a report (--report), in a record (--record), and here when few of them are run")
	}
}
