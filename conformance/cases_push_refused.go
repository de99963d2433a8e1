package conformance

import (
	"context"
	"net/http"
	"regexp"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pushRefusedCases() []Case {
	return []Case{
		{
			ID: "push/no-mid", Sentence: "A local item with SDP and without mid is refused by its index.",
			Section: "1.3", Mark: Recorded, Run: pushNoMid,
			Codes: []string{"invalid_params/406 mid", "invalid_params/406 second mid"},
		},
		{
			ID: "push/wrong-mid", Sentence: "An item whose mid no sending section has fails alone; the others are published.",
			Section: "0.3, 1.3 G, 10 Q8", Mark: Inferred, Codes: []string{"track_error"}, Run: pushWrongMid,
		},
		{
			ID: "push/repeated-name", Sentence: "A name that is live on the session fails as an item.",
			Section: "1.2, 10 Q8", Mark: Inferred, Codes: []string{"repeated_local_track_error"}, Run: pushRepeatedName,
		},
		{
			ID: "push/bad-sdp", Sentence: "An SDP that cannot be parsed, is cut at its end or lacks ice-ufrag is 400, and the session stays usable.",
			Section: "1.0, 1.2, 1.3", Mark: Recorded, Run: pushBadSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag,
			},
		},
		{
			ID: "push/unknown-codec", Sentence: "Where no item has a known codec there is no answer, and the session is as before.",
			Section: "1.3 H", Mark: Inferred, Codes: []string{"track_error"}, Run: pushUnknownCodec,
		},
		{
			ID: "push/fewer-sections", Sentence: "An offer that lacks sections of the session does not fit.",
			Section: "1.0", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_session_description/406 mismatch"}, Run: pushFewerSections,
		},
	}
}

func pushNoMid(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic(), cam())
	good := body.Tracks
	body.Tracks = []trackItem{{Location: "local", TrackName: "mic"}}
	request := call{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: body, Malformed: "no mid beside SDP"}
	t.do(ctx, request).wantError("invalid_params/406 mid")
	body.Tracks = []trackItem{good[0], {Location: "local", TrackName: "cam"}}
	request.Body = body
	t.do(ctx, request).wantError("invalid_params/406 second mid")
	body.Tracks = good
	c.postTracks(ctx, body).want(http.StatusOK)
}

func pushWrongMid(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{})
	body, _ := pub.prepare(ctx, mic(), cam())
	body.Tracks = slices.Insert(body.Tracks, 1, local("9", "ghost"))
	x := pub.postTracks(ctx, body).want(http.StatusOK).wantItemError(1, "track_error").
		wantItemFields(0, "mid", "trackName").wantItemFields(1, "mid", "trackName", "errorCode", "errorDescription")
	if len(x.Body.Tracks) != 3 || x.item(0).Mid != "0" || x.item(1).Mid != "" || x.item(1).TrackName != "ghost" || x.item(2).Mid != "1" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 5)
}

func pushRepeatedName(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic())
	body, _ := pub.prepare(ctx, named{"mic", cam().Track})
	pub.postTracks(ctx, body).want(http.StatusOK).wantItemError(0, "repeated_local_track_error")
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	if got := t.flows(ctx, "mic", subs[0], 5); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("the name points at another track")
	}
}

func pushBadSDP(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	good := *body.SessionDescription
	t.refuseBadSDPs(ctx, good.SDP, func(sdp string) call {
		body.SessionDescription = offerOf(sdp)
		return call{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: body}
	})
	body.SessionDescription = &good
	x := c.postTracks(ctx, body).want(http.StatusOK)
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.connected(ctx)
}

// rtpmaps finds the names of the codecs in an SDP.
var rtpmaps = regexp.MustCompile(`(a=rtpmap:\d+ )[^/]+/`)

func pushUnknownCodec(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{})
	body, _ := pub.prepare(ctx, cam())
	good := *body.SessionDescription
	body.SessionDescription = offerOf(rtpmaps.ReplaceAllString(good.SDP, "${1}FOO/"))
	x := pub.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false).wantItemError(0, "track_error")
	x.wantFields("requiresImmediateRenegotiation", "tracks")
	body.SessionDescription = &good
	x = pub.postTracks(ctx, body).want(http.StatusOK)
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	pub.connected(ctx)
}

func pushFewerSections(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	other := t.peer(sfutest.Config{})
	_, err := other.Publish(mic().Track)
	t.Must(err)
	offer, err := other.Offer(ctx)
	t.Must(err)
	pub.postTracks(ctx, tracksBody{offerOf(offer), []trackItem{local("0", "again")}}).
		wantError("invalid_session_description/406 mismatch")
	t.flows(ctx, "mic", subs[0], 5)
}
