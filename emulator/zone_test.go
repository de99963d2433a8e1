package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/fault"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/openapi"
)

// zone calls the control zone and holds the answer against emu.yaml; into may be nil.
func (r *rig) zone(method, path, body string, status int, into any) {
	r.t.Helper()
	a := r.do(method, "/_emu/"+path, strings.NewReader(body))
	if a.status != status {
		r.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, status)
	}
	if r.emu == nil {
		var err error
		if r.emu, err = openapi.LoadEmu(); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := r.emu.ValidateResponse(method, "/_emu/"+path, a.status, a.header, []byte(a.body)); err != nil {
		r.t.Error(err)
	}
	if status == 200 && body != "" {
		if err := r.emu.ValidateRequest(method, "/_emu/"+path, nil, []byte(body)); err != nil {
			r.t.Error(err)
		}
	}
	if into != nil {
		if err := json.Unmarshal([]byte(a.body), into); err != nil {
			r.t.Fatal(err)
		}
	}
}

// refusedZone expects a refusal whose text has all the parts.
func (r *rig) refusedZone(method, path, body string, status int, parts ...string) {
	r.t.Helper()
	var out struct{ Error string }
	r.zone(method, path, body, status, &out)
	for _, part := range parts {
		if !strings.Contains(out.Error, part) {
			r.t.Errorf("%s %s %s: no %q in %q", method, path, body, part, out.Error)
		}
	}
}

// TestZoneListsItsCallsAsItsFileDoes compares the answer of /_emu/ with emu.yaml, and tries every call of GET.
func TestZoneListsItsCallsAsItsFileDoes(t *testing.T) {
	d, err := openapi.LoadEmu()
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	var index struct {
		Calls []struct{ Method, Path, Summary string }
	}
	r.zone("GET", "", "", 200, &index)
	want := map[string]string{}
	for _, c := range index.Calls {
		want[c.Method+" "+c.Path] = c.Summary
		if c.Method != "GET" {
			continue
		}
		if a := r.do("GET", c.Path, nil); a.status != 200 {
			t.Errorf("%s answers %d", c.Path, a.status)
		}
	}
	for path, item := range d.Spec().Paths.Map() {
		for method, operation := range item.Operations() {
			call := method + " " + path
			if want[call] != operation.Summary {
				t.Errorf("%s: the zone lists %q, emu.yaml has %q", call, want[call], operation.Summary)
			}
			delete(want, call)
		}
	}
	for call := range want {
		t.Errorf("emu.yaml lacks %s", call)
	}
	if a := r.do("GET", "/_emu/nothing", nil); a.status != 404 || !strings.Contains(a.body, "/_emu/ lists them") {
		t.Errorf("a path that is none: %d %s", a.status, a.body)
	}
	if a := r.do("POST", "/_emu/", nil); a.status != 405 || a.header.Get("Allow") != "GET" {
		t.Errorf("POST: %d %v", a.status, a.header)
	}
}

func TestZoneAnswersUnderItsOwnNamesAlone(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Hosts, c.TLSNames = []string{" Calls.Example "}, []string{"tls.example"} })
	for host, status := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:99": 200, "[::1]:1473": 200, "[::1]": 200, "192.168.1.7:1473": 200,
		"localhost": 200, "LOCALHOST:80": 200, "app.localhost:1473": 200, "localhost.": 200,
		"callsemu:1473": 200, "host.docker.internal:1473": 200, "rtc.live.cloudflare.com": 200, "calls.example:1473": 200,
		"turn.cloudflare.com": 200, "stun.cloudflare.com": 200, "api.cloudflare.com": 200, "tls.example": 200, "cloudflare.com": 421,
		"evil.example": 421, "evil.example:1473": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"evillocalhost.example": 421, "sub.calls.example": 421, "rtc.live.cloudflare.com.evil.example": 421, ".": 421,
	} {
		for _, path := range []string{"state", "openapi.yaml", "nothing"} {
			want := status
			if status == 200 && path == "nothing" {
				want = 404
			}
			if a := r.doAs(host, "GET", zonePrefix+path); a.status != want {
				t.Errorf("Host %s: %s: got %d, want %d", host, path, a.status, want)
			}
		}
		if a := r.doAs(host, "POST", "/v1/apps/shop/sessions/new", bearerOK); a.status != 201 {
			t.Errorf("Host %s: the API answers %d", host, a.status)
		}
	}
}

// doAs sends a request with a Host of its own.
func (r *rig) doAs(host, method, path string, header ...string) answer {
	r.t.Helper()
	return r.do(method, path, nil, append(header, "Host: "+host)...)
}

func TestZoneIsClosedToPagesOfOtherOrigins(t *testing.T) {
	r := newRig(t)
	own := strings.TrimSuffix(r.e.BaseURL(), "/v1")
	for _, c := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"no page", "GET", nil, 200},
		{"own page", "GET", []string{"Origin: " + own, "Sec-Fetch-Site: same-origin"}, 200},
		{"own page behind TLS", "GET", []string{"Origin: " + strings.Replace(own, "http", "https", 1)}, 200},
		{"typed into the browser", "GET", []string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate"}, 200},
		{"link from elsewhere", "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		{"image from elsewhere", "GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"another page", "GET", []string{"Origin: https://evil.example"}, 403},
		{"another port", "GET", []string{"Origin: http://127.0.0.1:1"}, 403},
		{"longer name", "GET", []string{"Origin: " + own + ".evil.example"}, 403},
		{"sandbox", "GET", []string{"Origin: null"}, 403},
		{"empty", "GET", []string{"Origin: "}, 403},
		{"form", "POST", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 403},
		{"preflight", "OPTIONS", []string{"Origin: https://evil.example", "Access-Control-Request-Method: POST"}, 403},
	} {
		path := "state"
		if c.method == "POST" {
			path = "reset"
		}
		a := r.do(c.method, zonePrefix+path, nil, c.header...)
		if a.status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.status, a.body, c.status)
		}
		for name := range a.header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: the answer has %s", c.name, name)
			}
		}
	}
}

func TestZoneReadsStrictly(t *testing.T) {
	r := newRig(t)
	for body, parts := range map[string][]string{
		"":                                    {"not JSON", "ends early"},
		"{":                                   {"not JSON", "ends early"},
		`[1]`:                                 {"not an object"},
		`{"advance":"1s"} {}`:                 {"something follows"},
		`{"advance":"1s","advance":"2s"}`:     {`"advance" stands twice`},
		`{"Advance":"1s"}`:                    {`no field "Advance"`, "mode, advance"},
		`{"advance":1}`:                       {`"advance"`, "duration in quotes"},
		`{"advance":"soon"}`:                  {`"advance"`, "31s"},
		`{"advance":"-1s"}`:                   {`"advance"`, "31s"},
		`{"mode":7}`:                          {`"mode"`, "7 is not a"},
		`{"mode":"slow"}`:                     {"real or frozen"},
		`{}`:                                  {"either"},
		`{"mode":"frozen","advance":"1s"}`:    {"either"},
		`{"advance":"1s",}`:                   {"not JSON"},
		`{"advance":"1s"`:                     {"not JSON"},
		strings.Repeat(" ", 10) + `{"mode":}`: {`"mode"`, "not JSON"},
	} {
		r.refusedZone("POST", "clock", body, 400, parts...)
	}
	if a := r.do("POST", "/_emu/clock", strings.NewReader(strings.Repeat(" ", maxControl+1))); a.status != 413 {
		t.Errorf("a huge body: %d %s", a.status, a.body)
	}
	if a := r.do("DELETE", "/_emu/clock", nil); a.status != 405 || a.header.Get("Allow") != "GET, POST" {
		t.Errorf("DELETE: %d, allows %q", a.status, a.header.Get("Allow"))
	}
}

type clockOut struct {
	Ahead string
	Mode  string
	Now   time.Time
}

func TestFrozenClockMovesByAdvanceAlone(t *testing.T) {
	r := newRig(t)
	var began, frozen, moved, still, running clockOut
	r.zone("GET", "clock", "", 200, &began)
	r.zone("POST", "clock", `{"mode":"frozen"}`, 200, &frozen)
	r.zone("POST", "clock", `{"advance":"1h30m"}`, 200, &moved)
	r.zone("GET", "clock", "", 200, &still)
	r.zone("POST", "clock", `{"mode":"real"}`, 200, &running)
	if began.Mode != "real" || frozen.Mode != "frozen" || moved.Mode != "frozen" || running.Mode != "real" {
		t.Errorf("modes %v %v %v %v", began, frozen, moved, running)
	}
	if got := moved.Now.Sub(frozen.Now); got != 90*time.Minute || !still.Now.Equal(moved.Now) {
		t.Errorf("moved by %v, then to %v", got, still.Now)
	}
	ahead, err := time.ParseDuration(running.Ahead)
	if err != nil || began.Ahead != "0s" || ahead > 90*time.Minute || ahead < 90*time.Minute-patience {
		t.Errorf("ahead by %s, then by %s", began.Ahead, running.Ahead)
	}
}

func TestAdvanceExpiresASessionThatNeverConnects(t *testing.T) {
	r := newRig(t)
	id := r.newSession()
	r.zone("POST", "clock", `{"mode":"frozen"}`, 200, nil)
	var state stateOut
	r.zone("GET", "state?app=shop", "", 200, &state)
	timers := state.Apps[0].Sessions[0].Timers
	if len(timers) != 1 || timers[0].Rule != "never-connected" {
		t.Errorf("timers %+v", timers)
	}
	r.zone("POST", "clock", `{"advance":"59s"}`, 200, nil)
	if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 200 {
		t.Errorf("after 59 s: %d", a.status)
	}
	r.zone("POST", "clock", `{"advance":"1s"}`, 200, nil)
	if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 410 {
		t.Errorf("after 60 s: %d", a.status)
	}
}

func TestClockOfTheProgramIsLeftAlone(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Clock = clock.NewVirtual(time.Unix(1e9, 0)) })
	var out clockOut
	r.zone("GET", "clock", "", 200, &out)
	if out.Mode != "program" || out.Now.Unix() != 1e9 {
		t.Errorf("got %+v", out)
	}
	r.refusedZone("POST", "clock", `{"advance":"1s"}`, 409, "its own clock")
}

type stateOut struct {
	Mode, Clock, Contract string
	Apps                  []struct {
		AppID    string
		Sessions []struct {
			SessionID, Transport string
			Timers               []struct{ Rule, Left string }
		}
	}
}

func TestStateAndResetOfOneAppOrAll(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	for _, app := range []string{"x", "y"} {
		r.do("POST", "/v1/apps/"+app+"/sessions/new", nil, "Authorization: Bearer any")
		r.zone("POST", "faults", `{"app":"`+app+`","code":"internal_error"}`, 200, nil)
	}
	var state stateOut
	r.zone("GET", "state", "", 200, &state)
	if state.Mode != "dev" || state.Clock != "real" || state.Contract != "newest" || len(state.Apps) != 3 {
		t.Errorf("state %+v", state)
	}
	r.zone("GET", "state?app=x", "", 200, &state)
	if len(state.Apps) != 1 || state.Apps[0].AppID != "x" || len(state.Apps[0].Sessions) != 1 || state.Apps[0].Sessions[0].Transport != "new" {
		t.Errorf("state of x: %+v", state)
	}
	var gone struct {
		Apps     []string
		Sessions []struct{ AppID, SessionID string }
		Faults   int
	}
	r.zone("POST", "reset", `{"app":"x"}`, 200, &gone)
	if !slices.Equal(gone.Apps, []string{"x"}) || len(gone.Sessions) != 1 || gone.Sessions[0].AppID != "x" || gone.Faults != 1 {
		t.Errorf("reset of x: %+v", gone)
	}
	r.zone("POST", "reset?app=none", "", 200, &gone)
	if len(gone.Apps)+len(gone.Sessions)+gone.Faults != 0 {
		t.Errorf("reset of an app that is not there: %+v", gone)
	}
	r.refusedZone("POST", "reset?app=y", `{"app":"x"}`, 400, "the query says")
	r.refusedZone("POST", "reset?ap=y", "", 400, `"ap"`)
	r.zone("POST", "reset", "", 200, &gone)
	if !slices.Equal(gone.Apps, []string{"y"}) || len(gone.Sessions) != 1 || gone.Faults != 1 {
		t.Errorf("reset of all: %+v", gone)
	}
}

func TestSettingsChangeAtRunTimeAllOrNone(t *testing.T) {
	r := newRig(t)
	id := r.newSession()
	var before, after map[string]any
	r.zone("GET", "settings", "", 200, &before)
	for _, rule := range session.RuleTable() {
		if fmt.Sprint(before[rule.Name]) == "" || before[rule.Name] == nil {
			t.Errorf("no value of %s: %v", rule.Name, before)
		}
	}
	if before["max-tracks"] != 64.0 || before["transport-wait"] != "5s" {
		t.Errorf("before: %v", before)
	}
	r.zone("PUT", "settings", `{"max-tracks":1,"transport-wait":"10ms","advertise":["192.0.2.7:9","192.0.2.8"]}`, 200, &after)
	if after["max-tracks"] != 1.0 || after["transport-wait"] != "10ms" || fmt.Sprint(after["advertise"]) != "[192.0.2.7:9 192.0.2.8]" {
		t.Errorf("after: %v", after)
	}
	if got := r.e.Candidates()[0].Addr.String(); got != "192.0.2.7:9" {
		t.Errorf("offers %s", got)
	}
	two := `{"tracks":[{"sessionId":"a","trackName":"b"},{"sessionId":"a","trackName":"c"}]}`
	if a := r.do("POST", "/v1/apps/shop/sessions/"+id+"/tracks/new", strings.NewReader(two), bearerOK); a.code() != "invalid_params" {
		t.Errorf("two tracks: %d %s", a.status, a.body)
	}
	r.refusedZone("PUT", "settings", `{"max-tracks":5,"max-trakcs":5}`, 400, `"max-trakcs"`, "max-tracks", "advertise", "estimates")
	r.refusedZone("PUT", "settings", `{"max-tracks":5,"transport-wait":"soon"}`, 400, "transport-wait", "soon")
	r.refusedZone("PUT", "settings", `{"max-tracks":-5}`, 400, "max-tracks")
	r.refusedZone("PUT", "settings", `{"advertise":"192.0.2.7"}`, 400, "list such as")
	r.refusedZone("PUT", "settings", `{"advertise":["my.host"]}`, 400, "my.host")
	r.refusedZone("PUT", "settings", `{"estimates":{"none":1}}`, 400, `no session "none"`)
	r.refusedZone("PUT", "settings", `{"estimates":7}`, 400, "object such as")
	r.zone("PUT", "settings", `{"estimates":{"`+id+`":300000},"advertise":[]}`, 200, &after)
	if after["max-tracks"] != 1.0 || fmt.Sprint(after["advertise"]) != "[]" {
		t.Errorf("after refusals: %v", after)
	}
}

func TestResetPutsSettingsBackToThoseOfTheStart(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Advertise = []string{"192.0.2.1:7"}
		c.Rules.MaxTracks = 5
		c.Rules.MaxBody = 128 << 20 // more than a setting may be
	})
	id := r.newSession()
	var began, changed, after map[string]any
	r.zone("GET", "settings", "", 200, &began)
	r.zone("PUT", "settings", `{"max-tracks":1,"max-body":10000,"transport-wait":"10ms","advertise":[],"estimates":{"`+id+`":300000}}`, 200, &changed)
	r.refusedZone("POST", "reset", `{"settings":true,"app":"shop"}`, 400, "those of every app")
	r.refusedZone("POST", "reset?app=shop", `{"settings":true}`, 400, "those of every app")
	r.zone("POST", "reset", `{"settings":false}`, 200, nil)
	r.zone("GET", "settings", "", 200, &after)
	changed["estimates"] = map[string]any{} // its session is gone
	if !reflect.DeepEqual(after, changed) {
		t.Errorf("after a reset without settings: %v, want %v", after, changed)
	}
	id = r.newSession()
	r.zone("PUT", "settings", `{"estimates":{"`+id+`":300000}}`, 200, nil)
	r.zone("POST", "reset", `{"settings":true}`, 200, nil)
	r.zone("GET", "settings", "", 200, &after)
	if !reflect.DeepEqual(after, began) {
		t.Errorf("after a reset of settings: %v, want %v", after, began)
	}
	if got := r.e.Candidates()[0].Addr.String(); got != "192.0.2.1:7" {
		t.Errorf("offers %s", got)
	}
}

func TestSmallerBodyLimitHoldsAtOnce(t *testing.T) {
	r := newRig(t)
	r.zone("PUT", "settings", `{"max-body":10}`, 200, nil)
	if a := r.do("POST", "/v1/apps/shop/sessions/new", strings.NewReader(`{"sessionDescription":{}}`), bearerOK); a.status != 413 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestFaultRulesFailCalls(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	id := r.newSession()
	pull := `{"tracks":[{"sessionId":"a","trackName":"b"},{"sessionId":"a","trackName":"c"}]}`
	var rule struct {
		ID           string
		Seed         float64
		Matched, Hit int
	}
	r.zone("POST", "faults", `{"app":"shop","session":"`+id+`","operation":"newTracks","item":1,"code":"backend_error","count":1}`, 200, &rule)
	if rule.ID == "" || rule.Seed == 0 {
		t.Errorf("rule %+v", rule)
	}
	a := r.do("POST", "/v1/apps/shop/sessions/"+id+"/tracks/new", strings.NewReader(pull), bearerOK)
	var out struct {
		Tracks []struct{ Mid, ErrorCode string }
	}
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 || out.Tracks[0].ErrorCode != "not_found_track_error" ||
		out.Tracks[1].ErrorCode != "backend_error" || out.Tracks[1].Mid != "" {
		t.Errorf("item: %d %s", a.status, a.body)
	}
	why := a.header.Values(explainHeader)
	if !slices.ContainsFunc(why, func(s string) bool { return strings.HasPrefix(s, "FLT-1: tracks[1] failed by rule "+rule.ID) }) {
		t.Errorf("explained by %q", why)
	}
	for code, status := range map[string]int{"session_error": 425, "retryable_transient_error": 503, "payload_too_large": 413, "not_found": 404} {
		r.zone("DELETE", "faults", "", 200, nil)
		r.zone("POST", "faults", fmt.Sprintf(`{"operation":"getSession","code":%q,"status":%d,"count":1}`, code, status), 200, nil)
		a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK)
		if a.status != status || a.code() != code {
			t.Errorf("%s: %d %s", code, a.status, a.body)
		}
		if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 200 {
			t.Errorf("after %s: %d %s", code, a.status, a.body)
		}
	}
	var list struct {
		Faults []struct{ Matched, Hit int }
	}
	r.zone("GET", "faults", "", 200, &list)
	if len(list.Faults) != 1 || list.Faults[0].Matched != 2 || list.Faults[0].Hit != 1 {
		t.Errorf("list %+v", list)
	}
}

func TestFaultAfterTheEffectHidesIt(t *testing.T) {
	r := newRig(t)
	r.zone("POST", "faults", `{"operation":"newSession","code":"internal_error","when":"after","count":1}`, 200, nil)
	if a := r.do("POST", "/v1/apps/shop/sessions/new", nil, bearerOK); a.status != 500 || a.code() != "internal_error" {
		t.Errorf("got %d %s", a.status, a.body)
	}
	var state stateOut
	r.zone("GET", "state", "", 200, &state)
	if len(state.Apps[0].Sessions) != 1 {
		t.Errorf("the session was not made: %+v", state)
	}
}

func TestWrongFaultRuleIsRefusedWithTheReason(t *testing.T) {
	r := newRig(t)
	for body, part := range map[string]string{
		`{"code":"oops"}`:                       "no error code is called",
		`{"code":"internal_error","nth":"1"}`:   `"nth": "1" is not a whole number`,
		`{"code":"internal_error","seed":-1}`:   `"seed": -1 is not a whole number`,
		`{"code":"internal_error","delay":0.5}`: "duration in quotes",
		`{"code":"internal_error","op":"x"}`:    "app, session, key, account, operation",
	} {
		r.refusedZone("POST", "faults", body, 400, part)
	}
	r.refusedZone("DELETE", "faults/fault-9", "", 404, "GET /_emu/faults")
	var rule struct{ ID string }
	r.zone("POST", "faults", `{"delay":"1ms"}`, 200, &rule)
	r.zone("DELETE", "faults/"+rule.ID, "", 200, nil)
}

func TestFaultsKnowTheOperationsOfTheAPI(t *testing.T) {
	want := []string{session.OpNewSession, session.OpGetSession, session.OpNewTracks, session.OpUpdateTracks, session.OpCloseTracks,
		session.OpRenegotiate, session.OpEstablishData, session.OpNewChannels, session.OpUpdateChannels, session.OpCloseChannels,
		session.OpNewAdapters, session.OpCloseAdapters}
	var served []string
	for _, route := range routes(nil) {
		served = append(served, route.operation)
	}
	for _, name := range want {
		if !slices.Contains(served, name) {
			t.Errorf("no route is called %s: %v", name, served)
		}
	}
	for _, route := range new(credentialAPI).routes() {
		want = append(want, route.operation)
	}
	for _, kind := range []account.Kind{account.App, account.TURNKey} {
		for _, route := range new(accountAPI).routes() {
			want = append(want, route.names[kind])
		}
	}
	if !slices.Equal(fault.Operations, want) {
		t.Errorf("fault has %v, the API %v", fault.Operations, want)
	}
	zone, err := openapi.LoadEmu()
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, name := range zone.Spec().Components.Schemas["FaultRule"].Value.Properties["operation"].Value.Enum {
		told = append(told, name.(string))
	}
	if !slices.Equal(told, want) {
		t.Errorf("emu.yaml has %v, the API %v", told, want)
	}
}

func TestZoneStaysInEveryModeUnlessSwitchedOff(t *testing.T) {
	for _, mode := range []session.Mode{session.ModeDev, session.ModeReal, session.ModeStrict} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = mode })
			r.zone("GET", "state", "", 200, nil)
		})
	}
	r := newRig(t, func(c *Config) { c.HideEmu = true })
	for _, c := range (&zone{}).controls() {
		if a := r.do(c.method, zonePrefix+c.path, nil); a.status != http.StatusNotFound {
			t.Errorf("%s %s: %d", c.method, c.path, a.status)
		}
	}
}

func TestRealAndStrictOfferTheFirstUDPAddressAlone(t *testing.T) {
	for mode, want := range map[session.Mode]string{session.ModeDev: "udp tcp", session.ModeReal: "udp", session.ModeStrict: "udp"} {
		t.Run(mode.String(), func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = mode })
			var list []string
			for _, c := range describe(r.e.Candidates()) {
				list = append(list, c.Protocol)
			}
			if got := strings.Join(list, " "); got != want {
				t.Errorf("offers %s, want %s", got, want)
			}
		})
	}
}

func TestReadmeHasTheTableOfDeviations(t *testing.T) {
	if !strings.Contains(readFile(t, "../README.md"), "\n"+DeviationTable()) {
		t.Errorf("README.md does not have this table, word for word:\n%s", DeviationTable())
	}
}

// TestAnAdvanceMeetsWhatWasMadeJustBeforeIt: a session's deadline is known to the clock from its making on.
func TestAnAdvanceMeetsWhatWasMadeJustBeforeIt(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	for range 300 {
		id := r.newSession()
		r.zone("POST", "clock", `{"advance":"61s"}`, 200, nil)
		if a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK); a.status != 410 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
}
