package session

import (
	"strconv"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/clock"
	"github.com/callsemu/callsemu/emulator/wire"
)

func registryFor(t *testing.T, cfg Config) *Registry {
	t.Helper()
	if cfg.Clock == nil {
		cfg.Clock = clock.NewVirtual(time.Unix(0, 0))
	}
	r := newRegistry(cfg, &fakeEngine{t: t})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestWhoMayUseAnApp(t *testing.T) {
	for _, c := range []struct {
		name, app, bearer string
		mode              Mode
		refused           bool
		problem           wire.Problem
	}{
		{name: "seeded, right secret, dev", app: "seeded", bearer: "secret", mode: ModeDev},
		{name: "seeded, right secret, real", app: "seeded", bearer: "secret", mode: ModeReal},
		{name: "seeded, wrong secret, dev", app: "seeded", bearer: "other", mode: ModeDev, refused: true, problem: wire.Unauthorized},
		{name: "seeded, wrong secret, real", app: "seeded", bearer: "other", mode: ModeReal, refused: true, problem: wire.Unauthorized},
		{name: "seeded, no token", app: "seeded", mode: ModeDev, refused: true, problem: wire.Unauthorized},
		{name: "unknown, any token, dev", app: "unknown", bearer: "any", mode: ModeDev},
		{name: "unknown, no token, dev", app: "unknown", mode: ModeDev, refused: true, problem: wire.Unauthorized},
		{name: "unknown, any token, strict", app: "unknown", bearer: "any", mode: ModeStrict, refused: true, problem: wire.AppNotFound},
		{name: "unknown, no token, real", app: "unknown", mode: ModeReal, refused: true, problem: wire.Unauthorized},
		{name: "unknown, any token, real", app: "unknown", bearer: "any", mode: ModeReal, refused: true, problem: wire.AppNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := registryFor(t, Config{Apps: map[string]string{"seeded": "secret"}, Mode: c.mode})
			app, err := r.Authorize(c.app, c.bearer)
			if c.refused {
				wantProblem(t, err, c.problem)
				return
			}
			if err != nil || app.ID() != c.app {
				t.Errorf("app %v, error %v", app, err)
			}
		})
	}
}

func TestOldestIdleDevAppIsDropped(t *testing.T) {
	v := clock.NewVirtual(time.Unix(0, 0))
	r := registryFor(t, Config{Apps: map[string]string{"seeded": "secret"}, Clock: v, Rules: Rules{MaxDevApps: 3}})
	apps := map[string]*App{}
	use := func(id string) {
		t.Helper()
		app, err := r.Authorize(id, "any")
		if err != nil {
			t.Fatal(err)
		}
		apps[id] = app
		v.Advance(time.Millisecond)
	}
	for i := range 3 {
		use(strconv.Itoa(i))
	}
	if _, err := r.NewSession(t.Context(), apps["0"], nil); err != nil { // oldest, but not idle
		t.Fatal(err)
	}
	use("1") // so that 2 is the oldest idle one
	use("3")

	for id, stays := range map[string]bool{"0": true, "1": true, "2": false, "3": true} {
		if known := r.apps[id] == apps[id]; known != stays {
			t.Errorf("app %s known: %v, want %v", id, known, stays)
		}
	}
	if r.apps["seeded"] == nil {
		t.Error("the seeded app was dropped")
	}
	_, err := r.NewSession(t.Context(), apps["2"], nil)
	wantProblem(t, err, wire.AppNotFound)
}

func TestNoDevAppIsDroppedWhileAllHaveSessions(t *testing.T) {
	r := registryFor(t, Config{Rules: Rules{MaxDevApps: 1}})
	app, err := r.Authorize("first", "any")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.NewSession(t.Context(), app, nil); err != nil {
		t.Fatal(err)
	}
	_, err = r.Authorize("second", "any")
	wantProblem(t, err, wire.AppNotFound)
}

func TestModeIsReadAndWritten(t *testing.T) {
	for _, m := range []Mode{ModeDev, ModeReal, ModeStrict} {
		if got, err := ParseMode(m.String()); err != nil || got != m {
			t.Errorf("%s reads as %v, %v", m, got, err)
		}
	}
	if _, err := ParseMode("prod"); err == nil {
		t.Error("mode prod was accepted")
	}
}
