package conformance

import (
	"context"
	"net/http"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func codecSetCases() []Case {
	return []Case{
		{
			ID: "codec-set/offers", Sentence: "A subscriber's first answer fixes which codecs the SFU lists in later sections of the session.",
			Section: "3.2", Mark: Recorded, Run: codecSetOffers,
		},
		{
			ID: "codec-set/missing", Sentence: "A track of a codec outside that set cannot be had: the answer to its offer is refused, what runs goes on.",
			Section: "1.4, 3.2", Mark: Recorded, Codes: []string{"invalid_session_description/406 codec"}, Run: codecSetMissing,
		},
		{
			ID: "codec-set/whole", Sentence: "A subscriber that accepted everything is offered everything again, the published codec first.",
			Section: "3.2", Mark: Inferred, Run: codecSetWhole,
		},
		{
			ID: "codec-set/dtx", Sentence: "Audio of one packet in 400 ms is forwarded as it is, and is no silence.",
			Section: "2.3", Mark: Doc, Run: codecSetDTX,
		},
	}
}

// withoutRTX drops the repair formats of codecNames.
func withoutRTX(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "RTX" })
}

func codecSetOffers(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), named{"second", cam().Track})
	sub := t.client(ctx, sfutest.Config{Codecs: []sfutest.Codec{sfutest.Opus, sfutest.VP8, sfutest.H264}})
	x := sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	if first := withoutRTX(codecNames(sdpParts(x.sdp("offer"))[1])); len(first) < 5 || !slices.Contains(first, "VP9") {
		t.Errorf("the first offer lists only %v", first)
	}
	sub.answer(ctx, x)
	x = sub.requestPull(ctx, remote(pub.ID, "second"), remote(pub.ID, "mic")).want(http.StatusOK)
	parts := sdpParts(x.sdp("offer"))
	listed := withoutRTX(codecNames(parts[2]))
	slices.Sort(listed)
	if !slices.Equal(listed, []string{"H264", "VP8"}) {
		t.Errorf("the second offer lists %v, the first answer had VP8 and H264", listed)
	}
	if audio := withoutRTX(codecNames(parts[3])); !slices.Contains(audio, "OPUS") {
		t.Errorf("a kind that was not answered yet lists %v", audio)
	}
	sub.answer(ctx, x)
	for _, mid := range []string{"0", "1", "2"} {
		t.flows(ctx, "mid "+mid, sub.Peer.Subscriber(mid), 5)
	}
}

func codecSetMissing(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam(), named{"h264", sfutest.Track{Codec: sfutest.H264}})
	sub, subs := t.subscribe(ctx, sfutest.Config{Codecs: []sfutest.Codec{sfutest.VP8}}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam before", subs[0], 5)
	x := sub.requestPull(ctx, remote(pub.ID, "h264")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).wantError("invalid_session_description/406 codec")
	t.flows(ctx, "cam after", subs[0], 10)
}

func codecSetWhole(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam(), named{"av1", sfutest.Track{Codec: sfutest.AV1}})
	sub, _ := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	x := sub.requestPull(ctx, remote(pub.ID, "av1")).want(http.StatusOK)
	if listed := withoutRTX(codecNames(sdpParts(x.sdp("offer"))[2])); len(listed) != 5 || listed[0] != "AV1" {
		t.Errorf("the second offer lists %v", listed)
	}
	sub.answer(ctx, x)
	t.flows(ctx, "av1", sub.Peer.Subscriber("1"), 10)
}

func codecSetDTX(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, muted(mic()))
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	if got := t.flows(ctx, "muted audio", subs[0], 8); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("another track is pulled")
	}
}
