package report

import (
	"regexp"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// cause is what the failures of several cases have in common: their words and error code, without calls, ids and times.
type cause struct {
	What  string
	Calls []string // that the failures name, each once, without ids
	Cases []string // ids
}

// At is the call, if all are about one.
func (c cause) At() string {
	if len(c.Calls) != 1 || c.Calls[0] == "" {
		return ""
	}
	return ", at " + c.Calls[0]
}

// A cause is named from fewCases on, and no more than mostCauses are.
const fewCases, mostCauses = 3, 5

// causes groups the failures; the largest group comes first.
func causes(r conformance.Report) []cause {
	var list []cause
	index := map[string]int{}
	for _, o := range with(r, conformance.Failed) {
		for _, failure := range o.Result.Failures {
			what := unnamed(failure)
			i, known := index[what]
			if !known {
				i = len(list)
				index[what], list = i, append(list, cause{What: what})
			}
			if at := calledIn(failure); !slices.Contains(list[i].Calls, at) {
				list[i].Calls = append(list[i].Calls, at)
			}
			if !slices.Contains(list[i].Cases, o.Case.ID) {
				list[i].Cases = append(list[i].Cases, o.Case.ID)
			}
		}
	}
	list = slices.DeleteFunc(list, func(c cause) bool { return len(c.Cases) < fewCases || c.What == "" })
	slices.SortStableFunc(list, func(a, b cause) int { return len(b.Cases) - len(a.Cases) })
	return list[:min(len(list), mostCauses)]
}

// What differs between two failures of one cause: the call, and values. Statuses and names stay.
var (
	ofCalls  = regexp.MustCompile(`(?:answer \d+ to )?\b[A-Z]{3,7} /\S*?(?:: | |$)`)
	ofValues = regexp.MustCompile(`\b(?:[0-9a-f-]{8,}|\d{4,}|\d+(?:\.\d+)?(?:ns|µs|ms|s|m\d+s))\b`)
	ofBodies = regexp.MustCompile(`(?:: )?\[?[{\[]".*`)
)

// errorCode is one in a body: two answers of one status with different codes have different causes.
var errorCode = regexp.MustCompile(`"errorCode"\s*:\s*"([^"]+)"`)

// ofCall is the call at the beginning of a failure.
var ofCall = regexp.MustCompile(`^[A-Z]{3,7} /[^ ?:]*`)

// calledIn is that call without ids, "" if there is none.
func calledIn(failure string) string {
	return ofValues.ReplaceAllString(ofCall.FindString(failure), "...")
}

// unnamed is the first line of a failure without these, with the error code in the place of the body.
func unnamed(failure string) string {
	line, _, _ := strings.Cut(brief(failure), "\n")
	line = ofBodies.ReplaceAllStringFunc(ofCalls.ReplaceAllString(line, ""), func(body string) string {
		if code := errorCode.FindStringSubmatch(body); code != nil {
			return ": " + code[1]
		}
		return ""
	})
	return strings.TrimSpace(ofValues.ReplaceAllString(line, "..."))
}
