package report

import (
	"bytes"
	_ "embed" // of the page
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"different": different, "counted": conformance.Counted}).Parse(pageText))

type pageView struct {
	Target, Begun, Elapsed    string
	Passed, Failed, Observed  int
	NotApplicable, Unfinished int
	Ran                       int
	Others                    int // cases that stand under their area
	Has                       []conformance.Need
	Areas                     []areaView
	Failures, Cut, Questions  []caseView
	LeftOut                   []left
	Causes                    []cause
}

type areaView struct {
	*area
	Cases []caseView // all but those that failed or observed, which stand apart
}

type caseView struct {
	conformance.Outcome
	Class   string // of the style sheet
	Meaning string // of the mark
	Why     string // it was left out
	Time    string
	Open    bool
	Steps   []stepView
}

type stepView struct {
	At, Note, Failure string
	Exchange          *exchangeView
}

type exchangeView struct {
	Method, URL, Answer, Time string
	Class                     string // of the style sheet
	Times                     int    // how often it came in a row
	Open                      bool
	Explained                 []string
	Request, Response         messageView
}

type messageView struct {
	Header []string
	Body   string
	SDPs   []string
}

// HTML writes one page that needs nothing beside it, and no script to be read.
func HTML(w io.Writer, r conformance.Report) error {
	view := pageView{
		Target: target(r), Begun: r.Begun.UTC().Format("2006-01-02 15:04 MST"), Elapsed: r.Elapsed.Round(time.Second).String(),
		Passed: r.Count(conformance.Passed), Failed: r.Count(conformance.Failed), Observed: r.Count(conformance.Observed),
		NotApplicable: r.Count(conformance.NotApplicable), Unfinished: r.Count(conformance.Unfinished),
		Has: r.Has, LeftOut: leftOut(r), Causes: causes(r),
	}
	view.Ran = view.Passed + view.Failed
	for _, a := range areas(r) {
		group := areaView{area: a}
		for _, o := range a.Outcomes {
			c := viewOf(o)
			switch {
			case c.Open:
				view.Failures = append(view.Failures, c)
			case o.Status == conformance.Observed:
				view.Questions = append(view.Questions, c)
			default:
				group.Cases = append(group.Cases, c)
				view.Others++
			}
		}
		view.Areas = append(view.Areas, group)
	}
	return page.Execute(w, view)
}

func viewOf(o conformance.Outcome) caseView {
	c := caseView{Outcome: o, Class: strings.ReplaceAll(string(o.Status), " ", "-"), Meaning: meaning(o.Case.Mark),
		Open: o.Status == conformance.Failed}
	if o.Status == conformance.NotApplicable {
		c.Why = lacks(o)
		return c
	}
	c.Time = human(o.Result.Elapsed)
	for _, s := range o.Result.Steps {
		step := stepView{At: human(s.At), Note: s.Note, Failure: s.Failure}
		if s.Exchange != nil {
			step.Exchange = exchangeOf(s.Exchange)
		}
		last := len(c.Steps) - 1
		switch {
		case last >= 0 && step.Exchange != nil && step.Exchange.repeats(c.Steps[last].Exchange):
			c.Steps[last].Exchange.Times++
			continue
		case last >= 0 && s.Failure != "" && c.Steps[last].Exchange != nil:
			c.Steps[last].Exchange.Open = true // what a failure is about stands before it
		}
		c.Steps = append(c.Steps, step)
	}
	return c
}

func exchangeOf(x *conformance.Exchange) *exchangeView {
	v := &exchangeView{Method: x.Method, URL: x.URL, Answer: fmt.Sprintf("%d %s", x.Status, http.StatusText(x.Status)), Time: human(x.Elapsed),
		Class: fmt.Sprintf("s%d", x.Status/100), Times: 1, Explained: x.Response.Header.Values("X-Emu-Explain"),
		Request: messageOf(x.Request), Response: messageOf(x.Response)}
	if x.Broken != "" {
		v.Answer, v.Class = "no answer: "+x.Broken, "s5"
	}
	return v
}

// repeats says whether two exchanges differ in nothing but time.
func (v *exchangeView) repeats(before *exchangeView) bool {
	return before != nil && v.Method == before.Method && v.URL == before.URL && v.Answer == before.Answer &&
		v.Request.equal(before.Request) && v.Response.equal(before.Response)
}

func (m messageView) equal(o messageView) bool {
	return m.Body == o.Body && slices.Equal(m.Header, o.Header) && slices.Equal(m.SDPs, o.SDPs)
}

// sdpField is the member of a JSON body that is an SDP.
var sdpField = regexp.MustCompile(`"sdp"\s*:\s*"((?:[^"\\]|\\.)*)"`)

// messageOf makes JSON readable: indented, with the SDPs taken out and their lines apart.
func messageOf(m conformance.Message) (v messageView) {
	for _, name := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[name] {
			v.Header = append(v.Header, name+": "+value)
		}
	}
	v.Body = sdpField.ReplaceAllStringFunc(m.Body, func(field string) string {
		var sdp string
		if json.Unmarshal([]byte(`"`+sdpField.FindStringSubmatch(field)[1]+`"`), &sdp) != nil || !strings.Contains(sdp, "\n") {
			return field
		}
		v.SDPs = append(v.SDPs, strings.ReplaceAll(sdp, "\r\n", "\n"))
		return fmt.Sprintf(`"sdp": "(SDP %d, below)"`, len(v.SDPs))
	})
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(v.Body), "", "  ") == nil {
		v.Body = indented.String()
	}
	return v
}

// human is a time with as many digits as one reads.
func human(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
