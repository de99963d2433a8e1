package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func updateCases() []Case {
	return []Case{
		{
			ID: "update/source", Sentence: "tracks/update points a mid at another track without SDP, and the stream goes on as one.",
			Section: "1.5, 2.2, 3.3", Mark: Doc, Operations: []string{"updateTracks"}, Run: updateSource,
		},
		{
			ID: "update/back-and-forth", Sentence: "Sources of several publishers take turns on one mid, audio and video.",
			Section: "1.5, 10 Q26", Mark: Inferred, Run: updateBackAndForth,
		},
		{
			ID: "update/after-close", Sentence: "A mid whose source was closed goes on with another source.",
			Section: "1.5, 1.6", Mark: Inferred, Run: updateAfterClose,
		},
		{
			ID: "update/items", Sentence: "One update takes several items, and failed ones leave the others alone.",
			Section: "1.5", Mark: Doc, Codes: []string{"not_found_track_error"}, Run: updateItems,
		},
		{
			ID: "update/no-simulcast", Sentence: "A choice of layers for a track without simulcast fails as an item.",
			Section: "1.5", Mark: Recorded, Codes: []string{"update_track_error not simulcast"}, Run: updateNoSimulcast,
		},
		{
			ID: "update/not-forwarded", Sentence: "A choice of layers fails until the track is really forwarded, and then succeeds.",
			Section: "1.5", Mark: Recorded, Codes: []string{"update_track_error not simulcast"}, Run: updateNotForwarded,
		},
		{
			ID: "update/local", Sentence: "A local track cannot be added by tracks/update.",
			Section: "1.5", Mark: Recorded, Codes: []string{"update_track_error"}, Run: updateLocal,
		},
		{
			ID: "update/missing", Sentence: "An update to a track that does not exist fails as an item, and the old one plays on.",
			Section: "10 Q25", Mark: Inferred, Codes: []string{"not_found_track_error"}, Run: updateMissing,
		},
		{
			ID: "update/unknown-mid", Sentence: "An update of a mid that receives nothing fails as an item.",
			Section: "2.2, 10 Q25", Mark: Inferred, EmulatorOnly: true, Codes: []string{"update_track_error"}, Run: updateUnknownMid,
		},
		{
			ID: "update/other-kind", Sentence: "An update to a track of another kind, or of a codec that was not agreed, fails as an item.",
			Section: "10 Q25", Mark: Inferred, EmulatorOnly: true, Codes: []string{"update_track_error"}, Run: updateOtherKind,
		},
		{
			ID: "update/layer", Sentence: "An update with mid and simulcast alone chooses another layer of the same track.",
			Section: "1.5", Mark: Seen, Run: updateLayer,
		},
		{
			ID: "update/stopped-layer", Sentence: "While the layer that was chosen has stopped, or never was, another one can be chosen.",
			Section: "1.5, 3.5", Mark: Inferred, Operations: []string{"updateTracks"}, Run: updateStoppedLayer,
		},
		{
			ID: "update/fresh", Sentence: "tracks/update on a session that never negotiated is 425 at once.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: updateFresh,
		},
		{
			ID: "update/offer-pending", Sentence: "tracks/update runs while an offer of the SFU awaits its answer.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Run: updateOfferPending,
		},
		{
			ID: "update/malformed", Sentence: "An update without tracks or without a mid is 406, one of wrong types 400.",
			Section: "1.0, 1.5", Mark: Inferred, Run: updateMalformed, Codes: []string{
				"decoding_error/400", "invalid_params/406 no tracks", "invalid_params/406 mid",
			},
		},
	}
}

func updateSource(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, named{"screen", cam().Track})
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "cam"))
	if got := t.flows(ctx, "before", subs[0], 20); got.Streams[0] != fromA[0].Stream() {
		t.Errorf("the first source is %v", got.Streams)
	}
	sub.update(ctx, remote(b.ID, "screen").into("0"))
	t.turnsTo(ctx, "the other source", subs[0], fromB[0])
	got, err := subs[0].WaitMore(ctx, 20)
	t.Must(err)
	t.checkSeamless("after", got)
	if len(got.Switches) != 1 {
		t.Errorf("the source changed %d times: %+v", len(got.Switches), got.Switches)
	}
	if item := sub.state(ctx).want(http.StatusOK).item(0); item.SessionID != b.ID || item.TrackName != "screen" || item.Mid != "0" || item.Status != "active" {
		t.Errorf("GET lists %+v", item)
	}
}

func updateBackAndForth(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, mic(), cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "mic"), remote(a.ID, "cam"))
	for i, s := range subs {
		t.flows(ctx, "before", s, 10)
		name := []string{"mic", "cam"}[i]
		for round := range 4 {
			source, publishers := b, fromB
			if round%2 == 1 {
				source, publishers = a, fromA
			}
			sub.update(ctx, remote(source.ID, name).into(s.Mid()))
			t.turnsTo(ctx, name, s, publishers[i])
		}
		got, err := s.WaitMore(ctx, 10)
		t.Must(err)
		t.checkSeamless(name, got)
		if len(got.Switches) != 4 {
			t.Errorf("%s changed %d times, want 4: %+v", name, len(got.Switches), got.Switches)
		}
	}
}

func updateAfterClose(ctx context.Context, t *T) {
	a, _ := t.publish(ctx, sfutest.Config{}, cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "cam"))
	t.flows(ctx, "before", subs[0], 10)
	a.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)
	t.quiet(ctx, "the closed source", subs[0])
	sub.update(ctx, remote(b.ID, "cam").into("0"))
	t.turnsTo(ctx, "after", subs[0], fromB[0])
}

func updateItems(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, mic(), cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "mic"), remote(a.ID, "cam"), remote(a.ID, "mic"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	x := sub.tryUpdate(ctx, remote(b.ID, "mic").into("0"), remote(b.ID, "none").into("2"), remote(b.ID, "cam").into("1")).
		wantItemFields(0, "mid", "sessionId", "trackName").wantItemError(1, "not_found_track_error").
		wantItemFields(2, "mid", "sessionId", "trackName")
	for i, mid := range []string{"0", "2", "1"} {
		if x.item(i).Mid != mid {
			t.Errorf("item %d is %+v", i, x.item(i))
		}
	}
	for i, publisher := range []*sfutest.Publisher{fromB[0], fromB[1], fromA[0]} {
		t.turnsTo(ctx, "mid "+subs[i].Mid(), subs[i], publisher)
	}
}

func updateNoSimulcast(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for i, s := range subs {
		t.flows(ctx, "before", s, 5)
		item := remote(pub.ID, []string{"mic", "cam"}[i]).into(s.Mid()).layered(prefer("a"))
		sub.tryUpdate(ctx, item).wantItemError(0, "update_track_error not simulcast").
			wantItemFields(0, "mid", "sessionId", "trackName", "errorCode", "errorDescription")
		t.flows(ctx, "after", s, 5)
	}
}

func updateNotForwarded(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	other, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	x := other.requestPull(ctx, pub.cam(prefer("b"))).want(http.StatusOK)
	item := pub.cam(prefer("c")).into("1")
	other.tryUpdate(ctx, item).wantItemError(0, "update_track_error not simulcast")
	other.answer(ctx, x)
	t.eventually(ctx, "the update fails for ever", func() bool { return other.tryUpdate(ctx, item).item(0).ErrorCode == "" })
	pub.comesFrom(ctx, other.Peer.Subscriber("1"), "c")
	pub.staysOn(ctx, subs[0], "a", 10)
}

func updateStoppedLayer(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	pub.layer("a").SetSilent(true)
	t.quiet(ctx, "the stopped layer", subs[0])
	sub.update(ctx, pub.cam(prefer("b")).into("0"))
	pub.comesFrom(ctx, subs[0], "b")
	sub.update(ctx, pub.cam(prefer("unknown")).into("0"))
	t.quiet(ctx, "the layer before", subs[0])
	sub.update(ctx, pub.cam(prefer("c")).into("0"))
	pub.comesFrom(ctx, subs[0], "c")
}

func updateLocal(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	pub.tryUpdate(ctx, local("1", "cam")).wantItemError(0, "update_track_error")
	pub.tryUpdate(ctx, local("0", "other")).wantItemError(0, "update_track_error")
	t.flows(ctx, "mic", subs[0], 5)
}

func updateMissing(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "before", subs[0], 5)
	for _, item := range []trackItem{remote(pub.ID, "none"), remote(nobody, "mic")} {
		x := sub.tryUpdate(ctx, item.into("0")).wantItemError(0, "not_found_track_error")
		t.between(x, 0, 3*time.Second)
	}
	t.flows(ctx, "after", subs[0], 10)
	if item := sub.state(ctx).item(0); item.SessionID != pub.ID || item.TrackName != "mic" {
		t.Errorf("GET lists %+v", item)
	}
}

func updateUnknownMid(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	both, _ := t.publish(ctx, sfutest.Config{}, mic())
	for _, mid := range []string{"7", "0"} {
		both.tryUpdate(ctx, remote(pub.ID, "mic").into(mid)).wantItemError(0, "update_track_error")
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(both.ID, "mic"))
	t.flows(ctx, "the pushed track", subs[0], 5)
}

func updateOtherKind(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), named{"h264", sfutest.Track{Codec: sfutest.H264}})
	sub, subs := t.subscribe(ctx, sfutest.Config{Codecs: []sfutest.Codec{sfutest.Opus, sfutest.VP8}}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	sub.tryUpdate(ctx, remote(pub.ID, "cam").into("0")).wantItemError(0, "update_track_error")
	sub.tryUpdate(ctx, remote(pub.ID, "mic").into("1")).wantItemError(0, "update_track_error")
	sub.tryUpdate(ctx, remote(pub.ID, "h264").into("1")).wantItemError(0, "update_track_error")
	for _, s := range subs {
		t.flows(ctx, "after", s, 10)
	}
}

func updateLayer(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	x := sub.update(ctx, trackItem{Mid: "0", Simulcast: prefer("c")})
	if item := x.item(0); item.SessionID != pub.ID || item.TrackName != "cam" {
		t.Errorf("item %+v", item)
	}
	pub.comesFrom(ctx, subs[0], "c")
	sub.update(ctx, pub.cam(prefer("b")).into("0")) // as partytracks sends it
	pub.staysOn(ctx, subs[0], "b", 20)
}

func updateFresh(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	fresh := t.client(ctx, sfutest.Config{})
	x := fresh.put(ctx, "/tracks/update", updateBody{[]trackItem{remote(pub.ID, "mic").into("0")}}).wantError("session_error/425")
	t.between(x, 0, 3*time.Second)
	fresh.pull(ctx, remote(pub.ID, "mic"))
}

func updateOfferPending(ctx context.Context, t *T) {
	a, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "mic"))
	t.flows(ctx, "before", subs[0], 5)
	x := sub.requestPull(ctx, remote(a.ID, "cam")).want(http.StatusOK)
	sub.update(ctx, remote(b.ID, "mic").into("0"))
	t.turnsTo(ctx, "mic", subs[0], fromB[0])
	sub.answer(ctx, x)
	t.flows(ctx, "cam", sub.Peer.Subscriber("1"), 5)
}

func updateMalformed(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	sub.connected(ctx)
	path := sub.path("/tracks/update")
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", notObjects)
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", map[string]string{
		"tracks is an object": `{"tracks":{}}`, "an item is a string": `{"tracks":["0"]}`,
		"numeric mid": `{"tracks":[{"mid":0}]}`, "simulcast is a string": `{"tracks":[{"mid":"0","simulcast":"a"}]}`,
		"numeric preferredRid": `{"tracks":[{"mid":"0","simulcast":{"preferredRid":1}}]}`,
	})
	t.refuseAll(ctx, http.MethodPut, path, "invalid_params/406 no tracks", map[string]string{"no tracks": `{"tracks":[]}`})
	t.refuseAll(ctx, http.MethodPut, path, "invalid_params/406 mid", map[string]string{
		"no mid": `{"tracks":[{"location":"remote","sessionId":"` + pub.ID + `","trackName":"mic"}]}`, "empty mid": `{"tracks":[{"mid":""}]}`,
	})
	t.flows(ctx, "mic", subs[0], 5)
}
