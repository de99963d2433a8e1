package conformance_test

import (
	"fmt"
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

// TestCoverage fails for every operation, status, error, field and value of openapi.yaml that no case brings about, and for
// every row of errors that none checks, at emulators in this process. Cases that the tests before it have not run are run here.
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

// TestCoverageCountsWhatSucceeds: a field that was sent in refused requests alone has no case.
func TestCoverageCountsWhatSucceeds(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for status, answer := range map[int]string{
		http.StatusBadRequest: `{"errorCode":"decoding_error","errorDescription":"x"}`, http.StatusCreated: `{"sessionId":"` + id + `"}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Vary", "Origin")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}))
		seen := conformance.NewCoverage(loadSchema(t))
		target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "secret", Coverage: seen}
		conformance.Run(t.Context(), caseByID(t, "session/new-answer"), target) // sends a sessionDescription
		server.Close()
		if operations, ran := seen.Calls("session/new-answer"); !ran || !slices.Equal(operations, []string{"newSession"}) {
			t.Errorf("%d: the case ran: %t, and called %v", status, ran, operations)
		}
		for demand, want := range map[string]bool{
			fmt.Sprintf("newSession answers %d", status): true, "newSession request: sessionDescription.sdp": status < 300,
			"newSession 400: errorCode = decoding_error": status == http.StatusBadRequest, "getSession answers 200": false,
		} {
			if met := len(seen.Cases(demand)) > 0; met != want {
				t.Errorf("%d: %q is met: %t", status, demand, met)
			}
		}
	}
}
