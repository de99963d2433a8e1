package session

import (
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

func TestNewSessionWithoutBodyHasAnIDAndNoTransport(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
			t.Errorf("session id is %q", id)
		}
		if len(b.engine.peers) != 0 {
			t.Error("a peer was made before the first exchange")
		}
		b.wantStatuses(id)
	})
}

func TestNewSessionWithAnOfferIsAnswered(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		out, err := b.NewSession(t.Context(), b.app, &wire.NewSessionRequest{SessionDescription: offerOf("0 video sendonly")})
		if err != nil || *out.SessionDescription != (wire.SessionDescription{Type: "answer", SDP: "answer"}) {
			t.Fatalf("%+v, %v", out, err)
		}
		if plan := b.peer(out.SessionID).plans[0]; len(plan.Publish) != 0 {
			t.Errorf("unnamed tracks were published: %v", plan)
		}
	})
}

func TestNewSessionWithABadOfferLeavesNothingBehind(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		_, err := b.NewSession(t.Context(), b.app, &wire.NewSessionRequest{SessionDescription: offerOf("no ufrag")})
		wantProblem(t, err, wire.SDPNoUfrag)
		if left := b.allSessions(); len(left) != 0 || len(b.engine.peers) != 0 {
			t.Errorf("%d sessions and %d peers left", len(left), len(b.engine.peers))
		}
	})
}

func TestNewSessionWhoseOfferTheSFURefusesLeavesNothingBehind(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		b.Registry.engine = &failingOnce{engine: b.engine, err: sfu.ErrSDPMismatch}
		_, err := b.NewSession(t.Context(), b.app, &wire.NewSessionRequest{SessionDescription: offerOf("0 video sendonly")})
		wantProblem(t, err, wire.SDPMismatch)
		if left := b.allSessions(); len(left) != 0 {
			t.Errorf("%d sessions left", len(left))
		}
	})
}

func TestPushAnswersWithMidAndNameOnly(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out, err := b.push(t.Context(), id, "0 video sendonly;1 audio sendonly", local("1", "mic"), local("0", "cam"))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.Tracks, []wire.TrackResult{{Mid: "1", TrackName: "mic"}, {Mid: "0", TrackName: "cam"}}) {
			t.Errorf("items are %+v", out.Tracks)
		}
		if out.RequiresImmediateRenegotiation || out.SessionDescription.Type != "answer" {
			t.Errorf("the push says %+v", out)
		}
		b.wantStatuses(id, "local 1 mic active", "local 0 cam active")
	})
}

func TestPullOffersWithMidsCountedFromZero(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		first, second := b.publisher("cam", "mic"), b.publisher("cam")
		id, rid := b.newSession(), "h"
		asked := remote(second, "cam")
		asked.Simulcast = &wire.Simulcast{PreferredRid: &rid}
		out, err := b.pull(t.Context(), id, remote(first, "mic"), asked)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out.Tracks, []wire.TrackResult{
			{Mid: "0", SessionID: first, TrackName: "mic"},
			{Mid: "1", SessionID: second, TrackName: "cam", Simulcast: asked.Simulcast},
		}) {
			t.Errorf("items are %+v", out.Tracks)
		}
		if !out.RequiresImmediateRenegotiation || out.SessionDescription.Type != "offer" {
			t.Errorf("the pull says %+v", out)
		}
		b.wantStatuses(id, "remote 0 mic active", "remote 1 cam active")
	})
}

func TestFailedPullsTakeNoMid(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		out, err := b.pull(t.Context(), id, remote(publisher, "none"), remote(publisher, "cam"), remote("gone", "cam"))
		if err != nil {
			t.Fatal(err)
		}
		fail := wire.Refuse(wire.TrackNotFound, "")
		if !slices.Equal(out.Tracks, []wire.TrackResult{
			wire.TrackResult{SessionID: publisher, TrackName: "none"}.Fail(fail),
			{Mid: "0", SessionID: publisher, TrackName: "cam"},
			wire.TrackResult{SessionID: "gone", TrackName: "cam"}.Fail(fail),
		}) {
			t.Errorf("items are %+v", out.Tracks)
		}
		if !out.RequiresImmediateRenegotiation || out.SessionDescription == nil {
			t.Error("the good item brought no offer")
		}
	})
}

func TestWhenEveryItemFailsThereIsNoSDP(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		pulled, err := b.pull(t.Context(), id, remote("gone", "cam"))
		if err != nil || pulled.RequiresImmediateRenegotiation || pulled.SessionDescription != nil {
			t.Errorf("pull: %+v, %v", pulled, err)
		}
		pushed, err := b.push(t.Context(), id, "0 video sendonly", local("5", "cam"))
		if err != nil || pushed.SessionDescription != nil || pushed.Tracks[0].Mid != "" || pushed.Tracks[0].ErrorCode == "" {
			t.Errorf("push: %+v, %v", pushed, err)
		}
		if len(b.engine.peers) != 0 {
			t.Error("a request without success began the transport")
		}
	})
}

func TestPushOfASectionWithoutKnownCodecIsAnItemError(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out, err := b.push(t.Context(), id, "x0 video sendonly;1 video sendonly", local("x0", "odd"), local("1", "cam"))
		if err != nil || out.Tracks[0].ErrorCode != "track_error" || out.Tracks[0].Mid != "" || out.Tracks[1].Mid != "1" {
			t.Fatalf("%+v, %v", out, err)
		}
		b.wantStatuses(id, "local 1 cam active")
	})
}

// An offer whose only codec was unknown was answered, with failed items beside the answer (contract 1.3 H).
func TestPushOfNothingWithAKnownCodecChangesNothing(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		out, err := b.push(t.Context(), id, "x0 video sendonly", local("x0", "odd"))
		if err != nil || out.Tracks[0].ErrorCode != "track_error" || out.SessionDescription != nil || out.RequiresImmediateRenegotiation {
			t.Fatalf("%+v, %v", out, err)
		}
		if len(b.engine.peers) != 0 {
			t.Error("the offer was taken")
		}
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "odd")); err != nil {
			t.Errorf("the next offer: %v", err)
		}
	})
}

func TestPushUnderALiveNameIsRefused(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("cam")
		out, err := b.push(t.Context(), id, "0 video sendonly;1 video sendonly", local("1", "cam"))
		if err != nil || out.Tracks[0].ErrorCode != "repeated_local_track_error" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestPushOfALiveMidRenamesItsTrack(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.publisher("old")
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "new")); err != nil {
			t.Fatal(err)
		}
		if b.find(b.app, id, "old") != nil || b.find(b.app, id, "new") == nil {
			t.Error("the publication is not found by its new name alone")
		}
		b.wantStatuses(id, "local 0 old inactive", "local 0 new active")
	})
}

func TestAppsDoNotSeeEachOther(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher := b.publisher("cam")
		other, err := b.Authorize("other", "token")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.SessionState(t.Context(), other, publisher)
		wantProblem(t, err, wire.SessionGone)
		b.app = other
		out, err := b.pull(t.Context(), b.newSession(), remote(publisher, "cam"))
		if err != nil || out.Tracks[0].ErrorCode != "not_found_track_error" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestTooManyTracks(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		_, err := b.pull(t.Context(), "unknown", make([]wire.TrackObject, 65)...)
		wantProblem(t, err, wire.TooManyTracks)
	})
}

func TestUnknownSessionIsGoneForEveryOperation(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		_, err := b.push(t.Context(), "unknown", "0 video sendonly", local("0", "cam"))
		wantProblem(t, err, wire.SessionGone)
		_, err = b.pull(t.Context(), "unknown", remote("s", "cam"))
		wantProblem(t, err, wire.SessionGone)
		wantProblem(t, b.answer("unknown"), wire.SessionGone)
		_, err = b.closeTracks("unknown", "", "0")
		wantProblem(t, err, wire.SessionGone)
		_, err = b.SessionState(t.Context(), b.app, "unknown")
		wantProblem(t, err, wire.SessionGone)
	})
}

func TestPendingOfferRefusesOffersUntilItIsAnswered(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		if _, err := b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Fatal(err)
		}
		b.peer(id).set(sfu.StateConnected)
		_, err := b.pull(t.Context(), id, remote(publisher, "cam"))
		wantProblem(t, err, wire.SDPOutOfOrder)
		_, err = b.push(t.Context(), id, "1 video sendonly", local("1", "mine"))
		wantProblem(t, err, wire.SDPOutOfOrder)
		_, err = b.push(t.Context(), id, "", local("1", "mine"))
		wantProblem(t, err, wire.SDPUnparsable) // parsing comes before the order of offers
		_, err = b.closeTracks(id, "0 video inactive", "0")
		wantProblem(t, err, wire.SDPOutOfOrder)
		if err := b.answer(id); err != nil {
			t.Fatal(err)
		}
		wantProblem(t, b.answer(id), wire.SDPNoOfferPending)
		if _, err = b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Error(err)
		}
	})
}

func TestForcedCloseRunsBesideAPendingOffer(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		if _, err := b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Fatal(err)
		}
		out, err := b.closeTracks(id, "", "0")
		if err != nil || out.Tracks[0] != (wire.TrackResult{Mid: "0"}) {
			t.Errorf("%+v, %v", out, err)
		}
		if !b.peer(id).OfferPending() {
			t.Error("the pending exchange was ended")
		}
	})
}

func TestOfferInRenegotiate(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		publisher, id := b.publisher("cam"), b.newSession()
		offer := func(sdp string) (*wire.RenegotiateResponse, error) {
			return b.Renegotiate(t.Context(), b.app, id, &wire.RenegotiateRequest{SessionDescription: offerOf(sdp)})
		}
		_, err := offer("0 video recvonly")
		wantProblem(t, err, wire.SDPOutOfOrder)
		if _, err := b.pull(t.Context(), id, remote(publisher, "cam")); err != nil {
			t.Fatal(err)
		}
		for _, sdp := range []string{"0 video recvonly", ""} {
			_, err = offer(sdp)
			wantProblem(t, err, wire.AnswerExpected)
		}
		if err := b.answer(id); err != nil {
			t.Fatal(err)
		}
		// Not connected: an ICE restart is for that.
		out, err := offer("0 video recvonly")
		if err != nil || *out.SessionDescription != (wire.SessionDescription{Type: "answer", SDP: "answer"}) {
			t.Errorf("%+v, %v", out, err)
		}
		_, err = offer("no ufrag")
		wantProblem(t, err, wire.SDPNoUfrag)
	})
}

func TestRefusedFirstExchangeLeavesTheSessionUsable(t *testing.T) {
	inBench(t, func(t *testing.T, b *bench) {
		id := b.newSession()
		b.Registry.engine = &failingOnce{engine: b.engine, err: sfu.ErrSDPMismatch}
		_, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam"))
		wantProblem(t, err, wire.SDPMismatch)
		if state, _ := b.engine.peers[0].State(); state != sfu.StateClosed {
			t.Error("the peer of the refused exchange is open")
		}
		if _, err := b.push(t.Context(), id, "0 video sendonly", local("0", "cam")); err != nil {
			t.Error(err)
		}
	})
}

// failingOnce makes the first exchange of the first peer fail.
type failingOnce struct {
	engine
	err error
}

func (e *failingOnce) NewPeer(sessionID string) (peer, error) {
	p, err := e.engine.NewPeer(sessionID)
	p.(*fakePeer).fail, e.err = e.err, nil
	return p, err
}

func TestErrorsOfTheSFUBecomeCatalogueRows(t *testing.T) {
	for err, want := range map[error]wire.Problem{
		sfu.ErrSDPSyntax:      wire.SDPUnparsable,
		sfu.ErrSDPLineEnd:     wire.SDPLineEnd,
		sfu.ErrSDPNoUfrag:     wire.SDPNoUfrag,
		sfu.ErrSDPMismatch:    wire.SDPMismatch,
		sfu.ErrCodecMissing:   wire.SDPCodecMissing,
		sfu.ErrOfferPending:   wire.SDPOutOfOrder,
		sfu.ErrNoOfferPending: wire.SDPNoOfferPending,
		sfu.ErrClosed:         wire.SessionGone,
		errors.New("other"):   wire.Internal,
	} {
		wantProblem(t, translate(errors.Join(err, errors.New("detail")), "push", "id"), want)
	}
	if translate(nil, "push", "id") != nil {
		t.Error("no error became one")
	}
}
