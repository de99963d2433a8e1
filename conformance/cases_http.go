package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func httpCases() []Case {
	return []Case{
		{
			ID: "http/preflight", Sentence: "A preflight lets any origin send Authorization with POST, PUT and GET.",
			Section: "9.1", Mark: Inferred, Run: httpPreflight,
		},
		{
			ID: "http/cors", Sentence: "Answers and errors may be read by the page's origin.",
			Section: "9.1", Mark: Inferred, Codes: []string{"unauthorized/401", "decoding_error/400 sessions/new"}, Run: httpCORS,
		},
		{
			ID: "http/content-type", Sentence: "No Content-Type is demanded of a request.",
			Section: "0.3", Mark: Seen, Operations: []string{"newTracks"}, Run: httpContentType,
		},
		{
			ID: "http/empty-body-json", Sentence: "sessions/new with a JSON Content-Type and no body is no decoding error.",
			Section: "9.4", Mark: Seen, Run: httpEmptyBody,
		},
		{
			ID: "http/unknown-fields", Sentence: "Unknown fields and query parameters are ignored.",
			Section: "0.3", Mark: Seen, Operations: []string{"newTracks", "renegotiate", "closeTracks"}, Run: httpUnknown,
		},
		{
			ID: "http/without-v1", Sentence: "Paths work without /v1 as well.",
			Section: "0.3", Mark: Seen, Operations: []string{"newSession", "getSession"}, Run: httpWithoutV1,
		},
		{
			ID: "http/chunked", Sentence: "Chunked bodies are read.",
			Section: "9.1", Mark: Seen, Run: httpChunked,
		},
		{
			ID: "http/browser-headers", Sentence: "Headers of a browser on proxied calls are ignored.",
			Section: "9.1", Mark: Seen, Run: httpBrowserHeaders,
		},
		{
			ID: "http/method", Sentence: "A wrong method is not allowed.",
			Section: "1.14", Mark: Inferred, Codes: []string{"method_not_allowed/405"}, Run: httpMethod,
		},
		{
			ID: "http/path", Sentence: "An unknown path is not found.",
			Section: "1.14", Mark: Inferred, Codes: []string{"not_found/404 path"}, Run: httpPath,
		},
		{
			ID: "http/delete", Sentence: "DELETE of a session is reserved and changes nothing.",
			Section: "1.8", Mark: Recorded, Operations: []string{"deleteSession"},
			Codes: []string{"method_not_allowed/405 delete"}, Run: httpDelete,
		},
		{
			ID: "http/too-large", Sentence: "A body over the limit is refused.",
			Section: "1.2, 6", Mark: Inferred, EmulatorOnly: true, Codes: []string{"payload_too_large/413"}, Run: httpTooLarge,
		},
	}
}

const origin = "https://app.example"

func httpPreflight(ctx context.Context, t *T) {
	none := ""
	for method, path := range inOrder(map[string]string{
		http.MethodPost: "/sessions/new", http.MethodPut: "/sessions/0/renegotiate", http.MethodGet: "/sessions/0",
	}) {
		x := t.do(ctx, call{Method: http.MethodOptions, Path: path, Unlisted: true, Auth: &none, Header: map[string]string{
			"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization,content-type",
		}})
		if x.Status != http.StatusOK && x.Status != http.StatusNoContent {
			t.Errorf("preflight of %s: status %d", path, x.Status)
		}
		x.wantOrigin()
		if got := x.Header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, method) {
			t.Errorf("preflight allows the methods %q", got)
		}
		allowed := strings.ToLower(x.Header.Get("Access-Control-Allow-Headers"))
		if !strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "content-type") {
			t.Errorf("preflight allows the headers %q; * does not cover Authorization", allowed)
		}
	}
}

func (x *exchange) wantOrigin() {
	if got := x.Header.Get("Access-Control-Allow-Origin"); got != origin && got != "*" {
		x.t.Errorf("%s: Access-Control-Allow-Origin is %q", x, got)
	}
}

func httpCORS(ctx context.Context, t *T) {
	page := map[string]string{"Origin": origin}
	t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Header: page}).want(http.StatusCreated).wantOrigin()
	t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Header: page, Secret: "wrong"}).
		wantError("unauthorized/401").wantOrigin()
	t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Header: page, Body: `{}`, Malformed: "no sessionDescription"}).
		wantError("decoding_error/400 sessions/new").wantOrigin()
}

func httpContentType(ctx context.Context, t *T) {
	for _, kind := range []string{"", "text/plain;charset=UTF-8"} {
		c := t.client(ctx, sfutest.Config{})
		body, _ := c.prepare(ctx, mic())
		request := call{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: body, ContentType: &kind}
		t.do(ctx, request).want(http.StatusOK).sdp("answer")
	}
}

func httpEmptyBody(ctx context.Context, t *T) {
	kind := "application/json"
	t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", ContentType: &kind}).want(http.StatusCreated)
}

func httpUnknown(ctx context.Context, t *T) {
	created := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: "?streamDebug&correlationId=a&x=1"}).want(http.StatusCreated)
	pub := &client{t: t, ID: created.Body.SessionID, Peer: t.peer(sfutest.Config{})}
	body, _ := pub.prepare(ctx, mic())
	x := t.do(ctx, call{Method: http.MethodPost, Path: pub.path("/tracks/new"), Query: "?", Body: map[string]any{
		"sessionDescription": map[string]any{"type": "offer", "sdp": body.SessionDescription.SDP, "toJSON": 1},
		"tracks":             []any{map[string]any{"location": "local", "mid": body.Tracks[0].Mid, "trackName": "mic", "codec": "x"}},
		"appVersion":         7, "bidirectionalMediaStream": []int{1},
	}}).want(http.StatusOK)
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))

	sub := t.client(ctx, sfutest.Config{})
	pulled := t.do(ctx, call{Method: http.MethodPost, Path: sub.path("/tracks/new"), Query: "?correlationId=z&streamDebug",
		Body: map[string]any{"tracks": []any{map[string]any{
			"location": "remote", "sessionId": pub.ID, "trackName": "mic", "kind": "audio", "extra": nil,
		}}}}).want(http.StatusOK)
	answer, err := sub.Peer.Answer(ctx, pulled.sdp("offer"))
	t.Must(err)
	t.do(ctx, call{Method: http.MethodPut, Path: sub.path("/renegotiate"), Query: "?correlationId=z", Body: map[string]any{
		"sessionDescription": map[string]any{"type": "answer", "sdp": answer, "x": 1}, "y": "z",
	}}).want(http.StatusOK)
	t.flows(ctx, "the pulled track", sub.Peer.Subscriber("0"), 5)
	t.do(ctx, call{Method: http.MethodPut, Path: sub.path("/tracks/close"), Query: "?x", Body: map[string]any{
		"tracks": []any{map[string]any{"mid": "0", "trackName": "mic", "sessionId": pub.ID}}, "force": true, "z": 0,
	}}).want(http.StatusOK)
}

func httpWithoutV1(ctx context.Context, t *T) {
	x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", WithoutV1: true}).want(http.StatusCreated)
	path := "/sessions/" + x.Body.SessionID
	t.do(ctx, call{Method: http.MethodGet, Path: path, WithoutV1: true}).want(http.StatusOK)
	t.do(ctx, call{Method: http.MethodGet, Path: path}).want(http.StatusOK)
}

func httpChunked(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	stream := strings.NewReader(string(t.encode(body)))
	request := call{Method: http.MethodPost, Path: c.path("/tracks/new"), Stream: struct{ *strings.Reader }{stream}}
	t.do(ctx, request).want(http.StatusOK).sdp("answer")
}

func httpBrowserHeaders(ctx context.Context, t *T) {
	t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Query: "?", Header: map[string]string{
		"Origin": origin, "Referer": origin + "/room", "Cookie": "a=b; c=d", "Sec-Fetch-Mode": "cors", "Accept": "*/*",
		"Accept-Language": "de", "X-Forwarded-For": "192.0.2.1",
	}}).want(http.StatusCreated)
}

func httpMethod(ctx context.Context, t *T) {
	s := "/sessions/" + t.newSession(ctx)
	for _, c := range []call{
		{Method: http.MethodPut, Path: "/sessions/new"},
		{Method: http.MethodPost, Path: s},
		{Method: http.MethodGet, Path: s + "/tracks/new"},
		{Method: http.MethodPut, Path: s + "/tracks/new"},
		{Method: http.MethodPost, Path: s + "/renegotiate"},
		{Method: http.MethodDelete, Path: s + "/tracks/close"},
	} {
		c.Unlisted = true
		t.do(ctx, c).wantError("method_not_allowed/405")
	}
}

func httpPath(ctx context.Context, t *T) {
	for _, path := range []string{"/", "/sessions", "/sessions/0/tracks", "/sessions/0/tracks/old", "/sessions/0/0/0/0"} {
		t.do(ctx, call{Method: http.MethodPost, Path: path, Unlisted: true, Body: `{}`}).wantError("not_found/404 path")
	}
}

func httpDelete(ctx context.Context, t *T) {
	c := &client{t: t, ID: t.newSession(ctx)}
	x := t.do(ctx, call{Method: http.MethodDelete, Path: c.path("")}).wantError("method_not_allowed/405 delete")
	if !strings.Contains(string(x.Raw), "WHIP") {
		t.Errorf("the text does not say that the verb is reserved for WHIP/WHEP: %s", short(x.Raw))
	}
	c.state(ctx).want(http.StatusOK)
}

func httpTooLarge(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	padded := "v=0\r\na=ice-ufrag:none\r\n" + strings.Repeat("a=x-pad\r\n", 1<<17) // 1.1 MiB
	offer := offerOf(padded)
	blind := "the schema does not bound the SDP"
	for _, request := range []call{
		{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offer}},
		{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: tracksBody{offer, []trackItem{local("0", "mic")}}},
		{Method: http.MethodPut, Path: c.path("/renegotiate"), Body: renegotiateBody{answerOf(padded)}},
		{Method: http.MethodPut, Path: c.path("/tracks/close"), Body: closeBody{mids("0"), offer, false}},
	} {
		request.Blind = blind
		t.do(ctx, request).wantError("payload_too_large/413")
	}
	c.push(ctx, mic())
}
