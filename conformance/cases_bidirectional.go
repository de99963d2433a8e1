package conformance

import (
	"context"
	"net/http"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func bidirectionalCases() []Case {
	return []Case{
		{
			ID: "bidirectional/offered", Sentence: "bidirectionalMediaStream with the client's offer is answered sendrecv, and a pull through mid \"#name\" needs no SDP.",
			Section: "1.3 C", Mark: Seen, Run: bidirectionalOffered,
		},
		{
			ID: "bidirectional/video", Sentence: "A bidirectional video transceiver carries another session's track back.",
			Section: "1.3 C", Mark: Seen, Run: bidirectionalVideo,
		},
		{
			ID: "bidirectional/replace", Sentence: "Pulling another source through the same \"#name\" replaces what the transceiver sends.",
			Section: "1.3 C", Mark: Seen, Run: bidirectionalReplace,
		},
		{
			ID: "bidirectional/at-once", Sentence: "A pull through \"#name\" right behind the push is held until the transport is up.",
			Section: "2.2", Mark: Seen, Run: bidirectionalAtOnce,
		},
		{
			ID: "bidirectional/batch", Sentence: "Several pulls through names are one request.",
			Section: "1.3 C", Mark: Inferred, Run: bidirectionalBatch,
		},
		{
			ID: "bidirectional/refused", Sentence: "A name that is not published, a source that does not exist, and another kind fail as items.",
			Section: "1.3 C, 10 Q15", Mark: Inferred, Codes: []string{"not_found_track_error", "track_error"}, Run: bidirectionalRefused,
		},
		{
			ID: "bidirectional/one-way", Sentence: "A pull through the name of a track whose transceiver is not bidirectional fails as an item.",
			Section: "10 Q15", Mark: Inferred, EmulatorOnly: true, Codes: []string{"internal_error"}, Run: bidirectionalOneWay,
		},
		{
			ID: "bidirectional/close", Sentence: "Closing a bidirectional transceiver stops both directions.",
			Section: "1.6", Mark: Doc, Run: bidirectionalClose,
		},
		{
			ID: "bidirectional/update", Sentence: "tracks/update changes the source of a bidirectional transceiver.",
			Section: "1.3 C, 1.5", Mark: Inferred, Run: bidirectionalUpdate,
		},
		{
			ID: "bidirectional/sfu-offer", Sentence: "A push without an offer and with bidirectionalMediaStream is offered sendrecv, and carries media both ways.",
			Section: "1.3 E", Mark: Seen, Run: bidirectionalSFUOffer,
		},
	}
}

// both is the track as a bidirectional one.
func both(track named) named {
	track.Receives = true
	return track
}

// pushBoth pushes bidirectional tracks, and gives the sections of the answer.
func (c *client) pushBoth(ctx context.Context, tracks ...named) ([]*sfutest.Publisher, []string) {
	for i := range tracks {
		tracks[i] = both(tracks[i])
	}
	body, publishers := c.prepare(ctx, tracks...)
	for i := range body.Tracks {
		body.Tracks[i].Bidirectional = true
	}
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false)
	for i := range body.Tracks {
		x.wantItemFields(i, "mid", "trackName")
	}
	parts := c.t.checkSDP("the answer", x.sdp("answer"))
	for _, section := range parts[1:] {
		if direction(section) != "sendrecv" {
			c.t.Errorf("a bidirectional section is answered %s:\n%s", direction(section), section)
		}
	}
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return publishers, parts[1:]
}

// pullInto pulls tracks through names, without SDP.
func (c *client) pullInto(ctx context.Context, items ...trackItem) {
	x := c.requestPull(ctx, items...).want(http.StatusOK).wantRenegotiation(false).wantFields("requiresImmediateRenegotiation", "tracks")
	for i, item := range items {
		x.wantItemFields(i, "mid", "sessionId", "trackName")
		if got := x.item(i); got.SessionID != item.SessionID || got.TrackName != item.TrackName || got.Mid == "" {
			c.t.Errorf("%s: item %+v, asked was %+v", x, got, item)
		}
	}
}

func bidirectionalOffered(ctx context.Context, t *T) {
	source, publishers := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	own, sections := c.pushBoth(ctx, named{"user-mic", mic().Track})
	c.connected(ctx)
	c.pullInto(ctx, remote(source.ID, "mic").into("#user-mic"))
	got := t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 20)
	if got.Streams[0] != publishers[0].Stream() {
		t.Errorf("another track comes back")
	}
	if announced := announcedSSRC(sections[0]); announced != "" && announced != ssrcText(got.SSRCs[0]) {
		t.Errorf("the answer announces SSRC %s, the media has %v", announced, got.SSRCs)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "user-mic"))
	if got := t.flows(ctx, "what is pushed", subs[0], 10); got.Streams[0] != own[0].Stream() {
		t.Errorf("another track is pulled")
	}
	state := c.state(ctx).want(http.StatusOK)
	if len(state.Body.Tracks) != 2 || state.item(0).Location != "local" || state.item(1).Location != "remote" || state.item(1).Status != "active" {
		t.Errorf("GET lists %+v", state.Body.Tracks)
	}
}

func bidirectionalVideo(ctx context.Context, t *T) {
	source, publishers := t.publish(ctx, sfutest.Config{}, cam())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic(), cam())
	c.connected(ctx)
	c.pullInto(ctx, remote(source.ID, "cam").into("#cam"))
	got := t.pictures(ctx, c.Peer.Subscriber("1"), func(s sfutest.SubscriberStats) bool { return s.Packets > 20 && s.KeyFrames > 0 })
	t.checkWhole("what comes back", got)
	if got.Streams[0] != publishers[0].Stream() {
		t.Errorf("another track comes back")
	}
}

func bidirectionalReplace(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, mic())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic())
	c.connected(ctx)
	s := c.Peer.Subscriber("0")
	for i := range 4 {
		source, publisher := a, fromA[0]
		if i%2 == 1 {
			source, publisher = b, fromB[0]
		}
		c.pullInto(ctx, remote(source.ID, "mic").into("#mic"))
		_, err := s.WaitStream(ctx, publisher.Stream())
		t.Must(err)
	}
	got, err := s.WaitMore(ctx, 20)
	t.Must(err)
	t.checkSeamless("what comes back", got)
	if len(got.Switches) != 3 {
		t.Errorf("the source changed %d times: %+v", len(got.Switches), got.Switches)
	}
}

func bidirectionalAtOnce(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic())
	c.pullInto(ctx, remote(source.ID, "mic").into("#mic"))
	t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 10)
}

func bidirectionalBatch(ctx context.Context, t *T) {
	source, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic(), cam())
	c.connected(ctx)
	c.pullInto(ctx, remote(source.ID, "cam").into("#cam"), remote(source.ID, "mic").into("#mic"))
	for i, mid := range []string{"0", "1"} {
		if got := t.flows(ctx, "mid "+mid, c.Peer.Subscriber(mid), 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("mid %s carries another track", mid)
		}
	}
}

func bidirectionalRefused(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic())
	c.connected(ctx)
	x := c.requestPull(ctx, remote(source.ID, "mic").into("#nothing"), remote(source.ID, "none").into("#mic"), remote(source.ID, "cam").into("#mic")).
		want(http.StatusOK).wantRenegotiation(false).wantFields("requiresImmediateRenegotiation", "tracks").
		wantItemError(0, "not_found_track_error").wantItemError(1, "not_found_track_error").wantItemError(2, "track_error")
	for i := range 3 {
		if x.item(i).Mid != "" {
			t.Errorf("failed item %d has mid %q", i, x.item(i).Mid)
		}
	}
	c.pullInto(ctx, remote(source.ID, "mic").into("#mic"))
	t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 10)
}

func bidirectionalOneWay(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c, _ := t.publish(ctx, sfutest.Config{}, mic())
	c.requestPull(ctx, remote(source.ID, "mic").into("#mic")).want(http.StatusOK).wantRenegotiation(false).wantItemError(0, "internal_error")
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	t.flows(ctx, "what is pushed", subs[0], 5)
}

func bidirectionalClose(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic())
	c.connected(ctx)
	c.pullInto(ctx, remote(source.ID, "mic").into("#mic"))
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	t.flows(ctx, "what is pushed", subs[0], 5)
	t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 5)
	c.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	t.quiet(ctx, "what was pushed", subs[0])
	t.quiet(ctx, "what came back", c.Peer.Subscriber("0"))
	for _, track := range c.state(ctx).Body.Tracks {
		if track.Status != "inactive" {
			t.Errorf("GET lists %+v", track)
		}
	}
}

func bidirectionalUpdate(ctx context.Context, t *T) {
	a, _ := t.publish(ctx, sfutest.Config{}, mic())
	b, fromB := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	c.pushBoth(ctx, mic())
	c.connected(ctx)
	c.pullInto(ctx, remote(a.ID, "mic").into("#mic"))
	t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 5)
	c.update(ctx, remote(b.ID, "mic").into("0"))
	got, err := c.Peer.Subscriber("0").WaitStream(ctx, fromB[0].Stream())
	t.Must(err)
	t.checkSeamless("what comes back", got)
}

func bidirectionalSFUOffer(ctx context.Context, t *T) {
	source, publishers := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	own := c.pushUnoffered(ctx, "sendrecv", both(mic()))
	c.connected(ctx)
	c.pullInto(ctx, remote(source.ID, "mic").into("#mic"))
	if got := t.flows(ctx, "what comes back", c.Peer.Subscriber("0"), 10); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("another track comes back")
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	if got := t.flows(ctx, "what is pushed", subs[0], 10); got.Streams[0] != own[0].Stream() {
		t.Errorf("another track is pulled")
	}
}
