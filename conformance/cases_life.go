package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// The cases here let half a minute of the service's time pass, or more.
func lifeCases() []Case {
	const window, never = 31 * time.Second, 61 * time.Second
	return []Case{
		{
			ID: "life/fresh", Sentence: "A session that never negotiated is 410 in the end.",
			Section: "2.3, 6", Mark: Inferred, EmulatorOnly: true, Slow: never, Codes: []string{"session_error/410"}, Run: lifeFresh,
		},
		{
			ID: "life/never-connected", Sentence: "A session that negotiated and never connected is 410 in the end, and its tracks are not found.",
			Section: "1.7, 2.3, 6", Mark: Recorded, Slow: 3 * never, Codes: []string{"session_error/410", "not_found_track_error"}, Run: lifeNeverConnected,
		},
		{
			ID: "life/lost", Sentence: "A session that lost its connectivity for 30 s is 410 for every call; its pullers get silence and others not_found_track_error.",
			Section: "1.7, 2.2, 2.3, 6", Mark: Doc, Slow: 4 * window, Codes: []string{"session_error/410", "not_found_track_error"}, Run: lifeLost,
		},
		{
			ID: "life/lost-and-back", Sentence: "A connection that comes back within the 30 s goes on with its tracks.",
			Section: "2.3, 6", Mark: Doc, Slow: 30 * time.Second, Run: lifeLostAndBack,
		},
		{
			ID: "life/silent-track", Sentence: "A track without packets for 30 s is collected: inactive, not found, its name free again; the others live.",
			Section: "2.3, 6", Mark: Doc, Slow: 4 * window, Codes: []string{"not_found_track_error"}, Run: lifeSilentTrack,
		},
		{
			ID: "life/never-sent", Sentence: "A track that never had a packet is collected like one that stopped.",
			Section: "2.3", Mark: Inferred, Slow: 4 * window, Codes: []string{"not_found_track_error"}, Run: lifeNeverSent,
		},
		{
			ID: "life/collected-source", Sentence: "A puller of a collected track gets silence, and can be pointed at another one.",
			Section: "1.5, 2.3", Mark: Inferred, Slow: 4 * window, Run: lifeCollectedSource,
		},
		{
			ID: "life/muted", Sentence: "Muted audio with DTX and video of one frame a second stay alive.",
			Section: "2.3", Mark: Doc, Slow: 3 * window, Run: lifeMuted,
		},
		{
			ID: "life/alive", Sentence: "Sessions that send and sessions that only receive outlive any time.",
			Section: "2.3", Mark: Doc, Slow: 3 * window, Run: lifeAlive,
		},
		{
			ID: "life/just-connected", Sentence: "Any time may pass in the moment in which a session has connected: it and its tracks live on.",
			Section: "2.3", Mark: Doc, Slow: 5 * never, Run: lifeJustConnected,
		},
		{
			ID: "life/nothing-live", Sentence: "A connected session whose tracks are all gone lives on.",
			Section: "2.3", Mark: Doc, Slow: 4 * window, Run: lifeNothingLive,
		},
		{
			ID: "life/pending-offer", Sentence: "An offer of the SFU that is not answered stays, and can be answered late.",
			Section: "2.2, 10 Q10", Mark: Inferred, EmulatorOnly: true, Slow: 2 * never,
			Codes: []string{"invalid_session_description/406 overlap"}, Run: lifePendingOffer,
		},
		{
			ID: "life/stopped-layer", Sentence: "A simulcast track lives while one of its layers does.",
			Section: "2.3, 3.5", Mark: Inferred, Slow: 2 * window, Run: lifeStoppedLayer,
		},
	}
}

// muted is the track at the pace of DTX.
func muted(track named) named {
	track.Interval = 400 * time.Millisecond
	return track
}

func (c *client) gone(ctx context.Context) bool { return c.state(ctx).Status == http.StatusGone }

// wantGone checks that every call on the session is 410.
func (c *client) wantGone(ctx context.Context) {
	c.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError("session_error/410")
	c.postChannels(ctx, localChannel("chat")).wantError("session_error/410")
	c.putChannels(ctx, "update", remoteChannel(c.ID, "chat")).wantError("session_error/410")
	c.putChannels(ctx, "close", channelIDs(1)...).wantError("session_error/410")
	c.state(ctx).wantError("session_error/410")
	c.requestPull(ctx, remote(c.ID, "mic")).wantError("session_error/410")
	c.put(ctx, "/tracks/update", updateBody{[]trackItem{{Mid: "0", Simulcast: prefer("a")}}}).wantError("session_error/410")
	c.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).wantError("session_error/410")
	other := c.t.client(ctx, sfutest.Config{})
	body, _ := other.prepare(ctx, mic())
	c.postTracks(ctx, body).wantError("session_error/410")
	c.postTracks(ctx, tracksBody{body.SessionDescription, []trackItem{remote(nobody, "mic")}}).wantError("session_error/410")
	c.postTracks(ctx, discoverBody{SessionDescription: body.SessionDescription, AutoDiscover: true}).wantError("session_error/410")
	c.put(ctx, "/renegotiate", renegotiateBody{body.SessionDescription}).wantError("session_error/410")
	c.put(ctx, "/tracks/close", closeBody{mids("0"), body.SessionDescription, false}).wantError("session_error/410")
}

func lifeFresh(ctx context.Context, t *T) {
	c := &client{t: t, ID: t.newSession(ctx)}
	t.pass(ctx, 40*time.Second)
	c.state(ctx).want(http.StatusOK)
	t.pass(ctx, 21*time.Second)
	c.wantGone(ctx)
}

func lifeNeverConnected(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	c.postTracks(ctx, body).want(http.StatusOK)
	source, _ := t.publish(ctx, sfutest.Config{}, cam())
	pulling, subs := t.subscribe(ctx, sfutest.Config{}, remote(source.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 5)
	t.passUntil(ctx, "the session lives on", 61*time.Second, func() bool { return c.gone(ctx) })
	c.wantGone(ctx)
	pulling.requestPull(ctx, remote(c.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}

func lifeLost(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	pub.Peer.Vanish()
	t.quiet(ctx, "mic", subs[0])
	t.passOfSilence(ctx, 20*time.Second)
	pub.state(ctx).want(http.StatusOK)
	t.passUntil(ctx, "the session lives on", 31*time.Second, func() bool { return pub.gone(ctx) })
	pub.wantGone(ctx)
	sub.state(ctx).want(http.StatusOK)
	sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK).wantRenegotiation(false).wantItemError(0, "not_found_track_error")
	if got := subs[0].Stats(); got.Byes != 0 {
		t.Errorf("the puller was told: %+v", got)
	}
}

func lifeLostAndBack(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	pub.Peer.Vanish()
	for _, s := range subs {
		t.quiet(ctx, "the vanished track", s)
	}
	t.pass(ctx, 12*time.Second)
	pub.state(ctx).want(http.StatusOK)
	pub.Peer.Return()
	for _, s := range subs {
		_, err := s.WaitMore(ctx, 20)
		t.Must(err)
	}
	t.pass(ctx, 12*time.Second)
	pub.state(ctx).want(http.StatusOK)
	_, more := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range more {
		t.flows(ctx, "pulled anew", s, 5)
	}
}

// status finds how GET lists a pushed name.
func (c *client) status(ctx context.Context, name string) string {
	for _, track := range c.state(ctx).want(http.StatusOK).Body.Tracks {
		if track.TrackName == name && track.Status == "active" {
			return "active"
		}
	}
	return "inactive"
}

// micCollected lets time go by until the pushed mic is inactive.
func (c *client) micCollected(ctx context.Context) {
	c.t.passUntil(ctx, "mic is still active", 31*time.Second, func() bool { return c.status(ctx, "mic") == "inactive" })
}

func lifeSilentTrack(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "before", s, 5)
	}
	publishers[0].SetSilent(true)
	t.quiet(ctx, "mic", subs[0])
	t.passOfSilence(ctx, 20*time.Second)
	if pub.status(ctx, "mic") != "active" {
		t.Errorf("mic was collected after 20 s")
	}
	pub.micCollected(ctx)
	if pub.status(ctx, "cam") != "active" {
		t.Errorf("the sending track was collected as well")
	}
	t.flows(ctx, "cam", subs[1], 10)
	sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
	again := pub.push(ctx, mic())
	_, more := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	if got := t.flows(ctx, "the name published again", more[0], 10); got.Streams[0] != again[0].Stream() {
		t.Errorf("the name is still the old track's")
	}
}

func lifeNeverSent(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, silent(mic()), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 5)
	pub.micCollected(ctx)
	t.flows(ctx, "cam", subs[0], 5)
	sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}

func lifeCollectedSource(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), named{"spare", mic().Track})
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "before", subs[0], 5)
	publishers[0].SetSilent(true)
	pub.micCollected(ctx)
	sub.update(ctx, remote(pub.ID, "spare").into("0"))
	t.turnsTo(ctx, "after", subs[0], publishers[1])
}

func lifeMuted(ctx context.Context, t *T) {
	slow := cam()
	slow.Interval = 900 * time.Millisecond
	pub, publishers := t.publish(ctx, sfutest.Config{}, muted(mic()), slow)
	for i := range publishers {
		_, err := publishers[i].Wait(ctx, func(s sfutest.PublisherStats) bool { return s.Packets > 0 })
		t.Must(err)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for range 3 {
		t.pass(ctx, 31*time.Second)
		for i, name := range []string{"mic", "cam"} {
			if pub.status(ctx, name) != "active" {
				t.Errorf("%s was collected", name)
			}
			t.flows(ctx, name, subs[i], 1)
		}
	}
}

func lifeAlive(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for range 3 {
		for _, s := range subs {
			t.flows(ctx, "the track", s, 5)
		}
		t.pass(ctx, 31*time.Second)
		pub.state(ctx).want(http.StatusOK)
		sub.state(ctx).want(http.StatusOK)
		if pub.status(ctx, "mic") != "active" || pub.status(ctx, "cam") != "active" {
			t.Errorf("a sending track was collected")
		}
	}
	t.flows(ctx, "another pull", sub.pull(ctx, remote(pub.ID, "mic"))[0], 5)
}

func lifeJustConnected(ctx context.Context, t *T) {
	for range 5 {
		pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
		t.pass(ctx, 61*time.Second)
		if pub.status(ctx, "mic") != "active" || pub.status(ctx, "cam") != "active" {
			t.Errorf("a track was collected before its first packet could come")
		}
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
		t.flows(ctx, "mic", subs[0], 5)
	}
}

func lifeNothingLive(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "before", subs[0], 5)
	publishers[0].SetSilent(true)
	pub.micCollected(ctx)
	t.pass(ctx, 31*time.Second)
	pub.state(ctx).want(http.StatusOK)
	sub.state(ctx).want(http.StatusOK)
	pub.push(ctx, cam())
	t.flows(ctx, "what comes later", sub.pull(ctx, remote(pub.ID, "cam"))[0], 5)
}

func lifePendingOffer(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	x := sub.requestPull(ctx, remote(pub.ID, "cam")).want(http.StatusOK)
	t.pass(ctx, 61*time.Second)
	sub.requestPull(ctx, remote(pub.ID, "mic")).wantError("invalid_session_description/406 overlap")
	sub.answer(ctx, x)
	t.flows(ctx, "cam", sub.Peer.Subscriber("1"), 5)
}

func lifeStoppedLayer(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("b")))
	pub.comesFrom(ctx, subs[0], "b")
	pub.layer("a").SetSilent(true)
	pub.layer("c").SetSilent(true)
	t.pass(ctx, 31*time.Second)
	t.pass(ctx, 31*time.Second)
	if pub.status(ctx, "cam") != "active" {
		t.Errorf("the track was collected")
	}
	pub.staysOn(ctx, subs[0], "b", 10)
	_, more := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("b")))
	pub.staysOn(ctx, more[0], "b", 10)
}
