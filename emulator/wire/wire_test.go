package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

func TestCatalogueRowsAreComplete(t *testing.T) {
	code := regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,79}$`) // what clients accept (contract 9.4)
	rule := regexp.MustCompile(`^[A-Z]{3,4}-[1-9][0-9]?$`)
	rows := Catalogue()
	if len(rows) != int(problems) {
		t.Fatalf("%d rows for %d problems", len(rows), problems)
	}
	seen := map[string]bool{}
	for i, row := range rows {
		if row.Problem != Problem(i) || !code.MatchString(row.Code) || row.Text == "" || row.Source == "" || !rule.MatchString(row.Rule) {
			t.Errorf("row %d is incomplete: %+v", i, row)
		}
		if row.Status != 0 && (row.Status < 400 || row.Status > 599) {
			t.Errorf("row %s has the status %d", row.Code, row.Status)
		}
		if seen[row.Code+row.Text] {
			t.Errorf("row %s %q is there twice", row.Code, row.Text)
		}
		seen[row.Code+row.Text] = true
	}
}

// Texts that the contract has on record; clients compare some of them.
func TestRecordedTexts(t *testing.T) {
	for p, want := range map[Problem]string{
		NoTracks:        `406 {"errorCode":"invalid_params","errorDescription":"Expecting at least 1 track in the request"}`,
		AnswerExpected:  `406 {"errorCode":"invalid_params","errorDescription":"sessionDescription.type=answer is expected"}`,
		SessionNotReady: `425 {"errorCode":"session_error","errorDescription":"Session is not ready yet. Please ensure the PeerConnection is connected before making this request"}`,
		SessionGone:     `410 {"errorCode":"session_error","errorDescription":"Session appears to be disconnected. Please check if the PeerConnection is connected."}`,
		SDPNoUfrag:      `400 {"errorCode":"invalid_session_description","errorDescription":"SDP contains no ice-ufrag"}`,
		SDPCodecMissing: `406 {"errorCode":"invalid_session_description","errorDescription":"The subscriber's SDP is missing the published track's codec"}`,
		TrackNotFound:   `0 {"errorCode":"not_found_track_error","errorDescription":"Track not found on remote peer. Make sure the publisher peer is connected and sending packets for this track"}`,
		TrackEmpty:      `0 {"errorCode":"empty_track_error","errorDescription":"No track data from remote peer. Make sure the publisher peer is connected and sending packets for this track"}`,
		TrackNotOpen:    `0 {"errorCode":"close_track_error","errorDescription":"Track doesn't exist or was already closed"}`,
		Internal:        `500 {"errorCode":"internal_error","errorDescription":"Backend error"}`,
	} {
		e := Refuse(p, "only for the log")
		if got := fmt.Sprintf("%d %s", e.Status, encode(t, e)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestErrorInLogsAndThroughWrapping(t *testing.T) {
	e := Refuse(MissingMid, "item %d has none", 3).Fill(3)
	if got := e.Error(); got != "invalid_params: tracks[3]: Missing mid in track (PAR-3: item 3 has none)" {
		t.Errorf("logged as %q", got)
	}
	if got := Refuse(TrackNotFound, "no session %q", "s").Under("TRK-2").Explain; got != `TRK-2: no session "s"` {
		t.Errorf("under another rule: %q", got)
	}
	var found *Error
	if !errors.As(fmt.Errorf("outer: %w", e), &found) || found != e {
		t.Error("not found through a wrapping error")
	}
}

func TestShapesOfResponses(t *testing.T) {
	sdp, rid := &SessionDescription{Type: "offer", SDP: "v=0"}, ""
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"session without offer": {NewSessionResponse{SessionID: "s"}, `{"sessionId":"s"}`},
		"push": {TracksResponse{Tracks: []TrackResult{{Mid: "0", TrackName: "a"}}},
			`{"requiresImmediateRenegotiation":false,"tracks":[{"mid":"0","trackName":"a"}]}`},
		"pull": {TracksResponse{RequiresImmediateRenegotiation: true, SessionDescription: sdp,
			Tracks: []TrackResult{{Mid: "0", SessionID: "s", TrackName: "a", Simulcast: &Simulcast{PreferredRid: &rid}}}},
			`{"requiresImmediateRenegotiation":true,"tracks":[{"mid":"0","sessionId":"s","trackName":"a","simulcast":{"preferredRid":""}}],"sessionDescription":{"type":"offer","sdp":"v=0"}}`},
		"failed pull": {TrackResult{SessionID: "s", TrackName: "a"}.Fail(&Error{Code: "c", Description: "d"}),
			`{"mid":"","sessionId":"s","trackName":"a","errorCode":"c","errorDescription":"d"}`},
		"explanations are not sent": {TracksResponse{Tracks: []TrackResult{}, Failures: Failures{[]*Error{Refuse(TrackEmpty, "why")}}},
			`{"requiresImmediateRenegotiation":false,"tracks":[]}`},
		"update": {UpdateTracksResponse{Tracks: []TrackResult{{Mid: "0", SessionID: "s", TrackName: "a"}}},
			`{"requiresImmediateRenegotiation":false,"tracks":[{"mid":"0","sessionId":"s","trackName":"a"}]}`},
		"autoDiscover": {TrackResult{Location: "local", Kind: "audio", Mid: "0", TrackName: "a"},
			`{"location":"local","kind":"audio","mid":"0","trackName":"a"}`},
		"renegotiate": {RenegotiateResponse{}, `{}`},
		"close": {CloseTracksResponse{Tracks: []TrackResult{{Mid: "0"}}},
			`{"requiresImmediateRenegotiation":false,"tracks":[{"mid":"0"}]}`},
		"state": {SessionState{Tracks: []TrackState{{Location: "local", Mid: "0", TrackName: "a", Status: "active"}}, DataChannels: []DataChannelState{}},
			`{"tracks":[{"location":"local","mid":"0","trackName":"a","status":"active"}],"dataChannels":[]}`},
	} {
		if got := encode(t, c.value); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
}

func encode(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(b.String())
}
