package emulator

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/session"
)

// stateAnswer is the answer of GET state: everything that the Registry knows, and how the emulator runs.
type stateAnswer struct {
	Mode       string               `json:"mode"`
	Clock      clock.Mode           `json:"clock"`
	Candidates []CandidateReadiness `json:"candidates"`
	TURN       *turnState           `json:"turn"` // null where --stun is off
	session.RegistrySnapshot
}

// getState answers with the state, of one app where the query has app.
func (z *zone) getState(r *http.Request) (any, error) {
	app, err := appOf(r)
	if err != nil {
		return nil, err
	}
	snapshot := z.registry.Snapshot()
	if app != "" {
		snapshot.Apps = slices.DeleteFunc(snapshot.Apps, func(a session.AppSnapshot) bool { return a.ID != app })
	}
	return stateAnswer{
		Mode:             z.emulator.cfg.Mode.String(),
		Clock:            z.clockMode(),
		Candidates:       describe(z.emulator.Candidates()),
		TURN:             z.turn(),
		RegistrySnapshot: snapshot,
	}, nil
}

// appOf reads the one query parameter that calls of the zone have.
func appOf(r *http.Request) (string, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", refuseControl("the query cannot be read: %v", err)
	}
	for name, values := range query {
		if name != "app" || len(values) != 1 {
			return "", refuseControl("query parameter %q; this call takes app, once, and no other", name)
		}
	}
	return query.Get("app"), nil
}

// resetAnswer says what a reset closed.
type resetAnswer struct {
	session.ResetReport
	Faults int `json:"faults"` // rules that were forgotten
}

// reset closes every session, of one app where one is named, and forgets the rules for faults that go with it. The clock stays, and so
// do settings, which are everybody's, unless the body has them go back to those of the start.
func (z *zone) reset(r *http.Request) (any, error) {
	app, err := appOf(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		App      string `json:"app"`
		Settings bool   `json:"settings"`
	}
	if err := decodeControl(r, &in, true); err != nil {
		return nil, err
	}
	switch {
	case app == "":
		app = in.App
	case in.App != "" && in.App != app:
		return nil, refuseControl("the query says app %q, the body %q", app, in.App)
	}
	if in.Settings && app != "" {
		return nil, refuseControl("settings are those of every app; leave app out, or settings")
	}
	var out resetAnswer
	if app == "" {
		out.Faults = z.faults.Clear()
	} else {
		out.Faults = z.faults.RemoveApp(app)
	}
	out.ResetReport = z.registry.Reset(app)
	if in.Settings { // estimates have gone with their sessions
		z.registry.SetRules(z.rules)
		z.emulator.advertise(z.offers)
	}
	return out, nil
}

// clockAnswer is what the rules' clock shows.
type clockAnswer struct {
	Mode  clock.Mode `json:"mode"`
	Now   string     `json:"now"`
	Ahead string     `json:"ahead"` // of real time, such as 31s; below zero when it was frozen for a while
}

func (z *zone) clockMode() clock.Mode {
	if adjustable, ok := z.emulator.cfg.Clock.(*clock.Adjustable); ok {
		return adjustable.Mode()
	}
	return "program"
}

func (z *zone) getClock(*http.Request) (any, error) {
	wall := time.Now()
	now := z.emulator.cfg.Clock.At(wall)
	return clockAnswer{z.clockMode(), now.UTC().Format(timeFormat), now.Sub(wall).Round(time.Millisecond).String()}, nil
}

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// setClock freezes the clock, lets it run, or advances it; the answer to an advance comes when all that was due has
// happened.
func (z *zone) setClock(r *http.Request) (any, error) {
	var in struct {
		Mode    *clock.Mode `json:"mode"`
		Advance *span       `json:"advance"`
	}
	if err := decodeControl(r, &in, false); err != nil {
		return nil, err
	}
	adjustable, ok := z.emulator.cfg.Clock.(*clock.Adjustable)
	switch {
	case !ok:
		return nil, zoneError{http.StatusConflict, "the program that embeds the emulator brought its own clock; move that one"}
	case (in.Mode == nil) == (in.Advance == nil):
		return nil, refuseControl(`send either {"mode":"real"}, {"mode":"frozen"} or {"advance":"31s"}`)
	case in.Mode == nil:
		z.registry.Settle()
		if err := adjustable.Advance(r.Context(), in.Advance.duration()); err != nil {
			return nil, errors.Join(errors.New("the advance was given up"), err)
		}
	case *in.Mode != clock.ModeReal && *in.Mode != clock.ModeFrozen:
		return nil, refuseControl("mode is %q; use real or frozen", *in.Mode)
	default:
		adjustable.SetMode(*in.Mode)
	}
	return z.getClock(r)
}
