package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func sessionCases() []Case {
	return []Case{
		{
			ID: "session/new", Sentence: "sessions/new without a body answers 201 with a session id and nothing else.",
			Section: "0.3, 1.1", Mark: Doc, Operations: []string{"newSession"}, Run: sessionNew,
		},
		{
			ID: "session/new-offer", Sentence: "sessions/new with an offer answers 201 with the answer, and the session connects.",
			Section: "1.1", Mark: Recorded, Operations: []string{"newSession"}, Run: sessionNewOffer,
		},
		{
			ID: "session/new-answer", Sentence: "sessions/new with a description that is no offer is refused.",
			Section: "10 Q50", Mark: Inferred, Codes: []string{"invalid_params/406 offer expected"}, Run: sessionNewAnswer,
		},
		{
			ID: "session/new-bad-sdp", Sentence: "sessions/new with an SDP that cannot be used is refused with 400.",
			Section: "1.2, 1.3", Mark: Recorded, Run: sessionNewBadSDP, Codes: []string{
				rowUnparsable, rowLineEnd, rowNoUfrag,
			},
		},
		{
			ID: "session/fresh", Sentence: "A session that never negotiated answers GET with two empty lists, its id escaped or not.",
			Section: "1.7, 2.2, 9.4", Mark: Inferred, Operations: []string{"getSession"}, Run: sessionFresh,
		},
		{
			ID: "session/unknown", Sentence: "Every call on an unknown session is 410.",
			Section: "1.7, 2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/410"}, Run: sessionUnknown,
		},
		{
			ID: "session/closed-page", Sentence: "A session whose client closed its PeerConnection is soon 410; who pulls its tracks gets silence, and later they are not found.",
			Section: "1.3, 1.7, 2.3", Mark: Inferred, Codes: []string{"session_error/410", "not_found_track_error"}, Run: sessionClosedPage,
		},
		{
			ID: "session/query", Sentence: "Without thirdparty=true the SFU is ICE-lite; a correlationId that comes again makes another session.",
			Section: "1.1", Mark: Doc, Operations: []string{"newSession"}, Run: sessionQuery,
		},
		{
			ID: "session/again", Sentence: "The same names can be published again under a new session.",
			Section: "2.4, 11", Mark: Seen, Run: sessionAgain,
		},
		{
			ID: "session/state", Sentence: "GET lists pushed and pulled tracks with location, mid, name and status.",
			Section: "1.7, 2.2", Mark: Doc, Operations: []string{"getSession"}, Run: sessionState,
		},
	}
}

func sessionNew(ctx context.Context, t *T) {
	ids := map[string]bool{}
	for range 3 {
		x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new"}).want(http.StatusCreated).wantFields("sessionId")
		if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(x.Body.SessionID) || ids[x.Body.SessionID] {
			t.Errorf("session id %q is not 32 fresh lower-case hex characters", x.Body.SessionID)
		}
		ids[x.Body.SessionID] = true
	}
}

func sessionNewOffer(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offerOf(offer)}}).
		want(http.StatusCreated).wantFields("sessionId", "sessionDescription")
	parts := t.checkSDP("the answer", x.sdp("answer"))
	if rejected(parts[1]) {
		t.Errorf("the unnamed section is rejected:\n%s", parts[1])
	}
	t.Must(peer.SetAnswer(x.sdp("answer")))
	t.Must(peer.WaitConnected(ctx))
	c := &client{t: t, ID: x.Body.SessionID, Peer: peer}
	c.state(ctx).want(http.StatusOK)
	c.push(ctx, cam())
}

func sessionNewAnswer(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	t.do(ctx, call{
		Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{answerOf(offer)},
		Malformed: "an answer where an offer belongs",
	}).wantError("invalid_params/406 offer expected")
}

func sessionFresh(ctx context.Context, t *T) {
	c := &client{t: t, ID: t.newSession(ctx)}
	x := c.state(ctx).want(http.StatusOK).wantFields("tracks", "dataChannels")
	var lists map[string][]any
	if err := json.Unmarshal(x.Raw, &lists); err != nil || lists["tracks"] == nil || len(lists["tracks"])+len(lists["dataChannels"]) != 0 {
		t.Errorf("a fresh session answers %s", short(x.Raw))
	}
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`).MatchString(c.ID) {
		t.Errorf("clients refuse the session id %q", c.ID)
	}
	escaped := &client{t: t, ID: fmt.Sprintf("%%%02X", c.ID[0]) + c.ID[1:]}
	escaped.state(ctx).want(http.StatusOK).wantFields("tracks", "dataChannels")
}

func sessionUnknown(ctx context.Context, t *T) {
	const sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:none\r\n"
	path := "/sessions/" + strings.Repeat("0", 32)
	for _, c := range append(everyCall(),
		call{Method: http.MethodPost, Path: path + "/tracks/new", Body: tracksBody{offerOf(sdp), []trackItem{local("0", "x")}}},
		call{Method: http.MethodPost, Path: path + "/tracks/new", Body: tracksBody{offerOf(sdp), []trackItem{remote(nobody, "x")}}},
		call{Method: http.MethodPut, Path: path + "/tracks/close", Body: closeBody{mids("0"), offerOf(sdp), false}},
	) {
		if !c.ofSession() {
			continue
		}
		t.do(ctx, c).wantError("session_error/410")
		c.Path = strings.Replace(c.Path, strings.Repeat("0", 32), "no-session", 1)
		t.do(ctx, c).wantError("session_error/410")
	}
}

func sessionClosedPage(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	watching, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	t.Must(pub.Peer.Close())
	if !t.happens(ctx, 15*time.Second, func() bool { return pub.state(ctx).Status == http.StatusGone }) { // not only after the 30 s of a loss
		t.Fatalf("the session lives on")
	}
	t.quiet(ctx, "the track of the closed page", subs[0])
	watching.state(ctx).want(http.StatusOK)
	pub.state(ctx).wantError("session_error/410")
	pub.put(ctx, "/tracks/close", closeBody{mids("0"), nil, true}).wantError("session_error/410")
	sub := t.client(ctx, sfutest.Config{})
	sub.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}

func sessionQuery(ctx context.Context, t *T) {
	item := local("", "mic")
	item.Kind = "audio"
	for _, query := range []string{"", "?", "?thirdparty=false", "?thirdparty", "?thirdparty=maybe"} {
		created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: query}).want(http.StatusCreated).wantFields("sessionId")
		c := &client{t: t, ID: created.Body.SessionID}
		if offer := c.postTracks(ctx, tracksBody{Tracks: []trackItem{item}}).want(http.StatusOK).sdp("offer"); !hasLine(offer, "a=ice-lite") {
			t.Errorf("sessions/new%s: the SFU is not ICE-lite:\n%s", query, offer)
		}
	}
	same := call{Method: http.MethodPost, Path: "/sessions/new", Query: "?correlationId=again"}
	if first, second := t.do(ctx, same).want(http.StatusCreated), t.do(ctx, same).want(http.StatusCreated); first.Body.SessionID == second.Body.SessionID {
		t.Errorf("a correlationId that comes again gives the same session")
	}
}

func sessionAgain(ctx context.Context, t *T) {
	first, _ := t.publish(ctx, sfutest.Config{}, mic())
	t.Must(first.Peer.Close())
	second, publishers := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(second.ID, "mic"))
	if got := t.flows(ctx, "the track", subs[0], 5); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("the track comes from another publisher")
	}
}

func sessionState(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	x := pub.state(ctx).want(http.StatusOK).wantFields("tracks", "dataChannels")
	for i, name := range []string{"mic", "cam"} {
		x.wantItemFields(i, "location", "mid", "trackName", "status")
		if got := x.item(i); got.Location != "local" || got.TrackName != name || got.Status != "active" || got.Mid != mids("0", "1")[i].Mid {
			t.Errorf("pushed track %d is listed as %+v", i, got)
		}
	}
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "the track", subs[0], 5)
	x = sub.state(ctx).want(http.StatusOK).wantItemFields(0, "location", "mid", "trackName", "sessionId", "status")
	if got := x.item(0); got.Location != "remote" || got.TrackName != "cam" || got.SessionID != pub.ID || got.Mid != "0" || got.Status != "active" {
		t.Errorf("the pulled track is listed as %+v", got)
	}
}
