package session

import (
	"strconv"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/account"
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

func seededApps() *account.Store {
	return account.New(account.Config{Apps: map[string]string{"seeded": "secret"}})
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
			r := registryFor(t, Config{Accounts: seededApps(), Mode: c.mode})
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
	r := registryFor(t, Config{Accounts: seededApps(), Clock: v, Rules: Rules{MaxDevApps: 3}})
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

func TestAppOfTheAccountAPIIsUsableAtOnceAndEndsWithItsSessions(t *testing.T) {
	for _, mode := range []Mode{ModeDev, ModeReal} {
		inBenchOf(t, Config{Mode: mode}, func(t *testing.T, b *bench) {
			bystander := b.newSession()
			made, secret, err := b.accounts.Create(account.App, "any", "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Authorize(made.ID, "another token")
			wantProblem(t, err, wire.Unauthorized)
			app, err := b.Authorize(made.ID, secret)
			if err != nil {
				t.Fatal(err)
			}
			old := b.app
			b.app = app
			session := b.negotiating()
			waiting := b.beginPush(t.Context(), session, "1", "second")
			if waiting.over() {
				t.Fatal("the push does not wait for the transport")
			}

			if _, ok := b.accounts.Delete(account.App, "any", made.ID); !ok {
				t.Fatal("not deleted")
			}
			b.DeleteApp(made.ID)
			b.pass(0)
			wantProblem(t, waiting.err, wire.SessionGone)
			if p := b.engine.peers[len(b.engine.peers)-1]; !closed(p.done) {
				t.Error("the transport of a session is still there")
			}
			_, err = b.Authorize(made.ID, secret)
			wantProblem(t, err, wire.AppNotFound) // in dev mode too, where other unknown apps come into being
			_, err = b.NewSession(t.Context(), app, nil)
			wantProblem(t, err, wire.AppNotFound)
			b.DeleteApp(made.ID) // nothing is left to delete

			b.app = old
			b.wantAlive(bystander)
		})
	}
}

// A deletion that comes between the two steps of a request leaves no session behind.
func TestSessionIsNotMadeOnAnAppThatIsBeingDeleted(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		made, secret, err := b.accounts.Create(account.App, "any", "")
		if err != nil {
			t.Fatal(err)
		}
		app, err := b.Authorize(made.ID, secret)
		if err != nil {
			t.Fatal(err)
		}
		b.accounts.Delete(account.App, "any", made.ID) // and DeleteApp has not been called yet
		_, err = b.NewSession(t.Context(), app, nil)
		wantProblem(t, err, wire.AppNotFound)
		if len(app.sessions) != 0 || b.apps[made.ID] != nil {
			t.Errorf("left: %d sessions, app %v", len(app.sessions), b.apps[made.ID])
		}
	})
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
