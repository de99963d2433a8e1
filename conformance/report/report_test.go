package report_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/report"
)

// sample has one case of each status, with texts that mean something in each format.
func sample() conformance.Report {
	outcome := func(id string, status conformance.Status, r conformance.Result, lacks ...conformance.Need) conformance.Outcome {
		return conformance.Outcome{Status: status, Result: r, Planned: conformance.Planned{Lacks: lacks, Case: conformance.Case{
			ID: id, Sentence: "The sentence of " + id + " with <b> & \"quotes\".", Section: "1.3", Mark: conformance.Recorded, Codes: []string{"track_error"}}}}
	}
	push := &conformance.Exchange{Method: "POST", URL: "/v1/apps/a/sessions/s/tracks/new", Status: 406, Elapsed: 5 * time.Millisecond,
		Request: conformance.Message{Header: http.Header{"Authorization": {"Bearer ***"}},
			Body: `{"sessionDescription":{"type":"offer","sdp":"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\na=</pre><script>alert(1)</script>\r\n"}}`},
		Response: conformance.Message{Header: http.Header{"X-Emu-Explain": {"TRK-1: because"}}, Body: `{"errorCode":"invalid_params"}`}}
	steps := []conformance.Step{{Exchange: push}, {Exchange: push, At: 2 * time.Second}, {Failure: "got 406, want 200\n\t{\"errorCode\":\"invalid_params\"}", At: 3 * time.Second}, {Note: "a note \x01"}}
	return conformance.Report{BaseURL: "http://127.0.0.1:1/v1", Begun: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Elapsed: time.Minute, Outcomes: []conformance.Outcome{
		outcome("push/good", conformance.Passed, conformance.Result{}),
		outcome("push/bad", conformance.Failed, conformance.Result{Failures: []string{steps[2].Failure, "other", steps[2].Failure}, Steps: steps, Elapsed: 3 * time.Second}),
		outcome("turn/out", conformance.NotApplicable, conformance.Result{}, conformance.TURN, conformance.TwoAccounts),
		outcome("turn/cut", conformance.Unfinished, conformance.Result{}),
	}}
}

func TestTextEndsWithTheCountAndSaysWhy(t *testing.T) {
	var b strings.Builder
	if err := report.Text(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\n1 passed, 1 failed\n", "push       1       1         0               0             0", "turn       0       0         0               1             1",
		"  1: needs TURN, and a token of another account\n     turn/out\n", "not finished when the run was ended: 1\n  turn/cut\n",
		"  push/bad: The sentence of push/bad", "[contract 1.3, recorded: somebody recorded it at the real service]\n    - got 406, want 200 (2 times)\n    - other\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if !strings.HasSuffix(b.String(), "\n1 passed, 1 failed\n") {
		t.Errorf("the last line is another one:\n%s", b.String())
	}
}

// TestOneCauseInManyCasesStandsFirst: failures that differ in call, ids and times alone are one.
func TestOneCauseInManyCasesStandsFirst(t *testing.T) {
	failed := func(id string, failures ...string) conformance.Outcome {
		return conformance.Outcome{Status: conformance.Failed, Result: conformance.Result{Failures: failures}, Planned: conformance.Planned{Case: conformance.Case{ID: id}}}
	}
	unsupported := func(call, id string) string {
		return call + id + ": the answer does not fit openapi.yaml: answer 200 to " + call + "/apps/" + id + ": body: property \"extra\" is unsupported\n\t{\"extra\":\"" + id + "\"}"
	}
	refused := func(code string) string {
		return `PUT /x: status 406, want 200: {"errorCode":"` + code + `","errorDescription":"y"}`
	}
	r := conformance.Report{Outcomes: []conformance.Outcome{
		failed("a/1", "PUT /x: status 500, want 200: {\"a\":1}", unsupported("GET /", "0123456789abcdef0123456789abcdef"), unsupported("POST /", "1")),
		failed("a/2", "GET /y: status 500, want 200: {\"b\":2}", unsupported("PUT /sessions/", "fedcba9876543210fedcba9876543210"), "no packet within 5.2s"),
		failed("a/3", "POST /z: status 500, want 200", unsupported("PUT /", "2"), "no packet within 10s"),
		failed("a/4", "POST /z: status 503, want 200", unsupported("PUT /", "2"), "no packet within 1m10s", "twice"),
		failed("a/5", "twice"),
		failed("a/6", refused("invalid_params"), refused("signaling_state_not_stable")),
		failed("a/7", refused("invalid_params"), refused("signaling_state_not_stable")),
		failed("a/8", refused("invalid_params"), `GET lists [{"mid":"0"} {"mid":"1"}]`),
		failed("a/9", `GET lists [{"mid":"8"}]`),
		failed("a/10", `GET lists [{"mid":"9"}]`),
	}}
	var text, page strings.Builder
	if err := report.Text(&text, r); err != nil {
		t.Fatal(err)
	}
	want := "\n\nfailed alike in several cases:\n  the answer does not fit openapi.yaml: body: property \"extra\" is unsupported: 4 cases\n" +
		"  status 500, want 200: 3 cases\n  no packet within ...: 3 cases\n  status 406, want 200: invalid_params, at PUT /x: 3 cases\n  GET lists: 3 cases\n\n"
	if before, _, _ := strings.Cut(text.String(), "area "); !strings.Contains(before+"\n", want) {
		t.Errorf("no %s at the top of\n%s", want, text.String())
	}
	if err := report.HTML(&page, r); err != nil {
		t.Fatal(err)
	}
	if before, _, _ := strings.Cut(page.String(), `id="controls"`); !strings.Contains(before, `is unsupported</b>: 4 cases: <a href="#a%2f1">a/1</a>, <a href="#a%2f2">`) {
		t.Errorf("the top of the page is %s", before)
	}
	text.Reset()
	if err := report.Text(&text, sample()); err != nil || strings.Contains(text.String(), "alike") {
		t.Errorf("one failure is common: %v\n%s", err, text.String())
	}
}

// TestAFailureHasTheExplanationOfItsAnswer: what the emulator says of a refusal stands beside the failure, and beside no failure about
// something else.
func TestAFailureHasTheExplanationOfItsAnswer(t *testing.T) {
	refused := &conformance.Exchange{Method: "PUT", URL: "/v1/apps/a/sessions/s/tracks/close?x=1", Status: 410,
		Response: conformance.Message{Header: http.Header{"X-Emu-Explain": {"FLT-1: by rule fault-1"}}}}
	list := []string{"PUT /sessions/s/tracks/close: status 410, want 200", "PUT /sessions/s: status 1", "GET /sessions/s/tracks/close: status 1", "no packet within 5s"}
	result := conformance.Result{Failures: list, Steps: []conformance.Step{{Exchange: refused}}}
	for _, failure := range list {
		result.Steps = append(result.Steps, conformance.Step{Failure: failure})
	}
	failed := conformance.Outcome{Status: conformance.Failed, Result: result}
	failed.Case.ID = "close/x"
	for name, want := range map[string]string{
		"text":   "    - " + list[0] + "\n      explained: FLT-1: by rule fault-1\n    - " + list[1] + "\n    - " + list[2] + "\n    - " + list[3] + "\n",
		"r.html": `want 200</pre><p class="explained">Explained: FLT-1: by rule fault-1</p><pre class="why">` + list[1] + "</pre><pre",
		"r.xml":  list[3] + "&#xA;explained: FLT-1: by rule fault-1</failure>",
	} {
		write := report.Text
		if name != "text" {
			write, _ = report.ForFile(name)
		}
		var b strings.Builder
		if err := write(&b, conformance.Report{Outcomes: []conformance.Outcome{failed}}); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: %v, no %s in\n%s", name, err, want, b.String())
		}
	}
}

// TestWhatFailedIsWhatATerminalShowsInTheEnd: hundreds of cases that were left out or observed stand before it.
func TestWhatFailedIsWhatATerminalShowsInTheEnd(t *testing.T) {
	r := sample()
	r.Outcomes = append(r.Outcomes, observing(1).Outcomes[0])
	var b strings.Builder
	if err := report.Text(&b, r); err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, heading := range []string{"\nnot applicable to", "\n1 observed:", "\nnot finished when", "\nfailed:\n", "\n1 passed, 1 failed\n"} {
		if i := strings.Index(b.String(), heading); i < at || i < 0 {
			t.Errorf("%q stands at %d, after %d, in\n%s", heading, i, at, b.String())
		} else {
			at = i
		}
	}
}

func TestJUnitIsReadByProgramsAsItIsMeant(t *testing.T) {
	var b strings.Builder
	if err := report.JUnit(&b, sample()); err != nil {
		t.Fatal(err)
	}
	type testcase struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		Failure *struct {
			Message string `xml:"message,attr"`
			Text    string `xml:",chardata"`
		} `xml:"failure"`
		Skipped *struct {
			Message string `xml:"message,attr"`
		} `xml:"skipped"`
		Out string `xml:"system-out"`
	}
	var got struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Suites   []struct {
			Name  string     `xml:"name,attr"`
			Cases []testcase `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 4 || got.Failures != 1 || got.Skipped != 2 || len(got.Suites) != 2 {
		t.Fatalf("got %+v", got)
	}
	good, bad, out, cut := got.Suites[0].Cases[0], got.Suites[0].Cases[1], got.Suites[1].Cases[0], got.Suites[1].Cases[1]
	if good.Failure != nil || good.Skipped != nil || bad.Class != "push" || bad.Name != "push/bad" || bad.Failure == nil ||
		!strings.Contains(bad.Failure.Message, `with <b> & "quotes"`) || !strings.Contains(bad.Failure.Text, "want 200") ||
		!strings.Contains(bad.Out, "-> 406") || out.Skipped == nil || !strings.Contains(out.Skipped.Message, "needs TURN") || cut.Skipped == nil {
		t.Errorf("got %+v", got)
	}
}

func TestJSONHasEveryExchange(t *testing.T) {
	var b strings.Builder
	if err := report.JSON(&b, sample()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Passed, Failed, NotApplicable, NotFinished int
		Cases                                      []struct {
			ID, Status, Mark string
			Lacks            []string
			ElapsedMs        float64
			Steps            []struct {
				AtMs     float64
				Failure  string
				Exchange *struct {
					Method, URL string
					Status      int
					Request     struct{ Body string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	if got.Passed != 1 || got.Failed != 1 || got.NotApplicable != 1 || got.NotFinished != 1 || len(got.Cases) != 4 {
		t.Fatalf("got %+v", got)
	}
	bad := got.Cases[1]
	if bad.ID != "push/bad" || bad.Status != "failed" || bad.Mark != "recorded" || bad.ElapsedMs != 3000 || len(bad.Steps) != 4 || bad.Steps[1].AtMs != 2000 ||
		bad.Steps[0].Exchange.Status != 406 || !strings.Contains(bad.Steps[0].Exchange.Request.Body, `\r\na=</pre>`) || len(got.Cases[2].Lacks) != 2 {
		t.Errorf("got %+v", bad)
	}
}

func TestThePageStandsAloneAndBeginsWithWhatFailed(t *testing.T) {
	var b strings.Builder
	if err := report.HTML(&b, sample()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	failed, passed := strings.Index(page, `id="push/bad" open>`), strings.Index(page, `id="push/good">`)
	if failed < 0 || passed < failed || strings.Count(page, `id="push/bad"`) != 1 {
		t.Errorf("the failure stands at %d, what passed at %d", failed, passed)
	}
	for _, want := range []string{
		"The target differs from the contract in 1 of 2 cases", "got 406, want 200", "Contract 1.3; <b>recorded</b>: somebody recorded it",
		"406 Not Acceptable", ", 2 times", "Explained: TRK-1: because", "v=0\no=- 1 1 IN IP4 0.0.0.0\n", "(SDP 1, below)", "Bearer ***", "1 because it needs TURN", "<h2>All other cases</h2>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "<script>alert") || strings.Count(page, "<script>") != 1 || strings.Contains(page, "with <b>") {
		t.Error("texts of the target are markup")
	}
	if found := regexp.MustCompile(`(?i)(src|href)\s*=\s*"?[^"#\s>][^\s>]*|url\(|@import|<link`).FindAllString(page, -1); found != nil {
		t.Errorf("the page needs %q", found)
	}
}

// TestHeadingsFitWhatTheyStandOver: whatever a run had, and however few.
func TestHeadingsFitWhatTheyStandOver(t *testing.T) {
	all := sample()
	observed := all.Outcomes[0]
	observed.Status, observed.Case.Observes = conformance.Observed, true
	for name, c := range map[string]struct {
		outcomes    []conformance.Outcome
		want, never string
	}{
		"passed":          {all.Outcomes[:1], "<h2>All cases</h2>", "All other"},
		"one passed":      {all.Outcomes[:1], "does as the contract says in the 1 case<", "cases</span>"},
		"one failed":      {all.Outcomes[1:2], "differs from the contract in 1 of 1 case<", "<h2>All "},
		"passed, failed":  {all.Outcomes[:2], "<h2>All other cases</h2>", "1 case<"},
		"observed":        {[]conformance.Outcome{observed}, "Nothing was proved", "<h2>All "},
		"observed, out":   {[]conformance.Outcome{observed, all.Outcomes[2]}, "<h2>All other cases</h2>", "as the contract says in"},
		"out alone":       {all.Outcomes[2:3], "<h2>All cases</h2>", "each needs"},
		"two out for one": {[]conformance.Outcome{all.Outcomes[2], all.Outcomes[2]}, "2 because each needs TURN", "it needs TURN, and a token of another account:"},
	} {
		var b strings.Builder
		if err := report.HTML(&b, conformance.Report{Outcomes: c.outcomes}); err != nil {
			t.Fatal(err)
		}
		if page, _, _ := strings.Cut(b.String(), "<script>"); !strings.Contains(page, c.want) || strings.Contains(page, c.never) {
			t.Errorf("%s: no %q, or %q, in\n%s", name, c.want, c.never, page[strings.Index(page, "<h1>"):])
		}
	}
}

func TestTheFormatIsThatOfTheName(t *testing.T) {
	for name, good := range map[string]bool{"a.xml": true, "a/b.JSON": true, "c.html": true, "c.md": true, "d.pdf": false, "html": false} {
		if write, err := report.ForFile(name); (err == nil) != good || (write != nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarksAreExplained(t *testing.T) {
	for _, mark := range []conformance.Mark{conformance.Doc, conformance.Recorded, conformance.Seen, conformance.Inferred} {
		r := sample()
		r.Outcomes = slices.Clone(r.Outcomes[1:2])
		r.Outcomes[0].Case.Mark = mark
		var b strings.Builder
		if err := report.Text(&b, r); err != nil || strings.Contains(b.String(), string(mark)+": ]") {
			t.Errorf("%s: %s", mark, b.String())
		}
	}
}

func TestTheTableHasARowForEachCase(t *testing.T) {
	var b strings.Builder
	if err := report.Markdown(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"4 cases: 1 passed, 0 observed, 1 failed, 1 not applicable.", "| recorded | somebody recorded it at the real service | 4 |", "## turn\n",
		"| The sentence of push/good with &lt;b> & \"quotes\". | passed | recorded | 1.3 | `push/good` | 2026-01-02 |\n",
		" | not applicable: needs TURN, and a token of another account | recorded | 1.3 | `turn/out` | 2026-01-02 |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
