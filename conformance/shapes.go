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

type trackItem struct {
	Location  string `json:"location,omitempty"`
	Mid       string `json:"mid,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	TrackName string `json:"trackName,omitempty"`
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
	ErrorCode        string `json:"errorCode"`
	ErrorDescription string `json:"errorDescription"`
}
