package conformance_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/callsemu/callsemu/conformance"
)

// busy counts how many cases run at once.
type busy struct{ now, most atomic.Int32 }

func (b *busy) enter() (leave func()) {
	n := b.now.Add(1)
	for most := b.most.Load(); n > most && !b.most.CompareAndSwap(most, n); most = b.most.Load() {
	}
	return func() { b.now.Add(-1) }
}

func TestPlanSaysWhatRunsBesideWhat(t *testing.T) {
	slow := conformance.Case{ID: "a/slow", Slow: time.Minute}
	endpoint := conformance.Case{ID: "a/endpoint", Needs: []conformance.Need{conformance.Endpoints}}
	clock := conformance.Target{Emulator: true, Has: []conformance.Need{conformance.MovableClock, conformance.Endpoints}}
	onePort := conformance.Target{Has: []conformance.Need{conformance.Endpoints}, Endpoint: conformance.Endpoint{Listen: "127.0.0.1:9000"}}
	own := func(context.Context) (conformance.Target, func(), error) { return clock, func() {}, nil }
	for name, tc := range map[string]struct {
		suite conformance.Suite
		c     conformance.Case
		lane  conformance.Lane
		waits time.Duration
		lacks []conformance.Need
	}{
		"ordinary":                   {conformance.Suite{Target: clock}, conformance.Case{ID: "a"}, conformance.Beside, 0, nil},
		"wants to be alone":          {conformance.Suite{Target: clock}, conformance.Case{ID: "a", Alone: true}, conformance.Alone, 0, nil},
		"moves a given clock":        {conformance.Suite{Target: clock}, slow, conformance.Alone, 0, nil},
		"moves a clock of its own":   {conformance.Suite{Target: clock, Own: own}, slow, conformance.Beside, 0, nil},
		"waits":                      {conformance.Suite{Target: onePort}, slow, conformance.Beside, time.Minute, nil},
		"an endpoint at any port":    {conformance.Suite{Target: clock}, endpoint, conformance.Beside, 0, nil},
		"an endpoint at one address": {conformance.Suite{Target: onePort}, endpoint, conformance.OnePort, 0, nil},
		"lacks two things": {conformance.Suite{Target: onePort},
			conformance.Case{ID: "a", EmulatorOnly: true, Needs: []conformance.Need{conformance.TURN}},
			conformance.Beside, 0, []conformance.Need{conformance.AnEmulator, conformance.TURN}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.suite.Cases = []conformance.Case{tc.c}
			p := tc.suite.Plan()[0]
			if p.Lane != tc.lane || p.Waits != tc.waits || !slices.Equal(p.Lacks, tc.lacks) {
				t.Errorf("lane %d, waits %s, lacks %q", p.Lane, p.Waits, p.Lacks)
			}
		})
	}
}

func TestSuiteKeepsItsLanes(t *testing.T) {
	var all, ports, waiting busy
	gather := func(n int32) func(context.Context, *conformance.T) { // all n at a time, or the deadline
		var here sync.WaitGroup
		here.Add(int(n))
		return func(context.Context, *conformance.T) {
			defer all.enter()()
			here.Done()
			here.Wait()
		}
	}
	var cases []conformance.Case
	three := gather(3)
	for _, id := range []string{"x/1", "x/2", "x/3"} {
		cases = append(cases, conformance.Case{ID: id, Run: three})
	}
	for _, id := range []string{"port/1", "port/2"} {
		cases = append(cases, conformance.Case{ID: id, Needs: []conformance.Need{conformance.Endpoints}, Run: func(context.Context, *conformance.T) {
			defer ports.enter()()
			<-time.After(100 * time.Millisecond) // in which the other one would begin
		}})
	}
	waits := gather(2)
	for _, id := range []string{"wait/1", "wait/2"} {
		cases = append(cases, conformance.Case{ID: id, Slow: time.Second, Run: func(ctx context.Context, ct *conformance.T) {
			defer waiting.enter()()
			waits(ctx, ct)
		}})
	}
	var beside atomic.Int32
	cases = append(cases, conformance.Case{ID: "alone", Alone: true, Run: func(context.Context, *conformance.T) {
		beside.Store(all.most.Load() + ports.most.Load())
	}}, conformance.Case{ID: "fails", Run: func(_ context.Context, ct *conformance.T) { ct.Errorf("no") }},
		conformance.Case{ID: "left/out", EmulatorOnly: true}, conformance.Case{ID: "other", Run: nil})
	suite := conformance.Suite{
		Target: conformance.Target{Has: []conformance.Need{conformance.Endpoints}, Endpoint: conformance.Endpoint{Listen: "127.0.0.1:9000"}},
		Cases:  cases, Parallel: 3, Pattern: regexp.MustCompile("^(x|port|wait|left)/|alone|fails"),
	}
	began, ended := 0, 0
	report := suite.Run(t.Context(), func(e conformance.Event) {
		if e.Status == "" {
			began++
		} else {
			ended++
		}
		if e.Total != 9 || e.Done != ended {
			t.Errorf("%d of %d at the end of %d", e.Done, e.Total, ended)
		}
	})
	if began != 9 || ended != 9 || report.Count(conformance.Passed) != 8 || report.Count(conformance.Failed) != 1 || report.Count(conformance.NotApplicable) != 1 {
		t.Errorf("%d began, %d ended: %+v", began, ended, report)
	}
	for i, o := range report.Outcomes {
		if o.Case.ID != cases[i].ID {
			t.Errorf("number %d is %s, want %s", i, o.Case.ID, cases[i].ID)
		}
	}
	if ports.most.Load() != 1 || waiting.most.Load() != 2 || all.most.Load() < 3 || beside.Load() != 0 {
		t.Errorf("at one port %d, waiting %d, in all %d, beside the one alone %d", ports.most.Load(), waiting.most.Load(), all.most.Load(), beside.Load())
	}
}

func TestSuiteThatIsEndedCleansUpAndSaysWhatIsMissing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cleaned := false
	cases := []conformance.Case{
		{ID: "before", Run: func(context.Context, *conformance.T) {}},
		{ID: "cut off", Run: func(ctx context.Context, ct *conformance.T) {
			ct.Cleanup(func() { cleaned = true })
			cancel()
			<-ctx.Done()
			ct.Must(ctx.Err())
		}},
		{ID: "never begun", Run: func(context.Context, *conformance.T) { t.Error("it runs") }},
	}
	report := conformance.Suite{Cases: cases, Parallel: 1}.Run(ctx, func(conformance.Event) {})
	if !cleaned || report.Outcomes[0].Status != conformance.Passed || report.Count(conformance.Unfinished) != 2 {
		t.Errorf("cleaned up: %t; %+v", cleaned, report.Outcomes)
	}
}

func TestAPanicIsAFailureAndCleansUp(t *testing.T) {
	cleaned := false
	result := conformance.Run(t.Context(), conformance.Case{Run: func(_ context.Context, ct *conformance.T) {
		ct.Cleanup(func() { cleaned = true })
		panic("a mistake")
	}}, conformance.Target{})
	if !cleaned || len(result.Failures) != 1 || !strings.Contains(result.Failures[0], "a mistake") {
		t.Errorf("cleaned up: %t; %q", cleaned, result.Failures)
	}
}

// TestTheRecordHasNoSecrets runs cases against a service that repeats every secret in every place.
func TestTheRecordHasNoSecrets(t *testing.T) {
	const app, turn, account, other, issued = "canary-app-4711", `canary "turn" 4711`, "canary-account-4711", "canary-other-4711", "canary-issued-4711"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Emu-Explain", "APP-1: you sent "+r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"success":true,"result":{"secret":"` + issued + `","key":"short"},"errorDescription":"` + app + `, ` + issued + `, ` + account + `, ` + other +
			`, canary \"turn\" 4711, a=ice-pwd:canary-ice\r\n, ws://x/?token=canary-token&y=1","iceServers":[{"username":"u","credential":"` + issued + `"}]}`))
	}))
	defer server.Close()
	target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: app, TURNKeyID: "key", TURNKeyToken: turn,
		AccountID: "account", AccountToken: account, OtherAccountToken: other}
	exchanges := 0
	for _, id := range []string{"session/new", "auth/scheme", "auth/secret", "account/app", "account/credentials", "account/foreign", "turn/revoked"} {
		result := conformance.Run(t.Context(), caseByID(t, id), target)
		text := strings.Join(result.Failures, "\n")
		for _, step := range result.Steps {
			text += step.Note + step.Failure
			if x := step.Exchange; x != nil {
				exchanges++
				text += x.String() + x.Request.Body + x.Response.Body + x.Broken
				for _, header := range []http.Header{x.Request.Header, x.Response.Header} {
					for name, values := range header {
						text += name + ": " + strings.Join(values, ", ") + "\n"
					}
				}
			}
		}
		for _, part := range []string{"canary", "anary", `"short"`, "tials 4711"} {
			if at := strings.Index(text, part); at >= 0 {
				t.Errorf("%s: a secret in the record: %s", id, text[max(0, at-100):min(len(text), at+100)])
			}
		}
	}
	if exchanges < 7 {
		t.Errorf("only %d exchanges were recorded", exchanges)
	}
}

func TestAnExchangeIsRecordedAsItWas(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Vary", "Origin")
		w.Header().Set("X-Other", "not of interest")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(`{"errorCode":"x"}`))
	}))
	defer server.Close()
	result := conformance.Run(t.Context(), caseByID(t, "session/new"), conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "a-secret"})
	x := result.Steps[0].Exchange
	if x == nil {
		t.Fatalf("the first step is %+v", result.Steps[0])
	}
	if x.Method != "POST" || x.URL != "/v1/apps/app/sessions/new" || x.Status != http.StatusTeapot || x.Response.Body != `{"errorCode":"x"}` ||
		x.Request.Header.Get("Authorization") != "Bearer ***" || x.Elapsed <= 0 ||
		len(x.Response.Header) != 1 && x.Response.Header.Get("Vary") != "Origin" || x.Response.Header.Get("X-Other") != "" {
		t.Errorf("recorded is %+v", x)
	}
	if last := result.Steps[len(result.Steps)-1]; last.Failure != result.Failures[len(result.Failures)-1] || last.At < result.Steps[0].At {
		t.Errorf("the last step is %+v", last)
	}
}

func TestTheServiceIsCalledAtAPace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Vary", "Origin")
		if r.Header.Get("Authorization") == "Bearer the-secret" {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{}`))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"errorCode":"unauthorized","errorDescription":"no"}`))
	}))
	defer server.Close()
	target, err := conformance.Probe(t.Context(), conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "the-secret"})
	if err != nil || target.Emulator {
		t.Fatalf("the service is taken for %+v, %v", target, err)
	}
	cases := slices.Repeat([]conformance.Case{caseByID(t, "auth/secret")}, 10) // of three calls each
	report := conformance.Suite{Target: target, Cases: cases}.Run(t.Context(), func(conformance.Event) {})
	if report.Count(conformance.Passed) != 10 || report.Elapsed < 900*time.Millisecond {
		t.Errorf("%d passed within %s: %v", report.Count(conformance.Passed), report.Elapsed, report.Outcomes[0].Result.Failures)
	}
}

func TestProbeSaysThatTheSecretIsWrong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	defer server.Close()
	_, err := conformance.Probe(t.Context(), conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "canary"})
	if err == nil || !strings.Contains(err.Error(), "refuses the app id") || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error is %v", err)
	}
}

// TestProbeSaysThatNoAPIAnswers: at a server of something else hundreds of cases would fail, and none would say why.
func TestProbeSaysThatNoAPIAnswers(t *testing.T) {
	const page = "text/html; charset=utf-8"
	for name, c := range map[string]struct {
		status         int
		kind, to, body string
		want           string
	}{
		"a page":               {200, page, "", "<html>", "not the Calls API: sessions/new gets status 200 with text/html; charset=utf-8 instead of a JSON object; the base URL is"},
		"a page that is gone":  {404, page, "", "<html>", "sessions/new gets status 404 with text/html"},
		"a proxy without it":   {502, "", "", "", "sessions/new gets status 502 instead of a JSON object"},
		"a list":               {200, "application/json", "", "[]", "status 200 with application/json instead of"},
		"a redirect":           {308, "", "https://elsewhere/v1", "", "sessions/new gets status 308 that leads to https://elsewhere/v1;"},
		"a wall":               {403, page, "", "<html>", "refuses the app id with its secret: status 403"},
		"an API at other path": {404, "application/json", "", `{"errorCode":"not_found"}`, "status 404; see --app-id and --app-secret, CALLS_APP_ID and CALLS_APP_SECRET; the base URL ends before /apps/"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			for name, value := range map[string]string{"Content-Type": c.kind, "Location": c.to} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		_, err := conformance.Probe(t.Context(), conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "canary"})
		server.Close()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestProbeSaysWhomToTrust(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	server.StartTLS()
	defer server.Close()
	_, err := conformance.Probe(t.Context(), conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "canary"})
	if err == nil || !strings.Contains(err.Error(), "not trusted (x509: ") || !strings.Contains(err.Error(), "--ca-file, CALLS_CA_FILE: callsemu ca") {
		t.Errorf("the error is %v", err)
	}
}

// TestProbeSaysWhichCredentialsAreRefused gives all, and then all but those that are refused.
func TestProbeSaysWhichCredentialsAreRefused(t *testing.T) {
	for part, c := range map[string]struct {
		status  int
		want    string
		without func(*conformance.Target)
	}{
		"/v1/turn/":  {http.StatusUnauthorized, "status 401; see --turn-key-id and --turn-key-token, CALLS_TURN_KEY_ID", func(t *conformance.Target) { t.TURNKeyID, t.TURNKeyToken = "", "" }},
		"/accounts/": {http.StatusForbidden, "status 403; see --account-url, --account-id and --account-token, CALLS_ACCOUNT_URL", func(t *conformance.Target) { t.AccountID, t.AccountToken = "", "" }},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, part) {
				w.WriteHeader(c.status)
			}
			_, _ = w.Write([]byte(`{}`))
		}))
		defer server.Close()
		target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "canary", TURNKeyID: "key", TURNKeyToken: "canary", AccountID: "account", AccountToken: "canary"}
		if _, err := conformance.Probe(t.Context(), target); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the error is %v", part, err)
		}
		c.without(&target)
		if _, err := conformance.Probe(t.Context(), target); err != nil {
			t.Errorf("%s not given: %v", part, err)
		}
	}
}

// TestProbeEndsWithoutAnAnswer: at a socket that takes requests and never answers, or never to the end, the error says which one it was.
func TestProbeEndsWithoutAnAnswer(t *testing.T) {
	for _, silent := range []string{"/v1/apps/77777777777777777777777777777777/sessions/new", "/readyz"} {
		for name, begins := range map[string]bool{"no answer": false, "half an answer": true} {
			t.Run(name+" to "+silent, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					hangs := roundTripper(func(r *http.Request) (*http.Response, error) {
						switch {
						case r.URL.Path != silent:
							return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Request: r}, nil
						case begins:
							return &http.Response{StatusCode: http.StatusOK, Body: hanging{r.Context()}, Request: r}, nil
						}
						<-r.Context().Done()
						return nil, r.Context().Err()
					})
					begun := time.Now()
					_, err := conformance.Probe(t.Context(), conformance.Target{BaseURL: "http://service", AppID: "app", Secret: "canary", HTTP: &http.Client{Transport: hangs}})
					if err == nil || strings.Count(err.Error(), "http://service"+silent) != 1 || !strings.Contains(err.Error(), "no answer within 15s") || time.Since(begun) != 15*time.Second {
						t.Errorf("after %s the error is %v", time.Since(begun), err)
					}
				})
			})
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// hanging is a body that ends with its request alone.
type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func (hanging) Close() error { return nil }

func TestProbeSaysThatAnySecretIsTaken(t *testing.T) {
	for _, careless := range []string{"/v1/apps/app/sessions/new", "/v1/turn/keys/key/credentials/generate-ice-servers"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/readyz":
				_, _ = w.Write([]byte(`{"mode":"dev"}`))
			case r.URL.Path != careless && strings.HasSuffix(r.Header.Get("Authorization"), "0"):
				w.WriteHeader(http.StatusUnauthorized)
			default:
				w.WriteHeader(http.StatusCreated)
				_, _ = w.Write([]byte(`{"iceServers":[{"urls":["turn:x"]}]}`))
			}
		}))
		defer server.Close()
		target := conformance.Target{BaseURL: server.URL, AppID: "app", Secret: "known", TURNKeyID: "key", TURNKeyToken: "known"}
		if _, err := conformance.Probe(t.Context(), target); err == nil || !strings.Contains(err.Error(), "takes any") {
			t.Errorf("%s: the error is %v", careless, err)
		}
	}
}

// TestAPeerBehindANATIsNotOpen: what a target can send to first is a public address, unless the target is inside itself.
func TestAPeerBehindANATIsNotOpen(t *testing.T) {
	for ip, want := range map[string]bool{
		"127.0.0.1": true, "10.1.2.3": true, "192.168.0.4": true, "100.64.0.1": true, "169.254.1.1": true, "::1": true, "fd00::1": true, "fe80::1": true,
		"100.128.0.1": false, "141.101.90.0": false, "2a06:98c1:3200::1": false,
	} {
		if conformance.Inside(ip) != want {
			t.Errorf("%s is inside: %t, want %t", ip, !want, want)
		}
	}
	service, _ := behindStandIn(t, ofItself(t), nil)
	if target := probed(t, service); target.Emulator || !slices.Contains(target.Has, conformance.OpenPeers) {
		t.Errorf("a service on this machine cannot send to its peers: %+v", target.Has)
	}
}
