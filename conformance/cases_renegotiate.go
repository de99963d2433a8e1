package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func renegotiateCases() []Case {
	return []Case{
		{
			ID: "renegotiate/answer", Sentence: "The answer to the SFU's offer is taken with an empty object, before anything is connected.",
			Section: "1.4, 2.2", Mark: Doc, Operations: []string{"renegotiate"}, Run: renegotiateAnswer,
		},
		{
			ID: "renegotiate/offer-for-answer", Sentence: "An offer where an answer is awaited is refused, and the answer is still taken.",
			Section: "1.4", Mark: Recorded, Codes: []string{"invalid_params/406 answer expected"}, Run: renegotiateOffer,
		},
		{
			ID: "renegotiate/replay", Sentence: "An answer that nobody waits for is refused.",
			Section: "1.4, 2.2", Mark: Inferred, Codes: []string{"invalid_session_description/406 replay"}, Run: renegotiateReplay,
		},
		{
			ID: "renegotiate/fresh", Sentence: "renegotiate on a session that never negotiated is 406.",
			Section: "1.0, 2.2", Mark: Recorded, Codes: []string{"invalid_session_description/406 replay"}, Run: renegotiateFresh,
		},
		{
			ID: "renegotiate/bad-sdp", Sentence: "An answer that cannot be used is 400, and the offer stays open for a better one.",
			Section: "1.4", Mark: Recorded, Run: renegotiateBadSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag,
			},
		},
		{
			ID: "renegotiate/codec", Sentence: "An answer without the published codec is refused.",
			Section: "1.4", Mark: Recorded, Codes: []string{"invalid_session_description/406 codec"}, Run: renegotiateCodec,
		},
		{
			ID: "renegotiate/overlap", Sentence: "While an offer is open, mutations with SDP are 406; GET and forced close run; the answer is still taken.",
			Section: "2.2, 1.6", Mark: Inferred, Codes: []string{"invalid_session_description/406 overlap"}, Run: renegotiateOverlap,
		},
	}
}

func renegotiateAnswer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	sub.answer(ctx, sub.requestPull(ctx, remote(pub.ID, "mic")))
	t.flows(ctx, "mic", sub.Peer.Subscriber("0"), 5)
}

func renegotiateOffer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	other := t.client(ctx, sfutest.Config{})
	body, _ := other.prepare(ctx, mic())
	sub.put(ctx, "/renegotiate", renegotiateBody{body.SessionDescription}).wantError("invalid_params/406 answer expected")
	sub.answer(ctx, x)
	t.flows(ctx, "mic", sub.Peer.Subscriber("0"), 5)
}

func renegotiateReplay(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).want(http.StatusOK).wantFields()
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).wantError("invalid_session_description/406 replay")
	sub.connected(ctx)
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).wantError("invalid_session_description/406 replay")
	t.flows(ctx, "mic", sub.Peer.Subscriber("0"), 5)
}

func renegotiateFresh(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	fresh := t.client(ctx, sfutest.Config{})
	fresh.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).wantError("invalid_session_description/406 replay")
}

func renegotiateBadSDP(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	t.refuseBadSDPs(ctx, answer, func(sdp string) call {
		return call{Method: http.MethodPut, Path: sub.path("/renegotiate"), Body: renegotiateBody{answerOf(sdp)}}
	})
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).want(http.StatusOK).wantFields()
	t.flows(ctx, "mic", sub.Peer.Subscriber("0"), 5)
}

func renegotiateCodec(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(withH264Only(answer))}).wantError("invalid_session_description/406 codec")
	sub.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).want(http.StatusOK)
	t.flows(ctx, "cam", sub.Peer.Subscriber("0"), 5)
}

// withH264Only is the answer of a client that knows H.264 and nothing else, with the payload type of contract 3.2.
func withH264Only(answer string) string {
	parts := sdpParts(answer)
	for i, part := range parts {
		if !strings.HasPrefix(part, "m=video ") {
			continue
		}
		_, rest, _ := strings.Cut(part, "\r\n")
		parts[i] = "m=video 9 UDP/TLS/RTP/SAVPF 125\r\n" + withoutLines(rest, "a=rtpmap:", "a=fmtp:", "a=rtcp-fb:") +
			"a=rtpmap:125 H264/90000\r\na=fmtp:125 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e034\r\n"
	}
	return strings.Join(parts, "")
}

func renegotiateOverlap(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic before", subs[0], 5)
	x := sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)

	sub.requestPull(ctx, remote(pub.ID, "cam")).wantError("invalid_session_description/406 overlap")
	other := t.client(ctx, sfutest.Config{})
	body, _ := other.prepare(ctx, mic())
	sub.postTracks(ctx, body).wantError("invalid_session_description/406 overlap")
	sub.put(ctx, "/tracks/close", closeBody{mids("0"), body.SessionDescription, false}).
		wantError("invalid_session_description/406 overlap")
	sub.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError("invalid_session_description/406 overlap")
	sub.state(ctx).want(http.StatusOK)
	t.flows(ctx, "mic meanwhile", subs[0], 5)
	sub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).want(http.StatusOK)

	sub.answer(ctx, x)
	t.flows(ctx, "cam", sub.Peer.Subscriber("1"), 5)
	t.quiet(ctx, "mic, closed by force", subs[0])
}
