package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// account is an account of a service that makes apps and TURN keys with a status of its own, and deletes unless it refuses.
type account struct {
	created, refuses int
	others           string // what a list has besides, or instead of a list

	mu    sync.Mutex
	made  int
	items map[string]string // answer by path
}

func (a *account) answer(r *http.Request) (int, string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, is := a.items[r.URL.Path]
	kind := strings.HasSuffix(r.URL.Path, "/calls/apps") || strings.HasSuffix(r.URL.Path, "/calls/turn_keys")
	switch {
	case kind && r.Method == http.MethodPost:
		a.made++
		uid := fmt.Sprintf("%032x", a.made)
		a.items[r.URL.Path+"/"+uid] = uid
		return a.created, a.item(uid)
	case kind && r.Method == http.MethodGet:
		result := a.others
		if !strings.HasPrefix(result, "{") {
			all := []string{}
			for path, uid := range a.items {
				if strings.HasPrefix(path, r.URL.Path) {
					all = append(all, `{"uid":"`+uid+`","name":"conformance"}`)
				}
			}
			if result != "" {
				all = append(all, result[1:])
			}
			result = "[" + strings.Join(all, ",") + "]"
		}
		return http.StatusOK, `{"success":true,"errors":[],"messages":[],"result":` + result + `}`
	case is && r.Method == http.MethodDelete && a.refuses != 0:
		return a.refuses, `{"success":false,"errors":[{"code":10000,"message":"no"}],"messages":[],"result":null}`
	case is:
		uid := a.items[r.URL.Path]
		if r.Method == http.MethodDelete {
			delete(a.items, r.URL.Path)
		}
		return http.StatusOK, a.item(uid)
	}
	return http.StatusNotFound, `{"success":false,"errors":[{"code":20007,"message":"no"}],"messages":[],"result":null}`
}

func (*account) item(uid string) string {
	return `{"success":true,"errors":[],"messages":[],"result":{"uid":"` + uid + `","name":"conformance"}}`
}

// runAccount runs all cases of the account API, as many at a time as the suite does, at a service that lets one request through a second.
func runAccount(t *testing.T, a *account) (report conformance.Report, left []string) {
	a.items = map[string]string{}
	schema := loadSchema(t)
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return !slices.Contains(c.Needs, conformance.AccountAPI) })
	synctest.Test(t, func(t *testing.T) {
		target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "the-secret", Schema: schema,
			AccountID: "mine", AccountToken: "the-token", Has: []conformance.Need{conformance.AccountAPI, conformance.SeededApps},
			HTTP: &http.Client{Transport: answering(a.answer)}}, time.Second)
		report = conformance.Suite{Target: target, Cases: cases, Parallel: 12}.Run(t.Context(), func(conformance.Event) {})
	})
	if a.made < 12 {
		t.Errorf("only %d were made", a.made)
	}
	for path := range a.items {
		left = append(left, path)
	}
	return report, left
}

// TestNothingIsLeftInAnAccount: whatever the cases think of an answer, what it names is deleted, however long that has to wait.
func TestNothingIsLeftInAnAccount(t *testing.T) {
	report, left := runAccount(t, &account{created: http.StatusOK})
	if len(left) > 0 {
		t.Errorf("left are %q", left)
	}
	tidied := 0
	for _, o := range report.Outcomes {
		for _, failure := range o.Result.Failures {
			if strings.Contains(failure, "could not delete") {
				t.Errorf("%s: %s", o.Case.ID, failure)
			}
		}
		for _, s := range o.Result.Steps {
			if s.Tidy {
				tidied++
			}
			if s.Tidy && s.Exchange.Method != http.MethodDelete {
				t.Errorf("%s: closes what is left by %s", o.Case.ID, s.Exchange)
			}
		}
	}
	if tidied < 12 {
		t.Errorf("only %d calls close what was left", tidied)
	}
}

// TestATooFastDeleteIsSentAgain: what tidies up an account may rest as long as anything there.
func TestATooFastDeleteIsSentAgain(t *testing.T) {
	schema := loadSchema(t)
	for after, stays := range map[string]bool{"300": false, "301": true} {
		t.Run(after, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, deletes := &account{created: http.StatusOK, items: map[string]string{}}, 0 // the case wants 201, and ends
				service := hurried(after, func(r *http.Request) bool {
					if r.Method == http.MethodDelete {
						deletes++
					}
					return r.Method == http.MethodDelete && deletes == 1
				}, a.answer)
				target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "the-secret", Schema: schema,
					AccountID: "mine", AccountToken: "the-token", HTTP: service}, time.Second)
				result := conformance.Run(t.Context(), caseByID(t, "account/app"), target)
				failed := strings.Contains(strings.Join(result.Failures, "\n"), "could not delete")
				if a.made == 0 || failed != stays || len(a.items) > 0 != stays || deletes != map[bool]int{false: 2, true: 1}[stays] {
					t.Errorf("%d made, %d left after %d deletes: %q", a.made, len(a.items), deletes, result.Failures)
				}
			})
		})
	}
}

// TestATooFastCloseIsSentAgain: the rest counts neither in the time of one call nor in that of all which close a session.
func TestATooFastCloseIsSentAgain(t *testing.T) {
	schema := loadSchema(t)
	synctest.Test(t, func(t *testing.T) {
		asked := map[string]int{}
		service := hurried("45", func(r *http.Request) bool {
			if r.Method == http.MethodPost {
				return false
			}
			<-time.After(1500 * time.Millisecond) // of 2 s
			asked[r.Method]++
			return asked[r.Method] == 1
		}, func(r *http.Request) (int, string) {
			switch r.Method {
			case http.MethodPost:
				return http.StatusCreated, `{"sessionId":"0123456789abcdef0123456789abcdef"}`
			case http.MethodGet:
				return http.StatusOK, `{"tracks":[{"mid":"0","status":"active"}]}`
			}
			return http.StatusOK, `{"tracks":[{"mid":"0"}]}`
		})
		target := conformance.Paced(conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "the-secret", Schema: schema, HTTP: service}, time.Nanosecond)
		c := caseByID(t, "session/new")
		c.Run = conformance.AsksForSession(nil, http.StatusCreated, "")
		c.Operations = nil
		var tidied []string
		for _, s := range conformance.Run(t.Context(), c, target).Steps {
			if x := s.Exchange; s.Tidy && x != nil {
				tidied = append(tidied, fmt.Sprint(x.Method, " ", x.Status, " ", s.Retried))
			}
		}
		if want := []string{"GET 429 true", "GET 200 false", "PUT 429 true", "PUT 200 false"}; !slices.Equal(tidied, want) {
			t.Errorf("%q closed the session, want %q", tidied, want)
		}
	})
}

// TestNamesInAnAccountTellWhoseTheyAre: each one that any case gives to an app or a TURN key, whatever becomes of the call.
func TestNamesInAnAccountTellWhoseTheyAre(t *testing.T) {
	target := probed(t, ofItself(t))
	cases := slices.DeleteFunc(conformance.Cases(), func(c conformance.Case) bool { return !slices.Contains(c.Needs, conformance.AccountAPI) })
	names, long := 0, 0
	for _, o := range (conformance.Suite{Target: target, Cases: cases}).Run(t.Context(), func(conformance.Event) {}).Outcomes {
		for _, s := range o.Result.Steps {
			var body struct{ Name string }
			x := s.Exchange
			if x == nil || !strings.HasPrefix(x.URL, "/client/v4/") || json.Unmarshal([]byte(x.Request.Body), &body) != nil || body.Name == "" {
				continue // it gives none, or none that is a text
			}
			names++
			if len(body.Name) > 1024 {
				long++
			}
			if !strings.HasPrefix(body.Name, "conformance") {
				t.Errorf("%s: %s %s gives the name %.40s", o.Case.ID, x.Method, x.URL, body.Name)
			}
		}
	}
	if names < 40 || long < 4 {
		t.Errorf("only %d names, and %d that are too long", names, long)
	}
}

// TestWhatStaysInAnAccountIsNamed: somebody has to delete by hand what the suite could not.
func TestWhatStaysInAnAccountIsNamed(t *testing.T) {
	report, left := runAccount(t, &account{created: http.StatusCreated, refuses: http.StatusForbidden})
	var all []string
	for _, o := range report.Outcomes {
		all = append(all, o.Result.Failures...)
	}
	text := strings.Join(all, "\n")
	for _, path := range left {
		parts := strings.Split(path, "/")
		kind := map[string]string{"apps": "app", "turn_keys": "TURN key"}[parts[6]]
		if want := "could not delete " + kind + " " + parts[7] + " of account mine: status 403"; !strings.Contains(text, want) {
			t.Errorf("nothing says %q", want)
		}
	}
	if len(left) < 12 {
		t.Errorf("only %d are left", len(left))
	}
}

// TestNamesOfOthersAreNotRecorded: what else an account has is nobody's business, in a record and in a failure.
func TestNamesOfOthersAreNotRecorded(t *testing.T) {
	const other = `{"uid":"ffffffffffffffffffffffffffffffff","name":"payroll","created":"payroll"}`
	for name, others := range map[string]string{"in a list": "," + other, "in a form of its own": `{"apps":[` + other + `]}`} {
		t.Run(name, func(t *testing.T) {
			report, _ := runAccount(t, &account{created: http.StatusCreated, others: others})
			lists, own := 0, 0
			for _, o := range report.Outcomes {
				text := strings.Join(o.Result.Failures, "\n") + strings.Join(o.Result.Log(), "\n")
				for _, observed := range o.Result.Observations {
					text += observed.Value
				}
				for _, s := range o.Result.Steps {
					x := s.Exchange
					if x == nil {
						continue
					}
					text += x.Response.Body
					if x.Method == http.MethodGet && strings.HasSuffix(x.URL, "/calls/apps") {
						lists++
						if strings.Contains(x.Response.Body, `"name":"conformance"`) {
							own++
						}
					}
				}
				for _, part := range []string{"payroll", "ffffffff"} {
					if at := strings.Index(text, part); at >= 0 {
						t.Errorf("%s: %s", o.Case.ID, text[max(0, at-150):min(len(text), at+50)])
					}
				}
			}
			if lists == 0 || name == "in a list" && own == 0 {
				t.Errorf("%d lists, %d with what the case has made", lists, own)
			}
		})
	}
}
