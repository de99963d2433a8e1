package emulator

import (
	"net/http"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
)

// TestFaultRulesReachCredentialsAndTheAccount has each of these calls fail once, then succeed, while that of another key or account
// is left alone.
func TestFaultRulesReachCredentialsAndTheAccount(t *testing.T) {
	const keys, accounts = "/v1/turn/keys/", "/client/v4/accounts/"
	for operation, c := range map[string]struct {
		method, path, rule string // %1 stands for a key or account, %2 for an item that it has
		status             int
	}{
		"generateIceServers":  {"POST", keys + "%1/credentials/generate-ice-servers", `"key":"%1"`, 201},
		"generateCredentials": {"POST", keys + "%1/credentials/generate", `"key":"%1"`, 201},
		"revokeCredential":    {"POST", keys + "%1/credentials/name/revoke", `"key":"%1"`, 204},
		"listApps":            {"GET", accounts + "%1/calls/apps", `"account":"%1"`, 200},
		"createApp":           {"POST", accounts + "%1/calls/apps", `"account":"%1"`, 201},
		"getApp":              {"GET", accounts + "%1/calls/apps/%2", `"account":"%1"`, 200},
		"updateApp":           {"PUT", accounts + "%1/calls/apps/%2", `"app":"%2"`, 200},
		"deleteApp":           {"DELETE", accounts + "%1/calls/apps/%2", `"app":"%2"`, 200},
		"listTurnKeys":        {"GET", accounts + "%1/calls/turn_keys", `"account":"%1"`, 200},
		"createTurnKey":       {"POST", accounts + "%1/calls/turn_keys", `"account":"%1"`, 201},
		"getTurnKey":          {"GET", accounts + "%1/calls/turn_keys/%2", `"account":"%1"`, 200},
		"updateTurnKey":       {"PUT", accounts + "%1/calls/turn_keys/%2", `"key":"%2"`, 200},
		"deleteTurnKey":       {"DELETE", accounts + "%1/calls/turn_keys/%2", `"key":"%2"`, 200},
	} {
		t.Run(operation, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
			kind := account.App
			if strings.Contains(c.path, "turn_keys") {
				kind = account.TURNKey
			}
			ask := func(owner, item string) answer {
				fill := strings.NewReplacer("%1", owner, "%2", item)
				return r.do(c.method, fill.Replace(c.path), strings.NewReader(`{"ttl":60}`), "Authorization: Bearer any")
			}
			mine, _, _ := r.e.accounts.Create(kind, "mine", "a")
			other, _, _ := r.e.accounts.Create(kind, "other", "b")
			rule := `{"operation":"` + operation + `",` + strings.NewReplacer("%1", "mine", "%2", mine.ID).Replace(c.rule) + `,"code":"internal_error","count":1}`
			r.zone("POST", "faults", rule, http.StatusOK, nil)
			if a := ask("other", other.ID); a.status != c.status {
				t.Errorf("another's call: %d %s", a.status, a.body)
			}
			form := `{"errorCode":"internal_error","errorDescription":"Backend error"}`
			if strings.Contains(c.path, "/accounts/") {
				form = `{"success":false,"errors":[{"code":500,"message":"Backend error"}],"messages":[],"result":null}`
			}
			if a := ask("mine", mine.ID); a.status != 500 || strings.TrimSpace(a.body) != form || !strings.HasPrefix(a.header.Get(explainHeader), "FLT-1: ") {
				t.Errorf("the call that fails: %d %s, explained by %q", a.status, a.body, a.header.Get(explainHeader))
			}
			if a := ask("mine", mine.ID); a.status != c.status {
				t.Errorf("the call behind it: %d %s", a.status, a.body)
			}
		})
	}
}

// TestFaultOfTheAccountTakesItsSideAndItsCode: bad bodies use up no rule, and what an answer hides has happened nevertheless.
func TestFaultOfTheAccountTakesItsSideAndItsCode(t *testing.T) {
	r := newRig(t, withAccounts)
	const apps = "/client/v4/accounts/first/calls/apps"
	had := len(r.e.accounts.List(account.App, "first"))
	for _, c := range []struct {
		rule         string
		status, code int
		made         int
	}{
		{`{"operation":"createApp","code":"internal_error","count":1}`, 500, 500, 0},
		{`{"operation":"createApp","code":"internal_error","when":"after","count":1}`, 500, 500, 1},
		{`{"operation":"createApp","code":"403","count":1}`, 403, 403, 1},
		{`{"account":"first","code":"temporarily_unavailable_error","count":1}`, 503, 503, 1},
	} {
		r.zone("POST", "faults", c.rule, http.StatusOK, nil)
		if e := r.ask("POST", apps, `{"name":1}`, asAccount); e.status != 400 {
			t.Errorf("%s: a bad body is answered %d %s", c.rule, e.status, e.body)
		}
		e := r.ask("POST", apps, `{"name":"x"}`, asAccount)
		if e.status != c.status || len(e.Errors) != 1 || e.Errors[0].Code != c.code {
			t.Errorf("%s: %d %s", c.rule, e.status, e.body)
		}
		if n := len(r.e.accounts.List(account.App, "first")) - had; n != c.made {
			t.Errorf("%s: %d apps were made, want %d", c.rule, n, c.made)
		}
	}
	r.refusedZone("POST", "faults", `{"operation":"getApp","code":"7003"}`, 400, "no error code is called", "20007")
}
