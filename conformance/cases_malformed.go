package conformance

import (
	"context"
	"net/http"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func malformedCases() []Case {
	return []Case{
		{
			ID: "malformed/sessions-new", Sentence: "sessions/new refuses {} and undecodable bodies.", Section: "0.3, 1.1",
			Mark: Recorded, Operations: []string{"newSession"},
			Codes: []string{"decoding_error/400", "decoding_error/400 sessions/new"}, Run: malformedNewSession,
		},
		{
			ID: "malformed/tracks-new", Sentence: "tracks/new refuses undecodable bodies with 400.", Section: "1.0, 1.2",
			Mark: Recorded, Operations: []string{"newTracks"}, Codes: []string{"decoding_error/400"}, Run: malformedTracks,
		},
		{
			ID: "malformed/track-items", Sentence: "A misspelt trackname is a decoding error that lists the items.",
			Section: "1.2", Mark: Recorded, Codes: []string{"decoding_error/400 items"}, Run: malformedItems,
		},
		{
			ID: "malformed/renegotiate", Sentence: "renegotiate refuses undecodable bodies with 400.", Section: "1.0, 1.4",
			Mark: Inferred, Operations: []string{"renegotiate"}, Codes: []string{"decoding_error/400"}, Run: malformedRenegotiate,
		},
		{
			ID: "malformed/close", Sentence: "tracks/close refuses undecodable bodies with 400.", Section: "1.0, 1.6",
			Mark: Inferred, Operations: []string{"closeTracks"}, Codes: []string{"decoding_error/400"}, Run: malformedClose,
		},
		{
			ID: "malformed/params", Sentence: "tracks/new refuses values and combinations that cannot be.", Section: "1.0, 1.3, 6",
			Mark: Inferred, Run: malformedParams, Codes: []string{
				"invalid_params/406 no tracks", "invalid_params/406 too many", "invalid_params/406 session id",
				"invalid_params/406 location", "invalid_params/406 track name", "invalid_params/406 mixed",
				"invalid_params/406 offer expected",
			},
		},
		{
			ID: "malformed/order", Sentence: "The body is checked before the session, and types before values.", Section: "1.0",
			Mark: Recorded, Run: malformedOrder,
			Codes: []string{"decoding_error/400", "invalid_params/406 no tracks"},
		},
	}
}

// notObjects are bodies that no endpoint can decode.
var notObjects = map[string]string{
	"not JSON": `hello`, "cut off": `{"sessionDescription":`, "an array": `[]`, "a string": `"x"`, "a number": `1`,
	"null": `null`, "two values": `{} {}`, "an open string": `{"tracks":"`,
}

// badDescriptions are sessionDescriptions of a wrong type.
var badDescriptions = map[string]string{
	"a string": `"v=0"`, "a number": `1`, "an array": `[]`, "without sdp": `{"type":"offer"}`, "without type": `{"sdp":"v=0\r\n"}`,
	"numeric sdp": `{"type":"offer","sdp":1}`, "numeric type": `{"type":1,"sdp":"v=0\r\n"}`, "null sdp": `{"type":"offer","sdp":null}`,
}

func (t *T) refuseAll(ctx context.Context, method, path, row string, bodies map[string]string) {
	for what, body := range inOrder(bodies) {
		t.do(ctx, call{Method: method, Path: path, Body: body, Malformed: what}).wantError(row).wantFields("errorCode", "errorDescription")
	}
}

// withDescription puts each bad description into a body in place of %.
func withDescription(body string) map[string]string {
	out := map[string]string{}
	for what, description := range badDescriptions {
		out["sessionDescription is "+what] = strings.Replace(body, "%", description, 1)
	}
	return out
}

func malformedNewSession(ctx context.Context, t *T) {
	t.refuseAll(ctx, http.MethodPost, "/sessions/new", "decoding_error/400", notObjects)
	t.refuseAll(ctx, http.MethodPost, "/sessions/new", "decoding_error/400 sessions/new", withDescription(`{"sessionDescription":%}`))
	t.refuseAll(ctx, http.MethodPost, "/sessions/new", "decoding_error/400 sessions/new", map[string]string{
		"empty object": `{}`, "other fields only": `{"tracks":[]}`,
	})
}

func malformedTracks(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/tracks/new"
	t.refuseAll(ctx, http.MethodPost, path, "decoding_error/400", notObjects)
	t.refuseAll(ctx, http.MethodPost, path, "decoding_error/400",
		withDescription(`{"sessionDescription":%,"tracks":[{"location":"local","mid":"0","trackName":"a"}]}`))
	t.refuseAll(ctx, http.MethodPost, path, "decoding_error/400", map[string]string{
		"tracks is an object": `{"tracks":{}}`, "tracks is a string": `{"tracks":"a"}`, "an item is a string": `{"tracks":["a"]}`,
		"an item is null":     `{"tracks":[null]}`,
		"numeric mid":         `{"tracks":[{"location":"local","mid":0,"trackName":"a"}]}`,
		"numeric trackName":   `{"tracks":[{"location":"local","mid":"0","trackName":1}]}`,
		"numeric location":    `{"tracks":[{"location":1,"mid":"0","trackName":"a"}]}`,
		"numeric sessionId":   `{"tracks":[{"location":"remote","sessionId":1,"trackName":"a"}]}`,
		"string autoDiscover": `{"autoDiscover":"yes","tracks":[{"location":"local","mid":"0","trackName":"a"}]}`,
	})
	t.do(ctx, call{Method: http.MethodPost, Path: path, Malformed: "no body"}).wantError("decoding_error/400")
}

func malformedItems(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/tracks/new"
	t.refuseAll(ctx, http.MethodPost, path, "decoding_error/400 items", map[string]string{
		"misspelt trackname": `{"tracks":[{"location":"local","mid":"0","trackname":"a"},{"location":"local","mid":"1","trackname":"b"}]}`,
	})
}

func malformedRenegotiate(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/renegotiate"
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", notObjects)
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", withDescription(`{"sessionDescription":%}`))
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", map[string]string{"empty object": `{}`})
}

func malformedClose(ctx context.Context, t *T) {
	path := "/sessions/" + t.newSession(ctx) + "/tracks/close"
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", notObjects)
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", withDescription(`{"sessionDescription":%,"tracks":[{"mid":"0"}],"force":false}`))
	t.refuseAll(ctx, http.MethodPut, path, "decoding_error/400", map[string]string{
		"tracks is a string": `{"tracks":"0","force":true}`, "an item is a string": `{"tracks":["0"],"force":true}`,
		"numeric mid":  `{"tracks":[{"mid":0}],"force":true}`,
		"string force": `{"tracks":[{"mid":"0"}],"force":"true"}`,
	})
}

func malformedParams(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic())
	path := c.path("/tracks/new")
	refuse := func(row, what string, tracks []trackItem, description *sdpBody) {
		t.do(ctx, call{Method: http.MethodPost, Path: path, Body: tracksBody{description, tracks}, Malformed: what}).wantError(row)
	}
	refuse("invalid_params/406 no tracks", "no tracks", []trackItem{}, nil)
	refuse("invalid_params/406 location", "location", []trackItem{{Location: "here", Mid: "0", TrackName: "a"}}, body.SessionDescription)
	refuse("invalid_params/406 session id", "pull without session", []trackItem{{Location: "remote", TrackName: "a"}}, nil)

	many := make([]trackItem, 65)
	for i := range many {
		many[i] = remote(strings.Repeat("1", 32), "a")
	}
	refuse("invalid_params/406 too many", "65 tracks", many, nil)

	empty := `{"tracks":[{"location":"remote","sessionId":"` + strings.Repeat("1", 32) + `","trackName":""}]}`
	t.do(ctx, call{Method: http.MethodPost, Path: path, Body: empty, Malformed: "empty trackName"}).wantError("invalid_params/406 track name")

	mixed := tracksBody{body.SessionDescription, []trackItem{local("0", "a"), remote(strings.Repeat("1", 32), "b")}}
	t.do(ctx, call{Method: http.MethodPost, Path: path, Body: mixed, Malformed: "push and pull"}).
		wantError("invalid_params/406 mixed")
	answer := tracksBody{answerOf(body.SessionDescription.SDP), body.Tracks}
	t.do(ctx, call{Method: http.MethodPost, Path: path, Body: answer, Malformed: "an answer where an offer belongs"}).
		wantError("invalid_params/406 offer expected")
}

func malformedOrder(ctx context.Context, t *T) {
	path := "/sessions/" + strings.Repeat("0", 32)
	t.do(ctx, call{Method: http.MethodPost, Path: path + "/tracks/new", Body: `{`, Malformed: "syntax"}).wantError("decoding_error/400")
	t.do(ctx, call{Method: http.MethodPost, Path: path + "/tracks/new", Body: `{"tracks":[]}`, Malformed: "no tracks"}).
		wantError("invalid_params/406 no tracks")
	t.do(ctx, call{Method: http.MethodPut, Path: path + "/tracks/close", Body: `{"tracks":[],"force":"x"}`, Malformed: "type before count"}).
		wantError("decoding_error/400")
	if t.target.Emulator { // a service may let the call hang (contract 1.7)
		t.do(ctx, call{Method: http.MethodPut, Path: path + "/tracks/close", Body: closeBody{mids("0"), nil, true}}).wantError("session_error/410")
	}
}
