package session

import (
	"slices"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func TestForcedClose(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam", "mic")
		out, err := b.closeTracks(id, "", "0", "7")
		if err != nil || out.SessionDescription != nil || out.RequiresImmediateRenegotiation {
			t.Fatalf("%+v, %v", out, err)
		}
		if !slices.Equal(out.Tracks, []wire.TrackResult{
			{Mid: "0"}, wire.TrackResult{Mid: "7"}.Fail(wire.Refuse(wire.TrackNotOpen, "")),
		}) {
			t.Errorf("items are %+v", out.Tracks)
		}
		if got := b.peer(id).stopped; !slices.Equal(got, []string{"0"}) {
			t.Errorf("stopped mids %q", got)
		}
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic active")
		again, err := b.closeTracks(id, "", "0")
		if err != nil || again.Tracks[0].ErrorCode != "close_track_error" {
			t.Errorf("closed twice: %+v, %v", again, err)
		}
		pulled, err := b.pull(t.Context(), b.newSession(), remote(id, "cam"))
		if err != nil || pulled.Tracks[0].ErrorCode != "not_found_track_error" {
			t.Errorf("pull of a closed track: %+v, %v", pulled, err)
		}
	})
}

func TestForcedCloseOnAFreshSessionFailsItsItems(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		out, err := b.closeTracks(b.newSession(), "", "0")
		if err != nil || out.Tracks[0].ErrorCode != "close_track_error" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestNegotiatedCloseClosesAllNamedMidsAndAnswers(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam", "mic", "screen")
		out, err := b.closeTracks(id, "0 video inactive;1 video sendonly;2 video sendonly", "0", "1")
		if err != nil || out.SessionDescription.Type != "answer" || out.RequiresImmediateRenegotiation {
			t.Fatalf("%+v, %v", out, err)
		}
		plans := b.peer(id).plans
		if got := plans[len(plans)-1]; !slices.Equal(got.Close, []string{"0", "1"}) || len(got.Publish) != 0 {
			t.Errorf("the plan is %+v", got)
		}
		b.wantStatuses(id, "local 0 cam inactive", "local 1 mic inactive", "local 2 screen active")
		if b.find(b.app, id, "cam") != nil || b.find(b.app, id, "screen") == nil {
			t.Error("the wrong track is found")
		}
	})
}

func TestNegotiatedCloseEndsAPull(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		if _, err := b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Fatal(err)
		}
		if err := b.answer(id); err != nil {
			t.Fatal(err)
		}
		b.peer(id).set(sfu.StateConnected)
		if _, err := b.closeTracks(id, "0 video inactive", "0"); err != nil {
			t.Fatal(err)
		}
		b.wantStatuses(id, "remote 0 cam inactive")
		b.wantStatuses(publisher, "local 0 cam active")
	})
}

func TestNegotiatedCloseAnswersEvenIfEveryItemFails(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		out, err := b.closeTracks(id, "0 video sendonly", "8", "9")
		if err != nil || out.SessionDescription == nil || out.Tracks[0].ErrorCode == "" || out.Tracks[1].ErrorCode == "" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestNegotiatedCloseWithBadSDPFailsButCloses(t *testing.T) {
	for name, c := range map[string]struct {
		sdp  string
		fail error
		want wire.Problem
	}{
		"unparsable":   {sdp: "no line end", want: wire.SDPLineEnd},
		"does not fit": {sdp: "0 video inactive", fail: sfu.ErrSDPMismatch, want: wire.SDPMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			inBench(t, func(t *testing.T, b *bench) {
				id := b.publisher("cam")
				b.peer(id).fail = c.fail
				_, err := b.closeTracks(id, c.sdp, "0")
				wantProblem(t, err, c.want)
				b.wantStatuses(id, "local 0 cam inactive")
				if got := b.peer(id).stopped; !slices.Equal(got, []string{"0"}) {
					t.Errorf("stopped mids %q", got)
				}
			})
		})
	}
}

func TestNegotiatedCloseOnAFreshSessionIsRefused(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		_, err := b.closeTracks(b.newSession(), "0 video inactive", "0")
		wantProblem(t, err, wire.SDPOutOfOrder)
	})
}

func TestNameIsFreeAgainAfterClose(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		if _, err := b.closeTracks(id, "", "0"); err != nil {
			t.Fatal(err)
		}
		// The same mid after a forced close is accepted; that it stays silent is the SFU's part (contract 1.3).
		out, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam"))
		if err != nil || out.Tracks[0] != (wire.TrackResult{Mid: "0", TrackName: "cam"}) {
			t.Fatalf("%+v, %v", out, err)
		}
		b.wantStatuses(id, "local 0 cam inactive", "local 0 cam active")
		if b.find(b.app, id, "cam") == nil {
			t.Error("the republished track is not found")
		}
	})
}

func TestPulledTrackIsInactiveOnceItsPublisherClosed(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		if _, err := b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.closeTracks(publisher, "", "0"); err != nil {
			t.Fatal(err)
		}
		b.wantStatuses(id, "remote 0 cam inactive")
		out, err := b.closeTracks(id, "", "0")
		if err != nil || out.Tracks[0].ErrorCode != "" {
			t.Errorf("the puller cannot close it: %+v, %v", out, err)
		}
	})
}

func TestClosingAMidLeavesItsFormerNameAlone(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		for _, step := range []wire.TrackObject{local("1", "cam"), local("0", "mic")} {
			if _, err := b.closeTracks(id, "", "0"); err != nil {
				t.Fatal(err)
			}
			if _, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", step); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.closeTracks(id, "", "0"); err != nil {
			t.Fatal(err)
		}
		if b.find(b.app, id, "cam") == nil {
			t.Error("the name that moved to mid 1 is not found any more")
		}
	})
}

func TestClosingACollectedTrackLeavesItsFormerNameAlone(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		b.pass(30 * time.Second)
		b.wantStatuses(id, "local 0 cam inactive")
		if _, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", local("1", "cam")); err != nil {
			t.Fatal(err)
		}
		if _, err := b.closeTracks(id, "0 video inactive;1 video sendonly", "0"); err != nil {
			t.Fatal(err)
		}
		if b.find(b.app, id, "cam") == nil {
			t.Error("the name that moved to mid 1 is not found any more")
		}
	})
}

// Package sfu hands out a publication that carries nothing and ends with its Peer only, for a mid that was force-closed
// (contract 1.3). A negotiated close frees the mid, so what comes after it is published anew.
func TestMidIsPublishedAnewAfterANegotiatedClose(t *testing.T) {
	for name, silence := range map[string]time.Duration{"open track": 0, "collected track": 31 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBench(t, func(t *testing.T, b *bench) {
				id := b.publisher("cam")
				delete(b.peer(id).pubs, "0")
				b.pass(time.Second)
				b.pass(silence)
				if _, err := b.closeTracks(id, "0 video inactive", "0"); err != nil {
					t.Fatal(err)
				}
				if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam")); err != nil {
					t.Fatal(err)
				}
				plans := b.peer(id).plans
				if got := plans[len(plans)-1].Publish; !slices.Equal(got, []string{"0"}) {
					t.Errorf("the plan publishes %q", got)
				}
			})
		})
	}
}
