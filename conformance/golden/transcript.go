package golden

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/conformance"
)

// Format is the version of the files; another one cannot be compared.
const Format = 1

// Transcript is what a target did.
type Transcript struct {
	Format   int    `json:"format"`
	Emulator bool   `json:"emulator"`
	Pattern  string `json:"pattern,omitempty"` // the regular expression that chose the cases; none chose all
	Cases    []Case `json:"cases"`             // sorted by id
}

// Case is what it did in one case.
type Case struct {
	ID           string             `json:"id"`
	Section      string             `json:"section"`
	Mark         conformance.Mark   `json:"mark"`
	Observes     bool               `json:"observes,omitempty"`
	Outcome      conformance.Status `json:"outcome"`
	Failures     []string           `json:"failures,omitempty"`
	Observations []Observation      `json:"observations,omitempty"`
	Exchanges    []Exchange         `json:"exchanges,omitempty"`
}

// Observation is a conformance.Observation; a value of several lines is a list.
type Observation struct {
	Name  string   `json:"name"`
	Value string   `json:"value,omitempty"`
	Lines []string `json:"lines,omitempty"`
}

// Exchange is one call with its answer. A body is decoded JSON, in which an SDP is the list of its lines, or else text.
type Exchange struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Request any                 `json:"request,omitempty"`
	Status  int                 `json:"status,omitempty"`
	Time    string              `json:"time,omitempty"`
	Header  map[string][]string `json:"header,omitempty"`
	Body    any                 `json:"body,omitempty"`
	Broken  string              `json:"broken,omitempty"` // why there was no answer
	Rules   []string            `json:"rules,omitempty"`  // that an emulator named in explanations
}

// Of is the transcript of a run.
func Of(r conformance.Report) Transcript {
	t := Transcript{Format: Format, Emulator: r.Emulator}
	for _, o := range r.Outcomes {
		t.Cases = append(t.Cases, caseOf(o))
	}
	slices.SortFunc(t.Cases, func(a, b Case) int { return strings.Compare(a.ID, b.ID) })
	return t
}

func caseOf(o conformance.Outcome) Case {
	c := Case{ID: o.Case.ID, Section: o.Case.Section, Mark: o.Case.Mark, Observes: o.Case.Observes, Outcome: o.Status}
	if o.Status == conformance.NotApplicable || o.Status == conformance.Unfinished {
		return c
	}
	names := newNames()
	for _, x := range lastTries(o.Result.Steps) {
		next := names.exchange(x)
		if !slices.ContainsFunc(c.Exchanges[c.repeats(next):], next.answersAs) {
			c.Exchanges = append(c.Exchanges, next)
		}
	}
	for _, failure := range o.Result.Failures {
		c.Failures = append(c.Failures, names.text(durations.ReplaceAllString(failure, "<time>")))
	}
	for _, seen := range o.Result.Observations {
		c.Observations = append(c.Observations, names.observation(seen))
	}
	return c
}

// Complete says whether every case was finished.
func (t Transcript) Complete() bool {
	return !slices.ContainsFunc(t.Cases, func(c Case) bool { return c.Outcome == conformance.Unfinished })
}

// lastTries are the exchanges with the API, without those tries of a poll that another one followed. What the suite tidies up at
// services alone is left out, and so are calls that came too fast: how fast others call is no behaviour.
func lastTries(steps []conformance.Step) (kept []*conformance.Exchange) {
	steps = slices.DeleteFunc(slices.Clone(steps), func(s conformance.Step) bool { return s.Retried })
	last := map[int]int{} // try by poll
	for _, s := range steps {
		last[s.Poll] = max(last[s.Poll], s.Try)
	}
	for _, s := range steps {
		if s.Exchange != nil && s.Try == last[s.Poll] && !s.Tidy && !strings.HasPrefix(s.Exchange.URL, "/_emu/") {
			kept = append(kept, s.Exchange)
		}
	}
	return kept
}

// repeats is the index from which on every call of the case is the same as x.
func (c Case) repeats(x Exchange) int {
	i := len(c.Exchanges)
	for i > 0 && c.Exchanges[i-1].Method == x.Method && c.Exchanges[i-1].URL == x.URL && reflect.DeepEqual(c.Exchanges[i-1].Request, x.Request) {
		i--
	}
	return i
}

// answersAs says whether two answers differ in nothing but time.
func (x Exchange) answersAs(y Exchange) bool {
	return x.Status == y.Status && x.Broken == y.Broken && reflect.DeepEqual(x.Body, y.Body) && reflect.DeepEqual(x.Header, y.Header)
}

// exchange is a recorded exchange with placeholders.
func (n *names) exchange(x *conformance.Exchange) Exchange {
	e := Exchange{Method: x.Method, URL: n.url(x.URL)}
	e.Request = n.body(x.Request.Body, false)
	if x.Broken != "" {
		e.Broken = broken(x.Broken)
		return e
	}
	e.Status, e.Time = x.Status, conformance.TimeClass(x.Elapsed)
	e.Body = n.body(x.Response.Body, true)
	e.Header, e.Rules = n.header(x.Response.Header)
	return e
}

// broken tells the ways apart in which an answer can be missing, without addresses and times.
func broken(why string) string {
	switch {
	case strings.Contains(why, "connection refused"):
		return "connection refused"
	case strings.Contains(why, "deadline"):
		return "no answer in time"
	}
	return "the connection broke"
}

// header leaves out what only an emulator says.
func (n *names) header(all http.Header) (header map[string][]string, rules []string) {
	header = map[string][]string{}
	for name, values := range all {
		switch {
		case name == "X-Emu-Explain":
			for _, line := range values {
				rule, _, _ := strings.Cut(line, ":")
				rules = append(rules, rule)
			}
		case strings.HasPrefix(name, "X-Emu-") || name == "Access-Control-Expose-Headers":
		default:
			for _, value := range values {
				header[name] = append(header[name], n.text(value))
			}
		}
	}
	return header, rules
}

func (n *names) observation(o conformance.Observation) Observation {
	if lines := strings.Split(o.Value, "\n"); len(lines) > 1 {
		return Observation{Name: n.text(o.Name), Lines: n.sdp(lines)}
	}
	value := o.Value
	if strings.HasPrefix(o.Name, conformance.Unexpected) {
		value = durations.ReplaceAllString(value, "<time>")
	}
	return Observation{Name: n.text(o.Name), Value: n.text(value)}
}

// Write writes the transcript: indented, in a stable order.
func (t Transcript) Write(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(t)
}

// ErrNoTranscript is the error of Read for a file that Write has not written, or not in this Format.
var ErrNoTranscript = errors.New("not a transcript of this version of callsemu conformance --record")

// Read reads what Write wrote. Its errors are ErrNoTranscript or of the reader.
func Read(r io.Reader) (t Transcript, err error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return t, fmt.Errorf("%w: %w", ErrNoTranscript, err)
	}
	if t.Format != Format {
		return t, ErrNoTranscript
	}
	if _, err := regexp.Compile(t.Pattern); err != nil {
		return t, fmt.Errorf("%w: its pattern: %w", ErrNoTranscript, err)
	}
	return t, nil
}
