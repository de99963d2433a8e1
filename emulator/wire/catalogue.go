package wire

// Problem is the key of a catalogue row.
type Problem int

// Rows of the catalogue, in the order of contract 1.2.
const (
	Unauthorized Problem = iota
	AppNotFound
	RouteNotFound
	MethodNotAllowed
	SessionVerbReserved
	BodyTooLarge
	BodyUndecodable
	BodyFieldsInvalid
	NewSessionBodyInvalid
	NoTracks
	TooManyTracks
	MissingMid
	MissingTrackName
	MissingSessionID
	UnknownLocation
	MixedLocations
	OfferExpected
	AnswerExpected
	CloseWithoutOffer
	NotEmulated
	SessionNotReady
	SessionGone
	SDPUnparsable
	SDPLineEnd
	SDPNoUfrag
	SDPMismatch
	SDPCodecMissing
	SDPOutOfOrder
	SDPNoOfferPending
	TrackNotFound
	TrackEmpty
	TrackRepeated
	TrackNotSending
	TrackNotOpen
	Internal
	problems // number of rows
)

// Row is one error of the API: its code, the HTTP status it has at top level (0 where only items use it), its text
// (with blanks in the form of package fmt) and where all that comes from.
type Row struct {
	Problem Problem
	Code    string
	Status  int
	Text    string
	Source  string
}

// Catalogue lists every row, so that tests and the OpenAPI file can be compared with it.
func Catalogue() []Row {
	rows := make([]Row, 0, len(catalogue))
	for p, row := range catalogue {
		row.Problem = Problem(p)
		rows = append(rows, row)
	}
	return rows
}

var catalogue = [problems]Row{
	Unauthorized:          {Code: "unauthorized", Status: 401, Text: "Unauthorized", Source: "contract 1.2, 9.2; text inferred"},
	AppNotFound:           {Code: "not_found", Status: 404, Text: "App not found. If the app was created just now, wait a moment and try again", Source: "contract 1.2; wording inferred"},
	RouteNotFound:         {Code: "not_found", Status: 404, Text: "Not found", Source: "contract 1.14, inferred"},
	MethodNotAllowed:      {Code: "method_not_allowed", Status: 405, Text: "Method not allowed", Source: "contract 1.14, inferred"},
	SessionVerbReserved:   {Code: "method_not_allowed", Status: 405, Text: "Method not allowed: this verb is reserved for future WHIP/WHEP support", Source: "contract 1.8; code and wording inferred"},
	BodyTooLarge:          {Code: "payload_too_large", Status: 413, Text: "Payload too large", Source: "contract 1.2, status and text inferred"},
	BodyUndecodable:       {Code: "decoding_error", Status: 400, Text: "The request could not be decoded.", Source: "contract 1.2"},
	BodyFieldsInvalid:     {Code: "decoding_error", Status: 400, Text: "JSON body validation error: %s", Source: "contract 1.2, recorded for track items"},
	NewSessionBodyInvalid: {Code: "decoding_error", Status: 400, Text: "Body JSON validation error: %s", Source: "contract 1.1, recorded"},
	NoTracks:              {Code: "invalid_params", Status: 406, Text: "Expecting at least 1 track in the request", Source: "contract 1.2, recorded"},
	TooManyTracks:         {Code: "invalid_params", Status: 406, Text: "Expecting at most %d track in the request", Source: "contract 6; text as adapters have it"},
	MissingMid:            {Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing mid in track", Source: "contract 1.2, recorded"},
	MissingTrackName:      {Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing trackName in track", Source: "contract 1.0 step 6, inferred"},
	MissingSessionID:      {Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing sessionId in track", Source: "contract 1.0 step 6, inferred"},
	UnknownLocation:       {Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid location in track", Source: "contract 1.0 step 6, inferred"},
	MixedLocations:        {Code: "invalid_params", Status: 406, Text: "Pushing and Pulling tracks in the same request is unsupported", Source: "contract 1.2, 1.3; beginning and end recorded for datachannels/new"},
	OfferExpected:         {Code: "invalid_params", Status: 406, Text: "sessionDescription.type=offer is expected", Source: "contract 1.2; inferred from the text for answers"},
	AnswerExpected:        {Code: "invalid_params", Status: 406, Text: "sessionDescription.type=answer is expected", Source: "contract 1.2, 1.4, recorded"},
	CloseWithoutOffer:     {Code: "invalid_params", Status: 406, Text: "Missing sessionDescription: it is required unless force is true", Source: "contract 1.6; text inferred"},
	NotEmulated:           {Code: "invalid_params", Status: 406, Text: "%s is not emulated yet", Source: "callsemu: an operation that the emulator lacks"},
	SessionNotReady:       {Code: "session_error", Status: 425, Text: "Session is not ready yet. Please ensure the PeerConnection is connected before making this request", Source: "contract 1.2, recorded"},
	SessionGone:           {Code: "session_error", Status: 410, Text: "Session appears to be disconnected. Please check if the PeerConnection is connected.", Source: "contract 1.2, 1.7, recorded"},
	SDPUnparsable:         {Code: "invalid_session_description", Status: 400, Text: "The session description could not be parsed", Source: "contract 1.2; wording inferred"},
	SDPLineEnd:            {Code: "invalid_session_description", Status: 400, Text: "The session description could not be parsed. A missing line termination at the end of the SDP is a common cause", Source: "contract 1.2, 1.3; hint recorded, wording ours"},
	SDPNoUfrag:            {Code: "invalid_session_description", Status: 400, Text: "SDP contains no ice-ufrag", Source: "contract 1.2, recorded"},
	SDPMismatch:           {Code: "invalid_session_description", Status: 406, Text: "The session description does not fit the session", Source: "contract 1.0 step 8, text inferred"},
	SDPCodecMissing:       {Code: "invalid_session_description", Status: 406, Text: "The subscriber's SDP is missing the published track's codec", Source: "contract 1.4; status inferred"},
	SDPOutOfOrder:         {Code: "invalid_session_description", Status: 406, Text: "The session cannot be modified in its current signaling state", Source: "contract 2.2; text inferred"},
	SDPNoOfferPending:     {Code: "invalid_session_description", Status: 406, Text: "No offer of the session is waiting for an answer", Source: "contract 1.4; text inferred"},
	TrackNotFound:         {Code: "not_found_track_error", Text: "Track not found on remote peer. Make sure the publisher peer is connected and sending packets for this track", Source: "contract 1.2, recorded"},
	TrackEmpty:            {Code: "empty_track_error", Text: "No track data from remote peer. Make sure the publisher peer is connected and sending packets for this track", Source: "contract 1.2, recorded"},
	TrackRepeated:         {Code: "repeated_local_track_error", Text: "A track with this name is already published on the session", Source: "contract 1.2, 10 Q8, inferred"},
	TrackNotSending:       {Code: "track_error", Text: "The session description has no sending media section with this mid", Source: "contract 1.2, 10 Q8, inferred"},
	TrackNotOpen:          {Code: "close_track_error", Text: "Track doesn't exist or was already closed", Source: "contract 1.6"},
	Internal:              {Code: "internal_error", Status: 500, Text: "Backend error", Source: "contract 1.2, recorded"},
}
