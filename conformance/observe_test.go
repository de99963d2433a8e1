package conformance_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/internal/porttest"
)

// TestEveryOpenQuestionIsObserved reads the questions from the contract. One that only the table of what is left out has, needs a
// reason there; a row of the table about a question that does not exist is a slip.
func TestEveryOpenQuestionIsObserved(t *testing.T) {
	contract, err := os.ReadFile("../docs/contract.md")
	if err != nil {
		t.Fatal(err)
	}
	questions := map[int]bool{}
	for _, found := range regexp.MustCompile(`(?m)^\| Q(\d+) \|`).FindAllSubmatch(contract, -1) {
		n, _ := strconv.Atoi(string(found[1]))
		questions[n] = true
	}
	if len(questions) < 50 {
		t.Fatalf("only %d questions were found", len(questions))
	}
	answered := map[int]bool{}
	for _, c := range conformance.Cases() {
		if !c.Observes {
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(c.Section, "10 Q"))
		if err != nil || !questions[n] || !strings.HasPrefix(c.ID, "open/Q"+strconv.Itoa(n)+"-") {
			t.Errorf("%s is about section %q, which is no open question", c.ID, c.Section)
		}
		answered[n] = true
	}
	for _, u := range conformance.UnobservedQuestions() {
		if !questions[u.Question] || u.Part == "" || u.Why == "" {
			t.Errorf("the table has a slip: %+v", u)
		}
		answered[u.Question] = true
	}
	for n := range questions {
		if !answered[n] {
			t.Errorf("Q%d has no case and no reason why not", n)
		}
	}
}

// TestObservingNeitherPassesNorFails runs observing cases against what answers nonsense, not at all, and late.
func TestObservingNeitherPassesNorFails(t *testing.T) {
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("<html>"))
	}))
	defer nonsense.Close()
	nobody := "http://" + porttest.Reserve(t)
	for name, tc := range map[string]struct{ id, url, want string }{
		"nonsense":           {"open/Q4-refusals", nonsense.URL, "wrong secret: status = 418"},
		"nonsense as body":   {"open/Q4-refusals", nonsense.URL, "wrong secret: body = not JSON"},
		"a step that fails":  {"open/Q9-pending", nonsense.URL, "unexpected 1 = "},
		"nobody there":       {"open/Q5-order", nobody, "unknown app and no token: status = connection refused"},
		"nobody in a helper": {"open/Q12-replay", nobody, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			suite := conformance.Suite{Cases: []conformance.Case{caseByID(t, tc.id)}, Target: conformance.Target{BaseURL: tc.url, AppID: "app", Secret: "secret"}}
			report := suite.Run(t.Context(), func(conformance.Event) {})
			if report.Count(conformance.Observed) != 1 || report.Count(conformance.Passed)+report.Count(conformance.Failed) != 0 {
				t.Errorf("the case is %s", report.Outcomes[0].Status)
			}
			if seen := observed(report.Outcomes[0].Result); !strings.Contains(seen, tc.want) {
				t.Errorf("no %q in\n%s", tc.want, seen)
			}
		})
	}
}

// TestCasesRangeOverMapsInOrder: a record has the calls of a case in the order in which it made them, so two runs must make them alike.
// What is seen here are maps that stand in the range clause.
func TestCasesRangeOverMapsInOrder(t *testing.T) {
	files, err := filepath.Glob("cases_*.go")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if loop, is := n.(*ast.RangeStmt); is {
				if literal, is := ast.Unparen(loop.X).(*ast.CompositeLit); is {
					if _, is := literal.Type.(*ast.MapType); is {
						t.Errorf("%s ranges over a map; write inOrder around it", set.Position(loop.Pos()))
					}
				}
			}
			return true
		})
	}
}

// observed has a line "name = value" for each observation.
func observed(r conformance.Result) string {
	var b strings.Builder
	for _, o := range r.Observations {
		b.WriteString(o.Name + " = " + o.Value + "\n")
	}
	return b.String()
}

func TestObservationOfAnAnswerThatDoesNotCome(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	c := caseByID(t, "open/Q5-order") // its limit is 5 s an answer; the case as a whole ends before all are over
	c.Within = 6 * time.Second
	seen := observed(conformance.Run(t.Context(), c, conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "secret"}))
	for _, want := range []string{"unknown app and no token: status = no answer within 5s", "unexpected 1 = unknown app and bad JSON: deadline of the case"} {
		if !strings.Contains(seen, want) {
			t.Errorf("no %q in\n%s", want, seen)
		}
	}
}

// TestWhatIsUnexpectedIsObservedOnce: a poll meets it as often as it happens to ask, and two records of one target would differ.
func TestWhatIsUnexpectedIsObservedOnce(t *testing.T) {
	c := conformance.Case{Observes: true, Run: func(_ context.Context, ct *conformance.T) {
		for range 3 {
			ct.Errorf("GET: status %d, with the-secret", 404)
			ct.Errorf("another one")
		}
	}}
	want := "unexpected 1 = GET: status 404, with ***\nunexpected 2 = another one\n"
	if seen := observed(conformance.Run(t.Context(), c, conformance.Target{Secret: "the-secret"})); seen != want {
		t.Errorf("observed is\n%s", seen)
	}
}

// TestABrokenObservingCaseFails: a slip of the suite is no observation.
func TestABrokenObservingCaseFails(t *testing.T) {
	c := conformance.Case{Observes: true, Run: func(context.Context, *conformance.T) { panic("a mistake") }}
	if result := conformance.Run(t.Context(), c, conformance.Target{}); result.Passed() {
		t.Error("the case passed")
	}
}
