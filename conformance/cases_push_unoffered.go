package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pushUnofferedCases() []Case {
	return []Case{
		{
			ID: "unoffered/push", Sentence: "A push without an offer is answered with the SFU's offer to receive, the track flows after the answer.",
			Section: "1.3 E", Mark: Doc, Run: unofferedPush,
		},
		{
			ID: "unoffered/several", Sentence: "Several tracks can be pushed without an offer, of both kinds, beside what the session has.",
			Section: "1.3 E, 2.2", Mark: Inferred, Run: unofferedSeveral,
		},
		{
			ID: "unoffered/codecs", Sentence: "The answer to the SFU's offer to receive decides the codec.",
			Section: "1.3 E, 3.2", Mark: Inferred, Run: unofferedCodecs,
		},
		{
			ID: "unoffered/no-kind", Sentence: "A local track without an offer needs its kind.",
			Section: "1.3 E", Mark: Inferred, Codes: []string{"invalid_params/406 kind"}, Run: unofferedNoKind,
		},
		{
			ID: "unoffered/pending", Sentence: "Until its answer nothing that carries SDP runs, and a repeated name fails as an item.",
			Section: "2.2", Mark: Inferred, Run: unofferedPending,
			Codes: []string{"invalid_session_description/406 overlap", "repeated_local_track_error"},
		},
		{
			ID: "unoffered/session-offer", Sentence: "The sections of an offer in sessions/new are named later, by another offer or by mid alone.",
			Section: "1.1, 11 flow 5", Mark: Recorded, Codes: []string{"not_found_track_error"}, Run: unofferedSessionOffer,
		},
		{
			ID: "unoffered/thirdparty", Sentence: "A session with thirdparty=true makes full ICE offers that an ICE-lite peer can answer.",
			Section: "1.1", Mark: Doc, Run: unofferedThirdparty,
		},
	}
}

func kindOf(codec sfutest.Codec) string {
	if codec == sfutest.Opus || codec == sfutest.PCMU || codec == sfutest.PCMA {
		return "audio"
	}
	return "video"
}

// requestUnoffered asks for sections to push the tracks on, and adds them to the peer.
func (c *client) requestUnoffered(ctx context.Context, tracks ...named) (*exchange, []*sfutest.Publisher) {
	publishers := make([]*sfutest.Publisher, len(tracks))
	body := tracksBody{}
	for i, track := range tracks {
		var err error
		publishers[i], err = c.Peer.PublishInAnswer(track.Track)
		c.t.Must(err)
		item := local("", track.Name)
		item.Kind, item.Bidirectional = kindOf(track.Codec), track.Receives
		body.Tracks = append(body.Tracks, item)
	}
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(true).
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription")
	for i, track := range tracks {
		x.wantItemFields(i, "mid", "trackName")
		if x.item(i).TrackName != track.Name {
			c.t.Errorf("item %d is %+v", i, x.item(i))
		}
	}
	return x, publishers
}

// pushUnoffered pushes tracks on sections that the SFU offers; those must have the direction.
func (c *client) pushUnoffered(ctx context.Context, want string, tracks ...named) []*sfutest.Publisher {
	x, publishers := c.requestUnoffered(ctx, tracks...)
	parts := sdpParts(x.sdp("offer"))
	for _, section := range parts[len(parts)-len(tracks):] {
		if direction(section) != want || !hasLine(section, "a=setup:actpass") {
			c.t.Errorf("the SFU offers a section as %s, want %s and actpass:\n%s", direction(section), want, section)
		}
	}
	c.answer(ctx, x)
	for i, p := range publishers {
		if p.Mid() != x.item(i).Mid {
			c.t.Errorf("the peer sends on mid %q, the item says %q", p.Mid(), x.item(i).Mid)
		}
	}
	return publishers
}

func unofferedPush(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	publishers := c.pushUnoffered(ctx, "recvonly", cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "cam"))
	got := t.pictures(ctx, subs[0], func(s sfutest.SubscriberStats) bool { return s.Packets > 20 && s.KeyFrames > 0 })
	t.checkWhole("cam", got)
	if publishers[0].Mid() != "0" || got.Streams[0] != publishers[0].Stream() {
		t.Errorf("mid %q, %+v", publishers[0].Mid(), got)
	}
	if item := c.state(ctx).item(0); item.Location != "local" || item.Mid != "0" || item.TrackName != "cam" || item.Status != "active" {
		t.Errorf("GET lists %+v", item)
	}
}

func unofferedSeveral(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c, _ := t.publish(ctx, sfutest.Config{}, named{"first", mic().Track})
	pulled := c.pull(ctx, remote(source.ID, "mic"))
	publishers := c.pushUnoffered(ctx, "recvonly", cam(), mic())
	for i, mid := range []string{"2", "3"} {
		if publishers[i].Mid() != mid {
			t.Errorf("track %d is on mid %q, want %s", i, publishers[i].Mid(), mid)
		}
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "cam"), remote(c.ID, "mic"), remote(c.ID, "first"))
	for i, s := range subs {
		if got := t.flows(ctx, "the track", s, 10); i < 2 && got.Streams[0] != publishers[i].Stream() {
			t.Errorf("track %d is another one", i)
		}
	}
	t.flows(ctx, "the pulled track", pulled[0], 10)
}

func unofferedCodecs(ctx context.Context, t *T) {
	for _, codec := range []sfutest.Codec{sfutest.H264, sfutest.VP9, sfutest.AV1, sfutest.PCMU} {
		c := t.client(ctx, sfutest.Config{Codecs: []sfutest.Codec{codec}})
		c.pushUnoffered(ctx, "recvonly", named{"track", sfutest.Track{Codec: codec}})
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "track"))
		if got := t.flows(ctx, string(codec), subs[0], 10); got.Codec != codec {
			t.Errorf("%s arrives as %s", codec, got.Codec)
		}
	}
}

func unofferedNoKind(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	for _, kind := range []string{"", "application"} {
		item := local("", "mic")
		item.Kind = kind
		t.do(ctx, call{
			Method: http.MethodPost, Path: c.path("/tracks/new"), Body: tracksBody{Tracks: []trackItem{item}}, Malformed: "no kind",
		}).wantError("invalid_params/406 kind")
	}
	c.pushUnoffered(ctx, "recvonly", mic())
}

func unofferedPending(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	x, _ := c.requestUnoffered(ctx, mic())
	again := local("", "cam")
	again.Kind = "video"
	c.requestPull(ctx, remote(source.ID, "mic")).wantError("invalid_session_description/406 overlap")
	c.postTracks(ctx, tracksBody{Tracks: []trackItem{again}}).wantError("invalid_session_description/406 overlap")
	c.answer(ctx, x)
	c.connected(ctx)
	again.TrackName, again.Kind = "mic", "audio"
	c.postTracks(ctx, tracksBody{Tracks: []trackItem{again}}).want(http.StatusOK).wantRenegotiation(false).
		wantItemError(0, "repeated_local_track_error")
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 10)
}

// sessionByOffer makes a session with an offer of the tracks in it.
func (t *T) sessionByOffer(ctx context.Context, query string, tracks ...named) (*client, []*sfutest.Publisher) {
	peer := t.peer(sfutest.Config{})
	publishers := make([]*sfutest.Publisher, len(tracks))
	for i, track := range tracks {
		var err error
		publishers[i], err = peer.Publish(track.Track)
		t.Must(err)
	}
	offer, err := peer.Offer(ctx)
	t.Must(err)
	x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: query, Body: newSessionBody{offerOf(offer)}}).
		want(http.StatusCreated).wantFields("sessionId", "sessionDescription")
	t.Must(peer.SetAnswer(x.sdp("answer")))
	t.Must(peer.WaitConnected(ctx))
	return &client{t: t, ID: x.Body.SessionID, Peer: peer}, publishers
}

func unofferedSessionOffer(ctx context.Context, t *T) {
	c, publishers := t.sessionByOffer(ctx, "", mic(), cam())
	if listed := c.state(ctx).want(http.StatusOK).Body.Tracks; len(listed) != 0 {
		t.Errorf("GET lists %+v before there are names", listed)
	}
	sub := t.client(ctx, sfutest.Config{})
	sub.requestPull(ctx, remote(c.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")

	x := c.postTracks(ctx, tracksBody{offerOf(c.offer(ctx)), []trackItem{local("1", "cam")}}).want(http.StatusOK).
		wantRenegotiation(false).wantItemFields(0, "mid", "trackName")
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.postTracks(ctx, tracksBody{Tracks: []trackItem{local("0", "mic")}}).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks").wantItemFields(0, "mid", "trackName")
	for i, s := range sub.pull(ctx, remote(c.ID, "mic"), remote(c.ID, "cam")) {
		if got := t.flows(ctx, "the named track", s, 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("name %d is another track's", i)
		}
	}
}

func unofferedThirdparty(ctx context.Context, t *T) {
	for _, lite := range []bool{true, false} {
		if lite && !slices.Contains(t.target.Has, OpenPeers) {
			continue
		}
		created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: "?thirdparty=true&correlationId=relay"}).
			want(http.StatusCreated).wantFields("sessionId")
		c := &client{t: t, ID: created.Body.SessionID, Peer: t.peer(sfutest.Config{Lite: lite, Gather: true})}
		x, publishers := c.requestUnoffered(ctx, mic(), cam())
		if offer := x.sdp("offer"); hasLine(sdpParts(offer)[0], "a=ice-lite") || len(sdpLines(offer, "a=candidate:")) == 0 {
			t.Errorf("the offer of a thirdparty session is ICE-lite or lacks candidates:\n%s", offer)
		}
		c.answer(ctx, x)
		c.connected(ctx)
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"), remote(c.ID, "cam"))
		for i, s := range subs {
			if got := t.flows(ctx, fmt.Sprintf("track %d, lite %t", i, lite), s, 10); got.Streams[0] != publishers[i].Stream() {
				t.Errorf("track %d is another one", i)
			}
		}
	}
}

func ssrcText(ssrc uint32) string { return strconv.FormatUint(uint64(ssrc), 10) }
