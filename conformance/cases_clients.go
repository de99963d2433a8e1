package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// clientFlowCases are the flows of contract 11 that are one client's whole sequence.
func clientFlowCases() []Case {
	return []Case{
		{
			ID: "flow/1-publisher", Sentence: "Flow 1: a session without a body, the offer with the tracks, the answer by mid, connected.",
			Section: "11 flow 1", Mark: Doc, Operations: []string{"newSession", "newTracks"}, Run: flowPublisher,
		},
		{
			ID: "flow/2-subscriber", Sentence: "Flow 2: remote tracks, the SFU's offer, the answer by renegotiate with {}, media on the item's mid.",
			Section: "11 flow 2", Mark: Doc, Operations: []string{"newSession", "newTracks", "renegotiate"}, Run: flowSubscriber,
		},
		{
			ID: "flow/6-partytracks", Sentence: "Flow 6: batches of pushes and pulls in a row, a layer by preferredRid alone, closes in one request, the same names in a new session.",
			Section: "11 flow 6", Mark: Seen, Needs: []Need{TURN}, Run: flowPartytracks,
			Operations: []string{"newSession", "newTracks", "renegotiate", "updateTracks", "closeTracks", "generateIceServers"},
		},
		{
			ID: "flow/7-legacy-demos", Sentence: "Flow 7: a page calls the service itself, with Authorization and bodies sent as text/plain.",
			Section: "11 flow 7, 9.1", Mark: Seen, Operations: []string{"newSession", "newTracks", "renegotiate", "closeTracks"}, Run: flowPage,
		},
	}
}

func flowPublisher(ctx context.Context, t *T) {
	created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new"}).want(http.StatusCreated).wantFields("sessionId")
	c := &client{t: t, ID: created.Body.SessionID, Peer: t.peer(sfutest.Config{Gather: true})}
	body, publishers := c.prepare(ctx, mic(), cam())
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false)
	for i, p := range publishers {
		if x.wantItemFields(i, "mid", "trackName").item(i).Mid != p.Mid() {
			t.Errorf("item %d is not that of mid %s: %s (contract 11 flow 1)", i, p.Mid(), short(x.Raw))
		}
	}
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.connected(ctx)
}

func flowSubscriber(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	sub := t.client(ctx, sfutest.Config{Gather: true})
	x := sub.requestPull(ctx, remote(pub.ID, "cam"), remote(pub.ID, "mic")).want(http.StatusOK).wantRenegotiation(true)
	sub.answer(ctx, x)
	sub.connected(ctx)
	for i, p := range []*sfutest.Publisher{publishers[1], publishers[0]} {
		if got := t.flows(ctx, "the track", sub.Peer.Subscriber(x.item(i).Mid), 5); got.Streams[0] != p.Stream() {
			t.Errorf("mid %s carries another track than its item says (contract 11 flow 2)", x.item(i).Mid)
		}
	}
}

func flowPartytracks(ctx context.Context, t *T) {
	c := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: "?"}).want(http.StatusCreated)
	me := &client{t: t, ID: c.Body.SessionID, Peer: t.peer(sfutest.Config{})}
	t.do(ctx, generate("/generate-ice-servers", `{"ttl":86400}`)).want(http.StatusCreated)
	other := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sent := me.push(ctx, mic(), cam())                                                         // nobody waits for ICE:
	subs := me.pull(ctx, other.cam(prefer("a")), remote(other.ID, "cam").layered(prefer("c"))) // the pull comes at once
	for i, rid := range []string{"a", "c"} {
		other.comesFrom(ctx, subs[i], rid)
	}
	me.update(ctx, other.cam(prefer("b")).into(subs[0].Mid()))
	other.comesFrom(ctx, subs[0], "b")
	x := me.put(ctx, "/tracks/close", closeBody{mids(sent[0].Mid(), sent[1].Mid()), offerOf(me.offer(ctx)), false}).want(http.StatusOK)
	x.wantItemFields(0, "mid").wantItemFields(1, "mid")
	t.Must(me.Peer.SetAnswer(x.sdp("answer")))
	other.staysOn(ctx, subs[0], "b", 10)
	again, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, seen := t.subscribe(ctx, sfutest.Config{}, remote(again.ID, "cam"))
	if got := t.flows(ctx, "the name in the new session", seen[0], 5); got.Streams[0] != publishers[1].Stream() {
		t.Errorf("the name leads to the old session's track (contract 11 flow 6)")
	}
}

func flowPage(ctx context.Context, t *T) {
	kind := "text/plain;charset=UTF-8"
	page := func(method, path string, body any) *exchange {
		none := ""
		allowed := t.do(ctx, call{Method: http.MethodOptions, Path: path, Unlisted: true, Auth: &none, Header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization",
		}}).wantOriginAllowed()
		if !strings.Contains(allowed.Header.Get("Access-Control-Allow-Methods"), method) {
			t.Errorf("a page may not %s %s (contract 11 flow 7)", method, path)
		}
		x := t.do(ctx, call{Method: method, Path: path, Body: body, ContentType: &kind, Header: map[string]string{"Origin": origin}})
		x.wantOrigin()
		return x
	}
	session := func() *client {
		x := page(http.MethodPost, "/sessions/new", nil).want(http.StatusCreated)
		return &client{t: t, ID: x.Body.SessionID, Peer: t.peer(sfutest.Config{})}
	}
	pub := session()
	body, publishers := pub.prepare(ctx, mic(), cam())
	t.Must(pub.Peer.SetAnswer(page(http.MethodPost, pub.path("/tracks/new"), body).want(http.StatusOK).sdp("answer")))
	pub.connected(ctx)
	sub := session()
	x := page(http.MethodPost, sub.path("/tracks/new"), tracksBody{Tracks: []trackItem{remote(pub.ID, "mic"), remote(pub.ID, "cam")}}).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	page(http.MethodPut, sub.path("/renegotiate"), renegotiateBody{answerOf(answer)}).want(http.StatusOK).wantFields()
	for i, p := range publishers {
		if got := t.flows(ctx, "the echo", sub.Peer.Subscriber(x.item(i).Mid), 5); got.Streams[0] != p.Stream() {
			t.Errorf("mid %s carries another track (contract 11 flow 7)", x.item(i).Mid)
		}
	}
	page(http.MethodGet, pub.path(""), nil).want(http.StatusOK)
	page(http.MethodPut, pub.path("/tracks/close"), closeBody{mids("0"), nil, true}).want(http.StatusOK)
}

// wantOriginAllowed is wantOrigin for a preflight, which must succeed.
func (x *exchange) wantOriginAllowed() *exchange {
	if x.Status != http.StatusOK && x.Status != http.StatusNoContent {
		x.t.Errorf("%s: status %d", x, x.Status)
	}
	x.wantOrigin()
	return x
}
