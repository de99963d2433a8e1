package conformance

import "strconv"

// Row is one error of the API as a client sees it. Item rows have no status: they stand inside an HTTP 200.
type Row struct {
	ID     string // code, status and what tells it apart
	Code   string
	Status int
	Text   string // exact, where a source states it; else empty
	Source string
}

// The rows that the endpoints of this version use (contract 1.2). Codes and statuses are asserted always, texts where
// one is recorded.
var rows = []Row{
	{"unauthorized/401", "unauthorized", 401, "", "contract 1.2, 9.2"},
	{"not_found/404 app", "not_found", 404, "", "contract 1.2, 9.2"},
	{"not_found/404 turn key", "not_found", 404, "", "contract 7.3"},
	{"not_found/404 path", "not_found", 404, "", "contract 1.14"},
	{"method_not_allowed/405", "", 405, "", "contract 1.14; the code is not recorded"},
	{"method_not_allowed/405 delete", "", 405, "", "contract 1.8; the code is not recorded"},
	{"payload_too_large/413", "payload_too_large", 413, "", "contract 1.2"},
	{"decoding_error/400", "decoding_error", 400, "", "contract 1.2"},
	{"decoding_error/400 sessions/new", "decoding_error", 400, "Body JSON validation error: sessionDescription", "contract 1.1"},
	{"decoding_error/400 establish", "decoding_error", 400, "", "contract 1.9"},
	{"decoding_error/400 ttl", "decoding_error", 400, "", "contract 7.3"},
	{"decoding_error/400 items", "decoding_error", 400, "JSON body validation error: 0,1", "contract 1.2"},
	{"decoding_error/400 adapters", "decoding_error", 400, "The request could not be decoded.", "contract 5.1"},
	{"invalid_params/406 five adapters", "invalid_params", 406, "Expecting at most 4 track in the request", "contract 5.1"},
	{"invalid_params/406 adapter", "invalid_params", 406, "", "contract 5.1, 5.2"},
	{"invalid_params/406 no tracks", "invalid_params", 406, "Expecting at least 1 track in the request", "contract 1.2"},
	{"invalid_params/406 too many", "invalid_params", 406, "", "contract 6"},
	{"invalid_params/406 mid", "invalid_params", 406, "tracks[0]: Missing mid in track", "contract 1.3"},
	{"invalid_params/406 second mid", "invalid_params", 406, "tracks[1]: Missing mid in track", "contract 1.3"},
	{"invalid_params/406 session id", "invalid_params", 406, "", "contract 1.0 step 6"},
	{"invalid_params/406 location", "invalid_params", 406, "", "contract 1.0 step 6"},
	{"invalid_params/406 track name", "invalid_params", 406, "", "contract 1.0 step 6"},
	{"invalid_params/406 mixed", "invalid_params", 406, "", "contract 1.3"},
	{"invalid_params/406 offer expected", "invalid_params", 406, "", "contract 1.2"},
	{"invalid_params/406 answer expected", "invalid_params", 406, "sessionDescription.type=answer is expected", "contract 1.4"},
	{"invalid_params/406 close without offer", "invalid_params", 406, "", "contract 1.6"},
	{"invalid_params/406 simulcast", "invalid_params", 406, "", "contract 3.5"},
	{"invalid_params/406 kind", "invalid_params", 406, "", "contract 1.3 E"},
	{"invalid_params/406 no channels", "invalid_params", 406, "", "contract 1.2, 1.10"},
	{"invalid_params/406 channel name", "invalid_params", 406, "", "contract 1.0 step 6, 1.10"},
	{"invalid_params/406 channel session id", "invalid_params", 406, "", "contract 1.0 step 6, 1.10"},
	{"invalid_params/406 channel location", "invalid_params", 406, "", "contract 1.0 step 6, 1.10"},
	{"invalid_params/406 channels mixed", "invalid_params", 406, "", "contract 1.2"},
	{"invalid_params/406 channel policy", "invalid_params", 406, "", "contract 1.10"},
	{"invalid_params/406 establish", "invalid_params", 406, "", "contract 1.9"},
	{"retryable_transient_error/429", "retryable_transient_error", 429, "", "contract 9.3"},
	{"retryable_transient_error/503", "retryable_transient_error", 503, "", "contract 1.2; the status is not recorded"},
	{"temporarily_unavailable_error/503", "temporarily_unavailable_error", 503, "", "contract 1.2; the status is not recorded"},
	{"transport_unavailable_error/503", "transport_unavailable_error", 503, "", "contract 1.2; the status is not recorded"},
	{"backend_error/503", "backend_error", 503, "", "contract 1.2; the status is not recorded"},
	{"internal_error/500", "internal_error", 500, "Backend error", "contract 1.2"},
	{"signaling_state_not_stable/406", "signaling_state_not_stable", 406, "", "contract 1.2, 2.2"},
	{"signaling_state_not_stable/409", "signaling_state_not_stable", 409, "", "contract 1.2, 2.2"},
	{"session_error/425", "session_error", 425, "Session is not ready yet. Please ensure the PeerConnection is connected before making this request", "contract 1.2"},
	{"session_error/410", "session_error", 410, "Session appears to be disconnected. Please check if the PeerConnection is connected.", "contract 1.2"},
	{"invalid_session_description/400", "invalid_session_description", 400, "", "contract 1.2"},
	{"invalid_session_description/400 line end", "invalid_session_description", 400, "", "contract 1.3"},
	{"invalid_session_description/400 ufrag", "invalid_session_description", 400, "SDP contains no ice-ufrag", "contract 1.3"},
	{"invalid_session_description/406 codec", "invalid_session_description", 406, "The subscriber's SDP is missing the published track's codec", "contract 1.4"},
	{"invalid_session_description/406 overlap", "invalid_session_description", 406, "", "contract 2.2"},
	{"invalid_session_description/406 replay", "invalid_session_description", 406, "", "contract 1.4"},
	{"invalid_session_description/406 mismatch", "invalid_session_description", 406, "", "contract 1.0 step 8"},
	{"not_found_track_error", "not_found_track_error", 0, "Track not found on remote peer. Make sure the publisher peer is connected and sending packets for this track", "contract 1.2"},
	{"empty_track_error", "empty_track_error", 0, "No track data from remote peer. Make sure the publisher peer is connected and sending packets for this track", "contract 1.2"},
	{"repeated_local_track_error", "repeated_local_track_error", 0, "", "contract 10 Q8"},
	{"not_found_track_error channel", "not_found_track_error", 0, "", "contract 4.3"},
	{"repeated_local_track_error channel", "repeated_local_track_error", 0, "", "contract 4.3"},
	{"track_error", "track_error", 0, "", "contract 10 Q8"},
	{"internal_error", "internal_error", 0, "", "contract 10 Q15"},
	{"update_track_error", "update_track_error", 0, "", "contract 1.5"},
	{"update_track_error not simulcast", "update_track_error", 0, "The track is not configured for simulcast, no updates applicable.", "contract 1.5"},
	{"not_found_track_error adapter", "not_found_track_error", 0, "Track not found on remote peer. Make sure the publisher peer is connected and sending packets", "contract 1.2"},
	{"track_error adapter", "track_error", 0, "", "contract 10 Q43"},
	{"websocket_localhost_not_allowed", "websocket_localhost_not_allowed", 0, "", "contract 5.1"},
	{"websocket_handshake_failed", "websocket_handshake_failed", 0, "The handshake with the provided endpoint failed.", "contract 1.2"},
	{"websocket_connection_timeout", "websocket_connection_timeout", 0, "", "contract 5.1"},
	{"adapter_not_found", "adapter_not_found", 0, "", "contract 5.2"},
	{"close_track_error", "close_track_error", 0, "Track doesn't exist or was already closed", "contract 1.6"},
	{"9106/400 account", "9106", 400, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", "contract 8"},
	{"10000/401 account", "10000", 401, "Authentication error", "contract 8"},
	{"10002/403 account", "10002", 403, "Authorization failure", "contract 8"},
	{"7003/404 account", "7003", 404, "", "contract 8"},
	{"7001/405 account", "7001", 405, "", "contract 8"},
	{"6007/400 account", "", 400, "", "contract 8; the code is not recorded"},
	{"403 account", "", 403, "", "callsemu: an account that holds as many as the emulator keeps; the code is not recorded"},
	{"500 account", "", 500, "", "contract 8; the code is not recorded"},
	{"413 account", "", 413, "", "contract 6, 8; the code is not recorded"},
	{"20007/404 account", "20007", 404, "", "contract 8"},
	{"20008/404 account", "20008", 404, "", "contract 8"},
}

// number is the code of a row of the account API.
func (r Row) number() int {
	n, _ := strconv.Atoi(r.Code) // the table has numbers there
	return n
}

// Rows lists the errors that cases can name in Case.Codes.
func Rows() []Row { return append([]Row(nil), rows...) }

func rowByID(id string) (Row, bool) {
	for _, r := range rows {
		if r.ID == id {
			return r, true
		}
	}
	return Row{}, false
}
