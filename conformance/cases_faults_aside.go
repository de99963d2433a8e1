package conformance

import (
	"context"
	"net/http"
	"strings"
)

// faultyAside is a call beside the SFU's, with what it answers when nothing goes wrong.
type faultyAside struct {
	operation, method string
	path              string // below that of the key or of the account; where it ends in a slash the id of an item follows
	status            int
}

// faultyCredentials are the calls of contract 7.3, faultyAccount those of contract 8.
var (
	faultyCredentials = []faultyAside{
		{"generateIceServers", http.MethodPost, "/generate-ice-servers", http.StatusCreated},
		{"generateCredentials", http.MethodPost, "/generate", http.StatusCreated},
		{"revokeCredential", http.MethodPost, "/nobody/revoke", http.StatusNoContent},
	}
	faultyAccount = []faultyAside{
		{"listApps", http.MethodGet, "/calls/apps", http.StatusOK},
		{"createApp", http.MethodPost, "/calls/apps", http.StatusCreated},
		{"getApp", http.MethodGet, "/calls/apps/", http.StatusOK},
		{"updateApp", http.MethodPut, "/calls/apps/", http.StatusOK},
		{"deleteApp", http.MethodDelete, "/calls/apps/", http.StatusOK},
		{"listTurnKeys", http.MethodGet, "/calls/turn_keys", http.StatusOK},
		{"createTurnKey", http.MethodPost, "/calls/turn_keys", http.StatusCreated},
		{"getTurnKey", http.MethodGet, "/calls/turn_keys/", http.StatusOK},
		{"updateTurnKey", http.MethodPut, "/calls/turn_keys/", http.StatusOK},
		{"deleteTurnKey", http.MethodDelete, "/calls/turn_keys/", http.StatusOK},
	}
)

func faultAsideCases() (cases []Case) {
	for _, f := range faultyCredentials {
		cases = append(cases, Case{
			ID: "fault/" + f.operation, Sentence: "At " + f.operation + " trouble of the service can be made to happen, and has its documented form.",
			Section: "7.3, 1.2", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TURN, OpenApps}, Operations: []string{f.operation},
			Codes: []string{"internal_error/500"}, Run: func(ctx context.Context, t *T) { t.faultOfKey(ctx, f) },
		})
	}
	for _, f := range faultyAccount {
		c := Case{
			ID: "fault/" + f.operation, Sentence: "At " + f.operation + " trouble of the service can be made to happen, in the envelope of the account API.",
			Section: "8, 1.2", Mark: Inferred, EmulatorOnly: true, Needs: []Need{AccountAPI, OpenApps}, Operations: []string{f.operation},
			Codes: []string{"500 account"}, Run: func(ctx context.Context, t *T) { t.faultOfAccount(ctx, f) },
		}
		if f.status == http.StatusCreated {
			c.Codes = append(c.Codes, "403 account")
		}
		cases = append(cases, c)
	}
	return cases
}

// faultOfKey works with a TURN key of its own, so that its rule hits nobody else.
func (t *T) faultOfKey(ctx context.Context, f faultyAside) {
	t.target.TURNKeyID, t.target.TURNKeyToken = randomHex(), "any"
	c := call{TURN: true, Method: f.method, Path: f.path}
	if f.status == http.StatusCreated {
		c.Body = credentialsBody{TTL: 60}
	}
	t.control(ctx, http.MethodPost, "/_emu/faults", faultRule{Key: t.target.TURNKeyID, Operation: f.operation, Code: "internal_error", Count: 1})
	t.do(ctx, c).wantError("internal_error/500").wantFields("errorCode", "errorDescription")
	t.do(ctx, c).want(f.status)
}

// faultOfAccount works in an account of its own.
func (t *T) faultOfAccount(ctx context.Context, f faultyAside) {
	t.target.AccountID = randomHex()
	c := accountCall{Method: f.method, Path: f.path}
	if kind, one := strings.CutSuffix(f.path, "/"); one {
		c.Path += t.accountMake(ctx, kind, accountName{"conformance"}).UID
	}
	if f.method == http.MethodPost || f.method == http.MethodPut {
		c.Body = accountName{"conformance"}
	}
	rows := map[string]string{"internal_error": "500 account"}
	if f.status == http.StatusCreated {
		rows["403"] = "403 account"
	}
	for code, row := range inOrder(rows) {
		t.control(ctx, http.MethodPost, "/_emu/faults", faultRule{Account: t.target.AccountID, Operation: f.operation, Code: code, Count: 1})
		t.account(ctx, c).wantError(row)
	}
	t.account(ctx, c).want(f.status)
}
