package golden_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/conformance/golden"
)

// run is a report of one case, in which everything that is of one run alone has the number n.
func run(n int, edit ...func(*conformance.Outcome)) conformance.Report {
	session, app := fmt.Sprintf("%032x", 0xabc000+n), fmt.Sprintf("%032x", 0xdef000+n)
	sdp := strings.ReplaceAll(strings.Join([]string{
		"v=0", fmt.Sprintf("o=- 4711%d 17%d IN IP4 0.0.0.0", n, n), "s=-", fmt.Sprintf("a=fingerprint:sha-256 AA:0%d", n),
		"m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", fmt.Sprintf("a=ice-ufrag:frag%d", n), "a=ice-pwd:***",
		[]string{"a=extmap:2 b", "a=extmap:1 a"}[n%2], []string{"a=extmap:1 a", "a=extmap:2 b"}[n%2],
		fmt.Sprintf("a=ssrc:12345%d cname:stream%d", n, n), fmt.Sprintf("a=ssrc:12345%d msid:stream%d track%d", n, n, n),
		fmt.Sprintf("a=ssrc-group:FID 12345%d 999%d", n, n), fmt.Sprintf("a=msid:stream%d track%d", n, n),
		fmt.Sprintf("a=candidate:77%d 1 udp 2130706431 127.0.0.1 4000%d typ host", n, n),
		fmt.Sprintf("a=candidate:78%d 1 udp 2130706431 10.0.0.%d 4000%d typ host", n, n, n), "a=end-of-candidates", "",
	}, "\r\n"), "\r\n", `\r\n`)
	answer := func(status int, body string) *conformance.Exchange {
		return &conformance.Exchange{
			Elapsed: time.Duration(n) * 300 * time.Millisecond, Method: "POST", URL: "/v1/apps/" + app + "/sessions/" + session + "/tracks/new",
			Request: conformance.Message{Body: `{"sessionDescription":{"type":"offer","sdp":"v=0\r\nm=audio ` + fmt.Sprint(n) + `"}}`}, Status: status,
			Response: conformance.Message{Header: http.Header{"Vary": {"Origin"}, "X-Emu-Explain": {"SES-2: session " + session + " is gone"}}, Body: body},
		}
	}
	poll := func(try, status int) conformance.Step {
		x := answer(status, `{"tracks":[]}`)
		x.Method = "GET"
		return conformance.Step{Exchange: x, Poll: 1, Try: try}
	}
	steps := []conformance.Step{
		{Exchange: answer(200, `{"requiresImmediateRenegotiation":false,"sessionDescription":{"type":"answer","sdp":"`+sdp+`"},"tracks":[{"mid":"0","trackName":"mic","sessionId":"`+session+`"}]}`)},
		{Note: fmt.Sprintf("linked after %d probes", n)},
	}
	for try := range n + 1 { // the last try is the same in each run
		steps = append(steps, poll(try+1, 425))
	}
	steps = append(steps, poll(n+2, 200))
	tooFast := poll(n+3, 429) // whose turn did not come again
	tooFast.Retried = true
	steps = append(steps, tooFast)
	for range n { // a call that came too fast is what others make of it
		steps = append(steps, conformance.Step{Exchange: answer(429, `{"errorCode":"hurry","errorDescription":"`+fmt.Sprint(n)+`"}`), Retried: true})
	}
	for range n + 1 { // and so is what a repeated call gets in the end
		steps = append(steps, conformance.Step{Exchange: answer(429, `{"errorCode":"x","errorDescription":"session `+session+`"}`)})
	}
	steps = append(steps, conformance.Step{Exchange: &conformance.Exchange{Method: "POST", URL: "/_emu/clock", Status: 200}},
		conformance.Step{Exchange: &conformance.Exchange{Method: "PUT", URL: "/v1/tidied", Status: 200}, Tidy: true},
		conformance.Step{Exchange: &conformance.Exchange{Method: "GET", URL: "/v1/x", Broken: fmt.Sprintf("dial tcp 127.0.0.1:400%d: connection refused", n)}})
	o := conformance.Outcome{Status: conformance.Failed}
	o.Case = conformance.Case{ID: "area/name", Section: "1.3", Mark: conformance.Doc}
	o.Result = conformance.Result{
		Steps: steps, Failures: []string{fmt.Sprintf("session %s answered after %dms", session, n)},
		Observations: []conformance.Observation{{Name: "answer", Value: "session " + session}, {Name: "lines", Value: "v=0\n" + fmt.Sprintf("a=ice-ufrag:frag%d", n)}},
	}
	for _, e := range edit {
		e(&o)
	}
	return conformance.Report{Outcomes: []conformance.Outcome{o}}
}

func text(t *testing.T, transcript golden.Transcript) string {
	t.Helper()
	var b bytes.Buffer
	if err := transcript.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTwoRunsOfOneTargetAreOneTranscript(t *testing.T) {
	first, second := text(t, golden.Of(run(1))), text(t, golden.Of(run(2)))
	if first != second {
		t.Errorf("the first\n%s\nthe second\n%s", first, second)
	}
	for _, want := range []string{
		`"url": "/v1/apps/<app 1>/sessions/<session 1>/tracks/new"`, `"a=ssrc:<ssrc 1> msid:<stream 1> <track 1>"`, `"a=ssrc-group:FID <ssrc 1> <ssrc 2>"`,
		`"o=- <number> <number> IN IP4 0.0.0.0"`, `"a=candidate:<foundation> 1 udp 2130706431 <IPv4> <port> typ host"`, `"a=ice-ufrag:<ufrag>"`,
		`"a=fingerprint:sha-256 <fingerprint>"`, `"SES-2"`, `"sessionId": "<session 1>"`, `"connection refused"`, `"session <session 1> answered after <time>"`,
		`"sdp": "(SDP)"`, `"mid": "0"`, `"trackName": "mic"`,
	} {
		if !strings.Contains(first, want) {
			t.Errorf("no %s in\n%s", want, first)
		}
	}
	for _, never := range []string{"_emu", "tidied", "hurry", "abc00", "linked", "frag1", "4000", "Explain"} {
		if strings.Contains(first, never) {
			t.Errorf("%s is in\n%s", never, first)
		}
	}
	if n := strings.Count(first, "a=candidate:"); n != 1 {
		t.Errorf("%d candidates that differ in their addresses alone:\n%s", n, first)
	}
	if n := strings.Count(first, `"method"`); n != 4 {
		t.Errorf("%d calls are left, want the push, the poll's last, the refusal and the one without an answer:\n%s", n, first)
	}
	again, err := golden.Read(strings.NewReader(first))
	if err != nil || text(t, again) != first {
		t.Errorf("read and written again it is another one: %v", err)
	}
	if c := golden.Compare(again, golden.Of(run(2)), nil); c.Compared != 1 || len(c.Differences) != 0 {
		t.Errorf("compared: %+v", c)
	}
}

func TestReadRefusesOtherFiles(t *testing.T) {
	for _, body := range []string{"", "{", `{"format":99}`, `{"format":1,"pattern":"("}`, `[]`} {
		if _, err := golden.Read(strings.NewReader(body)); !errors.Is(err, golden.ErrNoTranscript) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestDifferencesAreNamed changes one thing at a time.
func TestDifferencesAreNamed(t *testing.T) {
	answer := func(o *conformance.Outcome) *conformance.Exchange { return o.Result.Steps[0].Exchange }
	replace := func(before, after string) func(*conformance.Outcome) {
		return func(o *conformance.Outcome) {
			body := &answer(o).Response.Body
			if !strings.Contains(*body, before) {
				t.Errorf("no %s", before)
			}
			*body = strings.ReplaceAll(*body, before, after)
		}
	}
	const step = "step 1, POST /v1/apps/<app 1>/sessions/<session 1>/tracks/new: "
	for name, tc := range map[string]struct {
		edit func(*conformance.Outcome)
		want []string
	}{
		"status": {func(o *conformance.Outcome) {
			*answer(o) = *o.Result.Steps[len(o.Result.Steps)-4].Exchange
		}, []string{step + `status: 200 -> 429 x "session <session 1>"`}},
		"no answer":      {func(o *conformance.Outcome) { answer(o).Broken = "context deadline exceeded" }, []string{step + "status: 200 -> no answer (no answer in time)"}},
		"value":          {replace(`"mid":"0"`, `"mid":"7"`), []string{step + `body field tracks[0].mid: "0" -> "7"`}},
		"field added":    {replace(`"mid":"0"`, `"mid":"0","kind":null`), []string{step + `body field tracks[0].kind added: null`}},
		"field removed":  {replace(`"mid":"0",`, ``), []string{step + `body field tracks[0].mid removed: "0"`}},
		"type":           {replace(`"tracks":[`, `"tracks":{},"x":[`), []string{step + `body field tracks: [{"mid":"0","sessionId":"<session 1>","trackName":"mic"}] -> {}`, step + `body field x added: [{"mid":"0","sessionId":"<session 1>","trackName":"mic"}]`}},
		"item":           {replace(`"tracks":[`, `"tracks":[{},`), []string{step + `body field tracks[0].mid removed: "0"`, step + `body field tracks[0].sessionId removed: "<session 1>"`, step + `body field tracks[0].trackName removed: "mic"`, step + `body field tracks[1] added: {"mid":"0","sessionId":"<session 1>","trackName":"mic"}`}},
		"line changed":   {replace(`a=mid:0`, `a=mid:1`), []string{step + "SDP line of m=audio: a=mid:0 -> a=mid:1"}},
		"line added":     {replace(`a=mid:0`, `a=mid:0\r\na=x`), []string{step + "SDP line of m=audio added: a=x"}},
		"line removed":   {replace(`s=-\r\n`, ``), []string{step + "SDP line removed: s=-"}},
		"header":         {func(o *conformance.Outcome) { answer(o).Response.Header.Set("Allow", "GET") }, []string{step + "header Allow added: GET"}},
		"another header": {func(o *conformance.Outcome) { answer(o).Response.Header.Set("X-Emu-Explain", "SES-3: x") }, nil},
		"time":           {func(o *conformance.Outcome) { answer(o).Elapsed = 5 * time.Second }, []string{step + "time of the answer: under 3 s -> about 5 s"}},
		"time in class":  {func(o *conformance.Outcome) { answer(o).Elapsed = 2 * time.Second }, nil},
		"one call less":  {func(o *conformance.Outcome) { o.Result.Steps = o.Result.Steps[1:] }, []string{step + "call removed: POST /v1/apps/<app>/sessions/<session>/tracks/new was made, 200"}},
		"outcome": {func(o *conformance.Outcome) { o.Status, o.Result.Failures = conformance.Passed, nil },
			[]string{"outcome: failed -> passed"}},
		"an end": {func(o *conformance.Outcome) {
			answer(o).Status, o.Result.Steps, o.Status = 500, o.Result.Steps[:1], conformance.Passed
		}, []string{step + "status: 200 -> 500"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := golden.Compare(golden.Of(run(1)), golden.Of(run(2, tc.edit)), nil)
			var got []string
			for _, d := range c.Differences {
				got = append(got, d.String())
			}
			if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}

func TestObservationsAreCompared(t *testing.T) {
	observes := func(o *conformance.Outcome) { o.Case.Observes, o.Status = true, conformance.Observed }
	change := func(o *conformance.Outcome) {
		o.Result.Steps[0].Exchange.Status = 500 // what is observed counts
		o.Result.Observations = []conformance.Observation{{Name: "answer", Value: "none"}, {Name: "lines", Value: "v=0\na=ice-ufrag:x\na=x"}, {Name: "new", Value: "1"},
			{Name: "GET: status", Value: "200"}, {Name: "GET: body", Value: "{}"}} // of one call, which is said once
	}
	c := golden.Compare(golden.Of(run(1, observes)), golden.Of(run(2, observes, change)), nil)
	var words bytes.Buffer
	if err := c.Words(&words); err != nil {
		t.Fatal(err)
	}
	if got, want := words.String(), `area/name [contract 1.3, doc], observed
  observation "answer": "session <session 1>" -> "none"
  observation "lines", line added: a=x
  observation "new": (not observed) -> "1"
  observation "GET: status": (not observed) -> "200"

1 case compared, 4 differences
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLinesAndCountAgree: what is alike in several steps stands once, and says how often it counts.
func TestLinesAndCountAgree(t *testing.T) {
	answers := func(status int) func(*conformance.Outcome) {
		return func(o *conformance.Outcome) {
			o.Result.Steps = nil
			for _, id := range []string{"a", "b", "c"} {
				o.Result.Steps = append(o.Result.Steps, conformance.Step{Exchange: &conformance.Exchange{Method: "GET", Status: status,
					URL: "/v1/apps/" + strings.Repeat(id, 32) + "/sessions/" + strings.Repeat(id+"0", 16)}})
			}
			o.Result.Steps = append(o.Result.Steps, conformance.Step{Exchange: &conformance.Exchange{Method: "PUT", Status: status + 1, URL: "/v1/x"}})
		}
	}
	var words bytes.Buffer
	if err := golden.Compare(golden.Of(run(1, answers(200))), golden.Of(run(1, answers(500))), nil).Words(&words); err != nil {
		t.Fatal(err)
	}
	if got, want := words.String(), `area/name [contract 1.3, doc], failed
  step 1, GET /v1/apps/<app 1>/sessions/<session 1>: status: 200 -> 500 (3 times in this case)
  step 4, PUT /v1/x: status: 201 -> 501

1 case compared, 4 differences
`; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWhatCannotBeComparedIsSaid(t *testing.T) {
	named := func(id string, status conformance.Status) conformance.Outcome {
		return conformance.Outcome{Planned: conformance.Planned{Case: conformance.Case{ID: id, Mark: conformance.Doc}}, Status: status}
	}
	record := golden.Of(conformance.Report{Outcomes: []conformance.Outcome{named("a", conformance.Passed), named("b", conformance.NotApplicable), named("c", conformance.Passed), named("old", conformance.Passed)}})
	target := golden.Of(conformance.Report{Outcomes: []conformance.Outcome{named("new", conformance.Passed), named("c", conformance.Unfinished), named("b", conformance.Passed), named("a", conformance.Passed)}})
	c := golden.Compare(record, target, nil)
	var words bytes.Buffer
	if err := c.Words(&words); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"the case added: it is not in the record", "the case removed: it is in the record alone",
		"1 not compared, not applicable to the record's target: b", "1 not compared, not finished at the target: c", "1 case compared, 2 differences"} {
		if !strings.Contains(words.String(), want) {
			t.Errorf("no %q in\n%s", want, words.String())
		}
	}
	if c := golden.Compare(record, target, func(id string) bool { return id == "a" }); len(c.Differences) != 0 || len(c.Incomparable) != 0 {
		t.Errorf("cases that were not chosen are compared: %+v", c)
	}
}

// TestACaseThatWasNotFinishedIsNoEqual: on either side, it is counted as such, unless the other side does not have it.
func TestACaseThatWasNotFinishedIsNoEqual(t *testing.T) {
	of := func(status conformance.Status) golden.Transcript {
		return golden.Of(run(1, func(o *conformance.Outcome) { o.Status = status }))
	}
	for _, tc := range []struct {
		record, target       conformance.Status
		compared, unfinished int
		why                  string
	}{
		{conformance.Passed, conformance.Passed, 1, 0, ""},
		{conformance.Unfinished, conformance.Passed, 0, 1, "not finished in the record"},
		{conformance.Passed, conformance.Unfinished, 0, 1, "not finished at the target"},
		{conformance.Unfinished, conformance.NotApplicable, 0, 0, "not applicable to the target"},
		{conformance.NotApplicable, conformance.Unfinished, 0, 0, "not applicable to the record's target"},
	} {
		c := golden.Compare(of(tc.record), of(tc.target), nil)
		if c.Compared != tc.compared || c.Unfinished != tc.unfinished || c.Incomparable["area/name"] != tc.why || len(c.Differences) != 0 {
			t.Errorf("%s, %s: got %+v", tc.record, tc.target, c)
		}
	}
}

func TestWhatTheRecordsPatternLeftOutIsNotCompared(t *testing.T) {
	target := golden.Of(run(1))
	for pattern, differences := range map[string]int{"": 1, "^area/": 1, "^other/": 0} { // of an old record, of a case that is new, and left out
		c := golden.Compare(golden.Transcript{Format: golden.Format, Pattern: pattern}, target, nil)
		if len(c.Differences) != differences || (c.Incomparable["area/name"] == "outside of the record's --run ^other/") != (differences == 0) {
			t.Errorf("%q: %+v", pattern, c)
		}
	}
}

// TestGroupsPutTheHeaviestFirst: one difference in two cases is one group, named by the case that is surest of it.
func TestGroupsPutTheHeaviestFirst(t *testing.T) {
	report := func(edit func(*conformance.Outcome)) conformance.Report {
		r := run(1, edit)
		second := run(2, edit).Outcomes[0]
		r.Outcomes[0].Case.Mark, second.Case.ID, second.Case.Mark = conformance.Inferred, "area/other", conformance.Recorded
		r.Outcomes = append(r.Outcomes, second)
		return r
	}
	c := golden.Compare(golden.Of(report(func(*conformance.Outcome) {})), golden.Of(report(func(o *conformance.Outcome) {
		o.Result.Steps[0].Exchange.Elapsed = 5 * time.Second
		o.Result.Steps[0].Exchange.Response.Header.Set("Allow", "GET")
		for _, s := range o.Result.Steps {
			if s.Exchange != nil && s.Exchange.Status == 429 {
				s.Exchange.Status = 503
			}
		}
	})), nil)
	var got []string
	for _, g := range c.Groups() {
		got = append(got, fmt.Sprint(g.What, " ", g.ID, " ", g.Cases, g.Times))
	}
	if want := "status area/other [area/name area/other] 2, header Allow area/other [area/name area/other] 2, time of the answer area/other [area/name area/other] 2"; strings.Join(got, ", ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, ", "), want)
	}
}

// TestOneChangeOfAnErrorIsOneGroup: the catalogue decides it for all calls, and whoever reads the drift has one thing to do. What is no
// error is a difference at each kind of call.
func TestOneChangeOfAnErrorIsOneGroup(t *testing.T) {
	report := func(text, size string, refused, taken int) conformance.Report {
		var r conformance.Report
		for i, url := range []string{"/v1/a", "/v1/b", "/v1/c"} {
			calls, sees := conformance.Outcome{Status: conformance.Passed}, conformance.Outcome{Status: conformance.Observed}
			calls.Case = conformance.Case{ID: fmt.Sprintf("area/%d", i), Mark: conformance.Doc}
			sees.Case = conformance.Case{ID: fmt.Sprintf("open/%d", i), Mark: conformance.Doc, Observes: true}
			answer := func(method, url string, status int, body string) conformance.Step {
				return conformance.Step{Exchange: &conformance.Exchange{Method: method, URL: url, Status: status, Response: conformance.Message{Body: body}}}
			}
			calls.Result.Steps = []conformance.Step{
				answer("POST", url, 401, `{"errorCode":"unauthorized","errorDescription":"`+text+`"}`),
				answer("PUT", url, 200, `{"tracks":[{"errorCode":"gone","errorDescription":"`+text+`"}]}`),
				answer("GET", url, refused, `{"errorCode":"session_error","errorDescription":"x"}`),
				answer("PATCH", url, taken, `{}`),
			}
			sees.Result.Observations = []conformance.Observation{{Name: "first: status", Value: fmt.Sprint(refused)}, {Name: "second: status", Value: fmt.Sprint(refused)},
				{Name: "first: error", Value: "unauthorized " + text}, {Name: "first: size", Value: size}}
			r.Outcomes = append(r.Outcomes, calls, sees)
		}
		return r
	}
	c := golden.Compare(golden.Of(report("no", "x", 410, 200)), golden.Of(report("never", "y", 404, 201)), nil)
	var got []string
	for _, g := range c.Groups() {
		got = append(got, fmt.Sprintf("%s: %d times in %d cases at %d places", g.What, g.Times, len(g.Cases), len(g.Places)))
	}
	want := []string{
		"status: 3 times in 3 cases at 3 places",                                                                                     // of the error
		"status: 1 times in 1 cases at 1 places", "status: 1 times in 1 cases at 1 places", "status: 1 times in 1 cases at 1 places", // of what is none
		"body field errorDescription: 6 times in 3 cases at 6 places",
		`observation "first: error": 3 times in 3 cases at 1 places`,
		`observation "first: status": 2 times in 1 cases at 2 places`, `observation "first: status": 2 times in 1 cases at 2 places`, `observation "first: status": 2 times in 1 cases at 2 places`,
		`observation "first: size": 1 times in 1 cases at 1 places`, `observation "first: size": 1 times in 1 cases at 1 places`, `observation "first: size": 1 times in 1 cases at 1 places`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the groups are\n%s", strings.Join(got, "\n"))
	}
}
