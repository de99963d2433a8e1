package emulator

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
)

// prefixes of every API path: the documented one, and the one that Cloudflare Meet uses (contract 0.3).
var prefixes = []string{"/v1/apps/{appId}", "/apps/{appId}"}

// route is one call of the API.
type route struct {
	method    string
	path      string // below a prefix
	operation string // in our own OpenAPI file
	serve     endpoint
}

// routes is the whole API.
func routes(r *session.Registry) []route {
	return []route{
		{http.MethodPost, "/sessions/new", "newSession", newSession(r)},
		{http.MethodGet, "/sessions/{sessionId}", "getSession", withoutBody(r.SessionState)},
		{http.MethodDelete, "/sessions/{sessionId}", "deleteSession", refusing(wire.Refuse(wire.SessionVerbReserved,
			"sessions end when their PeerConnection closes, or expire; there is no call for it"))},
		{http.MethodPost, "/sessions/{sessionId}/tracks/new", "newTracks", withBody(r.AddTracks)},
		{http.MethodPut, "/sessions/{sessionId}/renegotiate", "renegotiate", withBody(r.Renegotiate)},
		{http.MethodPut, "/sessions/{sessionId}/tracks/update", "updateTracks", withBody(r.UpdateTracks)},
		{http.MethodPut, "/sessions/{sessionId}/tracks/close", "closeTracks", withBody(r.CloseTracks)},
		{http.MethodPost, "/sessions/{sessionId}/datachannels/establish", session.OpEstablishData, withBody(r.EstablishData)},
		{http.MethodPost, "/sessions/{sessionId}/datachannels/new", session.OpNewChannels, withBody(r.NewChannels)},
		{http.MethodPut, "/sessions/{sessionId}/datachannels/update", session.OpUpdateChannels, withBody(r.UpdateChannels)},
		{http.MethodPut, "/sessions/{sessionId}/datachannels/close", session.OpCloseChannels, withBody(r.CloseChannels)},
		{http.MethodPost, "/adapters/websocket/new", session.OpNewAdapters, onApp(r.NewAdapters)},
		{http.MethodPost, "/adapters/websocket/close", session.OpCloseAdapters, onApp(r.CloseAdapters)},
	}
}

// front serves the API: it authorizes, bounds, decodes, calls the Registry, encodes and logs, in the order of contract
// 1.0. No rule of the API lives here.
type front struct {
	registry *session.Registry
	accounts *account.Store
	explain  bool // whether refusals explain themselves in a header
	log      *slog.Logger
	advice   *advice
}

// newFront is the handler of everything under the API's port.
func newFront(e *Emulator) http.Handler {
	f := &front{registry: e.registry, accounts: e.accounts, explain: e.cfg.deviates("DEV-7"), log: e.cfg.Logger, advice: newAdvice(e.cfg.Logger)}
	root := newRouter()
	root.Path("/healthz").Methods(http.MethodGet).HandlerFunc(healthz)
	root.Path("/readyz").Methods(http.MethodGet).HandlerFunc(e.readyz)
	zone, slash, besides := newZone(e).handler(), "the control zone begins with /_emu/, with a slash at the end", "GET /_emu/ lists what else there is"
	if e.cfg.HideEmu {
		slash = "the /_emu/ zone is switched off; start without --emu off"
		zone, besides = f.unknown(slash), slash
	}
	root.PathPrefix(zonePrefix).Handler(zone)
	root.Path(strings.TrimSuffix(zonePrefix, "/")).Handler(f.cors(f.unknown(slash)))
	root.Path("/").Handler(f.cors(f.unknown("this is callsemu, whose API begins with /v1/apps/{appId}/; the README tells the first steps; " + besides)))
	root.PathPrefix(accountsPrefix).Handler((&accountAPI{front: f, store: e.accounts, registry: e.registry, turn: e.credentials}).handler())
	root.PathPrefix("/v1/turn/").Handler(f.cors((&credentialAPI{front: f, emulator: e}).handler()))
	for prefix, explain := range strayed {
		root.PathPrefix(prefix).Handler(f.cors(f.unknown(explain)))
	}
	root.PathPrefix("/").Handler(f.cors(f.api(routes(e.registry))))
	return drained(root)
}

// strayed are beginnings of paths that are nearly right, and what is meant.
var strayed = map[string]string{
	"/turn/":     "TURN is there with /v1 alone: /v1/turn/keys/{keyId}/...",
	"/accounts/": "the account API begins with " + accountsBase,
	"/client/":   "the account API begins with " + accountsBase,
}

// newRouter keeps paths as they are: cleaning would answer a POST with a redirect, which loses its body.
func newRouter() *mux.Router { return mux.NewRouter().SkipClean(true) }

// api is the handler of the API's paths under both prefixes, and of every path that is none.
func (f *front) api(table []route) http.Handler {
	router := newRouter()
	for _, prefix := range prefixes {
		for _, path := range paths(table) { // a path before those whose variables would take it in
			var methods []string
			for _, r := range table {
				if r.path == path {
					methods = append(methods, r.method)
					router.Path(prefix + path).Methods(r.method).Handler(f.handler(r.serve))
				}
			}
			router.Path(prefix + path).Handler(f.handler(refusing(wire.Refuse(wire.MethodNotAllowed,
				"the path exists, but not with this method; send %s", strings.Join(methods, " or ")))))
		}
		router.PathPrefix(prefix + "/").Handler(f.handler(refusing(wire.Refuse(wire.RouteNotFound,
			"the API has no such path; watch for a trailing or a double slash"))))
	}
	router.NotFoundHandler = f.unknown("API paths begin with /v1/apps/{appId}/ or /apps/{appId}/, those of TURN with /v1/turn/keys/{keyId}/, " +
		"those of accounts with " + accountsBase + "; check the base URL")
	return router
}

// paths are those of the table, each once, in its order.
func paths(table []route) []string {
	var list []string
	for _, r := range table {
		if !slices.Contains(list, r.path) {
			list = append(list, r.path)
		}
	}
	return list
}

// unknown answers a path outside the API, where no app can be authorized.
func (f *front) unknown(explain string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := f.begin(r)
		c.finish(w, 0, nil, wire.Refuse(wire.RouteNotFound, "%s", explain))
	})
}

// corsMaxAge is how many seconds a browser may remember a preflight; Chromium's own limit.
const corsMaxAge = "7200"

// cors lets pages of any origin call the API: older examples of Cloudflare do so from the browser (contract 9.1). A
// preflight is answered here, since it carries no Authorization.
func (f *front) cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			h.Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method != http.MethodOptions {
			next.ServeHTTP(w, r)
			return
		}
		f.preflight(r)
		h.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
		h.Set("Access-Control-Allow-Headers", cmpOr(r.Header.Get("Access-Control-Request-Headers"),
			"authorization, content-type"))
		h.Set("Access-Control-Max-Age", corsMaxAge)
		if r.Header.Get("Access-Control-Request-Private-Network") == "true" { // Chromium, for a page of a public site that calls localhost
			h.Set("Access-Control-Allow-Private-Network", "true")
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
