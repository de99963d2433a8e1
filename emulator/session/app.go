package session

import (
	"fmt"
	"time"

	"github.com/callsemu/callsemu/emulator/account"
	"github.com/callsemu/callsemu/emulator/wire"
)

// Mode says how much like the real service the emulator is.
type Mode int

// The modes of the command's --mode.
const (
	ModeDev    Mode = iota // an app comes into being when its id is first used, with any token; no rate limit
	ModeReal               // seeded apps only and 50 requests a second and session, as at the real service
	ModeStrict             // real, and it refuses what Cloudflare advises against: overlapping mutations, ICE restarts
	modes
)

// ParseMode reads "dev", "real" or "strict".
func ParseMode(s string) (Mode, error) {
	for m := range modes {
		if m.String() == s {
			return m, nil
		}
	}
	return 0, fmt.Errorf("mode %q is not dev, real or strict", s)
}

// String is the inverse of ParseMode.
func (m Mode) String() string { return [...]string{"dev", "real", "strict"}[m] }

// App is an application: its sessions see each other and nobody else's. It is handed out by Authorize.
type App struct {
	// fixed after construction
	id     string
	seeded bool // the accounts have it, so its secret is checked

	// guarded by Registry.mu
	lastUsed time.Time
	sessions map[string]*entry
	adapters map[string]*adapterEntry // that have not ended
	closed   []AdapterSnapshot        // those that have, oldest first, the newest maxClosedAdapters
}

// entry is a session with the names that it publishes at present.
type entry struct {
	session   *Session
	published map[string]publication
	channels  map[string]dataPublication
}

func newApp(id string, seeded bool, now time.Time) *App {
	return &App{id: id, seeded: seeded, lastUsed: now, sessions: map[string]*entry{}, adapters: map[string]*adapterEntry{}}
}

// ID is the app's id as it stands in paths.
func (a *App) ID() string { return a.id }

// Authorize finds the app of a path and checks the bearer token, which is empty where the header was missing or of
// another scheme. Missing token 401, unknown or deleted app, or a secret in its place, 404, wrong secret of an app of the accounts 401 (contract 1.0,
// 9.2). In dev mode an unknown app is made on the spot; beyond Rules.MaxDevApps the one without sessions that was unused
// longest goes.
func (r *Registry) Authorize(appID, bearer string) (*App, error) {
	if bearer == "" {
		return nil, wire.Refuse(wire.Unauthorized, "app %s: no Authorization header with the scheme Bearer; "+
			"send \"Authorization: Bearer <app secret>\"", appID)
	}
	seeded := false
	switch r.accounts.Check(account.App, appID, bearer) {
	case account.Wrong:
		return nil, wire.Refuse(wire.Unauthorized, "app %s: the token is not this app's secret; use the secret that was "+
			"given with --app or by the account API", appID)
	case account.Deleted:
		return nil, refuseDeleted(appID)
	case account.Right:
		seeded = true
	case account.Unknown:
		if r.accounts.IsSecret(appID) { // it would be in every log line of this app's
			return nil, wire.Refuse(wire.AppNotFound, "the path has a secret where the app's id belongs; put the id into the path and the secret into "+
				"the Authorization header")
		}
	}
	app, evicted, err := r.use(appID, seeded)
	if evicted != "" {
		r.log.Info("app dropped", "app", evicted, "reason", "oldest idle one of too many", "limit", r.Rules().MaxDevApps)
	}
	if err != nil {
		return nil, err
	}
	return app, nil
}

func refuseDeleted(appID string) *wire.Error {
	return wire.Refuse(wire.AppNotFound, "app %s was deleted through the account API; make another one", appID)
}

// use finds or makes the app of a call that is authorized.
func (r *Registry) use(appID string, seeded bool) (app *App, evicted string, refusal *wire.Error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	app, known := r.apps[appID]
	switch {
	case known:
		app.lastUsed = now
	case seeded:
		app = newApp(appID, true, now)
		r.apps[appID] = app
	default:
		return r.makeAppLocked(appID, now)
	}
	return app, "", nil
}

// DeleteApp ends every session of an app that the account API has deleted; their requests in progress are answered with
// 410, later ones with 404 (contract 8).
func (r *Registry) DeleteApp(appID string) {
	r.mu.Lock()
	app := r.apps[appID]
	delete(r.apps, appID)
	var left []*Session
	if app != nil {
		for _, entry := range app.sessions {
			left = append(left, entry.session)
		}
	}
	r.mu.Unlock()
	for _, s := range left {
		r.drop(s, "its app was deleted")
	}
}

// refuseIfDeleted ends an app whose deletion overtook a request that is making something on it.
func (r *Registry) refuseIfDeleted(app *App) error {
	if !app.seeded || r.accounts.Check(account.App, app.id, "") != account.Deleted {
		return nil
	}
	r.DeleteApp(app.id)
	return refuseDeleted(app.id)
}

// makeAppLocked needs Registry.mu.
func (r *Registry) makeAppLocked(appID string, now time.Time) (app *App, evicted string, refusal *wire.Error) {
	if r.mode != ModeDev {
		return nil, "", wire.Refuse(wire.AppNotFound, "app %q is not known and the mode is %s; "+
			"seed it with --app ID:SECRET, make it with the account API, or use the mode dev", appID, r.mode)
	}
	made, oldest := 0, (*App)(nil)
	for _, other := range r.apps {
		if other.seeded {
			continue
		}
		made++
		if len(other.sessions)+len(other.adapters) == 0 && (oldest == nil || other.lastUsed.Before(oldest.lastUsed)) {
			oldest = other
		}
	}
	if made >= r.Rules().MaxDevApps {
		if oldest == nil {
			return nil, "", wire.Refuse(wire.AppNotFound, "app %q: all %d apps of dev mode have live sessions; "+
				"raise max-dev-apps", appID, made)
		}
		delete(r.apps, oldest.id)
		evicted = oldest.id
	}
	app = newApp(appID, false, now)
	r.apps[appID] = app
	return app, evicted, nil
}

// add makes a session known to its app.
func (r *Registry) add(s *Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return wire.Refuse(wire.Internal, "the emulator is stopping")
	}
	if r.apps[s.app.id] != s.app {
		return wire.Refuse(wire.AppNotFound, "app %s was dropped between two steps of this request; send it again", s.app.id)
	}
	s.app.sessions[s.id] = &entry{session: s, published: map[string]publication{}, channels: map[string]dataPublication{}}
	return nil
}

// session finds a session of this app, nil if there is none.
func (r *Registry) session(app *App, id string) *Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := app.sessions[id]; entry != nil {
		return entry.session
	}
	return nil
}

// find looks up a published track of this app, nil if there is none.
func (r *Registry) find(app *App, sessionID, trackName string) publication {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := app.sessions[sessionID]; entry != nil {
		return entry.published[trackName]
	}
	return nil
}

// findChannel looks up a published data channel of this app, nil if there is none.
func (r *Registry) findChannel(app *App, sessionID, name string) dataPublication {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := app.sessions[sessionID]; entry != nil {
		return entry.channels[name]
	}
	return nil
}

// publishChannel makes a data channel visible to the other sessions of the app, unless its session was dropped meanwhile.
func (r *Registry) publishChannel(s *Session, name string, pub dataPublication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := s.app.sessions[s.id]; entry != nil {
		entry.channels[name] = pub
	}
}

// unpublishChannel hides a data channel from new subscriptions.
func (r *Registry) unpublishChannel(s *Session, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := s.app.sessions[s.id]; entry != nil {
		delete(entry.channels, name)
	}
}

// absent says why find finds nothing, and what to do about it.
func (r *Registry) absent(app *App, sessionID, trackName string) string {
	s := r.session(app, sessionID)
	if s == nil {
		return r.whereabouts(app, sessionID) + "; check the id, or have the publisher start anew"
	}
	var live []string
	was := ""
	for _, t := range s.list() {
		switch {
		case t.remote:
		case t.name == trackName && t.life == lifeCollected:
			was = fmt.Sprintf("sent no packet for %s and was collected; publish it again", r.Rules().SilentTrack)
		case t.name == trackName:
			was = "was closed; publish it again"
		case t.status() == wire.StatusActive:
			live = append(live, t.name)
		}
	}
	if was != "" {
		return fmt.Sprintf("track %q of session %s %s", trackName, sessionID, was)
	}
	if len(live) == 0 {
		return fmt.Sprintf("session %s never published a track %q, and publishes nothing now; push it first", sessionID, trackName)
	}
	return fmt.Sprintf("session %s never published a track %q, only %q; push it first, or check the name", sessionID, trackName, live)
}

// publisher says of a session in one word whether it could send: unknown, connected, or not connected.
func (r *Registry) publisher(app *App, sessionID string) string {
	s := r.session(app, sessionID)
	switch {
	case s == nil:
		return publisherUnknown
	case s.connected():
		return publisherConnected
	}
	return publisherNotConnected
}

const (
	publisherUnknown      = "unknown"
	publisherConnected    = "connected"
	publisherNotConnected = "not connected"
)

// publish makes a track visible to the other sessions of the app, unless its session was dropped meanwhile.
func (r *Registry) publish(s *Session, trackName string, pub publication) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := s.app.sessions[s.id]; entry != nil {
		entry.published[trackName] = pub
	}
}

// unpublish hides a track from new pulls.
func (r *Registry) unpublish(s *Session, trackName string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry := s.app.sessions[s.id]; entry != nil {
		delete(entry.published, trackName)
	}
}
