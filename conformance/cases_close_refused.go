package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func closeRefusedCases() []Case {
	return []Case{
		{
			ID: "close/no-tracks", Sentence: "A close of nothing is refused, before the session's state matters.",
			Section: "1.0, 1.6", Mark: Recorded, Codes: []string{"invalid_params/406 no tracks"}, Run: closeNoTracks,
		},
		{
			ID: "close/no-mid", Sentence: "A close item without a mid, or with an empty one, is refused by its index.",
			Section: "1.6", Mark: Recorded, Codes: []string{"invalid_params/406 mid", "invalid_params/406 second mid"}, Run: closeNoMid,
		},
		{
			ID: "close/no-offer", Sentence: "A close that is not forced needs an offer, force absent or false.",
			Section: "1.6", Mark: Inferred, Codes: []string{"invalid_params/406 close without offer"}, Run: closeNoOffer,
		},
		{
			ID: "close/answer", Sentence: "A close with an answer instead of an offer is refused.",
			Section: "1.6", Mark: Inferred, Codes: []string{"invalid_params/406 offer expected"}, Run: closeWithAnswer,
		},
		{
			ID: "close/bad-sdp", Sentence: "A close with an SDP that cannot be used is a top-level 400, and the tracks are closed all the same.",
			Section: "1.6", Mark: Doc, Run: closeBadSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag,
			},
		},
	}
}

func closeNoTracks(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/tracks/close"
	for what, body := range inOrder(map[string]string{
		"empty list": `{"tracks":[],"force":true}`, "no list": `{"force":true}`, "null list": `{"tracks":null,"force":false}`,
	}) {
		t.do(ctx, call{Method: http.MethodPut, Path: path, Body: body, Malformed: what}).wantError("invalid_params/406 no tracks")
	}
}

func closeNoMid(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	for _, body := range []string{`{"tracks":[{"mid":""}],"force":true}`, `{"tracks":[{}],"force":true}`, `{"tracks":[{"trackName":"mic"}],"force":true}`} {
		t.do(ctx, call{Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: body, Malformed: "no mid"}).
			wantError("invalid_params/406 mid")
	}
	second := `{"tracks":[{"mid":"0"},{"mid":""}],"force":true}`
	t.do(ctx, call{Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: second, Malformed: "no second mid"}).
		wantError("invalid_params/406 second mid")
	if got := pub.state(ctx).item(0); got.Status != "active" {
		t.Errorf("a refused close closed %+v", got)
	}
}

func closeNoOffer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	for _, body := range []string{`{"tracks":[{"mid":"0"}],"force":false}`, `{"tracks":[{"mid":"0"}]}`} {
		t.do(ctx, call{Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: body, Malformed: "no offer"}).
			wantError("invalid_params/406 close without offer")
	}
}

func closeWithAnswer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	body := closeBody{mids("0"), answerOf(pub.offer(ctx)), false}
	t.do(ctx, call{
		Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: body,
		Malformed: "an answer where an offer belongs",
	}).wantError("invalid_params/406 offer expected")
}

func closeBadSDP(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	t.Must(pub.Peer.Stop("1"))
	t.refuseBadSDPs(ctx, pub.offer(ctx), func(sdp string) call {
		c := call{Method: http.MethodPut, Path: pub.path("/tracks/close"), Body: closeBody{mids("1"), offerOf(sdp), false}}
		if strings.HasPrefix(sdp, "v=0\r\n") && strings.HasSuffix(sdp, "\n") {
			c.Blind = "the offer of a close may have rejected every section, and has no ice-ufrag then"
		}
		return c
	})
	if state := pub.state(ctx); state.item(0).Status != "active" || state.item(1).Status != "inactive" {
		t.Errorf("GET lists %+v", state.Body.Tracks)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
}
