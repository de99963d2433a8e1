package conformance

import (
	"context"
	"net/http"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func restartCases() []Case {
	return []Case{
		{
			ID: "restart/offer", Sentence: "An offer to renegotiate in stable state is answered, and media goes on.",
			Section: "1.4", Mark: Inferred, Needs: []Need{TakesOffers}, Operations: []string{"renegotiate"}, Run: restartOffer,
		},
		{
			ID: "restart/ice", Sentence: "An offer with new ICE credentials gets an answer with new ones, and both directions go on.",
			Section: "1.4, 2.4, 10 Q11", Mark: Seen, Needs: []Need{TakesOffers}, Run: restartICE,
		},
		{
			ID: "restart/fresh", Sentence: "An offer to renegotiate on a session that never negotiated is 406.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_session_description/406 overlap"}, Run: restartFresh,
		},
		{
			ID: "restart/bad-sdp", Sentence: "An offer that cannot be used is 400 in renegotiate as well, and one that does not fit 406.",
			Section: "1.2, 1.4", Mark: Inferred, EmulatorOnly: true, Needs: []Need{TakesOffers}, Run: restartBadSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag, "invalid_session_description/406 mismatch",
			},
		},
	}
}

// renegotiateByOffer posts an offer and applies the answer.
func (c *client) renegotiateByOffer(ctx context.Context, offer string) string {
	x := c.put(ctx, "/renegotiate", renegotiateBody{offerOf(offer)}).want(http.StatusOK).wantFields("sessionDescription")
	c.t.checkSDP("the answer", x.sdp("answer"))
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return x.sdp("answer")
}

func restartOffer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	pub.renegotiateByOffer(ctx, pub.offer(ctx))
	sub.renegotiateByOffer(ctx, sub.offer(ctx))
	for _, s := range subs {
		t.flows(ctx, "after", s, 20)
	}
	t.flows(ctx, "another pull", sub.pull(ctx, remote(pub.ID, "mic"))[0], 5)
}

func restartICE(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	both, _ := t.publish(ctx, sfutest.Config{Restarts: true}, mic())
	pulled := both.pull(ctx, remote(source.ID, "mic"))
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(both.ID, "mic"))
	t.flows(ctx, "pulled before", pulled[0], 5)
	t.flows(ctx, "pushed before", subs[0], 5)
	old := sdpLines(both.renegotiateByOffer(ctx, both.offer(ctx)), "a=ice-ufrag:")
	offer, err := both.Peer.OfferRestart(ctx)
	t.Must(err)
	now := sdpLines(both.renegotiateByOffer(ctx, offer), "a=ice-ufrag:")
	if len(old) == 0 || len(now) == 0 || old[0] == now[0] {
		t.Errorf("the answer's credentials were %v and are %v", old, now)
	}
	for what, s := range inOrder(map[string]*sfutest.Subscriber{"pushed": subs[0], "pulled": pulled[0]}) {
		got, err := s.WaitMore(ctx, 20) // the client neither sends nor receives while it looks for its new pair
		t.Must(err)
		if got.SequenceSteps+got.TimestampSteps+got.Corrupt != 0 || len(got.SSRCs) != 1 {
			t.Errorf("%s after the restart: %+v", what, got)
		}
	}
	t.flows(ctx, "another pull", both.pull(ctx, remote(source.ID, "mic"))[0], 5)
}

func restartFresh(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	c.put(ctx, "/renegotiate", renegotiateBody{body.SessionDescription}).wantError("invalid_session_description/406 overlap")
	c.postTracks(ctx, body).want(http.StatusOK)
}

func restartBadSDP(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.refuseBadSDPs(ctx, pub.offer(ctx), func(sdp string) call {
		return call{Method: http.MethodPut, Path: pub.path("/renegotiate"), Body: renegotiateBody{offerOf(sdp)}}
	})
	other := t.client(ctx, sfutest.Config{})
	pub.put(ctx, "/renegotiate", renegotiateBody{other.ask(ctx, 0, "audio")}).wantError("invalid_session_description/406 mismatch")
	t.flows(ctx, "mic", subs[0], 10)
}
