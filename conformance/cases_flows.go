package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// Whole flows of contract 11, as the clients there send them.
func flowCases() []Case {
	return []Case{
		{
			ID: "flow/5-legacy", Sentence: "Flow 5: an offer in sessions/new, ICE, then the tracks are named and pulled.",
			Section: "11 flow 5", Mark: Seen, Run: flowLegacy,
		},
		{
			ID: "flow/8-whip-whep", Sentence: "Flow 8: WHIP by autoDiscover, WHEP with either side's offer, no Content-Type, the end by loss of the transport.",
			Section: "11 flow 8", Mark: Seen, Slow: 4 * 31 * time.Second, Run: flowWHIP,
			Codes: []string{"session_error/410", "not_found_track_error"},
		},
		{
			ID: "flow/9-relay", Sentence: "Flow 9: two sessions joined through bidirectional transceivers, with a third party of full ICE.",
			Section: "11 flow 9", Mark: Seen, Run: flowRelay(sfutest.Config{Gather: true}),
		},
		{
			ID: "flow/9-relay-lite", Sentence: "Flow 9 with an ICE-lite third party.",
			Section: "11 flow 9", Mark: Seen, Needs: []Need{OpenPeers}, Run: flowRelay(sfutest.Config{Gather: true, Lite: true}),
		},
		{
			ID: "flow/9-control", Sentence: "Flow 9: control of the third party passes to another speaker through the same transceiver.",
			Section: "1.3 C, 11 flow 9", Mark: Seen, Needs: []Need{OpenPeers}, Run: flowControl,
		},
	}
}

func flowLegacy(ctx context.Context, t *T) {
	pub, publishers := t.sessionByOffer(ctx, "?streamDebug", mic(), cam())
	x := pub.postTracks(ctx, tracksBody{Tracks: []trackItem{local("0", "mic"), local("1", "cam")}}).want(http.StatusOK).
		wantRenegotiation(false).wantItemFields(0, "mid", "trackName").wantItemFields(1, "mid", "trackName")
	if x.item(0).Mid != "0" || x.item(1).TrackName != "cam" {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	viewer, _ := t.sessionByOffer(ctx, "", named{"own", mic().Track})
	for i, s := range viewer.pull(ctx, remote(pub.ID, "mic"), remote(pub.ID, "cam")) {
		if got := t.flows(ctx, "the track", s, 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("name %d is another track's", i)
		}
	}
}

// bare is a call without a Content-Type.
func (t *T) bare(ctx context.Context, method, path string, body any) *exchange {
	none := ""
	return t.do(ctx, call{Method: method, Path: path, Body: body, ContentType: &none})
}

func flowWHIP(ctx context.Context, t *T) {
	pub := &client{t: t, ID: t.bare(ctx, http.MethodPost, "/sessions/new", nil).want(http.StatusCreated).Body.SessionID, Peer: t.peer(sfutest.Config{})}
	publishers, offer := pub.add(ctx, mic(), cam())
	x := t.bare(ctx, http.MethodPost, pub.path("/tracks/new"), discoverBody{SessionDescription: offer, AutoDiscover: true}).want(http.StatusOK)
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	items := make([]trackItem, len(x.Body.Tracks))
	for i, track := range x.Body.Tracks {
		items[i] = remote(pub.ID, track.TrackName)
	}
	if len(items) != 2 {
		t.Fatalf("items %+v", x.Body.Tracks)
	}
	view := func(s *sfutest.Subscriber, i int) {
		if got := t.flows(ctx, "what is viewed", s, 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("mid %s carries another track", s.Mid())
		}
	}
	session := func() *client {
		return &client{t: t, ID: t.bare(ctx, http.MethodPost, "/sessions/new", nil).want(http.StatusCreated).Body.SessionID, Peer: t.peer(sfutest.Config{})}
	}
	asking := session() // a player that offers
	x = t.bare(ctx, http.MethodPost, asking.path("/tracks/new"), tracksBody{asking.ask(ctx, 0, "audio", "video"), items}).want(http.StatusOK)
	t.Must(asking.Peer.SetAnswer(x.sdp("answer")))
	offered := session() // a player that is offered, and answers by PATCH
	x = t.bare(ctx, http.MethodPost, offered.path("/tracks/new"), tracksBody{Tracks: items}).want(http.StatusOK)
	answer, err := offered.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	t.bare(ctx, http.MethodPut, offered.path("/renegotiate"), renegotiateBody{answerOf(answer)}).want(http.StatusOK)
	for i := range items {
		view(asking.Peer.Subscriber(mids("0", "1")[i].Mid), i)
		view(offered.Peer.Subscriber(mids("0", "1")[i].Mid), i)
	}
	pub.Peer.Vanish()
	t.passUntil(ctx, "the stream lives on", 31*time.Second, func() bool { return pub.gone(ctx) })
	pub.state(ctx).wantError("session_error/410")
	late := session()
	t.bare(ctx, http.MethodPost, late.path("/tracks/new"), tracksBody{Tracks: items}).want(http.StatusOK).
		wantItemError(0, "not_found_track_error").wantItemError(1, "not_found_track_error")
}

// relay is the two sessions of flow 9.
type relay struct {
	user, voice     *client
	userMic, spoken *sfutest.Publisher
}

// startRelay takes the steps of the OpenAI relay in its order; nobody waits for a connection.
func (t *T) startRelay(ctx context.Context, third sfutest.Config) *relay {
	r := &relay{user: t.client(ctx, sfutest.Config{})}
	created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: "?thirdparty=true"}).want(http.StatusCreated)
	r.voice = &client{t: t, ID: created.Body.SessionID, Peer: t.peer(third)}

	body, publishers := r.user.prepare(ctx, both(named{"user-mic", mic().Track}))
	r.userMic = publishers[0]
	body.Tracks[0].Kind, body.Tracks[0].Bidirectional = "audio", true
	pushed := r.user.postTracks(ctx, body).want(http.StatusOK)
	if section := sdpParts(pushed.sdp("answer"))[1]; direction(section) != "sendrecv" {
		t.Errorf("the user's section is answered %s", direction(section))
	}
	r.spoken = r.voice.pushUnoffered(ctx, "sendrecv", both(named{"ai-generated-voice", mic().Track}))[0]

	answer := pushed.sdp("answer")
	answered := make(chan error, 1) // the browser applies its answer while the relay goes on
	go func() { answered <- r.user.Peer.SetAnswer(answer) }()
	t.Cleanup(func() { t.Must(<-answered) })
	x := r.user.requestPull(ctx, remote(r.voice.ID, "ai-generated-voice").into("#user-mic")).want(http.StatusOK).wantRenegotiation(false)
	if got := x.item(0); got.ErrorDescription != "" || x.Body.SessionDescription != nil {
		t.Errorf("the user's pull: %s", short(x.Raw))
	}
	r.voice.pullInto(ctx, remote(r.user.ID, "user-mic").into("#ai-generated-voice"))
	return r
}

func flowRelay(third sfutest.Config) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		r := t.startRelay(ctx, third)
		if got := t.flows(ctx, "what the user hears", r.user.Peer.Subscriber("0"), 20); got.Streams[0] != r.spoken.Stream() {
			t.Errorf("the user hears another track")
		}
		if got := t.flows(ctx, "what the third party hears", r.voice.Peer.Subscriber("0"), 20); got.Streams[0] != r.userMic.Stream() {
			t.Errorf("the third party hears another track")
		}
		for _, c := range []*client{r.user, r.voice} {
			if tracks := c.state(ctx).want(http.StatusOK).Body.Tracks; len(tracks) != 2 || tracks[0].Status != "active" || tracks[1].Status != "active" {
				t.Errorf("GET lists %+v", tracks)
			}
		}
	}
}

func flowControl(ctx context.Context, t *T) {
	r := t.startRelay(ctx, sfutest.Config{Gather: true, Lite: true})
	heard := r.voice.Peer.Subscriber("0")
	t.flows(ctx, "the first speaker", heard, 10)
	for range 3 {
		speaker, publishers := t.publish(ctx, sfutest.Config{}, mic())
		r.voice.pullInto(ctx, remote(speaker.ID, "mic").into("#ai-generated-voice"))
		_, err := heard.WaitStream(ctx, publishers[0].Stream())
		t.Must(err)
		got, err := heard.WaitMore(ctx, 10)
		t.Must(err)
		t.checkSeamless("what the third party hears", got)
	}
	t.flows(ctx, "what the user hears", r.user.Peer.Subscriber("0"), 10)
}
