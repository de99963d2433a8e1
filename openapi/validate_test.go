package openapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	base      = "/v1/apps/a/sessions"
	sessionID = "e017a2629c754fedc1f7d8587e06d126"

	// SDP as JSON string contents.
	sdp      = `v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:abcd\r\n`
	offer    = `{"type":"offer","sdp":"` + sdp + `"}`
	answer   = `{"type":"answer","sdp":"` + sdp + `"}`
	badOffer = `{"type":"offer","sdp":"v=0\r\n"}` // no ice-ufrag
)

// calls abbreviates the operations in the tables.
var calls = map[string][2]string{
	"new":         {http.MethodPost, base + "/new"},
	"get":         {http.MethodGet, base + "/" + sessionID},
	"delete":      {http.MethodDelete, base + "/" + sessionID},
	"tracks":      {http.MethodPost, base + "/" + sessionID + "/tracks/new"},
	"renegotiate": {http.MethodPut, base + "/" + sessionID + "/renegotiate"},
	"update":      {http.MethodPut, base + "/" + sessionID + "/tracks/update"},
	"close":       {http.MethodPut, base + "/" + sessionID + "/tracks/close"},
	"health":      {http.MethodGet, "/healthz"},
	"ready":       {http.MethodGet, "/readyz"},
	"file":        {http.MethodGet, "/_emu/openapi.yaml"},
	"unlisted":    {http.MethodPost, "/v1/apps/a/adapters/websocket/update"},
	"wrongMethod": {http.MethodPost, base + "/" + sessionID + "/renegotiate"},
	"preflight":   {http.MethodOptions, base + "/new"},
}

const (
	wantTracks = "body: want 1 to 64 tracks"
	wantSDP    = "sessionDescription.sdp: an SDP begins with v=0"
)

func TestValidateRequest(t *testing.T) {
	d := mustLoad(t)
	remote := `{"location":"remote","sessionId":"` + sessionID + `","trackName":"camera"}`
	for _, tc := range []struct{ call, body, want string }{
		{"new", ``, ""},
		{"new", `{"sessionDescription":` + offer + `}`, ""},
		{"new", `{"sessionDescription":{"type":"offer","sdp":"` + strings.ReplaceAll(sdp, `\r\n`, `\n`) + `"}}`, ""},
		{"new", `{"sessionDescription":` + offer + `,"unknown":[{}]}`, ""},
		{"new", `{}`, `sessionDescription: property "sessionDescription" is missing`},
		{"new", `{"sessionDescription":null}`, "sessionDescription: Value is not nullable"},
		{"new", `{"sessionDescription":` + answer + `}`, "sessionDescription.type: value is not one of"},
		{"new", `{"sessionDescription":` + badOffer + `}`, wantSDP},
		{"new", `{"sessionDescription":{"type":"offer","sdp":"` + strings.TrimSuffix(sdp, `\r\n`) + `"}}`, wantSDP},
		{"new", `{"sessionDescription":{"type":"offer","sdp":"garbage\n"}}`, wantSDP},
		{"new", `{"sessionDescription":{"type":"offer","sdp":7}}`, "sessionDescription.sdp: value must be a string"},
		{"new", `{"sessionDescription":{"type":"offer"}}`, `sessionDescription.sdp: property "sdp" is missing`},
		{"new", `{"sessionDescription":"v=0"}`, "sessionDescription: value must be an object"},
		{"new", `[]`, "body: value must be an object"},
		{"new", `{"sessionDescription"`, "the body is not JSON"},
		{"new", `{} {}`, "the body is not JSON"},

		{"get", ``, ""},
		{"get", `null`, ""},
		{"get", `not looked at`, ""},
		{"delete", ``, ""},

		// push
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":"0","trackName":"camera"}]}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"mid":"0","trackName":"camera","bidirectionalMediaStream":true}],"correlationId":"x"}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"mid":"0","trackName":"camera","sessionId":null,"location":null}]}`, ""},
		{"tracks", `{"tracks":[{"location":"local","trackName":"camera","kind":"video"}]}`, ""},
		{"tracks", `{"sessionDescription":null,"tracks":[{"location":"local","trackName":"camera","kind":"video"}]}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"autoDiscover":true}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"autoDiscover":true,"tracks":[{"location":"local","mid":"0","trackName":"camera"}]}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","trackName":"camera"}]}`, wantTracks},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","trackName":"camera","kind":"video"}]}`, wantTracks},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":"","trackName":"camera"}]}`, wantTracks},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":null,"trackName":"camera"}]}`, wantTracks},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":0,"trackName":"camera"}]}`, "tracks[0].mid: value must be a string"},
		{"tracks", `{"sessionDescription":` + answer + `,"tracks":[{"location":"local","mid":"0","trackName":"camera"}]}`, "sessionDescription.type: value is not one of"},
		{"tracks", `{"sessionDescription":` + badOffer + `,"tracks":[{"location":"local","mid":"0","trackName":"camera"}]}`, wantSDP},
		{"tracks", `{"tracks":[{"location":"local","trackName":"camera"}]}`, wantTracks},
		{"tracks", `{"tracks":[{"location":"local","trackName":"camera","kind":"data"}]}`, wantTracks},
		{"tracks", `{"tracks":[{"location":"local","trackName":"camera","mid":"0"}]}`, ""},
		{"tracks", `{"tracks":[{"location":"local","trackName":"camera","mid":"0"},{"trackName":"mic","kind":"audio","bidirectionalMediaStream":true}]}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":"0","trackname":"camera"}]}`, `tracks[0].trackName: property "trackName" is missing`},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[{"location":"local","mid":"0","trackName":""}]}`, "tracks[0].trackName: minimum string length is 1"},
		{"tracks", `{"autoDiscover":true}`, wantTracks},
		{"tracks", `{"sessionDescription":` + offer + `,"autoDiscover":"yes","tracks":[]}`, "autoDiscover: value must be a boolean"},
		// pull
		{"tracks", `{"tracks":[` + remote + `]}`, ""},
		{"tracks", `{"tracks":[{"sessionId":"x","trackName":"camera"}]}`, ""},
		{"tracks", `{"tracks":[{"location":"remote","sessionId":"x","trackName":"camera","mid":"#name","simulcast":{"preferredRid":""}}]}`, ""},
		{"tracks", `{"sessionDescription":` + offer + `,"tracks":[` + remote + `]}`, ""},
		{"tracks", `{"tracks":[` + strings.Repeat(remote+",", 63) + remote + `]}`, ""},
		{"tracks", `{"tracks":[` + strings.Repeat(remote+",", 64) + remote + `]}`, "tracks: maximum number of items is 64"},
		{"tracks", `{"tracks":[{"location":"remote","trackName":"camera"}]}`, wantTracks},
		{"tracks", `{"tracks":[` + remote + `,{"location":"local","trackName":"x","kind":"video"}]}`, wantTracks},
		{"tracks", `{"tracks":[` + remote + `,7]}`, "tracks[1]: value must be an object"},
		{"tracks", `{"tracks":[{"location":"elsewhere","sessionId":"x","trackName":"camera"}]}`, "tracks[0].location: value is not one of"},
		{"tracks", `{"tracks":[{"location":"remote","sessionId":"x","trackName":"camera","simulcast":{"preferredRid":1}}]}`, "tracks[0].simulcast.preferredRid: value must be a string"},
		{"tracks", `{"tracks":{"0":` + remote + `}}`, "tracks: value must be an array"},
		{"tracks", `{"tracks":[]}`, wantTracks},
		{"tracks", `{}`, wantTracks},
		{"tracks", ``, "value is required but missing"},

		{"renegotiate", `{"sessionDescription":` + answer + `}`, ""},
		{"renegotiate", `{"sessionDescription":` + offer + `}`, ""},
		{"renegotiate", `{}`, `sessionDescription: property "sessionDescription" is missing`},
		{"renegotiate", `{"sessionDescription":{"type":"pranswer","sdp":"` + sdp + `"}}`, "sessionDescription.type: value is not one of"},
		{"renegotiate", `{"sessionDescription":{"type":"answer","sdp":"v=0\r\n"}}`, wantSDP},
		{"renegotiate", ``, "value is required but missing"},

		{"update", `{"tracks":[{"location":"remote","mid":"0","sessionId":"x","trackName":"camera","simulcast":{"preferredRid":"l"}}]}`, ""},
		{"update", `{"tracks":[{"mid":"0","simulcast":{"preferredRid":"","priorityOrdering":"asciibetical"}}],"sessionDescription":{}}`, ""},
		{"update", `{"tracks":[{"mid":"0","sessionId":null,"simulcast":null}]}`, ""},
		{"update", `{"tracks":[]}`, "tracks: minimum number of items is 1"},
		{"update", `{}`, `tracks: property "tracks" is missing`},
		{"update", `{"tracks":[{"trackName":"camera"}]}`, `tracks[0].mid: property "mid" is missing`},
		{"update", `{"tracks":[{"mid":""}]}`, "tracks[0].mid: minimum string length is 1"},
		{"update", `{"tracks":[{"mid":"0","simulcast":{"ridNotAvailable":"z"}}]}`, "tracks[0].simulcast.ridNotAvailable: value is not one of"},

		{"close", `{"tracks":[{"mid":"0"}],"force":true}`, ""},
		{"close", `{"tracks":[{"mid":"0","trackName":"x"}],"force":false,"sessionDescription":` + offer + `}`, ""},
		{"close", `{"tracks":[{"mid":"0"}],"sessionDescription":` + offer + `}`, ""},
		{"close", `{"tracks":[{"mid":"0"}],"sessionDescription":{"type":"answer","sdp":""},"force":true}`, ""},
		{"close", `{"tracks":[],"force":true}`, "tracks: minimum number of items is 1"},
		{"close", `{"force":true}`, `tracks: property "tracks" is missing`},
		{"close", `{"tracks":[{"mid":""}],"force":true}`, "tracks[0].mid: minimum string length is 1"},
		{"close", `{"tracks":[{}],"force":true}`, `tracks[0].mid: property "mid" is missing`},
		{"close", `{"tracks":[{"mid":"0"}]}`, "body: want sessionDescription with a whole offer, or force true"},
		{"close", `{"tracks":[{"mid":"0"}],"force":false,"sessionDescription":null}`, "body: want sessionDescription with a whole offer, or force true"},
		{"close", `{"tracks":[{"mid":"0"}],"force":false,"sessionDescription":` + answer + `}`, "body: want sessionDescription with a whole offer, or force true"},
		{"close", `{"tracks":[{"mid":"0"}],"force":"true"}`, "force: value must be a boolean"},
	} {
		call := calls[tc.call]
		// A client's Content-Type changes nothing.
		for _, contentType := range []string{"", "text/plain;charset=UTF-8"} {
			header := http.Header{}
			if contentType != "" {
				header.Set("Content-Type", contentType)
			}
			err := d.ValidateRequest(call[0], call[1], header, []byte(tc.body))
			expect(t, fmt.Sprintf("%s %q %.200s", tc.call, contentType, tc.body), err, tc.want)
			if header.Get("Content-Type") != contentType {
				t.Fatal("the caller's header was changed")
			}
		}
	}
}

// expect compares an error with the beginning of its reason, and keeps it short.
func expect(t *testing.T, what string, err error, want string) {
	t.Helper()
	got := text(err)
	if (want == "") != (err == nil) || !strings.Contains(got, want) {
		t.Errorf("%s\ngot  %q\nwant %q", what, got, want)
	}
	if strings.Contains(got, "\n") || len(got) > 400 {
		t.Errorf("%s: the error is not one short line: %q", what, got)
	}
}

func TestValidateResponse(t *testing.T) {
	d := mustLoad(t)
	pushed := `{"mid":"0","trackName":"mic"}`
	pulled := `{"sessionId":"` + sessionID + `","trackName":"mic","mid":"0"}`
	failed := `{"mid":"","sessionId":"x","trackName":"mic","errorCode":"not_found_track_error","errorDescription":"gone"}`
	discovered := `{"location":"local","kind":"video","mid":"1","trackName":"x"}`
	failedPush := `{"mid":"","trackName":"mic","errorCode":"repeated_local_track_error","errorDescription":"twice"}`
	result := func(now, tracks, rest string) string {
		return `{"requiresImmediateRenegotiation":` + now + `,"tracks":[` + tracks + `]` + rest + `}`
	}
	withAnswer, withOffer := `,"sessionDescription":`+answer, `,"sessionDescription":`+offer
	failure := func(code string) string { return `{"errorCode":"` + code + `","errorDescription":"text"}` }
	const cases, shapes = "body: want false with an answer, true with an offer", "tracks[0]: want {mid, trackName["

	for _, tc := range []struct {
		call   string
		status int
		body   string
		want   string
	}{
		{"new", 201, `{"sessionId":"` + sessionID + `"}`, ""},
		{"new", 201, `{"sessionId":"` + sessionID + `"` + withAnswer + `}`, ""},
		{"new", 200, `{"sessionId":"` + sessionID + `"}`, "status is not supported"},
		{"new", 201, `{"sessionId":"` + sessionID + `"` + withOffer + `}`, "sessionDescription.type: value is not one of"},
		{"new", 201, `{"sessionId":"` + strings.ToUpper(sessionID) + `"}`, "sessionId: a session id is 32"},
		{"new", 201, `{"sessionId":"` + sessionID + `","errorCode":""}`, `property "errorCode" is unsupported`},
		{"new", 201, `{"sessionId":"` + sessionID + `","sessionDescription":null}`, "sessionDescription: Value is not nullable"},
		{"new", 201, `{}`, `sessionId: property "sessionId" is missing`},
		{"new", 410, failure("session_error"), "status is not supported"},

		{"tracks", 200, result("false", pushed, withAnswer), ""},                // A
		{"tracks", 200, result("true", pulled, withOffer), ""},                  // B
		{"tracks", 200, result("false", pushed+","+failedPush, withAnswer), ""}, // G
		{"tracks", 200, result("true", failed+","+pulled, withOffer), ""},       // G
		{"tracks", 200, result("false", failed+","+failed, ""), ""},             // H
		{"tracks", 200, result("false", failedPush, ""), ""},                    // H
		{"tracks", 200, result("true", `{"sessionId":"x","trackName":"mic","mid":"0","simulcast":{"preferredRid":""}}`, withOffer), ""},
		{"tracks", 200, result("false", pulled, ""), ""},                        // C
		{"tracks", 200, result("false", failed+","+pulled, ""), ""},             // C and G
		{"tracks", 200, result("false", pulled, withAnswer), ""},                // D
		{"tracks", 200, result("true", pushed+","+failedPush, withOffer), ""},   // E
		{"tracks", 200, result("false", pushed, ""), ""},                        // named later
		{"tracks", 200, result("false", pushed+","+discovered, withAnswer), ""}, // F
		{"tracks", 200, result("true", pushed, withAnswer), cases},
		{"tracks", 200, result("false", pulled, withOffer), cases},
		{"tracks", 200, result("true", pulled, ""), cases},
		{"tracks", 200, result("false", pulled+","+pushed, withAnswer), cases},
		{"tracks", 200, result("true", pulled+","+pushed, withOffer), cases},
		{"tracks", 200, result("false", pulled+","+pushed, ""), cases},
		{"tracks", 200, result("false", failedPush, withAnswer), cases},
		{"tracks", 200, result("true", failed, withOffer), cases},
		{"tracks", 200, result("true", failed, ""), cases},
		{"tracks", 200, result("false", ``, ""), "tracks: minimum number of items is 1"},
		{"tracks", 200, `{"tracks":[` + failed + `]}`, `property "requiresImmediateRenegotiation" is missing`},
		{"tracks", 200, `{"requiresImmediateRenegotiation":false}`, `property "tracks" is missing`},
		{"tracks", 200, result("false", pushed, withAnswer+`,"errorCode":""`), `property "errorCode" is unsupported`},
		{"tracks", 200, result("false", `{"mid":"0","trackName":"mic","location":"local"}`, withAnswer), shapes},
		{"tracks", 200, result("false", strings.Replace(discovered, "video", "data", 1), withAnswer), shapes},
		{"tracks", 200, result("false", `{"mid":"0","trackName":"mic","errorCode":""}`, withAnswer), "tracks[0].errorCode: value is not one of"},
		{"tracks", 200, result("false", `{"mid":"0","trackName":"mic","errorCode":"track_error","errorDescription":"x"}`, withAnswer), shapes},
		{"tracks", 200, result("false", `{"mid":"","trackName":"mic"}`, withAnswer), shapes},
		{"tracks", 200, result("false", `{"trackName":"mic"}`, withAnswer), `tracks[0].mid: property "mid" is missing`},
		{"tracks", 200, result("false", `{"mid":null,"trackName":"mic"}`, withAnswer), "tracks[0].mid: Value is not nullable"},
		{"tracks", 200, result("false", strings.Replace(failed, `"not_found_track_error"`, `"close_track_error"`, 1), ""), "tracks[0].errorCode: value is not one of"},
		{"tracks", 200, result("false", pushed, `,"sessionDescription":{"type":"answer","sdp":"v=0\ns=-\n"}`), "sessionDescription.sdp: every line"},
		{"tracks", 200, result("false", pushed, `,"sessionDescription":{"type":"answer","sdp":"v=0\r\ns=-"}`), "sessionDescription.sdp: every line"},

		{"renegotiate", 200, `{}`, ""},
		{"renegotiate", 200, `{"sessionDescription":` + answer + `}`, ""},
		{"renegotiate", 200, `{"sessionDescription":` + offer + `}`, "sessionDescription.type: value is not one of"},
		{"renegotiate", 200, ``, "the body is not JSON"},
		{"renegotiate", 200, `null`, "body: Value is not nullable"},
		{"renegotiate", 200, `{"sessionId":"x"}`, `property "sessionId" is unsupported`},
		{"renegotiate", 425, failure("session_error"), "status is not supported"},

		{"update", 200, result("false", pulled, ""), ""},
		{"update", 200, result("false", `{"mid":"0","errorCode":"update_track_error","errorDescription":"x"}`, ""), ""},
		{"update", 200, result("false", `{"mid":"0","sessionId":"x","trackName":"mic","errorCode":"not_found_track_error","errorDescription":"x"}`, ""), ""},
		{"update", 200, result("true", pulled, ""), "requiresImmediateRenegotiation: value is not one of"},
		{"update", 200, result("false", pulled, withAnswer), `property "sessionDescription" is unsupported`},
		{"update", 200, result("false", `{"mid":"0"}`, ""), "tracks[0]: want sessionId and trackName"},
		{"update", 200, result("false", `{"mid":"","errorCode":"update_track_error","errorDescription":"x"}`, ""), "tracks[0].mid: minimum string length is 1"},
		{"update", 200, result("false", `{"mid":"0","errorCode":"close_track_error","errorDescription":"x"}`, ""), "tracks[0].errorCode: value is not one of"},
		{"update", 425, failure("session_error"), ""},

		{"close", 200, result("false", `{"mid":"0"}`, ""), ""},
		{"close", 200, result("false", `{"mid":"0"}`, withAnswer), ""},
		{"close", 200, result("false", `{"mid":"0","errorCode":"close_track_error","errorDescription":"x"}`, withAnswer), ""},
		{"close", 200, result("true", `{"mid":"0"}`, withAnswer), "requiresImmediateRenegotiation: value is not one of"},
		{"close", 200, result("false", `{"mid":"0"}`, withOffer), "sessionDescription.type: value is not one of"},
		{"close", 200, result("false", `{"mid":""}`, ""), "tracks[0].mid: minimum string length is 1"},
		{"close", 200, result("false", `{"mid":"0","trackName":"mic"}`, ""), `property "trackName" is unsupported`},
		{"close", 200, result("false", `{"mid":"0","errorCode":"close_track_error"}`, ""), "tracks[0]: want errorCode and errorDescription together"},
		{"close", 200, result("false", `{"mid":"0","errorCode":"not_found_track_error","errorDescription":"x"}`, ""), "tracks[0].errorCode: value is not one of"},

		{"get", 200, `{"tracks":[],"dataChannels":[]}`, ""},
		{"get", 200, `{"tracks":[{"location":"local","mid":"0","trackName":"mic","status":"active"},` +
			`{"location":"remote","mid":"1","sessionId":"` + sessionID + `","trackName":"mic","status":"inactive"}],` +
			`"dataChannels":[{"location":"local","dataChannelName":"chat","id":1,"status":"initializing"}]}`, ""},
		{"get", 200, `{"tracks":[]}`, `property "dataChannels" is missing`},
		{"get", 200, `{"tracks":null,"dataChannels":[]}`, "tracks: Value is not nullable"},
		{"get", 200, `{"tracks":[{"location":"local","mid":"0","trackName":"mic","status":"waiting"}],"dataChannels":[]}`, "tracks[0].status: value is not one of"},
		{"get", 200, `{"tracks":[{"location":"remote","mid":"0","trackName":"mic","status":"active"}],"dataChannels":[]}`, "tracks[0]: want sessionId where location is remote"},
		{"get", 200, `{"tracks":[{"location":"local","mid":"0","sessionId":"` + sessionID + `","trackName":"mic","status":"active"}],"dataChannels":[]}`, "tracks[0]: want sessionId where location is remote"},
		{"get", 200, `{"tracks":[],"dataChannels":[{"location":"local","dataChannelName":"chat","id":65535,"status":"active"}]}`, "dataChannels[0].id: number must be at most 65534"},

		// Errors, once per status.
		{"new", 400, failure("decoding_error"), ""},
		{"new", 400, failure("invalid_params"), "errorCode: value is not one of"},
		{"new", 400, `{"errorCode":"decoding_error"}`, `property "errorDescription" is missing`},
		{"new", 400, `{"errorCode":"decoding_error","errorDescription":""}`, "errorDescription: minimum string length is 1"},
		{"new", 400, `{"errorCode":"decoding_error","errorDescription":"x","status":400}`, `property "status" is unsupported`},
		{"tracks", 400, failure("invalid_session_description"), ""},
		{"get", 401, failure("unauthorized"), ""},
		{"get", 401, failure("not_found"), "errorCode: value is not one of"},
		{"close", 404, failure("not_found"), ""},
		{"close", 404, failure("session_error"), "errorCode: value is not one of"},
		{"delete", 405, failure("method_not_allowed"), ""},
		{"delete", 405, failure("not_found"), "errorCode: value is not one of"},
		{"delete", 200, `{}`, "status is not supported"},
		{"tracks", 406, failure("invalid_params"), ""},
		{"tracks", 406, `{"errorCode":"signaling_state_not_stable","errorDescription":"x","errorSubcode":"invalid_modification_stable"}`, ""},
		{"tracks", 406, failure("decoding_error"), "errorCode: value is not one of"},
		{"renegotiate", 409, failure("signaling_state_not_stable"), ""},
		{"renegotiate", 409, failure("invalid_params"), "errorCode: value is not one of"},
		{"get", 410, failure("session_error"), ""},
		{"get", 410, failure("not_found"), "errorCode: value is not one of"},
		{"tracks", 413, failure("payload_too_large"), ""},
		{"tracks", 413, failure("decoding_error"), "errorCode: value is not one of"},
		{"close", 425, failure("session_error"), ""},
		{"close", 425, failure("not_found"), "errorCode: value is not one of"},
		{"get", 429, failure("retryable_transient_error"), ""},
		{"get", 429, failure("session_error"), "errorCode: value is not one of"},
		{"new", 500, failure("internal_error"), ""},
		{"new", 500, failure("backend_error"), "errorCode: value is not one of"},
		{"new", 503, failure("backend_error"), ""},
		{"new", 503, failure("internal_error"), "errorCode: value is not one of"},

		// Calls that the file does not list.
		{"unlisted", 404, failure("not_found"), ""},
		{"unlisted", 401, failure("unauthorized"), ""},
		{"unlisted", 406, failure("invalid_params"), ""},
		{"unlisted", 405, failure("not_found"), "errorCode: value is not one of"},
		{"unlisted", 200, `{}`, "status is not supported"},
		{"wrongMethod", 405, failure("method_not_allowed"), ""},
		{"wrongMethod", 200, `{}`, "status is not supported"},
		{"preflight", 204, ``, ""},
		{"preflight", 200, ``, ""},
		{"preflight", 404, ``, "the status is not listed"},
		{"preflight", 200, `{}`, "a preflight has no body"},

		{"health", 200, `{"healthy":true}`, ""},
		{"health", 200, `{}`, `property "healthy" is missing`},
		{"ready", 200, `{"ready":true,"mode":"dev","candidates":[{"protocol":"udp","address":"127.0.0.1:1473"}]}`, ""},
		{"ready", 503, `{"ready":false,"mode":"strict","candidates":[]}`, ""},
		{"ready", 503, `{"ready":false,"mode":"strict","candidates":null}`, "candidates: Value is not nullable"},
		{"ready", 503, `{"ready":false,"mode":"prod","candidates":[]}`, "mode: value is not one of the allowed values [\"dev\",\"real\",\"strict\"]"},
	} {
		call := calls[tc.call]
		header := http.Header{"Vary": {"Origin"}}
		if tc.call != "preflight" {
			header.Set("Content-Type", "application/json; charset=utf-8")
		}
		err := d.ValidateResponse(call[0], call[1], tc.status, header, []byte(tc.body))
		expect(t, fmt.Sprintf("%s %d %.300s", tc.call, tc.status, tc.body), err, tc.want)
	}
}

func TestHeadersOfAnswers(t *testing.T) {
	d := mustLoad(t)
	for _, tc := range []struct{ call, vary, contentType, want string }{
		{"get", "Origin", "application/json", ""},
		{"get", "Accept-Encoding, Origin", "application/json;charset=UTF-8", ""},
		{"get", "", "application/json", `response header "Vary" missing`},
		{"get", "Accept", "application/json", `response header "Vary"`},
		{"get", "Origin", "", "Content-Type"},
		{"get", "Origin", "text/html", "Content-Type"},
		{"file", "", "application/yaml", ""},
		{"file", "", "text/html", "Content-Type"},
		{"preflight", "", "", `response header "Vary" missing`},
	} {
		header := http.Header{}
		for name, value := range map[string]string{"Vary": tc.vary, "Content-Type": tc.contentType} {
			if value != "" {
				header.Set(name, value)
			}
		}
		body := []byte(`{"tracks":[],"dataChannels":[]}`)
		if tc.call == "preflight" {
			body = nil
		}
		err := d.ValidateResponse(calls[tc.call][0], calls[tc.call][1], 200, header, body)
		expect(t, fmt.Sprint(tc), err, tc.want)
	}
}
