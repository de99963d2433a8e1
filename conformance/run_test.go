package conformance_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/conformance"
)

func TestRunRecordsFailuresAndCleansUpBackwards(t *testing.T) {
	var order []string
	c := conformance.Case{Run: func(_ context.Context, t *conformance.T) {
		t.Cleanup(func() { order = append(order, "first") })
		t.Cleanup(func() { order = append(order, "second"); t.Must(errors.New("cleanup fails too")) })
		t.Logf("line %d", 1)
		t.Errorf("goes on")
		t.Fatalf("ends")
		t.Errorf("never reached")
	}}
	result := conformance.Run(t.Context(), c, conformance.Target{})
	if result.Passed() || !slices.Equal(result.Failures, []string{"goes on", "ends", "cleanup fails too"}) {
		t.Errorf("failures %q", result.Failures)
	}
	if !slices.Equal(order, []string{"second", "first"}) || !slices.Equal(result.Log(), []string{"line 1"}) {
		t.Errorf("cleanups in the order %q, log %q", order, result.Log())
	}
}

func TestRunHoldsCasesToWhatTheyClaim(t *testing.T) {
	c := conformance.Case{
		Codes: []string{"session_error/410"}, Operations: []string{"getSession"},
		Run: func(context.Context, *conformance.T) {},
	}
	if result := conformance.Run(t.Context(), c, conformance.Target{}); len(result.Failures) != 2 {
		t.Errorf("an empty case that claims a code and an operation fails with %q", result.Failures)
	}
}

func TestCasesApplyByNeed(t *testing.T) {
	service := conformance.Target{Has: []conformance.Need{conformance.SeededApps}}
	emulated := conformance.Target{Emulator: true, Has: []conformance.Need{conformance.OpenApps}}
	for _, tc := range []struct {
		c                conformance.Case
		onReal, onEmuDev bool
	}{
		{conformance.Case{}, true, true},
		{conformance.Case{EmulatorOnly: true}, false, true},
		{conformance.Case{Needs: []conformance.Need{conformance.SeededApps}}, true, false},
	} {
		if tc.c.Applies(service) != tc.onReal || tc.c.Applies(emulated) != tc.onEmuDev {
			t.Errorf("%+v applies wrongly", tc.c)
		}
	}
}

// TestSuiteSeesFaults runs the simplest case against services with one fault each.
func TestSuiteSeesFaults(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		status     int
		kind, vary string
		body       string
		complaint  string
	}{
		"status 200":         {200, "application/json", "Origin", `{"sessionId":"` + id + `"}`, "status 200"},
		"no Vary":            {201, "application/json", "", `{"sessionId":"` + id + `"}`, "Vary"},
		"text":               {201, "text/plain", "Origin", `{"sessionId":"` + id + `"}`, "Content-Type"},
		"empty errorCode":    {201, "application/json", "Origin", `{"sessionId":"` + id + `","errorCode":""}`, "errorCode present"},
		"a field too many":   {201, "application/json", "Origin", `{"sessionId":"` + id + `","x":1}`, "fit openapi.yaml"},
		"an upper-case id":   {201, "application/json", "Origin", `{"sessionId":"` + strings.ToUpper(id) + `"}`, "lower-case"},
		"the same id again":  {201, "application/json", "Origin", `{"sessionId":"` + id + `"}`, "fresh"},
		"an array":           {201, "application/json", "Origin", `[]`, "not a JSON object"},
		"an error as answer": {503, "application/json", "Origin", `{"errorCode":"x","errorDescription":"y"}`, "status 503"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.kind)
				if tc.vary != "" {
					w.Header().Set("Vary", tc.vary)
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer server.Close()
			target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "secret"}
			result := conformance.Run(t.Context(), caseByID(t, "session/new"), target)
			if !strings.Contains(strings.Join(result.Failures, "\n"), tc.complaint) {
				t.Errorf("failures %q do not mention %q", result.Failures, tc.complaint)
			}
		})
	}
}

func caseByID(t *testing.T, id string) conformance.Case {
	cases := conformance.Cases()
	i := slices.IndexFunc(cases, func(c conformance.Case) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no case %q", id)
	}
	return cases[i]
}

// TestTheUsualPortOfTURNOverTLSIsGood: an emulator that was started without a flag has it, though it begins like that of DNS.
func TestTheUsualPortOfTURNOverTLSIsGood(t *testing.T) {
	target := probed(t, ofItself(t))
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	ofTURNS := regexp.MustCompile(`(turns:127\.0\.0\.1:)\d+`)
	for port, good := range map[string]bool{"5349": true, "53490": false, "53": false} {
		target.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := transport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			response.Body = io.NopCloser(bytes.NewReader(ofTURNS.ReplaceAll(body, []byte("${1}"+port))))
			return response, err
		})}
		result := conformance.Run(t.Context(), caseByID(t, "turn/list"), target)
		if result.Passed() != good {
			t.Errorf("port %s: %q", port, result.Failures)
		}
	}
}

// TestTheFormOfAnUnknownPathIsTheServicesOwn: the contract has its status alone (contract 1.14).
func TestTheFormOfAnUnknownPathIsTheServicesOwn(t *testing.T) {
	for _, c := range []struct {
		emulator bool
		status   int
		passes   bool
	}{{false, http.StatusNotFound, true}, {true, http.StatusNotFound, false}, {false, http.StatusGone, false}} {
		edge := answering(func(*http.Request) (int, string) { return c.status, "<html>nothing here</html>" })
		target := conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Emulator: c.emulator, HTTP: &http.Client{Transport: edge}}
		if result := conformance.Run(t.Context(), caseByID(t, "http/path"), target); result.Passed() != c.passes {
			t.Errorf("%+v: %q", c, result.Failures)
		}
	}
}

// TestFailuresShowItemsAsTheyWereSent: in the API's words, without fields that are not there, and numbers instead of where they lie.
func TestFailuresShowItemsAsTheyWereSent(t *testing.T) {
	want := `[{"mid":"0","status":"active"}] {"location":"remote","simulcast":{"preferredRid":"h"}} {"id":7}`
	if got := conformance.ShownItems(); got != want {
		t.Errorf("shown is %s", got)
	}
}
