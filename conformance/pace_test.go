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

// hurried is a service without a network that answers a call 429, with Retry-After, where tooFast says so of it.
func hurried(after string, tooFast func(*http.Request) bool, otherwise answering) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if !tooFast(r) {
			return otherwise.RoundTrip(r)
		}
		answer, err := answering(func(*http.Request) (int, string) {
			return http.StatusTooManyRequests, `{"errorCode":"retryable_transient_error","errorDescription":"later"}`
		}).RoundTrip(r)
		answer.Header.Set("Retry-After", after)
		return answer, err
	})}
}

// refusing refuses every credential, as both APIs do.
func refusing(r *http.Request) (int, string) {
	if strings.HasPrefix(r.URL.Path, "/client/v4/") {
		return http.StatusUnauthorized, `{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`
	}
	return http.StatusUnauthorized, `{"errorCode":"unauthorized","errorDescription":"no"}`
}

// TestAServiceThatIsCalledTooFastIsAskedAgain: once its time has come, which counts neither against the case nor for ever.
func TestAServiceThatIsCalledTooFastIsAskedAgain(t *testing.T) {
	schema := loadSchema(t)
	for name, c := range map[string]struct {
		id                string
		refusals, retried int
		after             string // Retry-After
		took              time.Duration
		passes            bool
	}{
		"twice":                          {"auth/secret", 2, 2, "7", 14 * time.Second, true},
		"without a time":                 {"auth/secret", 1, 1, "", 2 * time.Second, true},
		"for a minute":                   {"auth/secret", 1, 1, "60", time.Minute, true},
		"for longer":                     {"auth/secret", 1, 0, "61", 0, false},
		"for ever":                       {"auth/secret", 100, 15, "1", 34 * time.Second, false}, // three calls of six tries; nothing rests after the last
		"the account API, five minutes":  {"account/token", 1, 1, "300", 5 * time.Minute, true},
		"the account API, twice so long": {"account/token", 2, 2, "300", 10 * time.Minute, true},
		"the account API, longer":        {"account/token", 1, 0, "301", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				service := hurried(c.after, func(*http.Request) bool { calls++; return calls <= c.refusals }, refusing)
				target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", AccountID: "mine", AccountToken: "token", Schema: schema, HTTP: service}, time.Nanosecond)
				tried := caseByID(t, c.id)
				tried.Within = time.Second
				begun := time.Now()
				result := conformance.Run(t.Context(), tried, target)
				retried, recorded := 0, 0
				for _, s := range result.Steps {
					if s.Exchange != nil {
						recorded++
					}
					if s.Retried {
						retried++
						if s.Exchange.Status != http.StatusTooManyRequests {
							t.Errorf("sent again is %s", s.Exchange)
						}
					}
				}
				if took := time.Since(begun).Round(time.Second); result.Passed() != c.passes || retried != c.retried || recorded != calls || took != c.took {
					t.Errorf("%d calls within %s, %d recorded, %d sent again, failures %q", calls, took, recorded, retried, result.Failures)
				}
			})
		})
	}
}

// TestAllRestTogether: what one call is told holds for every case, also for those that wait for the pace by then, but for the other API.
func TestAllRestTogether(t *testing.T) {
	schema := loadSchema(t)
	cases := append(slices.Repeat([]conformance.Case{caseByID(t, "auth/secret")}, 4), caseByID(t, "account/token"))
	for name, c := range map[string]struct {
		account bool // it is the account API that is called too fast
		after   string
		rest    time.Duration
	}{"calls": {false, "60", time.Minute}, "the account API": {true, "300", 5 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var told time.Time
				during := map[bool]int{} // calls of the rest, by whether they are of the account API
				service := hurried(c.after, func(r *http.Request) bool {
					mu.Lock()
					defer mu.Unlock()
					account := strings.HasPrefix(r.URL.Path, "/client/v4/")
					if told.IsZero() && account == c.account {
						told = time.Now()
						return true
					}
					if !told.IsZero() && time.Since(told) < c.rest {
						during[account]++
					}
					return false
				}, refusing)
				target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", AccountID: "mine", AccountToken: "token", Schema: schema,
					Has: []conformance.Need{conformance.AccountAPI, conformance.SeededApps}, HTTP: service}, time.Second)
				begun := time.Now()
				report := conformance.Suite{Target: target, Cases: cases}.Run(t.Context(), func(conformance.Event) {})
				if report.Count(conformance.Passed) != len(cases) || time.Since(begun) < c.rest {
					t.Errorf("%d passed within %s", report.Count(conformance.Passed), time.Since(begun))
				}
				if during[c.account] != 0 || during[!c.account] < 5 {
					t.Errorf("%d calls came while they were to rest, and %d of the other API", during[c.account], during[!c.account])
				}
			})
		})
	}
}

// TestATooFastCallIsNoObservation: what is observed is what the service answers when it is asked again, with the whole limit for that.
func TestATooFastCallIsNoObservation(t *testing.T) {
	schema := loadSchema(t)
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		service := hurried("20", func(r *http.Request) bool {
			<-time.After(5 * time.Second) // the limit is 8
			asked[r.Method+r.URL.Path]++
			return asked[r.Method+r.URL.Path] == 1
		}, func(*http.Request) (int, string) { return http.StatusGone, "{}" })
		target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "secret", Schema: schema, HTTP: service}, time.Nanosecond)
		seen := 0
		for _, o := range conformance.Run(t.Context(), caseByID(t, "open/Q3-unknown-session"), target).Observations {
			if strings.HasSuffix(o.Name, ": status") {
				if seen++; o.Value != "410" {
					t.Errorf("%s: %s", o.Name, o.Value)
				}
			}
		}
		if seen < 5 {
			t.Errorf("%d observations", seen)
		}
	})
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
