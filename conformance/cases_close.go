package conformance

import (
	"context"
	"net/http"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func closeCases() []Case {
	return []Case{
		{
			ID: "close/forced", Sentence: "A forced close stops a publication without SDP; its pullers fall silent and it is inactive.",
			Section: "1.6, 1.7, 2.2", Mark: Doc, Operations: []string{"closeTracks", "getSession"}, Run: closeForcedPush,
		},
		{
			ID: "close/forced-pull", Sentence: "A forced close of a pulled track stops it for this subscriber only.",
			Section: "1.6", Mark: Doc, Operations: []string{"closeTracks"}, Run: closeForcedPull,
		},
		{
			ID: "close/forced-several", Sentence: "A forced close takes several mids; the rest plays on.",
			Section: "1.6", Mark: Doc, Codes: []string{"close_track_error"}, Run: closeForcedSeveral,
		},
		{
			ID: "close/unknown-mid", Sentence: "Unknown and closed mids fail as items.",
			Section: "1.6", Mark: Doc, Codes: []string{"close_track_error"}, Run: closeUnknownMid,
		},
		{
			ID: "close/fresh", Sentence: "On a session that never negotiated a forced close fails by item, a negotiated one is 406.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Run: closeFresh,
			Codes: []string{"close_track_error", "invalid_session_description/406 overlap"},
		},
		{
			ID: "close/extra-fields", Sentence: "Extra fields in the items of a close are ignored, and an absent force counts as false.",
			Section: "1.6", Mark: Inferred, Run: closeExtraFields,
		},
	}
}

func closeForcedPush(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	t.flows(ctx, "cam", subs[1], 5)
	x := pub.put(ctx, "/tracks/close", closeBody{mids("1"), nil, true}).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks").wantItemFields(0, "mid")
	if len(x.Body.Tracks) != 1 || x.item(0).Mid != "1" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	t.quiet(ctx, "cam", subs[1])
	t.flows(ctx, "mic", subs[0], 10)
	state := pub.state(ctx).want(http.StatusOK)
	if mic, cam := state.item(0), state.item(1); mic.Status != "active" || cam.Status != "inactive" || cam.TrackName != "cam" {
		t.Errorf("GET lists %+v", state.Body.Tracks)
	}
}

func closeForcedPull(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	closing, stopped := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	_, others := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", stopped[0], 5)
	closing.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	t.quiet(ctx, "the closed pull", stopped[0])
	t.flows(ctx, "the other subscriber", others[0], 10)
	if got := closing.state(ctx).item(0); got.Status != "inactive" || got.Location != "remote" {
		t.Errorf("GET lists %+v", got)
	}
	if got := pub.state(ctx).item(0); got.Status != "active" {
		t.Errorf("the publication is listed as %+v", got)
	}
	again := closing.pull(ctx, remote(pub.ID, "mic"))
	t.flows(ctx, "the track pulled again", again[0], 5)
}

func closeForcedSeveral(ctx context.Context, t *T) {
	third := named{"third", mic().Track}
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), third)
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"), remote(pub.ID, "third"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	x := pub.put(ctx, "/tracks/close", closeBody{mids("2", "9", "0"), nil, true}).want(http.StatusOK).
		wantItemFields(0, "mid").wantItemFields(1, "mid", "errorCode", "errorDescription").wantItemFields(2, "mid").
		wantItemError(1, "close_track_error")
	if x.item(0).Mid != "2" || x.item(1).Mid != "9" || x.item(2).Mid != "0" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	t.quiet(ctx, "mic", subs[0])
	t.quiet(ctx, "third", subs[2])
	t.flows(ctx, "cam", subs[1], 10)
}

func closeUnknownMid(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	pub.put(ctx, "/tracks/close", closeBody{mids("9"), nil, true}).want(http.StatusOK).wantItemError(0, "close_track_error")
	pub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	pub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemError(0, "close_track_error")
}

func closeFresh(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	c.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemError(0, "close_track_error")
	other := t.client(ctx, sfutest.Config{})
	body, _ := other.prepare(ctx, mic())
	c.put(ctx, "/tracks/close", closeBody{mids("0"), body.SessionDescription, false}).
		wantError("invalid_session_description/406 overlap")
}

func closeExtraFields(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	t.Must(pub.Peer.Stop("1"))
	x := t.do(ctx, call{
		Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: map[string]any{
			"tracks":             []any{map[string]any{"mid": "1", "trackName": "cam", "location": "local", "kind": 3}},
			"sessionDescription": offerOf(pub.offer(ctx)),
		},
	}).want(http.StatusOK).wantItemFields(0, "mid")
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
}
