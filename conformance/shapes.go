package conformance

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
	SessionID                      string       `json:"sessionId"`
	RequiresImmediateRenegotiation *bool        `json:"requiresImmediateRenegotiation"`
	SessionDescription             *sdpBody     `json:"sessionDescription"`
	Tracks                         []answerItem `json:"tracks"`
	ErrorCode                      string       `json:"errorCode"`
	ErrorDescription               string       `json:"errorDescription"`
}

type answerItem struct {
	Location         string `json:"location"`
	Mid              string `json:"mid"`
	SessionID        string `json:"sessionId"`
	TrackName        string `json:"trackName"`
	Status           string `json:"status"`
	Kind             string `json:"kind"`
	ErrorCode        string `json:"errorCode"`
	ErrorDescription string `json:"errorDescription"`
}
