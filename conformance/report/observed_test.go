package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/report"
)

// observing is a report of so many observing cases, and one that passed.
func observing(n int) (r conformance.Report) {
	for i := range n {
		o := conformance.Outcome{Status: conformance.Observed}
		o.Case = conformance.Case{ID: fmt.Sprintf("open/Q%d-x", i), Sentence: "What does it do?", Section: "10 Q1", Mark: conformance.Inferred, Observes: true}
		o.Result.Observations = []conformance.Observation{{Name: "status", Value: "4<11>"}, {Name: "lines", Value: "v=0\ns=-"}}
		r.Outcomes = append(r.Outcomes, o)
	}
	passed := conformance.Outcome{Status: conformance.Passed}
	passed.Case = conformance.Case{ID: "push/x", Sentence: "It does.", Mark: conformance.Doc}
	r.Outcomes = append(r.Outcomes, passed)
	return r
}

// TestObservationsAreInEveryReport: each format has them, and they count as neither passed nor failed.
func TestObservationsAreInEveryReport(t *testing.T) {
	for name, want := range map[string][]string{
		"r.xml":  {`<property name="status" value="4&lt;11&gt;">`, `tests="3" failures="0" skipped="0"`},
		"r.json": {`"passed": 1`, `"failed": 0`, `"observed": 2`, `"value": "4<11>"`},
		"r.html": {"<h2>What was observed</h2>", "What does it do?", "<td>status</td><td><code>4&lt;11&gt;</code></td>", "1 passed", "2 observed"},
		"text":   {"2 observed: ", "  open/Q1-x: What does it do?\n    status = 4<11>\n    lines = v=0\n      s=-\n\n1 passed, 0 failed\n"},
	} {
		write := report.Text
		if name != "text" {
			var err error
			if write, err = report.ForFile(name); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := write(&b, observing(2)); err != nil {
			t.Fatal(err)
		}
		for _, part := range want {
			if !strings.Contains(b.String(), part) {
				t.Errorf("%s: no %q in\n%s", name, part, b.String())
			}
		}
	}
}

// TestTheSummaryOfManyObservationsNamesTheQuestions: the summary of a whole run would have more lines than anyone reads.
func TestTheSummaryOfManyObservationsNamesTheQuestions(t *testing.T) {
	var b bytes.Buffer
	if err := report.Text(&b, observing(9)); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "4<11>") || !strings.Contains(text, "open/Q8-x: What does it do?\n  what the target did, is in a report") ||
		!strings.HasSuffix(text, "\n1 passed, 0 failed\n") {
		t.Errorf("got\n%s", text)
	}
}
