package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func authCases() []Case {
	return []Case{
		{
			ID: "auth/absent", Sentence: "A request without an Authorization header is unauthorized, whatever it asks for.",
			Section: "1.0, 9.2", Mark: Doc, Codes: []string{"unauthorized/401"}, Run: authAbsent,
			Operations: []string{"newSession", "getSession", "deleteSession", "newTracks", "renegotiate", "closeTracks"},
		},
		{
			ID: "auth/scheme", Sentence: "A scheme other than Bearer is unauthorized; the scheme's case does not matter.",
			Section: "9.2", Mark: Inferred, Codes: []string{"unauthorized/401"}, Run: authScheme,
		},
		{
			ID: "auth/secret", Sentence: "A wrong secret is unauthorized.",
			Section: "9.2", Mark: Recorded, Codes: []string{"unauthorized/401"}, Run: authSecret,
		},
		{
			ID: "auth/first", Sentence: "The secret is checked before route, method, body and session.",
			Section: "1.0", Mark: Recorded, Codes: []string{"unauthorized/401"}, Run: authFirst,
		},
		{
			ID: "auth/app", Sentence: "An unknown app is not found, whatever the token and the call.",
			Section: "9.2", Mark: Inferred, Needs: []Need{SeededApps}, Codes: []string{"not_found/404 app"}, Run: authApp,
		},
		{
			ID: "auth/any-app", Sentence: "In dev mode an unknown app is made on first use.",
			Section: "9.2", Mark: Inferred, EmulatorOnly: true, Needs: []Need{OpenApps}, Run: authAnyApp,
		},
		{
			ID: "auth/isolation", Sentence: "Sessions and tracks are visible only inside their app.",
			Section: "0.3", Mark: Doc, EmulatorOnly: true, Needs: []Need{OpenApps},
			Codes: []string{"session_error/410", "not_found_track_error"}, Run: authIsolation,
		},
	}
}

// everyCall is one well-formed request to each operation, of an unknown session where it is of one.
func everyCall() []call {
	s := "/sessions/" + strings.Repeat("0", 32)
	return []call{
		{Method: http.MethodPost, Path: "/sessions/new"},
		{Method: http.MethodGet, Path: s},
		{Method: http.MethodDelete, Path: s},
		{Method: http.MethodPost, Path: s + "/tracks/new", Body: tracksBody{Tracks: []trackItem{remote(strings.Repeat("1", 32), "x")}}},
		{Method: http.MethodPut, Path: s + "/renegotiate", Body: renegotiateBody{answerOf("v=0\r\na=ice-ufrag:none\r\n")}},
		{Method: http.MethodPut, Path: s + "/tracks/close", Body: closeBody{Tracks: mids("0"), Force: true}},
		{Method: http.MethodPut, Path: s + "/tracks/update", Body: updateBody{[]trackItem{{Mid: "0", Simulcast: prefer("a")}}}},
		{Method: http.MethodPost, Path: s + "/datachannels/establish", Body: establishBody{DataChannel: serverEvents()}},
		{Method: http.MethodPost, Path: s + "/datachannels/new", Body: channelsBody{[]channelRow{localChannel("x")}}},
		{Method: http.MethodPut, Path: s + "/datachannels/update", Body: channelsBody{[]channelRow{remoteChannel(strings.Repeat("1", 32), "x")}}},
		{Method: http.MethodPut, Path: s + "/datachannels/close", Body: channelsBody{channelIDs(1)}},
		{Method: http.MethodPost, Path: "/adapters/websocket/new", Body: adaptersBody{[]adapterItem{ingestItem("wss://endpoint.invalid/x")}}},
		{Method: http.MethodPost, Path: "/adapters/websocket/close", Body: closeAdaptersBody{[]closeAdapterItem{{strings.Repeat("0", 32)}}}},
	}
}

// ofSession says whether the call is answered 410 where its session is not there.
func (c call) ofSession() bool {
	return strings.HasPrefix(c.Path, "/sessions/") && c.Path != "/sessions/new" && c.Method != http.MethodDelete
}

func authAbsent(ctx context.Context, t *T) {
	none := ""
	for _, c := range everyCall() {
		c.Auth = &none
		t.do(ctx, c).wantError("unauthorized/401").wantFields("errorCode", "errorDescription")
	}
}

func authScheme(ctx context.Context, t *T) {
	for _, header := range []string{"Basic " + t.target.Secret, t.target.Secret, "Bearer", "Bearer "} {
		t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Auth: &header}).wantError("unauthorized/401")
	}
	for _, scheme := range []string{"bearer ", "BEARER "} {
		header := scheme + t.target.Secret
		t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Auth: &header}).want(http.StatusCreated)
	}
}

func authSecret(ctx context.Context, t *T) {
	secrets := []string{"wrong", t.target.Secret + "0"}
	if shorter := t.target.Secret[1:]; shorter != "" {
		secrets = append(secrets, shorter)
	}
	for _, secret := range secrets {
		t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Secret: secret}).wantError("unauthorized/401")
	}
}

func authFirst(ctx context.Context, t *T) {
	for _, c := range []call{
		{Method: http.MethodPost, Path: "/sessions/new", Body: `{}`, Malformed: "no sessionDescription"},
		{Method: http.MethodPost, Path: "/sessions/new", Body: `{`, Malformed: "syntax"},
		{Method: http.MethodPatch, Path: "/sessions/new", Unlisted: true},
		{Method: http.MethodGet, Path: "/no/such/path", Unlisted: true},
	} {
		c.Secret = "wrong"
		t.do(ctx, c).wantError("unauthorized/401")
	}
}

func authApp(ctx context.Context, t *T) {
	for _, c := range everyCall() {
		c.App = strings.Repeat("9", 32)
		for _, secret := range []string{"", "wrong"} {
			c.Secret = secret
			t.do(ctx, c).wantError("not_found/404 app")
		}
	}
}

func authAnyApp(ctx context.Context, t *T) {
	c := call{Method: http.MethodPost, Path: "/sessions/new", App: strings.Repeat("9", 32), Secret: "anything"}
	t.do(ctx, c).want(http.StatusCreated)
}

func authIsolation(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	other := strings.Repeat("8", 32)
	t.do(ctx, call{Method: http.MethodGet, Path: pub.path(""), App: other, Secret: "anything"}).wantError("session_error/410")
	c := call{Method: http.MethodPost, Path: "/sessions/new", App: other, Secret: "anything"}
	stranger := t.do(ctx, c).want(http.StatusCreated).Body.SessionID
	c.Path, c.Body = "/sessions/"+stranger+"/tracks/new", tracksBody{Tracks: []trackItem{remote(pub.ID, "mic")}}
	t.do(ctx, c).want(http.StatusOK).wantItemError(0, "not_found_track_error")
}
