package conformance_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// answering is a service without a network.
type answering func(*http.Request) (status int, body string)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := a(r)
	header := http.Header{"Content-Type": {"application/json"}, "Vary": {"Origin"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestThePaceCountsAgainstNothing: with a second for a case, three calls that wait two seconds each are no reason to fail.
func TestThePaceCountsAgainstNothing(t *testing.T) {
	refuses := answering(func(*http.Request) (int, string) {
		return http.StatusUnauthorized, `{"errorCode":"unauthorized","errorDescription":"no"}`
	})
	schema := loadSchema(t)
	synctest.Test(t, func(t *testing.T) {
		target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Schema: schema, HTTP: &http.Client{Transport: refuses}}, 2*time.Second)
		c := caseByID(t, "auth/secret")
		c.Within = time.Second
		c.Codes = nil
		begun := time.Now()
		result := conformance.Run(t.Context(), c, target)
		for _, failure := range result.Failures {
			if strings.Contains(failure, "deadline") || strings.Contains(failure, "not sent") {
				t.Errorf("the pace is held against the case: %s", failure)
			}
		}
		calls := 0
		for _, s := range result.Steps {
			if s.Exchange != nil {
				if calls++; s.Exchange.Elapsed >= time.Second {
					t.Errorf("%s %s took %s", s.Exchange.Method, s.Exchange.URL, s.Exchange.Elapsed)
				}
			}
		}
		if calls < 2 || time.Since(begun) < time.Duration(calls-1)*2*time.Second {
			t.Errorf("%d calls within %s", calls, time.Since(begun))
		}
	})
}

// TestThePaceCountsAgainstNoLimit: what an observing case has no answer to, it has asked, and waited for as long as it says.
func TestThePaceCountsAgainstNoLimit(t *testing.T) {
	schema := loadSchema(t)
	for name, silent := range map[string]bool{"a service that answers": false, "one that does not": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := roundTripper(func(r *http.Request) (*http.Response, error) {
					if silent {
						<-r.Context().Done()
						return nil, r.Context().Err()
					}
					return answering(func(*http.Request) (int, string) { return http.StatusGone, "{}" }).RoundTrip(r)
				})
				target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Schema: schema, HTTP: &http.Client{Transport: service}}, 20*time.Second)
				result := conformance.Run(t.Context(), caseByID(t, "open/Q3-unknown-session"), target)
				statuses := 0
				for _, o := range result.Observations {
					if !strings.HasSuffix(o.Name, ": status") {
						continue
					}
					statuses++
					if want := map[bool]string{false: "410", true: "no answer within 8s"}[silent]; o.Value != want {
						t.Errorf("%s: %s, want %s", o.Name, o.Value, want)
					}
				}
				for _, s := range result.Steps {
					if x := s.Exchange; x != nil && x.Elapsed != map[bool]time.Duration{false: 0, true: 8 * time.Second}[silent] {
						t.Errorf("%s %s took %s", x.Method, x.URL, x.Elapsed)
					}
				}
				if statuses == 0 {
					t.Error("nothing was asked")
				}
			})
		})
	}
}

// TestADeadlineEndsWithoutThePace: what is no wait for the pace counts, before it and after it.
func TestADeadlineEndsWithoutThePace(t *testing.T) {
	schema := loadSchema(t)
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		slow := answering(func(r *http.Request) (int, string) {
			calls++
			select {
			case <-time.After(700 * time.Millisecond):
			case <-r.Context().Done():
			}
			return http.StatusUnauthorized, `{"errorCode":"unauthorized","errorDescription":"no"}`
		})
		target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Schema: schema, HTTP: &http.Client{Transport: slow}}, 2*time.Second)
		c := caseByID(t, "auth/secret")
		c.Within = time.Second
		result := conformance.Run(t.Context(), c, target)
		if result.Passed() || !slices.ContainsFunc(result.Failures, func(f string) bool { return strings.Contains(f, "deadline of the case") }) || calls > 2 {
			t.Errorf("%d calls, %q", calls, result.Failures)
		}
	})
}

// TestAServiceThatIsCalledTooFastIsAskedAgain: once its time has come, which counts neither against the case nor for ever.
func TestAServiceThatIsCalledTooFastIsAskedAgain(t *testing.T) {
	schema := loadSchema(t)
	for name, c := range map[string]struct {
		refusals, calls int
		after           string // Retry-After
		took            time.Duration
		passes          bool
	}{
		"twice":           {2, 5, "7", 14 * time.Second, true},
		"without a time":  {1, 4, "", 2 * time.Second, true},
		"for a long time": {1, 3, "3600", 0, false},
		"for ever":        {100, 18, "1", 30 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				service := roundTripper(func(r *http.Request) (*http.Response, error) {
					calls++
					if calls > c.refusals {
						return answering(func(*http.Request) (int, string) {
							return http.StatusUnauthorized, `{"errorCode":"unauthorized","errorDescription":"no"}`
						}).RoundTrip(r)
					}
					answer, err := answering(func(*http.Request) (int, string) {
						return http.StatusTooManyRequests, `{"errorCode":"retryable_transient_error","errorDescription":"later"}`
					}).RoundTrip(r)
					answer.Header.Set("Retry-After", c.after)
					return answer, err
				})
				target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Schema: schema, HTTP: &http.Client{Transport: service}}, time.Nanosecond)
				secret := caseByID(t, "auth/secret")
				secret.Within = time.Second
				begun := time.Now()
				result := conformance.Run(t.Context(), secret, target)
				if took := time.Since(begun).Round(time.Second); result.Passed() != c.passes || calls != c.calls || took != c.took {
					t.Errorf("%d calls within %s, failures %q", calls, took, result.Failures)
				}
			})
		})
	}
}

// TestNoCallGoesPastPaceAndRecord runs the case that has a call wait beside others.
func TestNoCallGoesPastPaceAndRecord(t *testing.T) {
	t.Parallel()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var mu sync.Mutex
	var calls []time.Time
	target := conformance.Paced(probed(t, ofItself(t)), 400*time.Millisecond)
	target.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		calls = append(calls, time.Now())
		mu.Unlock()
		return transport.RoundTrip(r)
	})}
	result := conformance.Run(t.Context(), caseByID(t, "session/read-beside"), target)
	if !result.Passed() {
		t.Errorf("%q", result.Failures)
	}
	recorded := 0
	for _, s := range result.Steps {
		if s.Exchange != nil {
			recorded++
		}
	}
	if len(calls) < 15 || recorded != len(calls) {
		t.Errorf("%d calls, %d of them recorded", len(calls), recorded)
	}
	if all, least := calls[len(calls)-1].Sub(calls[0]), time.Duration(len(calls)-2)*400*time.Millisecond; all < least { // the first may come late
		t.Errorf("%d calls came within %s, not in %s", len(calls), all, least)
	}
}

// TestTimersBeginWithTheirRequest runs the cases that do something a second after a request went, where each request waits longer than that.
func TestTimersBeginWithTheirRequest(t *testing.T) {
	target := conformance.Paced(probed(t, ofItself(t)), 1500*time.Millisecond)
	for _, id := range []string{"wait/media-comes", "wait/publisher-connects"} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			result := conformance.Run(t.Context(), caseByID(t, id), target)
			if !result.Passed() {
				t.Errorf("%q", result.Failures)
			}
			for _, s := range result.Steps {
				if x := s.Exchange; x != nil && strings.HasSuffix(x.URL, "/tracks/new") && strings.Contains(x.Request.Body, `"remote"`) && x.Elapsed < 800*time.Millisecond {
					t.Errorf("the pull was answered after %s, so what it waits for had begun before it", x.Elapsed)
				}
			}
		})
	}
}
