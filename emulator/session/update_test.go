package session

import (
	"slices"
	"testing"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func (b *bench) update(id string, items ...wire.UpdateTrack) *wire.UpdateTracksResponse {
	b.Helper()
	out, err := b.UpdateTracks(b.Context(), b.app, id, &wire.UpdateTracksRequest{Tracks: items})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func preferL() *wire.Simulcast { return &wire.Simulcast{PreferredRid: new("l")} }

// puller is a connected session that has pulled "cam" of a publisher on mid 0.
func (b *bench) puller(publisher string) string {
	b.Helper()
	id := b.newSession()
	if _, err := b.pull(b.Context(), id, remote(publisher, "cam")); err != nil {
		b.Fatal(err)
	}
	if err := b.answer(id); err != nil {
		b.Fatal(err)
	}
	b.connect(id)
	return id
}

func TestUpdateOfAMidThatOnlySendsIsAnUpdateError(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		out, err := b.UpdateTracks(t.Context(), b.app, id, &wire.UpdateTracksRequest{Tracks: []wire.UpdateTrack{{Mid: "0"}}})
		if err != nil || out.Tracks[0].ErrorCode != "update_track_error" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestUpdateToAnotherSource(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		first, second := b.publisher("cam"), b.publisher("cam", "screen")
		id := b.puller(first)
		out := b.update(id, wire.UpdateTrack{Location: "remote", Mid: "0", SessionID: second, TrackName: "screen"})
		if !slices.Equal(out.Tracks, []wire.TrackResult{{Mid: "0", SessionID: second, TrackName: "screen"}}) || out.RequiresImmediateRenegotiation {
			t.Errorf("%+v", out)
		}
		if got := b.peer(id).subs["0"].source; got != b.find(b.app, second, "screen") {
			t.Errorf("the source is %v", got)
		}
		b.wantStatuses(id, "remote 0 screen active")
		// By the session alone, and the name stays.
		if _, err := b.push(t.Context(), first, "0 video sendonly;1 video sendonly", local("1", "screen")); err != nil {
			t.Fatal(err)
		}
		out = b.update(id, wire.UpdateTrack{Mid: "0", SessionID: first})
		if out.Tracks[0] != (wire.TrackResult{Mid: "0", SessionID: first, TrackName: "screen"}) {
			t.Errorf("%+v", out)
		}
	})
}

func TestUpdateOfTheLayer(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.publisher("cam")
		id := b.puller(publisher)
		early := b.update(id, wire.UpdateTrack{Mid: "0", Simulcast: preferL()})
		b.peer(publisher).pubs["0"].rids = []string{"h", "l"}
		unforwarded := b.update(id, wire.UpdateTrack{Mid: "0", Simulcast: preferL()})
		for _, out := range []*wire.UpdateTracksResponse{early, unforwarded} {
			if out.Tracks[0] != (wire.TrackResult{Mid: "0", SessionID: publisher, TrackName: "cam"}).Fail(wire.Refuse(wire.UpdateNotSimulcast, "")) {
				t.Errorf("%+v", out.Tracks)
			}
		}
		if a, c := early.Explanations()[0][:6], unforwarded.Explanations()[0][:6]; a != "UPD-1:" || c != "UPD-6:" {
			t.Errorf("explained as %s and %s", a, c)
		}
		b.peer(id).subs["0"].forwarding.Store(true)
		out := b.update(id, wire.UpdateTrack{Location: "remote", Mid: "0", SessionID: publisher, TrackName: "cam", Simulcast: preferL()})
		if out.Tracks[0] != (wire.TrackResult{Mid: "0", SessionID: publisher, TrackName: "cam"}) || b.peer(id).subs["0"].want.PreferredRID != "l" {
			t.Errorf("%+v", out.Tracks)
		}
		for _, s := range b.Snapshot().Apps[0].Sessions {
			if s.ID == id && (s.Tracks[0].Simulcast == nil || *s.Tracks[0].Simulcast.PreferredRid != "l") {
				t.Errorf("the snapshot shows the choice %+v", s.Tracks[0].Simulcast)
			}
		}
		b.update(id, wire.UpdateTrack{Mid: "0", Simulcast: &wire.Simulcast{RidNotAvailable: "asciibetical"}})
		if got := b.peer(id).subs["0"].want; got != (sfu.Selection{FallOnMissing: true}) {
			t.Errorf("the new object does not replace the old one: %+v", got)
		}
		b.update(id, wire.UpdateTrack{Mid: "0"}) // asks for nothing
		if got := b.peer(id).subs["0"].want; got != (sfu.Selection{FallOnMissing: true}) {
			t.Errorf("the choice became %+v", got)
		}
	})
}

func TestUpdatesThatFailAreItemErrors(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, mic, odd := b.publisher("cam"), b.bidirectional(), b.publisher("cam")
		b.peer(odd).pubs["0"].codec = "H264"
		id := b.puller(publisher)
		out := b.update(id,
			wire.UpdateTrack{Mid: "7", Simulcast: preferL()},
			wire.UpdateTrack{Mid: "0", SessionID: publisher, TrackName: "none"},
			wire.UpdateTrack{Mid: "0", SessionID: mic, TrackName: "user-mic"},
			wire.UpdateTrack{Mid: "0", SessionID: odd, TrackName: "cam"},
			wire.UpdateTrack{Mid: "0", Location: "local", TrackName: "new"},
			wire.UpdateTrack{Mid: "#nobody", SessionID: publisher, TrackName: "cam"},
		)
		var problems []wire.Problem
		for _, e := range out.Failed {
			problems = append(problems, e.Problem)
		}
		if want := []wire.Problem{wire.UpdateNoTrack, wire.TrackNotFound, wire.UpdateKindDiffers, wire.UpdateCodecDiffers,
			wire.UpdateLocalTrack, wire.UpdateNoTrack}; !slices.Equal(problems, want) {
			t.Errorf("failed for %v, want %v", out.Explanations(), want)
		}
		for i, mid := range []string{"7", "0", "0", "0", "0", "#nobody"} {
			if item := out.Tracks[i]; item.Mid != mid || item.ErrorCode == "" {
				t.Errorf("item %d is %+v", i, item)
			}
		}
		b.wantStatuses(id, "remote 0 cam active")
		if _, err := b.closeTracks(id, "", "0"); err != nil {
			t.Fatal(err)
		}
		out = b.update(id, wire.UpdateTrack{Mid: "0", SessionID: publisher, TrackName: "cam"})
		if out.Tracks[0].ErrorCode != "update_track_error" {
			t.Errorf("a closed mid: %+v", out.Tracks)
		}
	})
}

func TestUpdateIntoABidirectionalTransceiver(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id, publisher := b.bidirectional(), b.bidirectional()
		out := b.update(id, wire.UpdateTrack{Mid: "#user-mic", SessionID: publisher, TrackName: "user-mic"})
		if out.Tracks[0] != (wire.TrackResult{Mid: "0", SessionID: publisher, TrackName: "user-mic"}) {
			t.Errorf("%+v", out.Tracks)
		}
		b.wantStatuses(id, "local 0 user-mic active", "remote 0 user-mic active")
	})
}

func TestUpdateRunsBesideAPendingOfferAndNotBeforeTheFirst(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		first, second := b.publisher("cam"), b.publisher("cam")
		id := b.newSession()
		_, err := b.UpdateTracks(t.Context(), b.app, id, &wire.UpdateTracksRequest{Tracks: []wire.UpdateTrack{{Mid: "0"}}})
		wantProblem(t, err, wire.SessionNotReady)
		if _, err := b.pull(t.Context(), id, remote(first, "cam")); err != nil {
			t.Fatal(err)
		}
		out := b.update(id, wire.UpdateTrack{Mid: "0", SessionID: second, TrackName: "cam"})
		if out.Tracks[0].ErrorCode != "" || !b.peer(id).OfferPending() {
			t.Errorf("%+v", out.Tracks)
		}
		_, err = b.UpdateTracks(t.Context(), b.app, id, &wire.UpdateTracksRequest{Tracks: make([]wire.UpdateTrack, 65)})
		wantProblem(t, err, wire.TooManyTracks)
	})
}
