package conformance

// FieldRow is one field of a request, with what becomes of the good request around it when the field is faulty
// (contract 1.15).
type FieldRow struct {
	Operation string
	Path      string // in the body, such as tracks[].mid; tracks[] is an item itself
	Type      string // of JSON
	Enum      []any  // nil where every value may be good
	Longest   int    // characters or items, 0 for no bound

	base string // the good request

	// What a faulty field makes of the request: accepted, partly, a row of a refused request, or item and a row of a failed item.
	// An empty one is not tried.
	missing, null, wrong string // absent, null, of every wrong type
	empty                string // "", {} or []; of a boolean, the other value
	unknown              string // a value that nothing has; of an object, a further field; of a number, -1
	long                 string // a longer value than the longest, or than any client sends

	blind string // why the schema does not see that the longest value is refused
	mark  Mark   // Inferred if empty
}

// Outcomes that are no row.
const (
	accepted = "accepted" // and every item succeeds
	partly   = "partly"   // accepted, whatever becomes of the items
	item     = "item "    // before a row
)

// The rows that fields are refused with.
const (
	rDecode   = "decoding_error/400"
	rSession  = "decoding_error/400 sessions/new"
	rAdapters = "decoding_error/400 adapters"
	rAccount  = "6007/400 account"
	rNone     = "invalid_params/406 no tracks"
	rMany     = "invalid_params/406 too many"
	rFive     = "invalid_params/406 five adapters"
	rMid      = "invalid_params/406 mid"
	rOffer    = "invalid_params/406 offer expected"
	rAnswer   = "invalid_params/406 answer expected"
	rNoOffer  = "invalid_params/406 close without offer"
	rPlace    = "invalid_params/406 location"
	rFrom     = "invalid_params/406 session id"
	rName     = "invalid_params/406 track name"
	rKind     = "invalid_params/406 kind"
	rLayers   = "invalid_params/406 simulcast"
	rEvents   = "invalid_params/406 establish"
	rNoChan   = "invalid_params/406 no channels"
	rChanName = "invalid_params/406 channel name"
	rChanFrom = "invalid_params/406 channel session id"
	rChanAt   = "invalid_params/406 channel location"
	rPolicy   = "invalid_params/406 channel policy"
	rAdapter  = "invalid_params/406 adapter"

	iNoTrack   = item + "not_found_track_error"
	iNoSection = item + "track_error"
	iUpdate    = item + "update_track_error"
	iClosed    = item + "close_track_error"
	iNoChannel = item + "not_found_track_error channel"
	iNoSource  = item + "not_found_track_error adapter"
	iNoAdapter = item + "adapter_not_found"
)

const (
	str    = "string"
	flag   = "boolean"
	number = "integer"
	object = "object"
	list   = "array"
)

var (
	places = []any{"local", "remote", ""}
	orders = []any{"none", "asciibetical", ""}
)

// Fields is every field of every request; those that mean something else in another request have a row for each.
func Fields() []FieldRow { return append([]FieldRow(nil), fieldRows...) }

var fieldRows = []FieldRow{
	{Operation: "newSession", base: "session", Path: "sessionDescription", Type: object, missing: rSession, null: rSession, wrong: rSession, empty: rSession, unknown: accepted, mark: Recorded},
	{Operation: "newSession", base: "session", Path: "sessionDescription.type", Type: str, Enum: []any{"offer"}, missing: rSession, null: rSession, wrong: rSession, empty: rOffer, unknown: rOffer, long: rOffer},
	{Operation: "newSession", base: "session", Path: "sessionDescription.sdp", Type: str, missing: rSession, null: rSession, wrong: rSession, empty: rowUnparsable, unknown: rowUnparsable, long: accepted},

	{Operation: "newTracks", base: "push", Path: "sessionDescription", Type: object, missing: iNoSection, null: iNoSection, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "newTracks", base: "push", Path: "sessionDescription.type", Type: str, Enum: []any{"offer"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rOffer, unknown: rOffer, long: rOffer},
	{Operation: "newTracks", base: "push", Path: "sessionDescription.sdp", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rowUnparsable, unknown: rowUnparsable, long: accepted},
	{Operation: "newTracks", base: "push", Path: "tracks", Type: list, Longest: 64, missing: rNone, null: rNone, wrong: rDecode, empty: rNone, long: rMany},
	{Operation: "newTracks", base: "push", Path: "tracks[]", Type: object, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "newTracks", base: "push", Path: "tracks[].location", Type: str, Enum: places, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rPlace, long: rPlace},
	{Operation: "newTracks", base: "push", Path: "tracks[].mid", Type: str, missing: rMid, null: rMid, wrong: rDecode, empty: rMid, unknown: iNoSection, long: iNoSection, mark: Recorded},
	{Operation: "newTracks", base: "push", Path: "tracks[].trackName", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rName, long: accepted, mark: Recorded},
	{Operation: "newTracks", base: "push", Path: "tracks[].bidirectionalMediaStream", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},
	{Operation: "newTracks", base: "push", Path: "autoDiscover", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},
	{Operation: "newTracks", base: "discover", Path: "autoDiscover", Type: flag, missing: rNone, null: rNone, wrong: rDecode, empty: rNone},
	{Operation: "newTracks", base: "discover", Path: "sessionDescription", Type: object, missing: rOffer, null: rOffer, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "newTracks", base: "unoffered", Path: "tracks[].kind", Type: str, Enum: []any{"audio", "video"}, missing: rKind, null: rKind, wrong: rDecode, empty: rKind, unknown: rKind, long: rKind},
	{Operation: "newTracks", base: "pull", Path: "tracks[].location", Type: str, Enum: places, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rPlace, long: rPlace},
	{Operation: "newTracks", base: "pull", Path: "tracks[].sessionId", Type: str, missing: rFrom, null: rFrom, wrong: rDecode, empty: rFrom, unknown: iNoTrack, long: iNoTrack},
	{Operation: "newTracks", base: "pull", Path: "tracks[].trackName", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rName, unknown: iNoTrack, long: iNoTrack},
	{Operation: "newTracks", base: "pull", Path: "tracks[].simulcast", Type: object, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: accepted},
	{Operation: "newTracks", base: "pull", Path: "tracks[].simulcast.preferredRid", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: accepted, long: accepted},
	{Operation: "newTracks", base: "pull", Path: "tracks[].simulcast.priorityOrdering", Type: str, Enum: orders, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rLayers, long: rLayers},
	{Operation: "newTracks", base: "pull", Path: "tracks[].simulcast.ridNotAvailable", Type: str, Enum: orders, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rLayers, long: rLayers},

	{Operation: "updateTracks", base: "update", Path: "tracks", Type: list, Longest: 64, missing: rNone, null: rNone, wrong: rDecode, empty: rNone, long: rMany},
	{Operation: "updateTracks", base: "update", Path: "tracks[]", Type: object, null: rDecode, wrong: rDecode, empty: rMid, unknown: accepted},
	{Operation: "updateTracks", base: "update", Path: "tracks[].location", Type: str, Enum: places, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rPlace, long: rPlace},
	{Operation: "updateTracks", base: "update", Path: "tracks[].mid", Type: str, missing: rMid, null: rMid, wrong: rDecode, empty: rMid, unknown: iUpdate, long: iUpdate},
	{Operation: "updateTracks", base: "update", Path: "tracks[].sessionId", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: iNoTrack, long: iNoTrack},
	{Operation: "updateTracks", base: "update", Path: "tracks[].trackName", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: iNoTrack, long: iNoTrack},
	{Operation: "updateTracks", base: "update", Path: "tracks[].simulcast", Type: object, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: accepted},
	{Operation: "updateTracks", base: "update", Path: "tracks[].simulcast.preferredRid", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: accepted, long: accepted},
	{Operation: "updateTracks", base: "update", Path: "tracks[].simulcast.priorityOrdering", Type: str, Enum: orders, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rLayers, long: rLayers},
	{Operation: "updateTracks", base: "update", Path: "tracks[].simulcast.ridNotAvailable", Type: str, Enum: orders, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rLayers, long: rLayers},

	{Operation: "closeTracks", base: "close", Path: "tracks", Type: list, missing: rNone, null: rNone, wrong: rDecode, empty: rNone, long: partly},
	{Operation: "closeTracks", base: "close", Path: "tracks[]", Type: object, null: rDecode, wrong: rDecode, empty: rMid, unknown: accepted},
	{Operation: "closeTracks", base: "close", Path: "tracks[].mid", Type: str, missing: rMid, null: rMid, wrong: rDecode, empty: rMid, unknown: iClosed, long: iClosed, mark: Recorded},
	{Operation: "closeTracks", base: "close", Path: "force", Type: flag, missing: rNoOffer, null: rNoOffer, wrong: rDecode, empty: rNoOffer},
	{Operation: "closeTracks", base: "close by offer", Path: "force", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},
	{Operation: "closeTracks", base: "close by offer", Path: "sessionDescription", Type: object, missing: rNoOffer, null: rNoOffer, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "closeTracks", base: "close by offer", Path: "sessionDescription.type", Type: str, Enum: []any{"offer"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rOffer, unknown: rOffer, long: rOffer},
	{Operation: "closeTracks", base: "close by offer", Path: "sessionDescription.sdp", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rowUnparsable, unknown: rowUnparsable, long: partly},

	{Operation: "renegotiate", base: "answer", Path: "sessionDescription", Type: object, missing: rDecode, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "renegotiate", base: "answer", Path: "sessionDescription.type", Type: str, Enum: []any{"answer", "offer"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rAnswer, unknown: rAnswer, long: rAnswer, mark: Recorded},
	{Operation: "renegotiate", base: "answer", Path: "sessionDescription.sdp", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rowUnparsable, unknown: rowUnparsable, long: accepted},

	{Operation: "establishDataChannels", base: "establish", Path: "dataChannel", Type: object, missing: rDecode, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "establishDataChannels", base: "establish", Path: "dataChannel.location", Type: str, Enum: []any{"remote", ""}, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish", Path: "dataChannel.dataChannelName", Type: str, Enum: []any{"server-events"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rEvents, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish, misspelt", Path: "datachannel", Type: object, missing: rDecode, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "establishDataChannels", base: "establish, misspelt", Path: "datachannel.location", Type: str, Enum: []any{"remote", ""}, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish, misspelt", Path: "datachannel.dataChannelName", Type: str, Enum: []any{"server-events"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rEvents, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish, list", Path: "dataChannels", Type: list, missing: rDecode, null: rDecode, wrong: rDecode, empty: rDecode, long: rDecode},
	{Operation: "establishDataChannels", base: "establish, list", Path: "dataChannels[]", Type: object, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "establishDataChannels", base: "establish, list", Path: "dataChannels[].location", Type: str, Enum: []any{"remote", ""}, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish, list", Path: "dataChannels[].dataChannelName", Type: str, Enum: []any{"server-events"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rEvents, unknown: rEvents, long: rEvents},
	{Operation: "establishDataChannels", base: "establish", Path: "sessionDescription", Type: object, missing: accepted, null: accepted, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "establishDataChannels", base: "establish", Path: "sessionDescription.type", Type: str, Enum: []any{"offer"}, missing: rDecode, null: rDecode, wrong: rDecode, empty: rOffer, unknown: rOffer, long: rOffer},
	{Operation: "establishDataChannels", base: "establish", Path: "sessionDescription.sdp", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rowUnparsable, unknown: rowUnparsable, long: accepted},

	{Operation: "newDataChannels", base: "publish", Path: "dataChannels", Type: list, missing: rNoChan, null: rNoChan, wrong: rDecode, empty: rNoChan, long: partly},
	{Operation: "newDataChannels", base: "publish", Path: "dataChannels[]", Type: object, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "newDataChannels", base: "publish", Path: "dataChannels[].location", Type: str, Enum: places, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rChanAt, long: rChanAt},
	{Operation: "newDataChannels", base: "publish", Path: "dataChannels[].dataChannelName", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rChanName, long: accepted},
	{Operation: "newDataChannels", base: "publish", Path: "dataChannels[].ordered", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},
	{Operation: "newDataChannels", base: "publish", Path: "dataChannels[].maxRetransmits", Type: number, missing: accepted, null: accepted, wrong: rDecode, unknown: rPolicy, long: rPolicy},
	{Operation: "newDataChannels", base: "publish for a time", Path: "dataChannels[].maxPacketLifeTime", Type: number, missing: accepted, null: accepted, wrong: rDecode, unknown: rPolicy, long: rPolicy},
	{Operation: "newDataChannels", base: "subscribe", Path: "dataChannels[].sessionId", Type: str, missing: rChanFrom, null: rChanFrom, wrong: rDecode, empty: rChanFrom, unknown: iNoChannel, long: iNoChannel},
	{Operation: "newDataChannels", base: "subscribe", Path: "dataChannels[].dataChannelName", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rChanName, unknown: iNoChannel, long: iNoChannel},
	{Operation: "newDataChannels", base: "subscribe", Path: "dataChannels[].waitForAck", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},
	{Operation: "newDataChannels", base: "subscribe", Path: "dataChannels[].canReply", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},

	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels", Type: list, missing: rNoChan, null: rNoChan, wrong: rDecode, empty: rNoChan, long: partly},
	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels[]", Type: object, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels[].location", Type: str, Enum: []any{"remote", ""}, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, unknown: rChanAt, long: rChanAt},
	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels[].dataChannelName", Type: str, missing: rDecode, null: rDecode, wrong: rDecode, empty: rChanName, unknown: iNoChannel, long: iNoChannel},
	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels[].sessionId", Type: str, missing: rChanFrom, null: rChanFrom, wrong: rDecode, empty: rChanFrom, unknown: iNoChannel, long: iNoChannel},
	{Operation: "updateDataChannels", base: "grant", Path: "dataChannels[].canReply", Type: flag, missing: accepted, null: accepted, wrong: rDecode, empty: accepted},

	{Operation: "closeDataChannels", base: "close a channel", Path: "dataChannels", Type: list, missing: rNoChan, null: rNoChan, wrong: rDecode, empty: rNoChan, long: partly},
	{Operation: "closeDataChannels", base: "close a channel", Path: "dataChannels[]", Type: object, null: rDecode, wrong: rDecode, empty: rDecode, unknown: accepted},
	{Operation: "closeDataChannels", base: "close a channel", Path: "dataChannels[].id", Type: number, missing: rDecode, null: rDecode, wrong: rDecode, unknown: iClosed, long: iClosed},

	{Operation: "newAdapters", base: "ingest", Path: "tracks", Type: list, Longest: 4, missing: rNone, null: rNone, wrong: rAdapters, empty: rNone, long: rFive, mark: Doc},
	{Operation: "newAdapters", base: "ingest", Path: "tracks[]", Type: object, null: rAdapters, wrong: rAdapters, empty: rAdapter, unknown: accepted},
	{Operation: "newAdapters", base: "ingest", Path: "tracks[].location", Type: str, Enum: []any{"local", "remote"}, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: rAdapter, long: rAdapter},
	{Operation: "newAdapters", base: "ingest", Path: "tracks[].trackName", Type: str, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, long: accepted},
	{Operation: "newAdapters", base: "ingest", Path: "tracks[].endpoint", Type: str, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: rAdapter, long: accepted},
	{Operation: "newAdapters", base: "ingest", Path: "tracks[].inputCodec", Type: str, Enum: []any{"pcm"}, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: rAdapter, long: rAdapter},
	{Operation: "newAdapters", base: "egress", Path: "tracks[].sessionId", Type: str, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: iNoSource, long: iNoSource},
	{Operation: "newAdapters", base: "egress", Path: "tracks[].trackName", Type: str, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: iNoSource, long: iNoSource},
	{Operation: "newAdapters", base: "egress", Path: "tracks[].outputCodec", Type: str, Enum: []any{"pcm", "jpeg"}, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: rAdapter, long: rAdapter},

	{Operation: "closeAdapters", base: "close an adapter", Path: "tracks", Type: list, Longest: 4, missing: rNone, null: rNone, wrong: rAdapters, empty: rNone, long: rFive, mark: Doc},
	{Operation: "closeAdapters", base: "close an adapter", Path: "tracks[]", Type: object, null: rAdapters, wrong: rAdapters, empty: rAdapter, unknown: accepted},
	{Operation: "closeAdapters", base: "close an adapter", Path: "tracks[].adapterId", Type: str, missing: rAdapter, null: rAdapter, wrong: rAdapters, empty: rAdapter, unknown: iNoAdapter, long: iNoAdapter},

	{Operation: "generateIceServers", base: "ice servers", Path: "ttl", Type: number, missing: rDecode, null: rDecode, wrong: rDecode, unknown: rowTTL, long: rowTTL, blind: ruledTTL},
	{Operation: "generateIceServers", base: "ice servers", Path: "customIdentifier", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, long: accepted},
	{Operation: "generateCredentials", base: "credentials", Path: "ttl", Type: number, missing: rDecode, null: rDecode, wrong: rDecode, unknown: rowTTL, long: rowTTL, blind: ruledTTL},
	{Operation: "generateCredentials", base: "credentials", Path: "customIdentifier", Type: str, missing: accepted, null: accepted, wrong: rDecode, empty: accepted, long: accepted},

	{Operation: "createApp", base: "make an app", Path: "name", Type: str, Longest: 1024, missing: accepted, null: accepted, wrong: rAccount, empty: accepted, long: rAccount},
	{Operation: "updateApp", base: "rename an app", Path: "name", Type: str, Longest: 1024, missing: accepted, null: accepted, wrong: rAccount, empty: accepted, long: rAccount},
	{Operation: "createTurnKey", base: "make a key", Path: "name", Type: str, Longest: 1024, missing: accepted, null: accepted, wrong: rAccount, empty: accepted, long: rAccount},
	{Operation: "updateTurnKey", base: "rename a key", Path: "name", Type: str, Longest: 1024, missing: accepted, null: accepted, wrong: rAccount, empty: accepted, long: rAccount},
}

const ruledTTL = "the longest ttl is a rule, which can be changed"
