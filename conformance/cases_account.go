package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func accountCases() []Case {
	needs := []Need{AccountAPI}
	return []Case{
		{
			ID: "account/app", Sentence: "An app is made, read, listed, renamed and deleted; its secret is shown once.",
			Section: "8", Mark: Doc, Needs: needs,
			Operations: []string{"createApp", "getApp", "listApps", "updateApp", "deleteApp"},
			Codes:      []string{"20007/404 account"}, Run: accountLife("/calls/apps", "20007/404 account"),
		},
		{
			ID: "account/turn-key", Sentence: "A TURN key is made, read, listed, renamed and deleted; its token is shown once, as key and secret.",
			Section: "8", Mark: Doc, Needs: needs,
			Operations: []string{"createTurnKey", "getTurnKey", "listTurnKeys", "updateTurnKey", "deleteTurnKey"},
			Codes:      []string{"20008/404 account"}, Run: accountLife("/calls/turn_keys", "20008/404 account"),
		},
		{
			ID: "account/usable", Sentence: "A new app takes calls at once with its own secret, and after its deletion none; its sessions end.",
			Section: "8", Mark: Inferred, EmulatorOnly: true, Needs: needs,
			Codes: []string{"unauthorized/401", "not_found/404 app"}, Run: accountUsable,
		},
		{
			ID: "account/names", Sentence: "A name may be absent, null or empty, and need not be unique.",
			Section: "8", Mark: Doc, Needs: needs, Run: accountNames,
		},
		{
			ID: "account/credentials", Sentence: "Without credentials nothing is answered; the older pair of headers is as good as a token.",
			Section: "8", Mark: Recorded, Needs: needs, Codes: []string{"9106/400 account"}, Run: accountCredentials,
		},
		{
			ID: "account/token", Sentence: "A wrong token is refused, whatever the call.",
			Section: "8", Mark: Inferred, Needs: []Need{AccountAPI, SeededApps}, Codes: []string{"10000/401 account"}, Run: accountToken,
		},
		{
			ID: "account/foreign", Sentence: "The token of another account is not enough.",
			Section: "8", Mark: Recorded, Needs: []Need{AccountAPI, SeededApps, TwoAccounts}, Codes: []string{"10002/403 account"}, Run: accountForeign,
		},
		{
			ID: "account/isolation", Sentence: "An account does not see what another one has made.",
			Section: "8", Mark: Inferred, EmulatorOnly: true, Needs: []Need{AccountAPI, OpenApps}, Codes: []string{"20007/404 account"}, Run: accountIsolation,
		},
		{
			ID: "account/path", Sentence: "A path that is none is not routed; nor is an account id that cannot be one.",
			Section: "8", Mark: Recorded, Needs: needs, Codes: []string{"7003/404 account"}, Run: accountPath,
		},
		{
			ID: "account/method", Sentence: "A wrong method is refused, OPTIONS too, so that web pages cannot call the account API.",
			Section: "8", Mark: Recorded, Needs: needs, Codes: []string{"7001/405 account"}, Run: accountMethod,
		},
		{
			ID: "account/body", Sentence: "A body that is no object with a name is refused.",
			Section: "8", Mark: Inferred, Needs: needs, Codes: []string{"6007/400 account"}, Run: accountBody,
		},
		{
			ID: "account/too-large", Sentence: "A body over the limit is refused by every call that takes one.",
			Section: "6, 8", Mark: Inferred, EmulatorOnly: true, Needs: needs, Codes: []string{"413 account"}, Run: accountTooLarge,
		},
	}
}

// accountName is the body of a call that makes or renames. Every name begins with "conformance", so that what the suite has made can be told
// from the rest of an account.
type accountName struct {
	Name string `json:"name"`
}

// accountMake makes an item. As every one that an answer names, it is deleted at the end of the case.
func (t *T) accountMake(ctx context.Context, path string, body any) accountItem {
	return t.account(ctx, accountCall{Method: http.MethodPost, Path: path, Body: body}).want(http.StatusCreated).item()
}

// accountLife leads an item through every row of contract 8.
func accountLife(path, unknown string) func(context.Context, *T) {
	return func(ctx context.Context, t *T) {
		made := t.accountMake(ctx, path, accountName{"conformance"})
		if made.Name != "conformance" || made.Created.IsZero() || made.Modified.Before(made.Created) {
			t.Errorf("made %+v", made)
		}
		if strings.HasSuffix(path, "turn_keys") && made.Key != made.Secret && t.target.Emulator {
			t.Errorf("key and secret differ")
		}
		one := path + "/" + made.UID
		read := t.account(ctx, accountCall{Method: http.MethodGet, Path: one}).want(http.StatusOK).item()
		if read.Secret != "" || read.Key != "" || read.UID != made.UID || read.Name != made.Name || !read.Created.Equal(made.Created) {
			t.Errorf("read %+v, made %+v", read, made)
		}
		renamed := t.account(ctx, accountCall{Method: http.MethodPut, Path: one, Body: accountName{"conformance renamed"}}).want(http.StatusOK).item()
		if renamed.Name != "conformance renamed" || renamed.Secret != "" || renamed.Key != "" || renamed.UID != made.UID || renamed.Modified.Before(made.Modified) {
			t.Errorf("renamed %+v, made %+v", renamed, made)
		}
		list := t.account(ctx, accountCall{Method: http.MethodGet, Path: path}).want(http.StatusOK)
		if !slices.ContainsFunc(list.items(), func(i accountItem) bool {
			return i.UID == made.UID && i.Name == "conformance renamed" && i.Secret == "" && i.Key == ""
		}) {
			t.Errorf("not in the list: %s", short(list.shown))
		}
		deleted := t.account(ctx, accountCall{Method: http.MethodDelete, Path: one}).want(http.StatusOK).item()
		if deleted.UID != made.UID || deleted.Name != "conformance renamed" || deleted.Secret != "" || deleted.Key != "" {
			t.Errorf("deleted %+v", deleted)
		}
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			t.account(ctx, accountCall{Method: method, Path: one}).wantError(unknown)
		}
		list = t.account(ctx, accountCall{Method: http.MethodGet, Path: path}).want(http.StatusOK)
		if slices.ContainsFunc(list.items(), func(i accountItem) bool { return i.UID == made.UID }) {
			t.Errorf("still in the list: %s", short(list.shown))
		}
	}
}

func accountUsable(ctx context.Context, t *T) {
	made := t.accountMake(ctx, "/calls/apps", accountName{"conformance"})
	c := call{Method: http.MethodPost, Path: "/sessions/new", App: made.UID, Secret: made.Secret}
	session := "/sessions/" + t.do(ctx, c).want(http.StatusCreated).Body.SessionID
	wrong := c
	wrong.Secret = made.Secret[1:]
	t.do(ctx, wrong).wantError("unauthorized/401")

	peer := t.peer(sfutest.Config{})
	x := t.do(ctx, call{Method: http.MethodPost, Path: session + "/datachannels/establish", App: made.UID, Secret: made.Secret,
		Body: establishBody{DataChannel: serverEvents()}}).want(http.StatusOK)
	answer, err := peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	t.do(ctx, call{Method: http.MethodPut, Path: session + "/renegotiate", App: made.UID, Secret: made.Secret,
		Body: renegotiateBody{answerOf(answer)}}).want(http.StatusOK)
	t.Must(peer.WaitConnected(ctx))
	t.account(ctx, accountCall{Method: http.MethodDelete, Path: "/calls/apps/" + made.UID}).want(http.StatusOK)
	t.do(ctx, c).wantError("not_found/404 app")
	t.do(ctx, wrong).wantError("not_found/404 app")
	t.do(ctx, call{Method: http.MethodGet, Path: session, App: made.UID, Secret: made.Secret}).wantError("not_found/404 app")
	t.eventually(ctx, "the session of the deleted app goes on", func() bool { return peer.State() != webrtc.PeerConnectionStateConnected })
}

func accountNames(ctx context.Context, t *T) {
	for body, want := range inOrder(map[string]string{"": "", "{}": "", `{"name":null}`: "", `{"name":""}`: "", `{"name":"conformance twice","x":[1]}`: "conformance twice"}) {
		for range 2 {
			var b any
			if body != "" {
				b = body
			}
			if made := t.accountMake(ctx, "/calls/apps", b); made.Name != want {
				t.Errorf("%s: the name is %q", body, made.Name)
			}
		}
	}
	made := t.accountMake(ctx, "/calls/apps", accountName{"conformance kept"})
	for _, body := range []string{"{}", `{"name":null}`} {
		x := t.account(ctx, accountCall{Method: http.MethodPut, Path: "/calls/apps/" + made.UID, Body: body}).want(http.StatusOK)
		if got := x.item().Name; got != "conformance kept" {
			t.Errorf("%s: the name is %q", body, got)
		}
	}
}

// everyAccountCall is one well-formed request to each operation.
func everyAccountCall() []accountCall {
	var calls []accountCall
	for _, path := range []string{"/calls/apps", "/calls/turn_keys"} {
		one := path + "/" + strings.Repeat("0", 32)
		calls = append(calls, accountCall{Method: http.MethodGet, Path: path}, accountCall{Method: http.MethodPost, Path: path, Body: accountName{"conformance"}},
			accountCall{Method: http.MethodGet, Path: one}, accountCall{Method: http.MethodPut, Path: one, Body: accountName{"conformance"}},
			accountCall{Method: http.MethodDelete, Path: one})
	}
	return calls
}

func accountCredentials(ctx context.Context, t *T) {
	for _, c := range everyAccountCall() {
		c.Header = map[string]string{}
		t.account(ctx, c).wantError("9106/400 account")
	}
	for _, header := range []map[string]string{
		{"X-Auth-Email": "someone@example.com"}, {"X-Auth-Key": t.target.AccountToken},
	} {
		t.account(ctx, accountCall{Method: http.MethodGet, Path: "/calls/apps", Header: header}).wantError("9106/400 account")
	}
	if !t.target.Emulator {
		return // a token is no global key there
	}
	both := map[string]string{"X-Auth-Email": "someone@example.com", "X-Auth-Key": t.target.AccountToken}
	t.account(ctx, accountCall{Method: http.MethodGet, Path: "/calls/apps", Header: both}).want(http.StatusOK)
}

func accountToken(ctx context.Context, t *T) {
	for _, c := range everyAccountCall() {
		c.Header = map[string]string{"Authorization": "Bearer wrong"}
		t.account(ctx, c).wantError("10000/401 account")
	}
	c := accountCall{Method: http.MethodPost, Path: "/calls/apps", Body: "{", Malformed: "syntax"}
	c.Header = map[string]string{"Authorization": "Bearer " + t.appSecretThere()} // an app's secret is no API token
	t.account(ctx, c).wantError("10000/401 account")
}

// accountTokenHere is the account's API token where the account API is that of the target itself: no secret goes to a host that it is not
// for. appSecretThere is the app's secret by the same rule, else a word that is none.
func (t *T) accountTokenHere() string {
	if t.target.AccountURL == "" {
		return t.target.AccountToken
	}
	return ""
}

func (t *T) appSecretThere() string {
	if t.target.AccountURL == "" {
		return t.target.Secret
	}
	return "none"
}

func accountForeign(ctx context.Context, t *T) {
	for _, c := range everyAccountCall() {
		c.Header = map[string]string{"Authorization": "Bearer " + t.target.OtherAccountToken}
		t.account(ctx, c).wantError("10002/403 account")
	}
}

func accountIsolation(ctx context.Context, t *T) {
	made := t.accountMake(ctx, "/calls/apps", accountName{"conformance"})
	const stranger = "0123456789abcdef0123456789abcdef"
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		t.account(ctx, accountCall{Method: method, Path: "/calls/apps/" + made.UID, Account: stranger}).wantError("20007/404 account")
	}
	list := t.account(ctx, accountCall{Method: http.MethodGet, Path: "/calls/apps", Account: stranger}).want(http.StatusOK)
	if slices.ContainsFunc(list.items(), func(i accountItem) bool { return i.UID == made.UID }) {
		t.Errorf("another account lists it")
	}
	t.account(ctx, accountCall{Method: http.MethodGet, Path: "/calls/apps/" + made.UID}).want(http.StatusOK)
}

func accountPath(ctx context.Context, t *T) {
	for _, c := range []accountCall{
		{Path: "/calls/app", Unlisted: true}, {Path: "/calls/apps/1/2", Unlisted: true}, {Path: "/calls", Unlisted: true},
		{Path: "/calls/apps/", Unlisted: true}, {Path: "/calls/apps", Account: strings.Repeat("1", 33), Malformed: "an account id has at most 32 characters"},
		{Path: "/conformance/none", Root: true, Unlisted: true},
	} {
		c.Method = http.MethodGet
		x := t.account(ctx, c)
		x.wantError("7003/404 account")
		if want := "Could not route to " + x.path + ", perhaps your object identifier is invalid?"; len(x.Body.Errors) > 0 && x.Body.Errors[0].Message != want {
			t.Errorf("%s: the message is %q, want %q", x.path, x.Body.Errors[0].Message, want)
		}
	}
	for _, c := range everyAccountCall() {
		c.Account, c.Malformed = strings.Repeat("1", 33), "an account id has at most 32 characters"
		t.account(ctx, c).wantError("7003/404 account")
	}
}

func accountMethod(ctx context.Context, t *T) {
	for path, methods := range inOrder(map[string][]string{
		"/calls/apps": {http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions},
		"/calls/turn_keys/" + strings.Repeat("0", 32): {http.MethodPost, http.MethodPatch, http.MethodOptions},
	}) {
		for _, method := range methods {
			x := t.account(ctx, accountCall{Method: method, Path: path, Unlisted: true})
			x.wantError("7001/405 account")
			if want := "Method " + method + " not available for that URI."; len(x.Body.Errors) > 0 && x.Body.Errors[0].Message != want {
				t.Errorf("%s: the message is %q, want %q", path, x.Body.Errors[0].Message, want)
			}
			if allowed := x.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("%s %s: pages of %s may call", method, path, allowed)
			}
		}
	}
}

func accountBody(ctx context.Context, t *T) {
	made := t.accountMake(ctx, "/calls/turn_keys", accountName{"conformance kept"})
	for _, body := range []string{"{", "null", "[]", `"x"`, `{"name":1}`, `{"name":{}}`, `{"name":["x"]}`, `{"name":"conformance"}{}`} {
		t.account(ctx, accountCall{Method: http.MethodPost, Path: "/calls/turn_keys", Body: body, Malformed: "not an object with a name"}).
			wantError("6007/400 account")
		t.account(ctx, accountCall{Method: http.MethodPut, Path: "/calls/turn_keys/" + made.UID, Body: body, Malformed: "not an object with a name"}).
			wantError("6007/400 account")
	}
	if got := t.account(ctx, accountCall{Method: http.MethodGet, Path: "/calls/turn_keys/" + made.UID}).item().Name; got != "conformance kept" {
		t.Errorf("a refused body changed the name to %q", got)
	}
}

func accountTooLarge(ctx context.Context, t *T) {
	body := `{"x":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, c := range everyAccountCall() {
		if c.Body != nil {
			c.Body = body
			t.account(ctx, c).wantError("413 account")
		}
	}
}
