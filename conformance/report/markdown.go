package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// Markdown writes a table of all behaviours: what is promised, whether the target does it, how sure the contract is, which case proves it,
// and when it did last.
func Markdown(w io.Writer, r conformance.Report) error {
	kind := "the service at " + r.BaseURL
	if r.Emulator {
		kind = "the emulator"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# What %s does, case by case\n\n", kind)
	fmt.Fprintf(&b, "Written by `callsemu conformance --report`, not by hand. %s: %d passed, %d observed, %d failed, %d not applicable. "+
		"How sure each is of the real service is its provenance; the same cases run there, too (`conformance/README.md`).\n\n", conformance.Counted(len(r.Outcomes), "case"),
		r.Count(conformance.Passed), r.Count(conformance.Observed), r.Count(conformance.Failed), r.Count(conformance.NotApplicable))
	b.WriteString("| provenance | means | cases |\n|---|---|---|\n")
	for _, mark := range []conformance.Mark{conformance.Doc, conformance.Recorded, conformance.Seen, conformance.Inferred} {
		n := 0
		for _, o := range r.Outcomes {
			if o.Case.Mark == mark {
				n++
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d |\n", mark, meaning(mark), n)
	}
	for _, a := range areas(r) {
		fmt.Fprintf(&b, "\n## %s\n\n| behaviour | status | provenance | contract | case | date |\n|---|---|---|---|---|---|\n", a.Name)
		for _, o := range a.Outcomes {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | `%s` | %s |\n", cell(o.Case.Sentence), cell(statusOf(o)), o.Case.Mark, cell(o.Case.Section), o.Case.ID,
				r.Begun.UTC().Format("2006-01-02"))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func statusOf(o conformance.Outcome) string {
	text := string(o.Status)
	if o.Status == conformance.NotApplicable {
		text += ": " + lacks(o)
	}
	if o.Case.EmulatorOnly {
		text += "; a decision of the emulator's"
	}
	return text
}

// cell is text inside a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(text)
}
