package session

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

func TestSnapshotShowsWhoPullsWhomAndWhatIsLeft(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.publisher("cam")
		puller := b.puller(publisher)
		b.pass(4 * time.Second)
		waiting := b.negotiating()
		held := b.beginPull(t.Context(), waiting, remote(publisher, "cam"))
		b.pass(time.Second)

		snap := b.Snapshot()
		if len(snap.Apps) != 1 || len(snap.Apps[0].Sessions) != 3 || !snap.Apps[0].Seeded {
			t.Fatalf("%+v", snap)
		}
		byID := map[string]Snapshot{}
		for _, s := range snap.Apps[0].Sessions {
			byID[s.ID] = s
		}
		cam := byID[publisher].Tracks[0]
		if cam.TrackName != "cam" || cam.Status != "active" || cam.Packets != 1 || cam.Codec != "VP8" ||
			!slices.Equal(cam.PulledBy, []PullSnapshot{{puller, "0"}}) {
			t.Errorf("the local track is %+v", cam)
		}
		pulled := byID[puller].Tracks[0]
		if pulled.Location != "remote" || pulled.SessionID != publisher || pulled.Sending {
			t.Errorf("the pulled track is %+v", pulled)
		}
		wantTimers := func(id string, want ...string) {
			t.Helper()
			var got []string
			for _, timer := range byID[id].Timers {
				got = append(got, timer.Rule+" "+timer.Mid+" "+timer.Left)
			}
			if !slices.Equal(got, want) {
				t.Errorf("timers are %q, want %q", got, want)
			}
		}
		wantTimers(publisher, "lost-window  30s", "silent-track 0 25s")
		wantTimers(puller, "lost-window  30s")
		wantTimers(waiting, "transport-wait  4s", "never-connected  59s")
		if s := byID[waiting]; s.Transport != "negotiating" || s.Request == nil || s.Request.Operation != OpNewTracks || s.Peer == nil {
			t.Errorf("the waiting session is %+v", s)
		}
		b.pass(10 * time.Second)
		if !held.over() {
			t.Error("still held")
		}
		if s := b.Snapshot(); strings.Contains(mustJSON(t, s), "transport-wait") || strings.Contains(mustJSON(t, s), `"request"`) {
			t.Error("an answered request is shown")
		}
	})
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestResetClosesAndSaysWhat(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		first := b.publisher("cam", "mic")
		seeded := b.app
		made, err := b.Authorize("made", "any")
		if err != nil {
			t.Fatal(err)
		}
		b.app = made
		second := b.publisher("cam")
		held := b.beginPull(t.Context(), b.negotiating(), remote(second, "none"))

		report := b.Reset("app")
		if len(report.Apps) != 0 || !slices.Equal(report.Sessions, []ClosedSession{{"app", first, 2, 0}}) {
			t.Errorf("%+v", report)
		}
		b.wantAlive(second)
		if held.over() {
			t.Error("another app's request ended")
		}
		report = b.Reset("")
		if !slices.Equal(report.Apps, []string{"made"}) || len(report.Sessions) != 2 {
			t.Errorf("%+v", report)
		}
		b.pass(0)
		if !held.over() {
			t.Fatal("still held")
		}
		wantProblem(t, held.err, wire.SessionGone)
		if report = b.Reset(""); mustJSON(t, report) != `{"apps":[],"sessions":[],"adapters":0}` {
			t.Errorf("%+v", report)
		}
		b.app = seeded
		b.newSession()
	})
}

func TestEstimateFixedFromOutside(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		if err := b.FixEstimate(id, 300_000); err != nil {
			t.Fatal(err)
		}
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam")); err != nil {
			t.Fatal(err)
		}
		if got := b.peer(id).fixed; got != 300_000 {
			t.Errorf("before the first exchange: %d", got)
		}
		if err := b.FixEstimate(id, 0); err != nil || b.peer(id).fixed != 0 {
			t.Errorf("%v, %d", err, b.peer(id).fixed)
		}
		if err := b.FixEstimate("none", 1); !errors.Is(err, ErrNoSession) {
			t.Errorf("an unknown session: %v", err)
		}
	})
}
