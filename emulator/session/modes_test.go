package session

import (
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
)

func TestStrictModeRefusesOverlappingRequests(t *testing.T) {
	for mode, refused := range map[Mode]bool{ModeDev: false, ModeReal: false, ModeStrict: true} {
		inBenchOf(t, Config{Mode: mode}, func(t *testing.T, b *bench) {
			id := b.negotiating()
			held := b.beginPush(t.Context(), id, "1", "second")
			second := b.beginPush(t.Context(), id, "2", "third")
			if second.over() != refused {
				t.Errorf("%s: over %v, %v", mode, second.over(), second.err)
			}
			if refused {
				wantProblem(t, second.err, wire.Overlap)
				if why := second.err.Error(); !strings.Contains(why, "SER-1: newTracks came while newTracks of 0s ago") {
					t.Errorf("explained as %q", why)
				}
			}
			b.wantStatuses(id, "local 0 first active") // reading overlaps nothing
			b.connect(id)
			if !held.over() || held.err != nil || !second.over() || !refused && second.err != nil {
				t.Errorf("%s: %v, %v", mode, held.err, second.err)
			}
			if _, err := b.push(t.Context(), id, "4 video sendonly", local("4", "fourth")); err != nil {
				t.Errorf("%s: the turn was not given back: %v", mode, err)
			}
		})
	}
}

func TestStrictModeRefusesICERestarts(t *testing.T) {
	inBenchOf(t, Config{Mode: ModeStrict}, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		_, err := b.Renegotiate(t.Context(), b.app, id, &wire.RenegotiateRequest{SessionDescription: offerOf("0 video sendonly")})
		wantProblem(t, err, wire.AnswerExpected)
	})
}

func TestRateLimitOfASession(t *testing.T) {
	for mode, limited := range map[Mode]bool{ModeDev: false, ModeReal: true, ModeStrict: true} {
		inBenchOf(t, Config{Mode: mode}, func(t *testing.T, b *bench) {
			id, other := b.newSession(), b.newSession()
			for range 25 {
				b.statuses(id)
				if _, err := b.closeTracks(id, "", "0"); err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.SessionState(t.Context(), b.app, id)
			_, closing := b.closeTracks(id, "", "0")
			if !limited {
				if err != nil || closing != nil {
					t.Errorf("%s: %v, %v", mode, err, closing)
				}
				return
			}
			wantProblem(t, err, wire.RateLimited)
			wantProblem(t, closing, wire.RateLimited)
			b.wantAlive(other) // the limit is each session's own
			b.jump(10 * time.Second)
			_, err = b.SessionState(t.Context(), b.app, id)
			wantProblem(t, err, wire.RateLimited) // it counts real time
			b.pass(100 * time.Millisecond)
			for range 5 {
				b.wantAlive(id)
			}
			_, err = b.SessionState(t.Context(), b.app, id)
			wantProblem(t, err, wire.RateLimited)
			if err := b.SetRule("rate-limit", "1000"); err != nil {
				t.Fatal(err)
			}
			b.pass(time.Second)
			b.statuses(id)
			b.pass(time.Second) // with the new limit the room grows
			for range 200 {
				b.statuses(id)
			}
		})
	}
}

func TestContractOfADay(t *testing.T) {
	const older = "No track data from remote peer. Make sure the publisher peer is sending packets for this track"
	newest := wire.Refuse(wire.TrackEmpty, "").Description
	for day, want := range map[string]string{"": newest, "2026-01-01": newest, "2025-12-31": older} {
		contract, err := ParseContract(day)
		if err != nil {
			t.Fatal(err)
		}
		inBenchOf(t, Config{Contract: contract}, func(t *testing.T, b *bench) {
			held := b.beginPull(t.Context(), b.newSession(), remote(b.negotiating(), "first"))
			b.pass(9 * time.Second)
			if got := held.out.Tracks[0].ErrorDescription; got != want {
				t.Errorf("on %q it says %q", day, got)
			}
			if got := b.Snapshot().Contract; got != contract.String() || day != "" && got != day {
				t.Errorf("the snapshot says %q", got)
			}
		})
	}
	if _, err := ParseContract("yesterday"); err == nil {
		t.Error("yesterday is a date")
	}
}

func TestChangesAreDatedAndSourced(t *testing.T) {
	for _, c := range Changes() {
		if _, err := ParseContract(c.Since); err != nil || c.Name == "" || c.Help == "" || c.Source == "" {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
