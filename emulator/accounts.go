package emulator

import (
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/stunserver"
)

// accountsPrefix is the path of Cloudflare's v4 API, of which the emulator has the account's apps and TURN keys.
const accountsPrefix = "/client/v4/"

// accountsBase is what the paths of contract 8 have in common.
const accountsBase = accountsPrefix + "accounts/{accountId}/calls/"

// accountIDs are what can be an account id in a path: at most 32 characters (contract 8).
var accountIDs = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// accountAPI serves contract 8. It has no CORS: the real one cannot be called from web pages either.
type accountAPI struct {
	front    *front
	store    *account.Store
	registry *session.Registry
	turn     *stunserver.Credentials
}

// accountCall is one call of the account API on items of one kind.
type accountCall struct {
	*call
	kind    account.Kind
	account string
	id      string // empty where the path names none

	operation string // operationId
}

// accountRoute is one row of the table in contract 8, for either kind.
type accountRoute struct {
	method string
	one    bool                    // the path ends in an id
	names  map[account.Kind]string // operationId
	serve  func(c *accountCall) (status int, body any, err error)
}

func (a *accountAPI) routes() []accountRoute {
	return []accountRoute{
		{http.MethodGet, false, named("listApps", "listTurnKeys"), a.list},
		{http.MethodPost, false, named("createApp", "createTurnKey"), a.create},
		{http.MethodGet, true, named("getApp", "getTurnKey"), a.get},
		{http.MethodPut, true, named("updateApp", "updateTurnKey"), a.update},
		{http.MethodDelete, true, named("deleteApp", "deleteTurnKey"), a.remove},
	}
}

func named(ofApps, ofKeys string) map[account.Kind]string {
	return map[account.Kind]string{account.App: ofApps, account.TURNKey: ofKeys}
}

// accountPaths are the last part of the path of each kind.
var accountPaths = map[account.Kind]string{account.App: "apps", account.TURNKey: "turn_keys"}

func (a *accountAPI) handler() http.Handler {
	router := newRouter()
	for kind, name := range accountPaths {
		base := accountsBase + name
		for _, r := range a.routes() {
			path := base
			if r.one {
				path += "/{itemId}"
			}
			router.Path(path).Methods(r.method).Handler(a.handle(kind, r.names[kind], r.serve))
		}
		for _, path := range []string{base, base + "/{itemId}"} {
			router.Path(path).Handler(a.handle(kind, "", refuseAccountMethod))
		}
	}
	router.NotFoundHandler = a.handle(0, "", refuseAccountPath)
	return router
}

// handle runs a call after the checks of credentials and account, and answers in every case.
func (a *accountAPI) handle(kind account.Kind, operation string, serve func(*accountCall) (int, any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		vars := mux.Vars(r)
		c := &accountCall{a.front.begin(r), kind, vars["accountId"], vars["itemId"], operation}
		c.envelope = true
		status, body, err := c.guarded(func() (int, any, error) {
			if err := a.authorize(c); err != nil {
				return 0, nil, err
			}
			return serve(c)
		})
		if err == nil {
			body = wire.Success(body)
		}
		c.finish(w, status, body, err)
	})
}

// authorize checks that there are credentials, that the path can be that of an account, and that they are its own.
func (a *accountAPI) authorize(c *accountCall) error {
	token, found := accountToken(c.request)
	if !found {
		return wire.Refuse(wire.AccountNoCredentials, "no credentials; send Authorization: Bearer <account API token>, or "+
			"X-Auth-Email and X-Auth-Key")
	}
	c.token = token
	if !accountIDs.MatchString(c.account) {
		_, _, err := refuseAccountPath(c)
		return err
	}
	switch err := a.store.Authorize(c.account, token); {
	case errors.Is(err, account.ErrOtherAccount):
		return wire.Refuse(wire.AccountForbidden, "account %s: the token is that of another account", c.account)
	case err != nil:
		return wire.Refuse(wire.AccountTokenWrong, "account %s: the token is not this account's; use the one given with "+
			"--account, or the one that the start message shows", c.account)
	}
	return nil
}

// accountToken reads an API token, or the older global key with its e-mail address.
func accountToken(r *http.Request) (token string, found bool) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
		return token, true
	}
	key := r.Header.Get("X-Auth-Key")
	return key, key != "" && r.Header.Get("X-Auth-Email") != ""
}

func refuseAccountPath(c *accountCall) (int, any, error) {
	return 0, nil, wire.Refuse(wire.AccountPathUnknown, "of the v4 API callsemu has %saccounts/{account id}/calls/apps and "+
		"turn_keys; an account id has at most 32 letters and digits", accountsPrefix).Fill(c.request.URL.Path)
}

func refuseAccountMethod(c *accountCall) (int, any, error) {
	allowed := "GET and POST"
	if c.id != "" {
		allowed = "GET, PUT and DELETE"
	}
	return 0, nil, wire.Refuse(wire.AccountMethodUnknown, "this path takes %s", allowed).Fill(c.request.Method)
}

func (a *accountAPI) list(c *accountCall) (int, any, error) {
	return c.faulty(func() (int, any, error) {
		items := []wire.AccountItem{}
		for _, item := range a.store.List(c.kind, c.account) {
			items = append(items, shown(item))
		}
		return http.StatusOK, items, nil
	})
}

func (a *accountAPI) create(c *accountCall) (int, any, error) {
	in, err := c.accountBody()
	if err != nil {
		return 0, nil, err
	}
	var name string
	if in.Name != nil {
		name = *in.Name
	}
	return c.faulty(func() (int, any, error) {
		item, secret, err := a.store.Create(c.kind, c.account, name)
		if errors.Is(err, account.ErrFull) {
			return 0, nil, wire.Refuse(wire.AccountFull, "there are %d items of the kind %s; delete some", account.MaxItems, c.kind)
		}
		return http.StatusCreated, created(c.kind, item, secret), err
	})
}

func (a *accountAPI) get(c *accountCall) (int, any, error) {
	return c.faulty(func() (int, any, error) { return c.answer(a.store.Get(c.kind, c.account, c.id)) })
}

func (a *accountAPI) update(c *accountCall) (int, any, error) {
	in, err := c.accountBody()
	if err != nil {
		return 0, nil, err
	}
	return c.faulty(func() (int, any, error) { return c.answer(a.store.Rename(c.kind, c.account, c.id, in.Name)) })
}

// remove deletes an item, and ends what runs on it.
func (a *accountAPI) remove(c *accountCall) (int, any, error) {
	return c.faulty(func() (int, any, error) {
		item, found := a.store.Delete(c.kind, c.account, c.id)
		if found && c.kind == account.App {
			a.registry.DeleteApp(c.id)
		}
		if found && c.kind == account.TURNKey {
			a.turn.RevokeKey(c.id)
		}
		return c.answer(item, found)
	})
}

// faulty does what the call is for, unless a rule for faults hits it.
func (c *accountCall) faulty(do func() (int, any, error)) (int, any, error) {
	as := session.Call{Operation: c.operation, Account: c.account}
	if c.kind == account.App {
		as.App = c.id
	} else {
		as.Key = c.id
	}
	return c.call.faulty(as, do)
}

// answer is the item of the path, or that there is none.
func (c *accountCall) answer(item account.Item, found bool) (int, any, error) {
	if found {
		return http.StatusOK, shown(item), nil
	}
	unknown := map[account.Kind]wire.Problem{account.App: wire.AccountAppUnknown, account.TURNKey: wire.AccountKeyUnknown}
	return 0, nil, wire.Refuse(unknown[c.kind], "account %s has no %s %q; a list of them shows what it has. What dev mode "+
		"accepts without being told is in no account", c.account, c.kind, c.id)
}

func (c *accountCall) accountBody() (*wire.AccountRequest, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	in := new(wire.AccountRequest)
	if refused := wire.DecodeAccount(body, in); refused != nil {
		return nil, refused
	}
	if refused := in.Validate(account.MaxName); refused != nil {
		return nil, refused
	}
	return in, nil
}

func shown(item account.Item) wire.AccountItem {
	return wire.AccountItem{UID: item.ID, Name: item.Name,
		Created: item.Created.Format(time.RFC3339Nano), Modified: item.Modified.Format(time.RFC3339Nano)}
}

// created shows the secret, under every name that clients look for.
func created(kind account.Kind, item account.Item, secret string) any {
	s := shown(item)
	if kind == account.App {
		return wire.NewAccountApp{UID: s.UID, Name: s.Name, Created: s.Created, Modified: s.Modified, Secret: secret}
	}
	return wire.NewTURNKey{UID: s.UID, Name: s.Name, Created: s.Created, Modified: s.Modified, Key: secret, Secret: secret}
}
