package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openRequestCases are the questions about single requests: what is refused, with what, and in which order.
func openRequestCases() []Case {
	patient := question(3, "unknown-session", "How is an unknown session id answered, at each endpoint: hang, 404 or 410?", openUnknownSession)
	patient.Within = 2 * time.Minute // in case every one of them hangs
	return []Case{
		question(2, "fresh-get", "How is GET on a fresh session answered: 200 with nothing, 425, or after a wait?", openFreshGet),
		patient,
		question(4, "refusals", "Which text and fields have 401, 404 for an app, and 405?", openRefusals),
		question(5, "order", "Which check comes first: app or token, JSON or session, values or session?", openOrder),
		question(6, "size", "From which size of the body on is payload_too_large answered, and with which status?", openSize),
		question(7, "mixed", "How is tracks/new with local and remote items answered?", openMixed),
		question(13, "malformed", "How is each malformed body answered?", openMalformed),
		question(44, "ttl", "Which ttl does a TURN credential take, and how is another refused?", openTTL).needing(TURN),
		question(47, "preflight", "Which headers does a CORS preflight get, and can errors be read cross-origin?", openPreflight),
		question(50, "first-offer", "How does sessions/new answer an answer, an offer without media, and a body together with thirdparty?", openFirstOffer),
	}
}

// needing is the case with needs.
func (c Case) needing(needs ...Need) Case {
	c.Needs = append(c.Needs, needs...)
	return c
}

func openFreshGet(ctx context.Context, t *T) {
	c := &client{t: t, ID: t.newSession(ctx)}
	c.seeState(ctx, "GET")
}

func openUnknownSession(ctx context.Context, t *T) {
	for _, id := range []string{nobody, "no-hex-id"} {
		for _, c := range sessionCalls("/sessions/" + id) {
			t.seeWithin(ctx, c.Method+" "+strings.Replace(c.Path, nobody, "unknown", 1), 8*time.Second, c)
		}
	}
}

// sessionCalls are well-formed calls on a session.
func sessionCalls(s string) []call {
	return []call{
		{Method: http.MethodGet, Path: s},
		{Method: http.MethodPost, Path: s + "/tracks/new", Body: tracksBody{Tracks: []trackItem{remote(nobody, "mic")}}},
		{Method: http.MethodPut, Path: s + "/tracks/update", Body: updateBody{[]trackItem{remote(nobody, "mic").into("0")}}},
		{Method: http.MethodPut, Path: s + "/tracks/close", Body: closeBody{mids("0"), nil, true}},
		{Method: http.MethodPost, Path: s + "/datachannels/establish", Body: establishBody{DataChannel: serverEvents()}},
		{Method: http.MethodPost, Path: s + "/datachannels/new", Body: channelsBody{[]channelRow{localChannel("chat")}}},
	}
}

func openRefusals(ctx context.Context, t *T) {
	create := call{Method: http.MethodPost, Path: "/sessions/new"}
	wrong, stranger, none := create, create, ""
	wrong.Secret = "wrong"
	stranger.App = strings.Repeat("9", 32)
	without := create
	without.Auth = &none
	t.see(ctx, "wrong secret", wrong)
	t.see(ctx, "no Authorization", without)
	t.see(ctx, "unknown app", stranger)
	t.see(ctx, "app id that is no hex", call{Method: http.MethodPost, Path: "/sessions/new", App: "no-hex-id"})
	t.see(ctx, "unknown path", call{Method: http.MethodGet, Path: "/no/such/path"})
	t.see(ctx, "trailing slash", call{Method: http.MethodPost, Path: "/sessions/new/"})
	session := "/sessions/" + t.newSession(ctx)
	for _, c := range []call{
		{Method: http.MethodDelete, Path: session},
		{Method: http.MethodPatch, Path: session},
		{Method: http.MethodGet, Path: session + "/tracks/new"},
		{Method: http.MethodPost, Path: session + "/renegotiate", Body: "{}"},
	} {
		x := t.see(ctx, c.Method+strings.TrimPrefix(c.Path, session), c)
		t.observe(c.Method+strings.TrimPrefix(c.Path, session)+": Allow", "%s", orElse(x.Header.Get("Allow"), "none"))
	}
}

func openOrder(ctx context.Context, t *T) {
	stranger := strings.Repeat("9", 32)
	unknown := "/sessions/" + nobody + "/tracks/new"
	for _, c := range []struct {
		name string
		call
	}{
		{"unknown app and no token", call{Method: http.MethodPost, Path: "/sessions/new", App: stranger, Auth: new(string)}},
		{"unknown app and bad JSON", call{Method: http.MethodPost, Path: "/sessions/new", App: stranger, Body: "{"}},
		{"wrong secret and bad JSON", call{Method: http.MethodPost, Path: "/sessions/new", Secret: "wrong", Body: "{"}},
		{"wrong secret and unknown path", call{Method: http.MethodGet, Path: "/no/such/path", Secret: "wrong"}},
		{"unknown session and bad JSON", call{Method: http.MethodPost, Path: unknown, Body: "{"}},
		{"unknown session and no tracks", call{Method: http.MethodPost, Path: unknown, Body: `{"tracks":[]}`}},
		{"unknown session and unparsable SDP", call{Method: http.MethodPost, Path: unknown, Body: tracksBody{offerOf("v=0\r\n"), []trackItem{local("0", "mic")}}}},
		{"unknown session and wrong method", call{Method: http.MethodPatch, Path: unknown, Body: "{}"}},
	} {
		t.seeWithin(ctx, c.name, 5*time.Second, c.call)
	}
	fresh := t.client(ctx, sfutest.Config{})
	fresh.seeTracks(ctx, "unparsable SDP and missing mid", tracksBody{offerOf("v=0\r\n"), []trackItem{local("", "mic")}})
	fresh.seePut(ctx, "no offer pending and unparsable SDP", "/renegotiate", renegotiateBody{answerOf("v=0\r\n")})
}

// openSize grows a body that is refused in any case, so that nothing changes: by its list of tracks, or by its order.
func openSize(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	for _, kib := range []int{100, 300, 600, 1000, 1100, 2100, 4200} {
		sdp := "v=0\r\n" + strings.Repeat("a=x-pad:"+strings.Repeat("x", 1014)+"\r\n", kib)
		x := c.seeTracks(ctx, fmt.Sprintf("tracks/new of %d KiB", kib), tracksBody{offerOf(sdp), []trackItem{}})
		y := c.seePut(ctx, fmt.Sprintf("renegotiate of %d KiB", kib), "/renegotiate", renegotiateBody{answerOf(sdp)})
		if x.Body.ErrorCode == "payload_too_large" && y.Body.ErrorCode == "payload_too_large" || x.Status == 0 && y.Status == 0 {
			return
		}
	}
}

func openMixed(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, cam())
	body.Tracks = append(body.Tracks, remote(pub.ID, "mic"))
	c.seeTracks(ctx, "local and remote with an offer", body)
	other := t.client(ctx, sfutest.Config{})
	item := local("", "cam")
	item.Kind = "video"
	other.seePull(ctx, "local and remote without an offer", item, remote(pub.ID, "mic"))
}

func openMalformed(ctx context.Context, t *T) {
	session := "/sessions/" + t.newSession(ctx)
	for _, endpoint := range []struct {
		method, path string
		bodies       []string
	}{
		{http.MethodPost, "/sessions/new", []string{`{}`, `[]`, `null`, `{"sessionDescription":null}`, `{"sessionDescription":{}}`, `{"sessionDescription":{"type":"offer"}}`, `{"sessionDescription":5}`}},
		{http.MethodPost, session + "/tracks/new", []string{`{}`, `{"tracks":null}`, `{"tracks":{}}`, `{"tracks":[null]}`, `{"tracks":[5]}`, `{"tracks":[{}]}`,
			`{"tracks":[{"location":"elsewhere"}]}`, `{"tracks":[{"location":5},{"location":"remote","trackname":"x"}]}`, `{"tracks":[{"location":"remote","sessionId":null,"trackName":"x"}]}`, `{"autoDiscover":"yes"}`}},
		{http.MethodPut, session + "/renegotiate", []string{``, `{}`, `{"sessionDescription":null}`, `{"sessionDescription":{"type":"answer"}}`, `{"sessionDescription":{"type":"other","sdp":"v=0"}}`}},
		{http.MethodPut, session + "/tracks/update", []string{`{}`, `{"tracks":[]}`, `{"tracks":[{}]}`}},
		{http.MethodPut, session + "/tracks/close", []string{`{}`, `{"tracks":[]}`, `{"tracks":[{"mid":"0"}]}`, `{"tracks":[{"mid":0}],"force":true}`, `{"tracks":[{"mid":"0"}],"force":"yes"}`}},
		{http.MethodPost, session + "/datachannels/establish", []string{``, `{"dataChannel":null}`, `{"dataChannel":{}}`}},
		{http.MethodPost, session + "/datachannels/new", []string{`{}`, `{"dataChannels":[]}`, `{"dataChannels":[{}]}`}},
		{http.MethodPut, session + "/datachannels/close", []string{`{}`, `{"dataChannels":[{"id":"2"}]}`}},
		{http.MethodPost, "/adapters/websocket/new", []string{``, `{}`, `{"tracks":[{}]}`}},
		{http.MethodPost, "/adapters/websocket/close", []string{`{}`, `{"tracks":[{}]}`}},
	} {
		for _, body := range endpoint.bodies {
			c := call{Method: endpoint.method, Path: endpoint.path, Body: body}
			t.see(ctx, strings.TrimPrefix(endpoint.path, session)+" "+orElse(body, "without a body"), c)
		}
	}
}

func openTTL(ctx context.Context, t *T) {
	for _, path := range []string{"/generate-ice-servers", "/generate"} {
		for _, body := range []string{``, `{}`, `{"ttl":null}`, `{"ttl":0}`, `{"ttl":-1}`, `{"ttl":"60"}`, `{"ttl":60.5}`, `{"ttl":172801}`, `{"ttl":864000}`,
			`{"ttl":60,"customIdentifier":5}`, `{"ttl":60,"customIdentifier":""}`} {
			t.see(ctx, path[1:]+" "+orElse(body, "without a body"), generate(path, body))
		}
	}
	t.see(ctx, "customIdentifier of 1000 characters", generate("/generate-ice-servers", credentialsBody{60, strings.Repeat("x", 1000)}))
	t.see(ctx, "revoke of an unknown user", generate("/"+strings.Repeat("0", 64)+"/revoke", nil))
}

func openPreflight(ctx context.Context, t *T) {
	session := "/sessions/" + t.newSession(ctx)
	for _, path := range []string{"/sessions/new", session + "/tracks/new", session + "/renegotiate"} {
		for _, origin := range []string{"https://app.example", "http://localhost:5173"} {
			name := "OPTIONS " + strings.TrimPrefix(path, session) + " from " + origin
			c := call{Method: http.MethodOptions, Path: path, Auth: new(string), Header: map[string]string{
				"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
			}}
			t.observeCORS(name, t.see(ctx, name, c))
		}
	}
	refused := call{Method: http.MethodPost, Path: "/sessions/new", Secret: "wrong", Header: map[string]string{"Origin": "https://app.example"}}
	t.observeCORS("an error", t.see(ctx, "an error", refused))
}

func (t *T) observeCORS(name string, x *exchange) {
	for _, header := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
		"Access-Control-Allow-Credentials", "Vary"} {
		t.observe(name+": "+header, "%s", orElse(strings.Join(x.Header.Values(header), ", "), "none"))
	}
}

func openFirstOffer(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{})
	_, err := peer.Publish(mic().Track)
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	create := func(query string, body any) call {
		return call{Method: http.MethodPost, Path: "/sessions/new", Query: query, Body: body}
	}
	t.see(ctx, "an answer", create("", newSessionBody{answerOf(offer)}))
	t.see(ctx, "another type", create("", newSessionBody{&sdpBody{"pranswer", offer}}))
	t.see(ctx, "an offer with thirdparty", create("?thirdparty=true", newSessionBody{offerOf(offer)}))
	t.see(ctx, "thirdparty that is no boolean", create("?thirdparty=maybe", nil))
	t.see(ctx, "an offer without media", create("", newSessionBody{offerOf("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n")}))
	t.see(ctx, "an offer without its last line end", create("", newSessionBody{offerOf(strings.TrimSuffix(offer, "\r\n"))}))
	t.see(ctx, "an offer with bare line feeds", create("", newSessionBody{offerOf(strings.ReplaceAll(offer, "\r\n", "\n"))}))
}
