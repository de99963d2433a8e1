package wire

import "testing"

func TestValidate(t *testing.T) {
	offer, answer := &SessionDescription{Type: "offer"}, &SessionDescription{Type: "answer"}
	local := TrackObject{Location: "local", Mid: "0", TrackName: "a"}
	remote := TrackObject{Location: "remote", SessionID: "s", TrackName: "a"}
	with := func(track TrackObject, change func(*TrackObject)) TrackObject {
		change(&track)
		return track
	}
	for _, c := range []struct {
		name string
		in   interface{ Validate() *Error }
		want string // description, "" where it passes
	}{
		{"new session without a body", (*NewSessionRequest)(nil), ""},
		{"new session with an offer", &NewSessionRequest{offer}, ""},
		{"new session with an answer", &NewSessionRequest{answer}, "sessionDescription.type=offer is expected"},
		{"push", &TracksRequest{Tracks: []TrackObject{local}, SessionDescription: offer}, ""},
		{"pull", &TracksRequest{Tracks: []TrackObject{remote}}, ""},
		{"autoDiscover without tracks", &TracksRequest{AutoDiscover: true, SessionDescription: offer}, ""},
		{"no tracks", &TracksRequest{}, "Expecting at least 1 track in the request"},
		{"push with an answer", &TracksRequest{Tracks: []TrackObject{local}, SessionDescription: answer}, "sessionDescription.type=offer is expected"},
		{"push without a mid", &TracksRequest{SessionDescription: offer, Tracks: []TrackObject{local, with(local, func(t *TrackObject) { t.Mid = "" })}}, "tracks[1]: Missing mid in track"},
		{"local without SDP needs no mid, but a kind", &TracksRequest{Tracks: []TrackObject{with(local, func(t *TrackObject) { t.Mid, t.Kind = "", "audio" })}}, ""},
		{"local without SDP, mid and kind", &TracksRequest{Tracks: []TrackObject{local, with(local, func(t *TrackObject) { t.Mid = "" })}}, "tracks[1]: Missing kind in track"},
		{"local without SDP and mid, odd kind", &TracksRequest{Tracks: []TrackObject{with(local, func(t *TrackObject) { t.Mid, t.Kind = "", "data" })}}, "tracks[0]: Missing kind in track"},
		{"local without SDP with a mid", &TracksRequest{Tracks: []TrackObject{local}}, ""},
		{"autoDiscover without an offer", &TracksRequest{AutoDiscover: true}, "sessionDescription.type=offer is expected"},
		{"autoDiscover with a pull", &TracksRequest{AutoDiscover: true, SessionDescription: offer, Tracks: []TrackObject{remote}}, "Pushing and Pulling tracks in the same request is unsupported"},
		{"pull with simulcast", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) {
			t.Simulcast = &Simulcast{PriorityOrdering: "asciibetical", RidNotAvailable: "none"}
		})}}, ""},
		{"odd priorityOrdering", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) { t.Simulcast = &Simulcast{PriorityOrdering: "numeric"} })}}, "tracks[0]: Invalid simulcast in track"},
		{"odd ridNotAvailable", &TracksRequest{Tracks: []TrackObject{remote, with(remote, func(t *TrackObject) { t.Simulcast = &Simulcast{RidNotAvailable: "any"} })}}, "tracks[1]: Invalid simulcast in track"},
		{"simulcast of a push is not looked at", &TracksRequest{SessionDescription: offer, Tracks: []TrackObject{with(local, func(t *TrackObject) { t.Simulcast = &Simulcast{RidNotAvailable: "any"} })}}, ""},
		{"update by mid alone", &UpdateTracksRequest{Tracks: []UpdateTrack{{Mid: "0"}}}, ""},
		{"update of nothing", &UpdateTracksRequest{}, "Expecting at least 1 track in the request"},
		{"update without a mid", &UpdateTracksRequest{Tracks: []UpdateTrack{{Mid: "0"}, {TrackName: "a"}}}, "tracks[1]: Missing mid in track"},
		{"update with an odd location", &UpdateTracksRequest{Tracks: []UpdateTrack{{Mid: "0", Location: "here"}}}, "tracks[0]: Invalid location in track"},
		{"update with an odd choice", &UpdateTracksRequest{Tracks: []UpdateTrack{{Mid: "0", Simulcast: &Simulcast{RidNotAvailable: "z"}}}}, "tracks[0]: Invalid simulcast in track"},
		{"pull without a session", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) { t.SessionID = "" })}}, "tracks[0]: Missing sessionId in track"},
		{"empty name", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) { t.TrackName = "" })}}, "tracks[0]: Missing trackName in track"},
		{"odd location", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) { t.Location = "here" })}}, "tracks[0]: Invalid location in track"},
		{"no location", &TracksRequest{Tracks: []TrackObject{with(remote, func(t *TrackObject) { t.Location = "" })}}, ""},
		{"push and pull", &TracksRequest{Tracks: []TrackObject{local, remote}}, "Pushing and Pulling tracks in the same request is unsupported"},
		{"renegotiate with an answer", &RenegotiateRequest{answer}, ""},
		{"renegotiate with an offer depends on the session", &RenegotiateRequest{offer}, ""},
		{"renegotiate with a rollback", &RenegotiateRequest{&SessionDescription{Type: "rollback"}}, "sessionDescription.type=answer is expected"},
		{"close, forced", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}}, Force: true}, ""},
		{"close, forced, SDP is not looked at", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}}, Force: true, SessionDescription: answer}, ""},
		{"close, negotiated", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}}, SessionDescription: offer}, ""},
		{"close of nothing", &CloseTracksRequest{Force: true}, "Expecting at least 1 track in the request"},
		{"close without a mid", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}, {""}}, Force: true}, "tracks[1]: Missing mid in track"},
		{"close, negotiated, without SDP", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}}}, "Missing sessionDescription: it is required unless force is true"},
		{"close with an answer", &CloseTracksRequest{Tracks: []CloseTrack{{"0"}}, SessionDescription: answer}, "sessionDescription.type=offer is expected"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.in.Validate()
			if err == nil {
				if c.want != "" {
					t.Errorf("it passes, want %q", c.want)
				}
				return
			}
			if err.Description != c.want || err.Status != 406 || err.Code != "invalid_params" || err.Explain == "" {
				t.Errorf("got %d %v, want 406 invalid_params %q", err.Status, err, c.want)
			}
		})
	}
}
