package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func pushCases() []Case {
	return []Case{
		{
			ID: "push/shape", Sentence: "A push is answered with the answer and items of exactly mid and trackName.",
			Section: "1.3 A, 2.2", Mark: Recorded, Operations: []string{"newTracks"}, Run: pushShape,
		},
		{
			ID: "push/answer", Sentence: "The answer to a push is ICE-lite, passive, recvonly, without ssrc lines, with the client's payload types.",
			Section: "3.1, 3.2", Mark: Recorded, Run: pushAnswer,
		},
		{
			ID: "push/mids", Sentence: "The client's mids are authoritative, numbers or not.",
			Section: "2.2", Mark: Doc, Run: pushMids,
		},
		{
			ID: "push/mid-after", Sentence: "The SFU's own mids come after the highest number of the client's.",
			Section: "2.2, 10 Q20", Mark: Inferred, Run: pushMidAfter,
		},
		{
			ID: "push/second", Sentence: "A second push repeats the first section and leaves its media alone.",
			Section: "2.2, 2.4", Mark: Seen, Run: pushSecond,
		},
		{
			ID: "push/candidates", Sentence: "Offers with and without candidates connect.",
			Section: "1.3, 3.1, 12", Mark: Recorded, Run: pushCandidates,
		},
		{
			ID: "push/line-feeds", Sentence: "Bare LF line ends are accepted.",
			Section: "1.3", Mark: Inferred, Run: pushLineFeeds,
		},
		{
			ID: "push/unsent-section", Sentence: "A section of an offer that no item names stays unpublished.",
			Section: "1.1, 1.3", Mark: Inferred, Codes: []string{"not_found_track_error"}, Run: pushUnnamed,
		},
		{
			ID: "push/republish", Sentence: "A name can be published again after its track closed.",
			Section: "1.3", Mark: Seen, Run: pushRepublish,
		},
	}
}

func pushShape(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic(), cam())
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription").
		wantItemFields(0, "mid", "trackName").wantItemFields(1, "mid", "trackName")
	if len(x.Body.Tracks) != 2 || x.item(0).TrackName != "mic" || x.item(1).TrackName != "cam" || x.item(0).Mid != "0" || x.item(1).Mid != "1" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.connected(ctx)
}

func pushAnswer(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic(), cam())
	x := c.postTracks(ctx, body).want(http.StatusOK)
	parts := t.checkSDP("the answer", x.sdp("answer"))
	if len(parts) != 3 || !hasLine(parts[0], "a=group:BUNDLE 0 1") {
		t.Fatalf("the answer has %d sections:\n%s", len(parts)-1, parts[0])
	}
	for i, section := range parts[1:] {
		for _, line := range []string{"a=setup:passive", "a=recvonly", "a=rtcp-mux", "a=mid:" + mids("0", "1")[i].Mid} {
			if !hasLine(section, line) {
				t.Errorf("section %d lacks %s:\n%s", i, line, section)
			}
		}
		if len(sdpLines(section, "a=ssrc")) != 0 || !strings.Contains(section[:12], " 9 ") {
			t.Errorf("section %d has ssrc lines or a port other than 9:\n%s", i, section)
		}
		if len(sdpLines(section, "a=ice-ufrag:")) != 1 || len(sdpLines(section, "a=ice-pwd:")) != 1 {
			t.Errorf("section %d lacks ICE credentials:\n%s", i, section)
		}
	}
	if got := codecNames(parts[2]); !slices.Equal(got, []string{"VP8", "RTX"}) || !strings.HasPrefix(parts[2], "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n") {
		t.Errorf("the video section is answered with %v:\n%s", got, parts[2])
	}
	for _, line := range []string{"a=rtcp-fb:96 nack", "a=rtcp-fb:96 nack pli"} {
		if !hasLine(parts[2], line) {
			t.Errorf("the video section lacks %s", line)
		}
	}
}

// oddMids publishes on mids that no SFU would choose.
func (t *T) oddMids(ctx context.Context) *client {
	a, v := mic(), cam()
	a.Mid, v.Mid = "7", "abc"
	pub, _ := t.publish(ctx, sfutest.Config{}, a, v)
	return pub
}

func pushMids(ctx context.Context, t *T) {
	pub := t.oddMids(ctx)
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mid 7", subs[0], 5)
	t.flows(ctx, "mid abc", subs[1], 5)
}

func pushMidAfter(ctx context.Context, t *T) {
	pub := t.oddMids(ctx)
	back := pub.pull(ctx, remote(pub.ID, "mic"))
	if back[0].Mid() != "8" {
		t.Errorf("beside the client's mids 7 and abc the SFU chose %q, want 8 (contract 2.2)", back[0].Mid())
	}
	t.flows(ctx, "the SFU's mid", back[0], 5)
}

func pushSecond(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic before", subs[0], 5)
	publishers := pub.push(ctx, cam())
	_, more := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	if got := t.flows(ctx, "cam", more[0], 5); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("cam comes from another publisher")
	}
	t.flows(ctx, "mic after", subs[0], 10)
}

func pushCandidates(ctx context.Context, t *T) {
	for _, gather := range []bool{false, true} {
		pub := t.client(ctx, sfutest.Config{Gather: gather})
		body, _ := pub.prepare(ctx, mic())
		if has := strings.Contains(body.SessionDescription.SDP, "a=candidate:"); has != gather {
			t.Fatalf("the offer has candidates: %t, want %t", has, gather)
		}
		x := pub.postTracks(ctx, body).want(http.StatusOK)
		t.checkSDP("the answer", x.sdp("answer")) // with every candidate of the SFU: there is no other way to get one
		t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
		pub.connected(ctx)
		_, subs := t.subscribe(ctx, sfutest.Config{Gather: gather}, remote(pub.ID, "mic"))
		t.flows(ctx, "mic", subs[0], 5)
	}
}

func pushLineFeeds(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{})
	body, _ := pub.prepare(ctx, mic())
	body.SessionDescription.SDP = strings.ReplaceAll(body.SessionDescription.SDP, "\r\n", "\n")
	x := pub.postTracks(ctx, body).want(http.StatusOK)
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	pub.connected(ctx)

	sub := t.client(ctx, sfutest.Config{})
	pulled := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, pulled.sdp("offer"))
	t.Must(err)
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(strings.ReplaceAll(answer, "\r\n", "\n"))}).want(http.StatusOK)
	t.flows(ctx, "mic", sub.Peer.Subscriber("0"), 5)
}

func pushUnnamed(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{})
	body, _ := pub.prepare(ctx, mic(), cam())
	body.Tracks = body.Tracks[:1]
	x := pub.postTracks(ctx, body).want(http.StatusOK)
	if len(x.Body.Tracks) != 1 {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	pub.connected(ctx)
	if listed := pub.state(ctx).Body.Tracks; len(listed) != 1 {
		t.Errorf("GET lists %+v", listed)
	}
	sub := t.client(ctx, sfutest.Config{})
	sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}

func pushRepublish(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	pub.closeByOffer(ctx, "1")
	publishers := pub.push(ctx, cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	if got := t.flows(ctx, "cam", subs[0], 5); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("the closed track is pulled")
	}
}

// closeByOffer stops the mids, offers, closes them by API and applies the answer.
func (c *client) closeByOffer(ctx context.Context, list ...string) *exchange {
	for _, mid := range list {
		c.t.Must(c.Peer.Stop(mid))
	}
	x := c.put(ctx, "/tracks/close", closeBody{mids(list...), offerOf(c.offer(ctx)), false}).want(http.StatusOK).wantRenegotiation(false)
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return x
}
