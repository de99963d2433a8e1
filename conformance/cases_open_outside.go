package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// openOutsideCases are the questions about the account API, and what it does to sessions.
func openOutsideCases() []Case {
	return []Case{
		question(45, "account", "Which status and fields have the answers of the account API, and which codes its refusals?", openAccount).needing(AccountAPI),
		question(48, "deleted-app", "What becomes of a live session when its app is deleted?", openDeletedApp).needing(AccountAPI),
	}
}

// seeAccount observes an answer of the account API; it checks nothing.
func (t *T) seeAccount(ctx context.Context, name string, c accountCall) {
	observing := t.observations
	x := t.account(ctx, c)
	t.observations = observing // an answer that does not fit openapi.yaml is what is asked for
	t.observe(name+": status", "%d", x.Status)
	t.observe(name+": body", "%s", shapeOf(x.Raw))
	for i, e := range x.Body.Errors {
		t.observe(fmt.Sprintf("%s: error %d", name, i), "%d %q", e.Code, e.Message)
	}
}

func openAccount(ctx context.Context, t *T) {
	for _, kind := range []string{"/calls/apps", "/calls/turn_keys"} {
		name := strings.TrimPrefix(kind, "/calls/")
		made := t.accountMake(ctx, kind, map[string]string{"name": "conformance"})
		t.seeAccount(ctx, name+": read", accountCall{Method: http.MethodGet, Path: kind + "/" + made.UID})
		t.observe(name+": create answers", "secret: %s, key: %s", yesNo(made.Secret != ""), yesNo(made.Key != ""))
		t.seeAccount(ctx, name+": unknown id", accountCall{Method: http.MethodGet, Path: kind + "/" + strings.Repeat("9", 32)})
		t.seeAccount(ctx, name+": id that is no hex", accountCall{Method: http.MethodGet, Path: kind + "/no-hex-id"})
		t.seeAccount(ctx, name+": body that is no object", accountCall{Method: http.MethodPost, Path: kind, Body: `[]`})
		t.seeAccount(ctx, name+": name that is no string", accountCall{Method: http.MethodPost, Path: kind, Body: `{"name":5}`})
		t.seeAccount(ctx, name+": PUT without a name", accountCall{Method: http.MethodPut, Path: kind + "/" + made.UID, Body: `{}`})
	}
}

func openDeletedApp(ctx context.Context, t *T) {
	app := t.accountMake(ctx, "/calls/apps", map[string]string{"name": "conformance"})
	create := call{Method: http.MethodPost, Path: "/sessions/new", App: app.UID, Secret: app.Secret}
	var session string
	x := t.see(ctx, "a session of a new app", create)
	t.eventually(ctx, "the new app has a session", func() bool { // a new app may be unknown for a while (contract 8)
		if session = x.Body.SessionID; session == "" {
			var err error
			x, err = t.ask(ctx, answerLimit, create)
			t.Must(err)
		}
		return session != ""
	})
	get := call{Method: http.MethodGet, Path: "/sessions/" + session, App: app.UID, Secret: app.Secret}
	t.see(ctx, "its GET", get)
	t.seeAccount(ctx, "deletion", accountCall{Method: http.MethodDelete, Path: "/calls/apps/" + app.UID})
	t.see(ctx, "its GET after the deletion", get)
	t.see(ctx, "another session after the deletion", create)
}
