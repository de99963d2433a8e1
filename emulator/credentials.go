package emulator

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

// keysPrefix is where TURN credentials are issued; unlike the apps' paths it is used with /v1 alone (contract 0.3, 7.3).
const keysPrefix = "/v1/turn/keys/{keyId}"

// credentialAPI serves contract 7.3.
type credentialAPI struct {
	front    *front
	emulator *Emulator
}

// keyCall is one call with a TURN key.
type keyCall struct {
	*call
	key       string
	operation string // operationId
}

// credentialRoute is one call of contract 7.3.
type credentialRoute struct {
	path      string // below keysPrefix; all are POST
	operation string
	serve     func(c *keyCall) (status int, body any, err error)
}

func (a *credentialAPI) routes() []credentialRoute {
	return []credentialRoute{
		{"/credentials/generate-ice-servers", "generateIceServers", a.generateICEServers},
		{"/credentials/generate", "generateCredentials", a.generate},
		{"/credentials/{username}/revoke", "revokeCredential", a.revoke},
	}
}

func (a *credentialAPI) handler() http.Handler {
	router := newRouter()
	for _, r := range a.routes() {
		router.Path(keysPrefix + r.path).Methods(http.MethodPost).Handler(a.handle(r.operation, r.serve))
	}
	for _, r := range a.routes() {
		router.Path(keysPrefix + r.path).Handler(a.handle("", refuseKeyCall(wire.MethodNotAllowed, "this path takes POST")))
	}
	router.PathPrefix(keysPrefix + "/").Handler(a.handle("", refuseKeyCall(wire.RouteNotFound,
		"a TURN key has credentials/generate-ice-servers, credentials/generate and credentials/{username}/revoke")))
	router.NotFoundHandler = a.front.unknown("paths of TURN begin with /v1/turn/keys/{keyId}/; check the URL")
	return router
}

func refuseKeyCall(problem wire.Problem, explain string) func(*keyCall) (int, any, error) {
	return func(*keyCall) (int, any, error) { return 0, nil, wire.Refuse(problem, "%s", explain) }
}

// handle runs a call after the checks of key and token, and answers in every case.
func (a *credentialAPI) handle(operation string, serve func(*keyCall) (int, any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &keyCall{a.front.begin(r), mux.Vars(r)["keyId"], operation}
		status, body, err := c.guarded(func() (int, any, error) {
			if err := a.authorize(c); err != nil {
				return 0, nil, err
			}
			return serve(c)
		})
		c.finish(w, status, body, err)
	})
}

// authorize checks that there is a token and that it is the key's. In dev mode a key that nobody made takes any token (DEV-12).
func (a *credentialAPI) authorize(c *keyCall) error {
	var err error
	if c.token, err = bearer(c.request, "TURN key API token"); err != nil {
		return err
	}
	switch a.emulator.accounts.Check(account.TURNKey, c.key, c.token) {
	case account.Right:
		return nil
	case account.Wrong:
		return wire.Refuse(wire.Unauthorized, "TURN key %s: the token is not this key's; use the one given with --turn-key, or the "+
			"one that the account API showed when the key was made", c.key)
	case account.Deleted:
		return wire.Refuse(wire.TURNKeyNotFound, "TURN key %s was deleted; make another one", c.key)
	}
	if a.emulator.cfg.deviates("DEV-12") {
		c.accepted(account.TURNKey, c.key)
		return nil
	}
	return wire.Refuse(wire.TURNKeyNotFound, "TURN key %q is not seeded and the mode is %s; seed it with --turn-key ID:TOKEN, make "+
		"one by the account API, or use the mode dev", c.key, a.emulator.cfg.Mode)
}

// issue makes a credential as the body asks for it, and answers with what shows it.
func (a *credentialAPI) issue(c *keyCall, shown func(wire.ICEServer) any) (int, any, error) {
	body, err := c.body()
	if err != nil {
		return 0, nil, err
	}
	in := new(wire.CredentialsRequest)
	if refused := wire.Decode(body, in); refused != nil {
		return 0, nil, refused
	}
	if refused := in.Validate(a.front.registry.Rules().TURNMaxTTL); refused != nil {
		return 0, nil, refused
	}
	return c.faulty(func() (int, any, error) {
		var server wire.ICEServer
		server.Username, server.Credential = a.emulator.credentials.Issue(c.key, time.Duration(in.TTL)*time.Second)
		return http.StatusCreated, shown(server), nil
	})
}

// faulty does what the call is for, unless a rule for faults hits it.
func (c *keyCall) faulty(do func() (int, any, error)) (int, any, error) {
	return c.call.faulty(session.Call{Operation: c.operation, Key: c.key}, do)
}

// generateICEServers answers with a list for RTCPeerConnection: STUN, and TURN with the credential.
func (a *credentialAPI) generateICEServers(c *keyCall) (int, any, error) {
	return a.issue(c, func(server wire.ICEServer) any {
		list := []wire.ICEServer{}
		stun, turn := a.emulator.turnURLs(askedBy(c.request), true)
		if len(turn) > 0 { // an entry without a URL is an error in browsers
			server.URLs = turn
			list = append(list, wire.ICEServer{URLs: stun}, server)
		}
		return &wire.ICEServersResponse{ICEServers: list}
	})
}

// generate is the older call: one object with every URL.
func (a *credentialAPI) generate(c *keyCall) (int, any, error) {
	return a.issue(c, func(server wire.ICEServer) any {
		stun, turn := a.emulator.turnURLs(askedBy(c.request), false)
		server.URLs = append(append([]string{}, stun...), turn...) // a list, though it be empty
		return &wire.CredentialsResponse{ICEServers: server}
	})
}

// revoke ends a credential. One that is unknown, or over already, is as good (contract 10 Q44).
func (a *credentialAPI) revoke(c *keyCall) (int, any, error) {
	return c.faulty(func() (int, any, error) {
		if !a.emulator.credentials.Revoke(c.key, mux.Vars(c.request)["username"]) {
			c.front.log.Info("nothing to revoke", "why", "the username is none of this key's, or it has expired or was revoked before")
		}
		return http.StatusNoContent, nil, nil
	})
}
