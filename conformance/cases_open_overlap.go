package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openOverlapCases are the questions about the order of offers and answers.
func openOverlapCases() []Case {
	return []Case{
		question(9, "pending", "Which operations does an unanswered offer of the SFU block, and with what?", openPending),
		question(9, "pending-data", "Does an unanswered offer of the SFU block calls on data channels?", openPendingData),
		question(11, "restart", "How is an offer to renegotiate (ICE restart) answered in stable state?", openRestart),
		question(12, "replay", "How is an answer refused that nobody waits for?", openReplay),
		question(31, "close", "How does a negotiated close look in the answer, of one section among others and of the last one?", openNegotiatedClose),
	}
}

// stray is a client's offer that is not of the session.
func (t *T) stray(ctx context.Context, tracks ...named) string {
	peer := t.peer(sfutest.Config{})
	for _, track := range tracks {
		_, err := peer.Publish(track.Track)
		t.Must(err)
	}
	offer, err := peer.Offer(ctx)
	t.Must(err)
	return offer
}

func openPending(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	held := c.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	offer := t.stray(ctx, mic())
	c.seeState(ctx, "GET")
	c.seePull(ctx, "pull", remote(pub.ID, "mic"))
	c.seeTracks(ctx, "push", tracksBody{offerOf(offer), []trackItem{local("1", "more")}})
	c.seeTracks(ctx, "autoDiscover", discoverBody{SessionDescription: offerOf(offer), AutoDiscover: true})
	c.seePut(ctx, "renegotiate with an offer", "/renegotiate", renegotiateBody{offerOf(offer)})
	c.seePost(ctx, "establish", "/datachannels/establish", establishBody{DataChannel: serverEvents()})
	c.seePut(ctx, "negotiated close", "/tracks/close", closeBody{mids("0"), offerOf(offer), false})
	c.seePut(ctx, "update", "/tracks/update", updateBody{[]trackItem{remote(pub.ID, "mic").into("0")}})
	c.seePut(ctx, "forced close of an unknown mid", "/tracks/close", closeBody{mids("99"), nil, true})
	c.seePut(ctx, "forced close", "/tracks/close", closeBody{mids("0"), nil, true})
	c.tryAnswer(ctx, "the offer that was held back", held)
	cam := c.Peer.Subscriber(held.item(0).Mid)
	t.observe("media of that offer flows then", "%s", yesNo(t.happens(ctx, 5*time.Second, func() bool { return cam.Stats().Packets > 5 })))
}

func openPendingData(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.dataClient(ctx)
	held := c.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	x := c.seePost(ctx, "datachannels/new", "/datachannels/new", channelsBody{[]channelRow{localChannel("chat")}})
	c.seePut(ctx, "datachannels/update", "/datachannels/update", channelsBody{[]channelRow{remoteChannel(pub.ID, "chat").replying(true)}})
	if len(x.Body.DataChannels) == 1 && x.channel(0).ID != nil {
		c.seePut(ctx, "datachannels/close", "/datachannels/close", channelsBody{channelIDs(*x.channel(0).ID)})
	}
	c.tryAnswer(ctx, "the offer that was held back", held)
}

func openRestart(ctx context.Context, t *T) {
	c, _ := t.publish(ctx, sfutest.Config{Restarts: true}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	before := t.flows(ctx, "mic", subs[0], 5).Packets
	offer, err := c.Peer.OfferRestart(ctx)
	t.Must(err)
	x := c.seePut(ctx, "offer with new credentials", "/renegotiate", renegotiateBody{offerOf(offer)})
	if c.tryApply("offer with new credentials", x) {
		t.observe("media goes on", "%s", yesNo(t.happens(ctx, 5*time.Second, func() bool { return subs[0].Stats().Packets > before+100 })))
	}
}

func openReplay(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	x := c.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	answer, err := c.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	body := renegotiateBody{answerOf(answer)}
	c.seePut(ctx, "first", "/renegotiate", body)
	c.seePut(ctx, "again at once", "/renegotiate", body)
	c.connected(ctx)
	c.seePut(ctx, "again when connected", "/renegotiate", body)
	fresh := t.client(ctx, sfutest.Config{})
	fresh.seePut(ctx, "on a fresh session", "/renegotiate", body)
	pub.seePut(ctx, "on a session that only pushed", "/renegotiate", body)
}

func openNegotiatedClose(ctx context.Context, t *T) {
	c, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	for _, mid := range []string{"1", "0"} {
		name := "close of one of two"
		if mid == "0" {
			name = "close of the last one"
		}
		t.Must(c.Peer.Stop(mid))
		x := c.seePut(ctx, name, "/tracks/close", closeBody{mids(mid), offerOf(c.offer(ctx)), false})
		if d := x.Body.SessionDescription; d != nil {
			t.observeSections(name, d.SDP)
		}
		c.tryApply(name, x)
		c.seeState(ctx, "GET after the "+name)
	}
}

// observeSections records of each section its first line's port and its direction.
func (t *T) observeSections(name, sdp string) {
	for _, section := range sdpParts(sdp)[1:] {
		mid := "none"
		if values := sdpLines(section, "a=mid:"); len(values) > 0 {
			mid = values[0]
		}
		state := "open"
		if rejected(section) {
			state = "rejected with port 0"
		}
		t.observe(name+": section "+mid, "%s, %s", state, direction(section))
	}
}
