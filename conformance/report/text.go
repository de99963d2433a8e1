package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// Text writes the summary: a table by area, what was left out and why, what was observed, what failed and why, and as the last line
// "N passed, M failed". What was observed counts in neither.
func Text(w io.Writer, r conformance.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s\n\n", target(r), r.Elapsed.Round(time.Second))
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
			for _, failure := range different(o.Result.Failures) {
				fmt.Fprintf(&b, "    - %s\n", strings.ReplaceAll(failure, "\n", "\n      "))
			}
		}
	}
	if observed := with(r, conformance.Observed); len(observed) > 0 {
		fmt.Fprintf(&b, "\n%d observed: open questions of the contract, which neither pass nor fail; a report, or --record, has what the target did\n", len(observed))
	}
	fmt.Fprintf(&b, "\n%d passed, %d failed\n", r.Count(conformance.Passed), r.Count(conformance.Failed))
	_, err := io.WriteString(w, b.String())
	return err
}
