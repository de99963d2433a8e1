package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// writers are the formats of files, by extension.
var writers = map[string]func(io.Writer, conformance.Report) error{".xml": JUnit, ".json": JSON, ".html": HTML, ".md": Markdown}

// ForFile is what writes the format of a file's name.
func ForFile(name string) (func(io.Writer, conformance.Report) error, error) {
	write, known := writers[strings.ToLower(filepath.Ext(name))]
	if !known {
		return nil, fmt.Errorf("%s: no format of that name; end it in .html, .json, .xml (JUnit) or .md", name)
	}
	return write, nil
}

// area is a group of cases: what stands before the slash of their ids.
type area struct {
	Name                                                string
	Passed, Failed, Observed, NotApplicable, Unfinished int
	Outcomes                                            []conformance.Outcome
}

// areas groups the cases; areas and cases come in the order of the plan.
func areas(r conformance.Report) []*area {
	var list []*area
	for _, o := range r.Outcomes {
		name, _, _ := strings.Cut(o.Case.ID, "/")
		i := slices.IndexFunc(list, func(a *area) bool { return a.Name == name })
		if i < 0 {
			i, list = len(list), append(list, &area{Name: name})
		}
		a := list[i]
		a.Outcomes = append(a.Outcomes, o)
		switch o.Status {
		case conformance.Passed:
			a.Passed++
		case conformance.Failed:
			a.Failed++
		case conformance.Observed:
			a.Observed++
		case conformance.NotApplicable:
			a.NotApplicable++
		default:
			a.Unfinished++
		}
	}
	return list
}

// left is a group of cases that do not apply for the same reason.
type left struct {
	Why   string
	Cases []string // ids
}

// leftOut groups what does not apply; the largest group comes first.
func leftOut(r conformance.Report) []left {
	var list []left
	for _, o := range r.Outcomes {
		if o.Status != conformance.NotApplicable {
			continue
		}
		why := lacks(o)
		i := slices.IndexFunc(list, func(l left) bool { return l.Why == why })
		if i < 0 {
			i, list = len(list), append(list, left{Why: why})
		}
		list[i].Cases = append(list[i].Cases, o.Case.ID)
	}
	slices.SortStableFunc(list, func(a, b left) int { return len(b.Cases) - len(a.Cases) })
	return list
}

// lacks says what the target would need.
func lacks(o conformance.Outcome) string {
	var needs []string
	for _, need := range o.Lacks {
		needs = append(needs, string(need))
	}
	return "needs " + strings.Join(needs, ", and ")
}

// with is the list of outcomes with the status.
func with(r conformance.Report, status conformance.Status) []conformance.Outcome {
	return slices.DeleteFunc(slices.Clone(r.Outcomes), func(o conformance.Outcome) bool { return o.Status != status })
}

// meaning says in words what a provenance mark is.
func meaning(m conformance.Mark) string {
	return map[conformance.Mark]string{
		conformance.Doc:      "Cloudflare documents it",
		conformance.Recorded: "somebody recorded it at the real service",
		conformance.Seen:     "client code relies on it",
		conformance.Inferred: "a conclusion of ours, which no source states",
	}[m]
}

// target says what was tested.
func target(r conformance.Report) string {
	if r.Emulator {
		return r.BaseURL + " (an emulator)"
	}
	return r.BaseURL
}

// brief is a failure without the body at its end, which the exchange before it shows in full.
func brief(failure string) string {
	const most = 400
	failure, _, _ = strings.Cut(strings.TrimSpace(failure), "\n\t{")
	if len(failure) <= most {
		return failure
	}
	return strings.ToValidUTF8(failure[:most], "") + " ..."
}

// told is a failure in brief, with how often it came, and how the target explains the answer that it is about.
type told struct {
	Text      string
	Explained []string
}

// different are the failures of a case, each once.
func different(r conformance.Result) (list []told) {
	var times []int
	for _, failure := range r.Failures {
		text := brief(failure)
		i := slices.IndexFunc(list, func(t told) bool { return t.Text == text })
		if i < 0 {
			i, list, times = len(list), append(list, told{text, explained(r, failure)}), append(times, 0)
		}
		times[i]++
	}
	for i, n := range times {
		if n > 1 {
			list[i].Text += fmt.Sprintf(" (%d times)", n)
		}
	}
	return list
}

// explained are the explanations of the answer before a failure, if that is about the call: METHOD /path: what was wrong.
func explained(r conformance.Result, failure string) []string {
	var last *conformance.Exchange
	for _, s := range r.Steps {
		if s.Exchange != nil {
			last = s.Exchange
		}
		if s.Failure != failure || last == nil {
			continue
		}
		call, _, _ := strings.Cut(failure, ": ")
		method, path, _ := strings.Cut(call, " ")
		if url, _, _ := strings.Cut(last.URL, "?"); method == last.Method && path != "" && strings.HasSuffix(url, path) {
			return last.Response.Header.Values("X-Emu-Explain")
		}
		return nil
	}
	return nil
}
