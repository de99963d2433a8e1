package emulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

const accountToken40, otherToken40 = "token-of-the-first-account", "token-of-the-other-account"

const asAccount = "Authorization: Bearer " + accountToken40

func withAccounts(c *Config) {
	c.Accounts = map[string]string{"first": accountToken40, "other": otherToken40}
	c.TURNKeys = map[string]string{"seeded": "token-of-the-seeded-key"}
}

// envelope is an answer of the account API.
type envelope struct {
	answer
	wire.Envelope
	result map[string]any // of one item
}

// ask sends a call of the account API and checks what holds for every answer.
func (r *rig) ask(method, path, body string, header ...string) envelope {
	r.t.Helper()
	e := envelope{answer: r.do(method, path, strings.NewReader(body), header...)}
	if err := json.Unmarshal([]byte(e.body), &e.Envelope); err != nil {
		r.t.Fatalf("%s %s: %s", method, path, e.body)
	}
	if e.Errors == nil || e.Messages == nil || len(e.Messages) != 0 || e.Success != (e.status < 300) || e.Success != (len(e.Errors) == 0) ||
		e.header.Get("Content-Type") != "application/json" || e.header.Get("Access-Control-Allow-Origin") != "" {
		r.t.Errorf("%s %s: %d %v %s", method, path, e.status, e.header, e.body)
	}
	if !e.Success && e.Result != nil {
		r.t.Errorf("%s %s: a failure with a result: %s", method, path, e.body)
	}
	e.result, _ = e.Result.(map[string]any)
	return e
}

func TestAccountAPIManagesBothKinds(t *testing.T) {
	for path, kind := range map[string]account.Kind{"apps": account.App, "turn_keys": account.TURNKey} {
		t.Run(path, func(t *testing.T) {
			r := newRig(t, withAccounts)
			base := "/client/v4/accounts/first/calls/" + path
			had := len(r.e.accounts.List(kind, "first")) // the seeded one

			made := r.ask("POST", base, `{"name":"mine","more":1}`, asAccount)
			id, _ := made.result["uid"].(string)
			secret, _ := made.result["secret"].(string)
			if made.status != 201 || len(id) != 32 || len(secret) != 64 || made.result["name"] != "mine" {
				t.Fatalf("create: %d %s", made.status, made.body)
			}
			if key, ok := made.result["key"]; ok != (kind == account.TURNKey) || ok && key != secret {
				t.Errorf("create: key %v", key)
			}
			if _, err := time.Parse(time.RFC3339, made.result["created"].(string)); err != nil || made.result["modified"] != made.result["created"] {
				t.Errorf("create: %v, %s", err, made.body)
			}
			if r.e.accounts.Check(kind, id, secret) != account.Right {
				t.Error("the secret is not the item's")
			}

			for _, c := range []struct{ method, body, name string }{
				{"GET", "", "mine"}, {"PUT", `{"name":"yours"}`, "yours"}, {"PUT", `{}`, "yours"}, {"PUT", ``, "yours"},
				{"PUT", `{"name":null}`, "yours"}, {"PUT", `{"name":""}`, ""}, {"GET", "", ""},
			} {
				got := r.ask(c.method, base+"/"+id, c.body, asAccount)
				if got.status != 200 || got.result["uid"] != id || got.result["name"] != c.name || len(got.result) != 4 {
					t.Errorf("%s %s: %d %s", c.method, c.body, got.status, got.body)
				}
			}
			unnamed := r.ask("POST", base, ``, asAccount)
			if unnamed.status != 201 || unnamed.result["name"] != "" {
				t.Errorf("create without a body: %d %s", unnamed.status, unnamed.body)
			}
			list := r.ask("GET", base, "", asAccount)
			if items := list.Result.([]any); list.status != 200 || len(items) != had+2 || strings.Contains(list.body, secret) {
				t.Errorf("list: %d %s", list.status, list.body)
			}
			if items := r.ask("GET", strings.Replace(base, "first", "other", 1), "", "X-Auth-Email: a@example.com", "X-Auth-Key: "+otherToken40).
				Result.([]any); len(items) != had {
				t.Errorf("another account sees %v", items)
			}

			gone := r.ask("DELETE", base+"/"+id, "", asAccount)
			if gone.status != 200 || gone.result["uid"] != id || len(gone.result) != 4 {
				t.Errorf("delete: %d %s", gone.status, gone.body)
			}
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				if got := r.ask(method, base+"/"+id, "", asAccount); got.status != 404 {
					t.Errorf("%s after the end: %d %s", method, got.status, got.body)
				}
			}
			if strings.Contains(string(r.log.Bytes()), secret) || strings.Contains(string(r.log.Bytes()), accountToken40) {
				t.Error("a secret is in the log")
			}
		})
	}
}

func TestNamesOfTheAccountAPIAreCountedInCharacters(t *testing.T) {
	r := newRig(t, withAccounts)
	for n, status := range map[int]int{account.MaxName: 201, account.MaxName + 1: 400} {
		if got := r.ask("POST", "/client/v4/accounts/first/calls/apps", `{"name":"`+strings.Repeat("é", n)+`"}`, asAccount); got.status != status {
			t.Errorf("%d characters: %d %s", n, got.status, got.body)
		}
	}
}

func TestRefusalsOfTheAccountAPI(t *testing.T) {
	r := newRig(t, withAccounts, func(c *Config) { c.Rules.MaxBody = 4000 })
	apps := "/client/v4/accounts/first/calls/apps"
	long := strings.Repeat("x", account.MaxName+1)
	for _, c := range []struct {
		name, method, path, body, header string
		status, code                     int
		pointer                          string
	}{
		{"no credentials", "GET", apps, "", "", 400, 9106, ""},
		{"another scheme", "GET", apps, "", "Authorization: Basic eDp5", 400, 9106, ""},
		{"Bearer without a token", "GET", apps, "", "Authorization: Bearer ", 400, 9106, ""},
		{"a key without an address", "GET", apps, "", "X-Auth-Key: " + accountToken40, 400, 9106, ""},
		{"no credentials before the path", "GET", "/client/v4/zones", "", "", 400, 9106, ""},
		{"wrong token", "GET", apps, "", "Authorization: Bearer wrong-token", 401, 10000, ""},
		{"wrong token before the method", "PATCH", apps, "", "Authorization: Bearer wrong-token", 401, 10000, ""},
		{"wrong token before the body", "POST", apps, "{", "Authorization: Bearer wrong-token", 401, 10000, ""},
		{"unknown account", "GET", "/client/v4/accounts/third/calls/apps", "", "Authorization: Bearer wrong-token", 401, 10000, ""},
		{"another account's token", "GET", apps, "", "Authorization: Bearer " + otherToken40, 403, 10002, ""},
		{"another account", "GET", "/client/v4/accounts/third/calls/apps", "", asAccount, 403, 10002, ""},
		{"impossible account", "GET", "/client/v4/accounts/" + strings.Repeat("1", 33) + "/calls/apps", "", asAccount, 404, 7003, ""},
		{"no such product", "GET", "/client/v4/zones", "", asAccount, 404, 7003, ""},
		{"no such path", "GET", "/client/v4/accounts/first/calls/app", "", asAccount, 404, 7003, ""},
		{"trailing slash", "GET", apps + "/", "", asAccount, 404, 7003, ""},
		{"too deep", "GET", apps + "/1/2", "", asAccount, 404, 7003, ""},
		{"method of the list", "DELETE", apps, "", asAccount, 405, 7001, ""},
		{"method of an item", "PATCH", apps + "/x", "", asAccount, 405, 7001, ""},
		{"preflight", "OPTIONS", apps, "", asAccount, 405, 7001, ""},
		{"no JSON", "POST", apps, "{", asAccount, 400, 6007, ""},
		{"no object", "POST", apps, `["name"]`, asAccount, 400, 6007, ""},
		{"name is no string", "POST", apps, `{"name":7}`, asAccount, 400, 6007, "/name"},
		{"name too long", "POST", apps, `{"name":"` + long + `"}`, asAccount, 400, 6007, "/name"},
		{"too large", "POST", apps, `{"name":"` + strings.Repeat("x", 5000) + `"}`, asAccount, 413, 413, ""},
		{"unknown app", "GET", apps + "/" + strings.Repeat("0", 32), "", asAccount, 404, 20007, ""},
		{"unknown key", "GET", "/client/v4/accounts/first/calls/turn_keys/x", "", asAccount, 404, 20008, ""},
		{"an app is no key", "DELETE", "/client/v4/accounts/first/calls/turn_keys/" + appID, "", asAccount, 404, 20008, ""},
		{"body before the id", "PUT", apps + "/x", "{", asAccount, 400, 6007, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := []string{"Origin: https://page.example"}
			if c.header != "" {
				header = append(header, c.header)
			}
			got := r.ask(c.method, c.path, c.body, header...)
			if got.status != c.status || got.Errors[0].Code != c.code || got.Errors[0].Message == "" || strings.Contains(got.body, "%") {
				t.Errorf("got %d %s, want %d with %d", got.status, got.body, c.status, c.code)
			}
			if pointer := got.Errors[0].Source; (pointer != nil) != (c.pointer != "") || pointer != nil && pointer.Pointer != c.pointer {
				t.Errorf("points at %v", got.body)
			}
			if got.header.Get(explainHeader) != "" {
				t.Error("it explains itself in real mode")
			}
		})
	}
	if log := string(r.log.Bytes()); strings.Contains(log, otherToken40) || !strings.Contains(log, "ACC-3: account first: the token is that of another account") {
		t.Errorf("log\n%s", log)
	}
}

func TestAccountAPIInDevModeTakesAnyAccountAndExplains(t *testing.T) {
	r := newRig(t, withAccounts, func(c *Config) { c.Mode = session.ModeDev })
	made := r.ask("POST", "/client/v4/accounts/anybody/calls/apps", `{"name":"x"}`, "Authorization: Bearer anything")
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	got := r.ask("GET", "/client/v4/accounts/first/calls/apps", "", "Authorization: Bearer anything")
	if got.status != 401 || !strings.HasPrefix(got.header.Get(explainHeader), "ACC-2: ") {
		t.Errorf("a seeded account: %d %q", got.status, got.header.Get(explainHeader))
	}
}

// TestAccountsBeginWithWhatWasSeeded: an app and a key that were made up at the start are in the account of the start message alone.
func TestAccountsBeginWithWhatWasSeeded(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*Config)
		want map[string]int // by path, how many a list has
	}{
		"nothing": {func(c *Config) { c.Apps = nil }, map[string]int{"first/calls/apps": 1, "first/calls/turn_keys": 1,
			"second/calls/apps": 0, "second/calls/turn_keys": 0, "other/calls/apps": 0, "other/calls/turn_keys": 0}},
		"an app": {func(*Config) {}, map[string]int{"first/calls/apps": 1, "first/calls/turn_keys": 1,
			"second/calls/apps": 1, "second/calls/turn_keys": 0, "other/calls/apps": 1, "other/calls/turn_keys": 0}},
		"a key": {func(c *Config) { c.Apps, c.TURNKeys = nil, map[string]string{"k": "t"} }, map[string]int{"first/calls/apps": 1, "first/calls/turn_keys": 1,
			"second/calls/apps": 0, "second/calls/turn_keys": 1, "other/calls/apps": 0, "other/calls/turn_keys": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) {
				c.Mode = session.ModeDev
				c.Accounts = map[string]string{"second": "token-second", "first": "token-first"}
			}, c.edit)
			for path, want := range c.want {
				of, _, _ := strings.Cut(path, "/")
				a := r.do("GET", "/client/v4/accounts/"+path, nil, "Authorization: Bearer token-"+of)
				var list struct{ Result []wire.AccountItem }
				if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 || len(list.Result) != want {
					t.Errorf("%s has %d, want %d: %s", path, len(list.Result), want, a.body)
				}
			}
			if a := r.do("POST", "/v1/apps/"+r.e.AppID()+"/sessions/new", nil, "Authorization: Bearer "+r.e.Secret()); a.status != 201 {
				t.Errorf("the app of the start: %d", a.status)
			}
		})
	}
}

func TestAppFromTheAccountAPIWorksAtOnceAndEndsAtOnce(t *testing.T) {
	for _, mode := range []session.Mode{session.ModeDev, session.ModeReal} {
		t.Run(mode.String(), func(t *testing.T) { usesAndDeletesAnApp(t, mode) })
	}
}

func usesAndDeletesAnApp(t *testing.T, mode session.Mode) {
	r := newRig(t, withAccounts, func(c *Config) { c.Mode = mode })
	made := r.ask("POST", "/client/v4/accounts/first/calls/apps", `{}`, asAccount)
	id, token := made.result["uid"].(string), "Authorization: Bearer "+made.result["secret"].(string)
	if got := r.do(http.MethodPost, "/v1/apps/"+id+"/sessions/new", nil, bearerOK); got.status != 401 {
		t.Errorf("with another secret: %d %s", got.status, got.body)
	}
	got := r.do(http.MethodPost, "/v1/apps/"+id+"/sessions/new", nil, token)
	var created wire.NewSessionResponse
	if err := json.Unmarshal([]byte(got.body), &created); err != nil || got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	r.ask("DELETE", "/client/v4/accounts/first/calls/apps/"+id, "", asAccount)
	if got := r.do(http.MethodGet, "/v1/apps/"+id+"/sessions/"+created.SessionID, nil, token); got.status != 404 || got.code() != "not_found" {
		t.Errorf("after the end: %d %s", got.status, got.body)
	}
	if state := r.do(http.MethodGet, "/_emu/state", nil); strings.Contains(state.body, created.SessionID) {
		t.Error("the session is still there")
	}
}
