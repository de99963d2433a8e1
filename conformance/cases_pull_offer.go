package conformance

import (
	"context"
	"net/http"
	"strconv"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pullOfferCases() []Case {
	return []Case{
		{
			ID: "pull-offer/shape", Sentence: "A pull with the client's offer is answered, and needs no renegotiation.",
			Section: "1.3 D, 2.2", Mark: Seen, Run: pullOfferShape,
		},
		{
			ID: "pull-offer/by-order", Sentence: "Without mids tracks take the free sections of their kind, in order.",
			Section: "1.3 D, 10 Q17", Mark: Inferred, Run: pullOfferByOrder,
		},
		{
			ID: "pull-offer/by-mid", Sentence: "A mid in the item decides the section.",
			Section: "1.3 D", Mark: Inferred, Run: pullOfferByMid,
		},
		{
			ID: "pull-offer/again", Sentence: "A second offer pulls into its new sections and leaves the first alone.",
			Section: "1.3 D, 2.2", Mark: Inferred, Run: pullOfferAgain,
		},
		{
			ID: "pull-offer/layers", Sentence: "A pull with the client's offer can choose a layer.",
			Section: "1.3 D, 3.5", Mark: Inferred, Run: pullOfferLayers,
		},
		{
			ID: "pull-offer/items", Sentence: "Tracks that do not exist or find no section fail as items; if all fail there is no answer.",
			Section: "1.3 D, G, H", Mark: Inferred, EmulatorOnly: true, Codes: []string{"not_found_track_error", "track_error"}, Run: pullOfferItems,
		},
		{
			ID: "pull-offer/codec", Sentence: "An offer that does not receive the published codec is refused with the text of an answer that lacks it.",
			Section: "1.2, 1.4", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_session_description/406 codec"}, Run: pullOfferCodec,
		},
		{
			ID: "pull-offer/pending", Sentence: "A pull with an offer is refused while an offer of the SFU awaits its answer.",
			Section: "2.2", Mark: Inferred, Codes: []string{"invalid_session_description/406 overlap"}, Run: pullOfferPending,
		},
		{
			ID: "wait/pull-offer", Sentence: "A pull with an offer on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, Codes: []string{"session_error/425"}, Run: notReady(pullOfferNext),
		},
	}
}

// ask makes an offer that receives: one section for each kind, with mids from first upwards.
func (c *client) ask(ctx context.Context, first int, kinds ...string) *sdpBody {
	for i, kind := range kinds {
		c.t.Must(c.Peer.ReceiveAs(kind, strconv.Itoa(first+i)))
	}
	return offerOf(c.offer(ctx))
}

// pullByOffer pulls with the client's offer and gives the watchers by the mids of the items.
func (c *client) pullByOffer(ctx context.Context, offer *sdpBody, items ...trackItem) (*exchange, []*sfutest.Subscriber) {
	x := c.postTracks(ctx, tracksBody{offer, items}).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription")
	subs := make([]*sfutest.Subscriber, len(items))
	for i, item := range items {
		got := x.item(i)
		if got.ErrorCode != "" || got.SessionID != item.SessionID || got.TrackName != item.TrackName || item.Mid != "" && got.Mid != item.Mid {
			c.t.Fatalf("%s: item %d is %+v, asked was %+v", x, i, got, item)
		}
		subs[i] = c.Peer.Subscriber(got.Mid)
	}
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return x, subs
}

func pullOfferShape(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	x, subs := c.pullByOffer(ctx, c.ask(ctx, 0, "audio", "video"), remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	x.wantItemFields(0, "mid", "sessionId", "trackName").wantItemFields(1, "mid", "sessionId", "trackName")
	parts := t.checkSDP("the answer", x.sdp("answer"))
	for _, section := range parts[1:] {
		for _, line := range []string{"a=sendonly", "a=setup:passive"} {
			if !hasLine(section, line) {
				t.Errorf("the answer lacks %s:\n%s", line, section)
			}
		}
	}
	for i, s := range subs {
		got := t.flows(ctx, "the track", s, 20)
		if got.Streams[0] != publishers[i].Stream() {
			t.Errorf("mid %s carries another track", s.Mid())
		}
		if announced := announcedSSRC(parts[i+1]); announced != ssrcText(got.SSRCs[0]) {
			t.Errorf("mid %s announces SSRC %q and sends %v", s.Mid(), announced, got.SSRCs)
		}
	}
}

func pullOfferByOrder(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, mic(), cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, cam())
	c := t.client(ctx, sfutest.Config{})
	hinted := remote(b.ID, "cam")
	hinted.Kind = "video"
	_, subs := c.pullByOffer(ctx, c.ask(ctx, 0, "video", "audio", "video"), hinted, remote(a.ID, "mic"), remote(a.ID, "cam"))
	for i, want := range []struct {
		mid string
		*sfutest.Publisher
	}{{"0", fromB[0]}, {"1", fromA[0]}, {"2", fromA[1]}} {
		if got := t.flows(ctx, "the track", subs[i], 10); subs[i].Mid() != want.mid || got.Streams[0] != want.Stream() {
			t.Errorf("item %d is on mid %s, want %s", i, subs[i].Mid(), want.mid)
		}
	}
}

func pullOfferByMid(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, cam())
	c := t.client(ctx, sfutest.Config{})
	_, subs := c.pullByOffer(ctx, c.ask(ctx, 4, "video", "video"), remote(a.ID, "cam"), remote(b.ID, "cam").into("4"))
	if got := t.flows(ctx, "a", subs[0], 10); subs[0].Mid() != "5" || got.Streams[0] != fromA[0].Stream() {
		t.Errorf("the item without a mid is on mid %s", subs[0].Mid())
	}
	if got := t.flows(ctx, "b", subs[1], 10); got.Streams[0] != fromB[0].Stream() {
		t.Errorf("mid 4 carries another track")
	}
}

func pullOfferAgain(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	_, first := c.pullByOffer(ctx, c.ask(ctx, 0, "audio"), remote(pub.ID, "mic"))
	t.flows(ctx, "mic before", first[0], 10)
	_, second := c.pullByOffer(ctx, c.ask(ctx, 1, "video", "audio"), remote(pub.ID, "cam"), remote(pub.ID, "mic"))
	for i, want := range []*sfutest.Publisher{publishers[1], publishers[0]} {
		if got := t.flows(ctx, "the second offer's", second[i], 10); got.Streams[0] != want.Stream() || second[i].Mid() != strconv.Itoa(i+1) {
			t.Errorf("item %d is on mid %s", i, second[i].Mid())
		}
	}
	t.flows(ctx, "mic after", first[0], 10)
	sfus := c.pull(ctx, remote(pub.ID, "cam"))
	t.flows(ctx, "what the SFU offered", sfus[0], 10)
}

func pullOfferLayers(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	c := t.client(ctx, sfutest.Config{})
	x, subs := c.pullByOffer(ctx, c.ask(ctx, 0, "video"), pub.cam(prefer("c")))
	x.wantItemFields(0, "mid", "sessionId", "trackName", "simulcast")
	pub.staysOn(ctx, subs[0], "c", 20)
	c.update(ctx, pub.cam(prefer("a")).into("0"))
	pub.comesFrom(ctx, subs[0], "a")
}

func pullOfferItems(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	offer := c.ask(ctx, 0, "audio", "video")
	x := c.postTracks(ctx, tracksBody{offer, []trackItem{remote(pub.ID, "none"), remote(pub.ID, "mic").into("1")}}).
		want(http.StatusOK).wantRenegotiation(false).wantFields("requiresImmediateRenegotiation", "tracks").
		wantItemError(0, "not_found_track_error").wantItemError(1, "track_error")
	for i := range 2 {
		if x.item(i).Mid != "" {
			t.Errorf("failed item %d has mid %q", i, x.item(i).Mid)
		}
	}
	x = c.postTracks(ctx, tracksBody{offer, []trackItem{remote(pub.ID, "mic"), remote(pub.ID, "mic"), remote(pub.ID, "cam").into("9")}}).
		want(http.StatusOK).wantItemError(1, "track_error").wantItemError(2, "track_error")
	if x.item(0).Mid != "0" || x.item(0).ErrorCode != "" {
		t.Errorf("item %+v", x.item(0))
	}
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	t.flows(ctx, "mic", c.Peer.Subscriber("0"), 10)
}

func pullOfferCodec(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam())
	poor := t.client(ctx, sfutest.Config{Codecs: []sfutest.Codec{sfutest.Opus, sfutest.H264}})
	poor.postTracks(ctx, tracksBody{poor.ask(ctx, 0, "video"), []trackItem{remote(pub.ID, "cam")}}).
		wantError("invalid_session_description/406 codec")
}

func pullOfferPending(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	x := c.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	other := t.client(ctx, sfutest.Config{})
	offer := other.ask(ctx, 0, "audio")
	c.postTracks(ctx, tracksBody{offer, []trackItem{remote(pub.ID, "cam")}}).wantError("invalid_session_description/406 overlap")
	c.postTracks(ctx, discoverBody{SessionDescription: offer, AutoDiscover: true}).wantError("invalid_session_description/406 overlap")
	c.requestPull(ctx, remote(pub.ID, "cam").into("#mic")).wantError("invalid_session_description/406 overlap")
	c.answer(ctx, x)
	t.flows(ctx, "mic", c.Peer.Subscriber("0"), 5)
}

func pullOfferNext(ctx context.Context, c *client) *exchange {
	other := &client{t: c.t, ID: c.ID, Peer: c.t.peer(sfutest.Config{})}
	_, err := other.Peer.Publish(mic().Track)
	c.t.Must(err)
	return c.postTracks(ctx, tracksBody{other.ask(ctx, 1, "audio"), []trackItem{remote(c.ID, "mic")}})
}
