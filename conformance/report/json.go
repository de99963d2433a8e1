package report

import (
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// The JSON report. Times are milliseconds.
type jsonReport struct {
	BaseURL    string             `json:"baseUrl"`
	Emulator   bool               `json:"emulator"`
	Has        []conformance.Need `json:"has"`
	Begun      time.Time          `json:"begun"`
	Elapsed    float64            `json:"elapsedMs"`
	Passed     int                `json:"passed"`
	Failed     int                `json:"failed"`
	Observed   int                `json:"observed"`
	LeftOut    int                `json:"notApplicable"`
	Unfinished int                `json:"notFinished"`
	Cases      []jsonCase         `json:"cases"`
}

type jsonCase struct {
	ID           string             `json:"id"`
	Sentence     string             `json:"sentence"`
	Section      string             `json:"section"`
	Mark         conformance.Mark   `json:"mark"`
	EmulatorOnly bool               `json:"emulatorOnly,omitempty"`
	Operations   []string           `json:"operations,omitempty"`
	Codes        []string           `json:"codes,omitempty"`
	Status       conformance.Status `json:"status"`
	Lacks        []conformance.Need `json:"lacks,omitempty"`
	Waits        float64            `json:"waitsMs,omitempty"`
	Begun        float64            `json:"begunMs"`
	Elapsed      float64            `json:"elapsedMs"`
	Failures     []string           `json:"failures,omitempty"`
	Observations []jsonObservation  `json:"observations,omitempty"`
	Steps        []jsonStep         `json:"steps,omitempty"`
}

type jsonObservation struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type jsonStep struct {
	At       float64       `json:"atMs"`
	Note     string        `json:"note,omitempty"`
	Failure  string        `json:"failure,omitempty"`
	Exchange *jsonExchange `json:"exchange,omitempty"`
}

type jsonExchange struct {
	Method   string      `json:"method"`
	URL      string      `json:"url"`
	Elapsed  float64     `json:"elapsedMs"`
	Request  jsonMessage `json:"request"`
	Status   int         `json:"status,omitempty"`
	Response jsonMessage `json:"response"`
	Broken   string      `json:"broken,omitempty"`
}

type jsonMessage struct {
	Header http.Header `json:"header,omitempty"`
	Body   string      `json:"body,omitempty"`
}

// JSON writes everything that the suite knows.
func JSON(w io.Writer, r conformance.Report) error {
	out := jsonReport{BaseURL: r.BaseURL, Emulator: r.Emulator, Has: r.Has, Begun: r.Begun.UTC(), Elapsed: ms(r.Elapsed),
		Passed: r.Count(conformance.Passed), Failed: r.Count(conformance.Failed), Observed: r.Count(conformance.Observed),
		LeftOut: r.Count(conformance.NotApplicable), Unfinished: r.Count(conformance.Unfinished)}
	for _, o := range r.Outcomes {
		c := jsonCase{ID: o.Case.ID, Sentence: o.Case.Sentence, Section: o.Case.Section, Mark: o.Case.Mark,
			EmulatorOnly: o.Case.EmulatorOnly, Operations: o.Case.Operations, Codes: o.Case.Codes, Status: o.Status, Lacks: o.Lacks,
			Waits: ms(o.Waits), Begun: ms(o.Begun), Elapsed: ms(o.Result.Elapsed), Failures: o.Result.Failures}
		for _, seen := range o.Result.Observations {
			c.Observations = append(c.Observations, jsonObservation(seen))
		}
		for _, s := range o.Result.Steps {
			step := jsonStep{At: ms(s.At), Note: s.Note, Failure: s.Failure}
			if x := s.Exchange; x != nil {
				step.Exchange = &jsonExchange{Method: x.Method, URL: x.URL, Elapsed: ms(x.Elapsed), Request: jsonMessage(x.Request),
					Status: x.Status, Response: jsonMessage(x.Response), Broken: x.Broken}
			}
			c.Steps = append(c.Steps, step)
		}
		out.Cases = append(out.Cases, c)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
