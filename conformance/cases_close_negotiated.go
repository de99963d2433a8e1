package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func closeNegotiatedCases() []Case {
	return []Case{
		{
			ID: "close/negotiated", Sentence: "A negotiated close is answered with an answer; the other tracks play on.",
			Section: "1.6, 2.2", Mark: Doc, Operations: []string{"closeTracks"}, Run: closeNegotiatedPush,
		},
		{
			ID: "close/negotiated-pull", Sentence: "A subscriber closes a pulled track by an offer of its own.",
			Section: "1.6", Mark: Doc, Run: closeNegotiatedPull,
		},
		{
			ID: "close/mid-0", Sentence: "A negotiated close of mid 0 leaves the other tracks playing.",
			Section: "1.6", Mark: Seen, Run: closeMidZero,
		},
		{
			ID: "close/mid-0-moves", Sentence: "A close that rejects the first section may move the client to a new transport; the rest plays on there.",
			Section: "1.6", Mark: Seen, EmulatorOnly: true, Run: closeMidZeroMoves,
		},
		{
			ID: "close/unknown-answered", Sentence: "A negotiated close of unknown mids fails by item and is answered all the same.",
			Section: "1.6", Mark: Doc, Codes: []string{"close_track_error"}, Run: closeUnknownAnswered,
		},
		{
			ID: "close/batch-one-stopped", Sentence: "A close may name more mids than its offer stops; all are closed, the answer makes them inactive.",
			Section: "1.6", Mark: Seen, Run: closeBatchOneStopped,
		},
		{
			ID: "close/then-pull", Sentence: "After a negotiated close a later pull gets a section that works, and no rejected one is revived.",
			Section: "2.2", Mark: Recorded, Run: closeThenPull,
		},
	}
}

func closeNegotiatedPush(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	t.flows(ctx, "cam", subs[1], 5)
	x := pub.closeByOffer(ctx, "1").wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription").wantItemFields(0, "mid")
	parts := t.checkSDP("the answer", x.sdp("answer"))
	if len(parts) != 3 || direction(parts[1]) != "recvonly" || direction(parts[2]) != "inactive" && !rejected(parts[2]) {
		t.Errorf("the answer does not stop mid 1 alone:\n%s", x.sdp("answer"))
	}
	t.quiet(ctx, "cam", subs[1])
	t.flows(ctx, "mic", subs[0], 10)
	if state := pub.state(ctx); state.item(1).Status != "inactive" || state.item(0).Status != "active" {
		t.Errorf("GET lists %+v", state.Body.Tracks)
	}
}

func closeNegotiatedPull(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	t.flows(ctx, "cam", subs[1], 5)
	sub.closeByOffer(ctx, "1").wantItemFields(0, "mid")
	t.quiet(ctx, "cam", subs[1])
	t.flows(ctx, "mic", subs[0], 10)
}

func closeMidZero(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[1], 5)
	sub.closeByOffer(ctx, "0")
	t.flows(ctx, "cam after the subscriber's close", subs[1], 10)
	pub.closeByOffer(ctx, "0")
	t.flows(ctx, "cam after the publisher's close", subs[1], 10)
	sub.state(ctx).want(http.StatusOK)
}

// closeMidZeroMoves does what Chromium does when an offer rejects the section that is the tag of the BUNDLE group:
// close_notify on the old transport, and new ICE and DTLS for the remaining mids with the credentials it had.
func closeMidZeroMoves(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam on the old transport", subs[0], 5)

	moved := t.peer(sfutest.Config{Identity: pub.Peer.Identity()})
	track := cam().Track
	track.Mid = "1"
	publisher, err := moved.Publish(track)
	t.Must(err)
	offer, err := moved.Offer(ctx)
	t.Must(err)
	parts := sdpParts(offer)
	stopped := "m=audio 0 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=inactive\r\na=rtpmap:111 opus/48000/2\r\n"
	x := pub.put(ctx, "/tracks/close", closeBody{mids("0"), offerOf(parts[0] + stopped + parts[1]), false}).want(http.StatusOK)
	t.Must(pub.Peer.Close())

	answered := t.checkSDP("the answer", x.sdp("answer"))
	if len(answered) != 3 || !rejected(answered[1]) || !hasLine(answered[0], "a=group:BUNDLE 1") {
		t.Fatalf("the answer does not mirror the rejected section:\n%s", x.sdp("answer"))
	}
	t.Must(moved.SetAnswer(answered[0] + answered[2]))
	t.Must(moved.WaitConnected(ctx))
	got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.LastStamp.Stream == publisher.Stream() })
	t.Must(err)
	if len(got.SSRCs) != 1 || !t.mayMiss(got) {
		t.Errorf("the subscriber's stream is not the same: %+v", got)
	}
	pub.Peer = moved
	pub.state(ctx).want(http.StatusOK)
}

func closeUnknownAnswered(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	x := pub.put(ctx, "/tracks/close", closeBody{mids("8", "9"), offerOf(pub.offer(ctx)), false}).want(http.StatusOK).
		wantItemError(0, "close_track_error").wantItemError(1, "close_track_error").
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription")
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	t.flows(ctx, "mic", subs[0], 10)
}

func closeBatchOneStopped(ctx context.Context, t *T) {
	third := named{"third", mic().Track}
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), third)
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"), remote(pub.ID, "third"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	t.Must(pub.Peer.Stop("1"))
	x := pub.put(ctx, "/tracks/close", closeBody{mids("1", "2"), offerOf(pub.offer(ctx)), false}).want(http.StatusOK).
		wantItemFields(0, "mid").wantItemFields(1, "mid")
	if parts := sdpParts(x.sdp("answer")); len(parts) != 4 || direction(parts[1]) != "recvonly" || direction(parts[3]) != "inactive" {
		t.Errorf("the answer does not stop mid 2:\n%s", x.sdp("answer"))
	}
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	t.quiet(ctx, "cam", subs[1])
	t.quiet(ctx, "third", subs[2])
	t.flows(ctx, "mic", subs[0], 10)
}

func closeThenPull(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	sub.closeByOffer(ctx, "0")
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	if x.item(0).Mid != "2" {
		t.Errorf("the new pull got mid %q, want 2", x.item(0).Mid)
	}
	parts := t.checkSDP("the offer", x.sdp("offer"))
	if len(parts) != 4 || !rejected(parts[1]) && direction(parts[1]) != "inactive" || !strings.Contains(parts[3], "a=mid:2\r\n") {
		t.Errorf("the offer revives the closed section or adds none:\n%s", x.sdp("offer"))
	}
	sub.answer(ctx, x)
	t.flows(ctx, "mic again", sub.Peer.Subscriber("2"), 10)
	t.flows(ctx, "cam", subs[1], 10)
}
