package conformance_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/callsemu/callsemu/conformance"
	"github.com/callsemu/callsemu/openapi"
)

// coverage is what the cases did against emulators in this process.
var coverage = sync.OnceValue(func() *conformance.Coverage {
	schema, err := openapi.Load()
	if err != nil {
		panic(err)
	}
	return conformance.NewCoverage(schema)
})

// outside are the cases about calls that openapi.yaml does not list.
var outside = []string{"http/preflight", "http/path", "http/method", "turn/route", "account/method"}

// TestCoverage fails for every operation, status, error, field and value of openapi.yaml that no case brings about and passes,
// and for every row of errors that none checks, at emulators in this process; cases that observe do not count. Cases that the
// tests before it have not run are run here.
func TestCoverage(t *testing.T) {
	missing := slices.ContainsFunc(conformance.Cases(), func(c conformance.Case) bool { _, ran := coverage().Calls(c.ID); return !ran })
	if missing {
		t.Run("dev", testDev)
		t.Run("real", func(t *testing.T) { testConfiguration(t, "real") })
	}
	for _, demand := range conformance.Demands(loadSchema(t)) {
		if len(coverage().Cases(demand)) == 0 {
			t.Errorf("no case brings about: %s", demand)
		}
	}
	for _, c := range conformance.Cases() {
		if operations, ran := coverage().Calls(c.ID); !ran || len(operations) == 0 && !c.Observes && !slices.Contains(outside, c.ID) {
			t.Errorf("case %s ran: %t; it calls no operation of openapi.yaml", c.ID, ran)
		}
	}
}

// TestCoverageCountsWhatSucceeds: a field that was sent in refused requests alone has no case, and neither has anything that
// a failed case or an observing one did.
func TestCoverageCountsWhatSucceeds(t *testing.T) {
	const (
		id     = "0123456789abcdef0123456789abcdef"
		row    = "decoding_error/400"
		answer = `{"sessionId":"` + id + `"}`
		no     = `{"errorCode":"decoding_error","errorDescription":"x"}`
		field  = "newSession request: sessionDescription.sdp"
	)
	body := map[string]any{"sessionDescription": map[string]any{"type": "offer", "sdp": "v=0\r\na=ice-ufrag:x\r\n"}}
	of400 := []string{"newSession answers 400", "newSession 400: errorCode = decoding_error", "row " + row}
	of201 := []string{"newSession answers 201", field}
	for name, tc := range map[string]struct {
		status, want int
		answer, row  string
		observes     bool
		met          []string
	}{
		"refused as it should be":        {400, 400, no, row, false, of400},
		"accepted as it should be":       {201, 201, answer, "", false, of201},
		"refused, to a case that fails":  {400, 201, no, row, false, nil},
		"accepted, to a case that fails": {201, 400, answer, "", false, nil},
		"refused, to one that observes":  {400, 400, no, row, true, nil},
		"accepted, to one that observes": {201, 201, answer, "", true, nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Vary", "Origin")
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.answer)
		}))
		seen := conformance.NewCoverage(loadSchema(t))
		target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "secret", Coverage: seen}
		c := conformance.Case{ID: "x", Observes: tc.observes, Run: conformance.AsksForSession(body, tc.want, tc.row)}
		result := conformance.Run(t.Context(), c, target)
		server.Close()
		if passed := tc.observes || tc.status == tc.want; result.Passed() != passed {
			t.Fatalf("%s: the case passed: %t: %q", name, result.Passed(), result.Failures)
		}
		if operations, ran := seen.Calls("x"); !ran || !slices.Equal(operations, []string{"newSession"}) {
			t.Errorf("%s: the case ran: %t, and called %v", name, ran, operations)
		}
		for _, demand := range slices.Concat(of400, of201, []string{"getSession answers 200"}) {
			if met, want := slices.Equal(seen.Cases(demand), []string{"x"}), slices.Contains(tc.met, demand); met != want {
				t.Errorf("%s: %q is met: %t", name, demand, met)
			}
		}
	}
}
