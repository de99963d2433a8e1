package conformance

import "encoding/json"

// What cases send and read. These shapes are the suite's own: the emulator's are under test.

type sdpBody struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

func offerOf(sdp string) *sdpBody  { return &sdpBody{"offer", sdp} }
func answerOf(sdp string) *sdpBody { return &sdpBody{"answer", sdp} }

type newSessionBody struct {
	SessionDescription *sdpBody `json:"sessionDescription,omitempty"`
}

type tracksBody struct {
	SessionDescription *sdpBody    `json:"sessionDescription,omitempty"`
	Tracks             []trackItem `json:"tracks"`
}

// discoverBody is tracksBody for autoDiscover: the list may be absent.
type discoverBody struct {
	SessionDescription *sdpBody    `json:"sessionDescription,omitempty"`
	Tracks             []trackItem `json:"tracks,omitempty"`
	AutoDiscover       bool        `json:"autoDiscover"`
}

type updateBody struct {
	Tracks []trackItem `json:"tracks"`
}

type trackItem struct {
	Location      string     `json:"location,omitempty"`
	Mid           string     `json:"mid,omitempty"`
	SessionID     string     `json:"sessionId,omitempty"`
	TrackName     string     `json:"trackName,omitempty"`
	Kind          string     `json:"kind,omitempty"`
	Bidirectional bool       `json:"bidirectionalMediaStream,omitempty"`
	Simulcast     *simulcast `json:"simulcast,omitempty"`
}

type simulcast struct {
	PreferredRid     string `json:"preferredRid"`
	PriorityOrdering string `json:"priorityOrdering,omitempty"`
	RidNotAvailable  string `json:"ridNotAvailable,omitempty"`
}

func prefer(rid string) *simulcast { return &simulcast{PreferredRid: rid} }

// into is the item with a mid.
func (i trackItem) into(mid string) trackItem {
	i.Mid = mid
	return i
}

// layered is the item with a choice of layers.
func (i trackItem) layered(s *simulcast) trackItem {
	i.Simulcast = s
	return i
}

func local(mid, name string) trackItem {
	return trackItem{Location: "local", Mid: mid, TrackName: name}
}

func remote(sessionID, name string) trackItem {
	return trackItem{Location: "remote", SessionID: sessionID, TrackName: name}
}

type renegotiateBody struct {
	SessionDescription *sdpBody `json:"sessionDescription"`
}

type closeBody struct {
	Tracks             []closeItem `json:"tracks"`
	SessionDescription *sdpBody    `json:"sessionDescription,omitempty"`
	Force              bool        `json:"force"`
}

type closeItem struct {
	Mid string `json:"mid"`
}

func mids(list ...string) []closeItem {
	items := make([]closeItem, 0, len(list))
	for _, mid := range list {
		items = append(items, closeItem{mid})
	}
	return items
}

// answerBody has every field of every answer.
type answerBody struct {
	SessionID                      string          `json:"sessionId"`
	RequiresImmediateRenegotiation *bool           `json:"requiresImmediateRenegotiation"`
	SessionDescription             *sdpBody        `json:"sessionDescription"`
	Tracks                         []answerItem    `json:"tracks"`
	DataChannel                    *channelItem    `json:"dataChannel"`
	DataChannels                   []channelRow    `json:"dataChannels"`
	ICEServers                     json.RawMessage `json:"iceServers"`
	ErrorCode                      string          `json:"errorCode"`
	ErrorDescription               string          `json:"errorDescription"`
}

// channelItem is what establish names.
type channelItem struct {
	Location        string `json:"location,omitempty"`
	DataChannelName string `json:"dataChannelName,omitempty"`
	ID              *int   `json:"id,omitempty"`
}

// channelRow is one item of the calls on data channels, in requests and answers alike, and one of GET.
type channelRow struct {
	Location          string `json:"location,omitempty"`
	DataChannelName   string `json:"dataChannelName,omitempty"`
	SessionID         string `json:"sessionId,omitempty"`
	ID                *int   `json:"id,omitempty"`
	Ordered           *bool  `json:"ordered,omitempty"`
	MaxRetransmits    *int   `json:"maxRetransmits,omitempty"`
	MaxPacketLifeTime *int   `json:"maxPacketLifeTime,omitempty"`
	WaitForAck        bool   `json:"waitForAck,omitempty"`
	CanReply          *bool  `json:"canReply,omitempty"`
	Status            string `json:"status,omitempty"`
	ErrorCode         string `json:"errorCode,omitempty"`
	ErrorDescription  string `json:"errorDescription,omitempty"`
}

type channelsBody struct {
	DataChannels []channelRow `json:"dataChannels"`
}

type establishBody struct {
	DataChannel        *channelItem  `json:"dataChannel,omitempty"`
	Misspelt           *channelItem  `json:"datachannel,omitempty"`
	List               []channelItem `json:"dataChannels,omitempty"`
	SessionDescription *sdpBody      `json:"sessionDescription,omitempty"`
}

func localChannel(name string) channelRow {
	return channelRow{Location: "local", DataChannelName: name}
}

func remoteChannel(sessionID, name string) channelRow {
	return channelRow{Location: "remote", SessionID: sessionID, DataChannelName: name}
}

// gated is the item with waitForAck.
func (r channelRow) gated() channelRow {
	r.WaitForAck = true
	return r
}

// replying is the item with canReply.
func (r channelRow) replying(may bool) channelRow {
	r.CanReply = &may
	return r
}

func channelIDs(ids ...int) []channelRow {
	rows := make([]channelRow, 0, len(ids))
	for _, id := range ids {
		rows = append(rows, channelRow{ID: &id})
	}
	return rows
}

type answerItem struct {
	Location         string `json:"location,omitempty"`
	Mid              string `json:"mid,omitempty"`
	SessionID        string `json:"sessionId,omitempty"`
	TrackName        string `json:"trackName,omitempty"`
	Status           string `json:"status,omitempty"`
	Kind             string `json:"kind,omitempty"`
	AdapterID        string `json:"adapterId,omitempty"`
	Endpoint         string `json:"endpoint,omitempty"`
	BytesProcessed   *int64 `json:"bytesProcessed,omitempty"`
	ErrorCode        string `json:"errorCode,omitempty"`
	ErrorDescription string `json:"errorDescription,omitempty"`
}

// Failures show items as they stand in a body.

func (i trackItem) String() string  { return inJSON(i) }
func (i answerItem) String() string { return inJSON(i) }
func (r channelRow) String() string { return inJSON(r) }

func inJSON(item any) string {
	text, err := json.Marshal(item)
	if err != nil {
		return err.Error() // not so: they hold strings, numbers and truths
	}
	return string(text)
}
