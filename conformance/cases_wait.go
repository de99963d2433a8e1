package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// The cases here take seconds: they prove waits.
func waitCases() []Case {
	return []Case{
		{
			ID: "wait/push", Sentence: "A push on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2, 6", Mark: Doc, Codes: []string{"session_error/425"}, Run: notReady(pushAgain),
		},
		{
			ID: "wait/pull", Sentence: "A pull on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2, 6", Mark: Doc, Codes: []string{"session_error/425"}, Run: notReady(pullNext),
		},
		{
			ID: "wait/close-forced", Sentence: "A forced close on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: notReady(closeForced),
		},
		{
			ID: "wait/close-negotiated", Sentence: "A negotiated close on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: notReady(closeNegotiated),
		},
		{
			ID: "wait/update", Sentence: "tracks/update on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: notReady(updateNext),
		},
		{
			ID: "wait/push-unoffered", Sentence: "A push without an offer on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: notReady(pushUnofferedNext),
		},
		{
			ID: "wait/establish", Sentence: "establish on a session that negotiated but does not connect is 425 after about 5 s.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Operations: []string{"establishDataChannels"},
			Codes: []string{"session_error/425"}, Run: notReady(establishNext),
		},
		{
			ID: "wait/channels", Sentence: "Calls on channels of a session whose transport does not connect are 425 after about 5 s.",
			Section: "1.10, 2.2", Mark: Doc, Operations: []string{"newDataChannels", "updateDataChannels", "closeDataChannels"},
			Codes: []string{"session_error/425"}, Run: waitChannels,
		},
		{
			ID: "wait/lost", Sentence: "On a session that lost its connectivity mutations wait about 5 s and then are 425; GET is 200.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/425"}, Run: waitLost,
		},
		{
			ID: "wait/unknown-layer", Sentence: "A pull of a layer that never was, with nothing to stand in, fails like a track without packets.",
			Section: "3.5", Mark: Inferred, EmulatorOnly: true, Codes: []string{"empty_track_error"}, Run: waitUnknownLayer,
		},
		{
			ID: "wait/after-session-offer", Sentence: "After sessions/new with an offer, tracks/new waits for the connection and then is 425.",
			Section: "1.1", Mark: Recorded, Codes: []string{"session_error/425"}, Run: waitAfterSessionOffer,
		},
		{
			ID: "wait/empty-track", Sentence: "A pull of a track without packets fails as an item after about 8.2 s.",
			Section: "1.3, 3.6, 6", Mark: Recorded, Codes: []string{"empty_track_error"}, Run: waitEmptyTrack,
		},
		{
			ID: "wait/empty-among-good", Sentence: "A silent track in a batch delays the one answer; the good track's mid is \"0\".",
			Section: "1.3 G, 10 Q28", Mark: Inferred, Codes: []string{"empty_track_error"}, Run: waitEmptyAmongGood,
		},
		{
			ID: "wait/dead-mid", Sentence: "A push on the mid of a track that was closed by force is taken, and never carries media: a pull of it is empty.",
			Section: "1.3", Mark: Recorded, Codes: []string{"empty_track_error"}, Run: waitDeadMid,
		},
		{
			ID: "wait/media-comes", Sentence: "A pull of a track whose packets begin during the wait succeeds at once.",
			Section: "1.3, 3.6", Mark: Recorded, Run: waitMediaComes,
		},
		{
			ID: "wait/publisher-connects", Sentence: "A pull may come before the publisher is connected.",
			Section: "2.2", Mark: Seen, Run: waitPublisherConnects,
		},
		{
			ID: "wait/subscriber-connects", Sentence: "A pull right behind a push is held until the connection is up.",
			Section: "2.2", Mark: Seen, Run: waitSubscriberConnects,
		},
	}
}

// notReady runs a mutation on a session whose answer was never applied by the client.
func notReady(mutate func(ctx context.Context, c *client) *exchange) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		c := t.client(ctx, sfutest.Config{})
		body, _ := c.prepare(ctx, mic())
		c.postTracks(ctx, body).want(http.StatusOK)
		c.state(ctx).want(http.StatusOK)
		x := mutate(ctx, c).wantError("session_error/425")
		t.between(x, 4500*time.Millisecond, 7*time.Second)
		c.state(ctx).want(http.StatusOK)
	}
}

func (t *T) between(x *exchange, least, most time.Duration) {
	if x.Elapsed < least || x.Elapsed > most {
		t.Errorf("%s: answered after %s, not within %s and %s", x, x.Elapsed.Round(time.Millisecond), least, most)
	}
}

func pushAgain(ctx context.Context, c *client) *exchange {
	other := c.t.peer(sfutest.Config{})
	_, err := other.Publish(mic().Track)
	c.t.Must(err)
	_, err = other.Publish(cam().Track)
	c.t.Must(err)
	offer, err := other.Offer(ctx)
	c.t.Must(err)
	return c.postTracks(ctx, tracksBody{offerOf(offer), []trackItem{local("1", "cam")}})
}

func pullNext(ctx context.Context, c *client) *exchange {
	return c.requestPull(ctx, remote(c.ID, "mic"))
}

func closeForced(ctx context.Context, c *client) *exchange {
	return c.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true})
}

func closeNegotiated(ctx context.Context, c *client) *exchange {
	other := c.t.peer(sfutest.Config{})
	_, err := other.Publish(mic().Track)
	c.t.Must(err)
	offer, err := other.Offer(ctx)
	c.t.Must(err)
	return c.put(ctx, "/tracks/close", closeBody{mids("0"), offerOf(offer), false})
}

func updateNext(ctx context.Context, c *client) *exchange {
	return c.put(ctx, "/tracks/update", updateBody{[]trackItem{remote(c.ID, "mic").into("0")}})
}

func pushUnofferedNext(ctx context.Context, c *client) *exchange {
	item := local("", "more")
	item.Kind = "audio"
	return c.postTracks(ctx, tracksBody{Tracks: []trackItem{item}})
}

func establishNext(ctx context.Context, c *client) *exchange {
	return c.establish(ctx, establishBody{DataChannel: serverEvents()})
}

// waitChannels tries the three calls one after another, each on a session of its own.
func waitChannels(ctx context.Context, t *T) {
	mutations := []func(c *client) call{
		func(c *client) call {
			return call{Method: http.MethodPost, Path: c.path("/datachannels/new"), Body: channelsBody{[]channelRow{localChannel("chat")}}}
		},
		func(c *client) call {
			return call{Method: http.MethodPut, Path: c.path("/datachannels/update"), Body: channelsBody{[]channelRow{remoteChannel(c.ID, "chat")}}}
		},
		func(c *client) call {
			return call{Method: http.MethodPut, Path: c.path("/datachannels/close"), Body: channelsBody{channelIDs(1)}}
		},
	}
	for _, mutation := range mutations {
		c := t.client(ctx, sfutest.Config{})
		_, err := c.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
		t.Must(err)
		c.establish(ctx, establishBody{DataChannel: serverEvents(), SessionDescription: offerOf(c.offer(ctx))}).want(http.StatusOK)
		t.between(t.do(ctx, mutation(c)).wantError("session_error/425"), 4500*time.Millisecond, 7*time.Second)
		c.state(ctx).want(http.StatusOK)
	}
}

func waitLost(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(source.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	c.Peer.Vanish()
	var x *exchange
	t.eventually(ctx, "the loss has no effect", func() bool {
		x = c.put(ctx, "/tracks/update", updateBody{[]trackItem{remote(source.ID, "mic").into("0")}})
		return x.Status != http.StatusOK
	})
	x.wantError("session_error/425")
	t.between(x, 4500*time.Millisecond, 7*time.Second)
	c.state(ctx).want(http.StatusOK)
	t.between(c.requestPull(ctx, remote(source.ID, "mic")).wantError("session_error/425"), 4500*time.Millisecond, 7*time.Second)
	c.state(ctx).want(http.StatusOK)
}

func waitUnknownLayer(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, pub.cam(prefer("d")), pub.cam(prefer("c"))).want(http.StatusOK).wantItemError(0, "empty_track_error")
	t.between(x, 7500*time.Millisecond, 10*time.Second)
	sub.answer(ctx, x)
	pub.staysOn(ctx, sub.Peer.Subscriber(x.item(1).Mid), "c", 10)
}

func waitAfterSessionOffer(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offerOf(offer)}}).want(http.StatusCreated)
	c := &client{t: t, ID: created.Body.SessionID, Peer: peer}
	x := c.requestPull(ctx, remote(c.ID, "mic")).wantError("session_error/425")
	t.between(x, 4500*time.Millisecond, 7*time.Second)
}

func silent(track named) named {
	track.Silent = true
	return track
}

func waitEmptyTrack(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, silent(mic()))
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantItemError(0, "empty_track_error").
		wantRenegotiation(false).wantFields("requiresImmediateRenegotiation", "tracks").
		wantItemFields(0, "mid", "sessionId", "trackName", "errorCode", "errorDescription")
	t.between(x, 7500*time.Millisecond, 10*time.Second)
}

func waitEmptyAmongGood(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, silent(mic()), cam())
	sub := t.client(ctx, sfutest.Config{})
	x := sub.requestPull(ctx, remote(pub.ID, "mic"), remote(pub.ID, "cam")).want(http.StatusOK).
		wantItemError(0, "empty_track_error").wantRenegotiation(true)
	t.between(x, 7500*time.Millisecond, 10*time.Second)
	if x.item(0).Mid != "" || x.item(1).Mid != "0" || x.item(1).ErrorCode != "" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	sub.answer(ctx, x)
	t.flows(ctx, "the good track", sub.Peer.Subscriber("0"), 10)
}

// waitDeadMid is the experiment that contract 1.3 records, 60 runs of 60.
func waitDeadMid(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "before", subs[0], 5)
	pub.put(ctx, "/tracks/close", closeBody{mids("1"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	x := pub.postTracks(ctx, tracksBody{offerOf(pub.offer(ctx)), []trackItem{local("1", "again")}}).want(http.StatusOK).
		wantRenegotiation(false).wantItemFields(0, "mid", "trackName")
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	sent := publishers[1].Stats().Packets
	sub.requestPull(ctx, remote(pub.ID, "again")).want(http.StatusOK).wantItemError(0, "empty_track_error")
	if publishers[1].Stats().Packets == sent {
		t.Errorf("the client has stopped to send by itself")
	}
	_, others := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "the other track", others[0], 5)
}

func waitMediaComes(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, silent(mic()))
	sub := t.client(ctx, sfutest.Config{})
	t.whenNextGoes(func() {
		resume := time.AfterFunc(time.Second, func() { publishers[0].SetSilent(false) })
		t.Cleanup(func() { resume.Stop() })
	})
	x := sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantRenegotiation(true)
	t.between(x, 800*time.Millisecond, 4*time.Second)
	sub.answer(ctx, x)
	t.flows(ctx, "the late track", sub.Peer.Subscriber("0"), 10)
}

func waitPublisherConnects(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{})
	body, _ := pub.prepare(ctx, mic())
	answer := pub.postTracks(ctx, body).want(http.StatusOK).sdp("answer")
	applied := make(chan error, 1)
	sub := t.client(ctx, sfutest.Config{})
	t.whenNextGoes(func() {
		apply := time.AfterFunc(time.Second, func() { applied <- pub.Peer.SetAnswer(answer) })
		t.Cleanup(func() {
			if !apply.Stop() {
				t.Must(<-applied)
			}
		})
	})
	subs := sub.pull(ctx, remote(pub.ID, "mic"))
	t.flows(ctx, "the track", subs[0], 10)
}

func waitSubscriberConnects(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, cam())
	both := t.client(ctx, sfutest.Config{})
	both.push(ctx, mic())
	subs := both.pull(ctx, remote(source.ID, "cam"))
	both.connected(ctx)
	t.flows(ctx, "the pulled track", subs[0], 10)
}
