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
	MissingKind
	SimulcastInvalid
	NoChannels
	MissingChannelName
	MissingChannelSession
	ChannelLocation
	MixedChannels
	ChannelPolicy
	NotServerEvents
	InputCodecInvalid
	OutputCodecInvalid
	EndpointInvalid
	MissingAdapterID
	RateLimited
	SessionNotReady
	SessionGone
	SDPUnparsable
	SDPLineEnd
	SDPNoUfrag
	SDPMismatch
	SDPCodecMissing
	SDPOutOfOrder
	SDPNoOfferPending
	Overlap
	OverlapConflict
	TrackNotFound
	TrackEmpty
	TrackRepeated
	TrackNotSending
	TrackNoReceiver
	TrackKindDiffers
	TrackCodecDiffers
	TrackNotOpen
	UpdateNotSimulcast
	UpdateNoTrack
	UpdateLocalTrack
	UpdateKindDiffers
	UpdateCodecDiffers
	ChannelRepeated
	AdapterTrackNotFound
	AdapterCodecDiffers
	AdapterLocalhost
	AdapterHandshake
	AdapterTimeout
	AdapterNotFound
	Internal
	RetryLater
	TemporarilyUnavailable
	TransportUnavailable
	BackendFailed
	TTLInvalid
	TURNKeyNotFound
	AccountNoCredentials
	AccountTokenWrong
	AccountForbidden
	AccountPathUnknown
	AccountMethodUnknown
	AccountBodyInvalid
	AccountAppUnknown
	AccountKeyUnknown
	AccountFull
	problems // number of rows
)

// The statuses of answers about adapters, by what became of their items (contract 5.1, 5.2).
const (
	statusSomeDone  = 200
	statusAllFailed = 503
)

// Row is one error of the API, or of the account API (OfAccountAPI): its code, the HTTP status it has at top level (0 where
// only items use it), its text (with blanks in the form of package fmt), where all that comes from, and the rule that
// explanations name.
type Row struct {
	Problem Problem
	Rule    string // such as TRK-1; rows of one rule differ in wording only
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
	Unauthorized:           {Rule: "AUTH-1", Code: "unauthorized", Status: 401, Text: "Unauthorized", Source: "contract 1.2, 9.2; text inferred"},
	AppNotFound:            {Rule: "AUTH-2", Code: "not_found", Status: 404, Text: "App not found. If the app was created just now, wait a moment and try again", Source: "contract 1.2; wording inferred"},
	RouteNotFound:          {Rule: "HTTP-1", Code: "not_found", Status: 404, Text: "Not found", Source: "contract 1.14, inferred"},
	MethodNotAllowed:       {Rule: "HTTP-2", Code: "method_not_allowed", Status: 405, Text: "Method not allowed", Source: "contract 1.14, inferred"},
	SessionVerbReserved:    {Rule: "HTTP-3", Code: "method_not_allowed", Status: 405, Text: "Method not allowed: this verb is reserved for future WHIP/WHEP support", Source: "contract 1.8; code and wording inferred"},
	BodyTooLarge:           {Rule: "HTTP-4", Code: "payload_too_large", Status: 413, Text: "Payload too large", Source: "contract 1.2, status and text inferred"},
	BodyUndecodable:        {Rule: "BODY-1", Code: "decoding_error", Status: 400, Text: "The request could not be decoded.", Source: "contract 1.2"},
	BodyFieldsInvalid:      {Rule: "BODY-2", Code: "decoding_error", Status: 400, Text: "JSON body validation error: %s", Source: "contract 1.2, recorded for track items"},
	NewSessionBodyInvalid:  {Rule: "BODY-3", Code: "decoding_error", Status: 400, Text: "Body JSON validation error: %s", Source: "contract 1.1, recorded"},
	NoTracks:               {Rule: "PAR-1", Code: "invalid_params", Status: 406, Text: "Expecting at least 1 track in the request", Source: "contract 1.2, recorded"},
	TooManyTracks:          {Rule: "PAR-2", Code: "invalid_params", Status: 406, Text: "Expecting at most %d track in the request", Source: "contract 6; text as adapters have it"},
	MissingMid:             {Rule: "PAR-3", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing mid in track", Source: "contract 1.2, recorded"},
	MissingTrackName:       {Rule: "PAR-4", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing trackName in track", Source: "contract 1.0 step 6, inferred"},
	MissingSessionID:       {Rule: "PAR-5", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing sessionId in track", Source: "contract 1.0 step 6, inferred"},
	UnknownLocation:        {Rule: "PAR-6", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid location in track", Source: "contract 1.0 step 6, inferred"},
	MixedLocations:         {Rule: "PAR-7", Code: "invalid_params", Status: 406, Text: "Pushing and Pulling tracks in the same request is unsupported", Source: "contract 1.2, 1.3; beginning and end recorded for datachannels/new"},
	OfferExpected:          {Rule: "PAR-8", Code: "invalid_params", Status: 406, Text: "sessionDescription.type=offer is expected", Source: "contract 1.2; inferred from the text for answers"},
	AnswerExpected:         {Rule: "PAR-9", Code: "invalid_params", Status: 406, Text: "sessionDescription.type=answer is expected", Source: "contract 1.2, 1.4, recorded"},
	CloseWithoutOffer:      {Rule: "PAR-10", Code: "invalid_params", Status: 406, Text: "Missing sessionDescription: it is required unless force is true", Source: "contract 1.6; text inferred"},
	MissingKind:            {Rule: "PAR-11", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing kind in track", Source: "contract 1.3 case E; text inferred"},
	SimulcastInvalid:       {Rule: "PAR-12", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid simulcast in track", Source: "contract 1.3, 3.5; text inferred"},
	NoChannels:             {Rule: "PAR-13", Code: "invalid_params", Status: 406, Text: "Expecting at least 1 data channel in the request", Source: "contract 1.2 as for tracks; text inferred"},
	MissingChannelName:     {Rule: "PAR-14", Code: "invalid_params", Status: 406, Text: "dataChannels[%d]: Missing dataChannelName in data channel", Source: "contract 1.0 step 6, 1.10, inferred"},
	MissingChannelSession:  {Rule: "PAR-15", Code: "invalid_params", Status: 406, Text: "dataChannels[%d]: Missing sessionId in data channel", Source: "contract 1.0 step 6, 1.10, inferred"},
	ChannelLocation:        {Rule: "PAR-16", Code: "invalid_params", Status: 406, Text: "dataChannels[%d]: Invalid location in data channel", Source: "contract 1.0 step 6, 1.10, 1.11, inferred"},
	MixedChannels:          {Rule: "PAR-17", Code: "invalid_params", Status: 406, Text: "Pushing and Pulling data channels in the same request is unsupported", Source: "contract 1.2; beginning and end recorded"},
	ChannelPolicy:          {Rule: "PAR-18", Code: "invalid_params", Status: 406, Text: "dataChannels[%d]: Invalid delivery policy in data channel", Source: "contract 1.10, 10 Q39, inferred"},
	NotServerEvents:        {Rule: "PAR-19", Code: "invalid_params", Status: 406, Text: "Only the data channel server-events can be established", Source: "contract 1.9; code and text inferred"},
	InputCodecInvalid:      {Rule: "PAR-20", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid inputCodec in track", Source: "contract 5.1; text inferred"},
	OutputCodecInvalid:     {Rule: "PAR-21", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid outputCodec in track", Source: "contract 5.1; text inferred"},
	EndpointInvalid:        {Rule: "PAR-22", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Invalid endpoint in track", Source: "contract 5.1; text inferred"},
	MissingAdapterID:       {Rule: "PAR-23", Code: "invalid_params", Status: 406, Text: "tracks[%d]: Missing adapterId in track", Source: "contract 5.2; text inferred"},
	RateLimited:            {Rule: "HTTP-5", Code: "retryable_transient_error", Status: 429, Text: "Too many requests on this session. Please slow down", Source: "contract 6, 9.3; status, code and text inferred"},
	SessionNotReady:        {Rule: "SES-1", Code: "session_error", Status: 425, Text: "Session is not ready yet. Please ensure the PeerConnection is connected before making this request", Source: "contract 1.2, recorded"},
	SessionGone:            {Rule: "SES-2", Code: "session_error", Status: 410, Text: "Session appears to be disconnected. Please check if the PeerConnection is connected.", Source: "contract 1.2, 1.7, recorded"},
	SDPUnparsable:          {Rule: "SDP-1", Code: "invalid_session_description", Status: 400, Text: "The session description could not be parsed", Source: "contract 1.2; wording inferred"},
	SDPLineEnd:             {Rule: "SDP-2", Code: "invalid_session_description", Status: 400, Text: "The session description could not be parsed. A missing line termination at the end of the SDP is a common cause", Source: "contract 1.2, 1.3; hint recorded, wording ours"},
	SDPNoUfrag:             {Rule: "SDP-3", Code: "invalid_session_description", Status: 400, Text: "SDP contains no ice-ufrag", Source: "contract 1.2, recorded"},
	SDPMismatch:            {Rule: "SDP-4", Code: "invalid_session_description", Status: 406, Text: "The session description does not fit the session", Source: "contract 1.0 step 8, text inferred"},
	SDPCodecMissing:        {Rule: "SDP-5", Code: "invalid_session_description", Status: 406, Text: "The subscriber's SDP is missing the published track's codec", Source: "contract 1.4; status inferred"},
	SDPOutOfOrder:          {Rule: "SDP-6", Code: "invalid_session_description", Status: 406, Text: "The session cannot be modified in its current signaling state", Source: "contract 2.2; text inferred"},
	SDPNoOfferPending:      {Rule: "SDP-7", Code: "invalid_session_description", Status: 406, Text: "No offer of the session is waiting for an answer", Source: "contract 1.4; text inferred"},
	Overlap:                {Rule: "SER-1", Code: "signaling_state_not_stable", Status: 406, Text: "Another request is modifying the session", Source: "contract 1.2, 2.2; text inferred"},
	OverlapConflict:        {Rule: "SER-1", Code: "signaling_state_not_stable", Status: 409, Text: "The session is being modified by another request", Source: "contract 1.2; seen by one client, here for faults only; text inferred"},
	TrackNotFound:          {Rule: "TRK-1", Code: "not_found_track_error", Text: "Track not found on remote peer. Make sure the publisher peer is connected and sending packets for this track", Source: "contract 1.2, recorded"},
	TrackEmpty:             {Rule: "TRK-3", Code: "empty_track_error", Text: "No track data from remote peer. Make sure the publisher peer is connected and sending packets for this track", Source: "contract 1.2, recorded"},
	TrackRepeated:          {Rule: "TRK-5", Code: "repeated_local_track_error", Text: "A track with this name is already published on the session", Source: "contract 1.2, 10 Q8, inferred"},
	TrackNotSending:        {Rule: "TRK-6", Code: "track_error", Text: "The session description has no sending media section with this mid", Source: "contract 1.2, 10 Q8, inferred"},
	TrackNoReceiver:        {Rule: "TRK-7", Code: "track_error", Text: "The session description has no free receiving media section for this track", Source: "contract 1.3 case D, 10 Q17, inferred"},
	TrackKindDiffers:       {Rule: "TRK-8", Code: "track_error", Text: "The track is of another kind than the media section", Source: "contract 1.3 cases C and D, inferred"},
	TrackCodecDiffers:      {Rule: "TRK-9", Code: "track_error", Text: "The media section does not accept the track's codec", Source: "contract 1.3 case C, inferred"},
	TrackNotOpen:           {Rule: "TRK-10", Code: "close_track_error", Text: "Track doesn't exist or was already closed", Source: "contract 1.6"},
	UpdateNotSimulcast:     {Rule: "UPD-1", Code: "update_track_error", Text: "The track is not configured for simulcast, no updates applicable.", Source: "contract 1.2, 1.5, recorded"},
	UpdateNoTrack:          {Rule: "UPD-2", Code: "update_track_error", Text: "The session receives no track on this mid", Source: "contract 1.5, inferred"},
	UpdateLocalTrack:       {Rule: "UPD-3", Code: "update_track_error", Text: "Only tracks that the session receives can be updated", Source: "contract 1.5; text inferred"},
	UpdateKindDiffers:      {Rule: "UPD-4", Code: "update_track_error", Text: "The new track is of another kind than the present one", Source: "contract 1.5, 10 Q25, inferred"},
	UpdateCodecDiffers:     {Rule: "UPD-5", Code: "update_track_error", Text: "The session has not accepted the new track's codec on this mid", Source: "contract 1.5, 10 Q25, inferred"},
	ChannelRepeated:        {Rule: "DCH-3", Code: "repeated_local_track_error", Text: "A data channel with this name is already open on the session", Source: "contract 4.3; text inferred"},
	AdapterTrackNotFound:   {Rule: "ADP-1", Code: "not_found_track_error", Text: "Track not found on remote peer. Make sure the publisher peer is connected and sending packets", Source: "contract 1.2, recorded for adapters"},
	AdapterCodecDiffers:    {Rule: "ADP-2", Code: "track_error", Text: "The track cannot be converted to the output codec", Source: "contract 5.1, 10 Q43; code and text inferred"},
	AdapterLocalhost:       {Rule: "ADP-3", Code: "websocket_localhost_not_allowed", Text: "Localhost endpoints are not allowed.", Source: "contract 5.1; text inferred"},
	AdapterHandshake:       {Rule: "ADP-4", Code: "websocket_handshake_failed", Text: "The handshake with the provided endpoint failed.", Source: "contract 1.2, 5.1"},
	AdapterTimeout:         {Rule: "ADP-5", Code: "websocket_connection_timeout", Text: "The connection to the provided endpoint timed out.", Source: "contract 5.1; text inferred"},
	AdapterNotFound:        {Rule: "ADP-6", Code: "adapter_not_found", Text: "Adapter not found", Source: "contract 5.2; text inferred"},
	Internal:               {Rule: "SRV-1", Code: "internal_error", Status: 500, Text: "Backend error", Source: "contract 1.2, recorded"},
	RetryLater:             {Rule: "SRV-2", Code: "retryable_transient_error", Status: 503, Text: "A transient error occurred. Please try again", Source: "contract 1.2; status and text inferred, here for faults only"},
	TemporarilyUnavailable: {Rule: "SRV-3", Code: "temporarily_unavailable_error", Status: 503, Text: "The service is temporarily unavailable", Source: "contract 1.2; status and text inferred, here for faults only"},
	TransportUnavailable:   {Rule: "SRV-4", Code: "transport_unavailable_error", Status: 503, Text: "The transport is unavailable", Source: "contract 1.2; status and text inferred, here for faults only"},
	BackendFailed:          {Rule: "SRV-5", Code: "backend_error", Status: 503, Text: "The backend failed", Source: "contract 1.2; status and text inferred, here for faults only"},
	TTLInvalid:             {Rule: "TURN-1", Code: "decoding_error", Status: 400, Text: "JSON body validation error: ttl. It must be a number of seconds from 1 to %d", Source: "contract 7.3, 10 Q44, inferred"},
	TURNKeyNotFound:        {Rule: "TURN-2", Code: "not_found", Status: 404, Text: "TURN key not found", Source: "contract 7.3; status and text inferred"},
	AccountNoCredentials:   {Rule: "ACC-1", Code: "9106", Status: 400, Text: "Missing X-Auth-Key, X-Auth-Email or Authorization headers", Source: "contract 8, recorded of the v4 API in general"},
	AccountTokenWrong:      {Rule: "ACC-2", Code: "10000", Status: 401, Text: "Authentication error", Source: "contract 8; status inferred"},
	AccountForbidden:       {Rule: "ACC-3", Code: "10002", Status: 403, Text: "Authorization failure", Source: "contract 8, recorded"},
	AccountPathUnknown:     {Rule: "ACC-4", Code: "7003", Status: 404, Text: "Could not route to %s, perhaps your object identifier is invalid?", Source: "contract 8, recorded of the v4 API in general"},
	AccountMethodUnknown:   {Rule: "ACC-5", Code: "7001", Status: 405, Text: "Method %s not available for that URI.", Source: "contract 8, recorded of the v4 API in general; status inferred"},
	AccountBodyInvalid:     {Rule: "ACC-6", Code: "6007", Status: 400, Text: "Malformed JSON in request body", Source: "contract 8; code and text inferred"},
	AccountAppUnknown:      {Rule: "ACC-7", Code: "20007", Status: 404, Text: "App not found", Source: "contract 8; code seen, status and text inferred"},
	AccountKeyUnknown:      {Rule: "ACC-8", Code: "20008", Status: 404, Text: "TURN key not found", Source: "contract 8; code seen, status and text inferred"},
	AccountFull:            {Rule: "ACC-9", Code: "403", Status: 403, Text: "The account holds as many as callsemu keeps", Source: "callsemu: a bound of the emulator"},
}
