package wire

import "strings"

// Values of TrackObject.Location.
const (
	LocationLocal  = "local"  // published from this session
	LocationRemote = "remote" // pulled into this session
)

// Values of TrackObject.Kind.
const (
	KindAudio = "audio"
	KindVideo = "video"
)

// Values of Simulcast.PriorityOrdering and RidNotAvailable; empty counts as none (contract 3.5).
const (
	OrderNone         = "none"
	OrderAsciibetical = "asciibetical"
)

// Values of SessionDescription.Type.
const (
	TypeOffer  = "offer"
	TypeAnswer = "answer"
)

// Values of TrackState.Status (contract 1.7).
const (
	StatusActive   = "active"
	StatusInactive = "inactive"
)

// SessionDescription is an SDP with its role in the exchange.
type SessionDescription struct {
	Type string `json:"type" wire:"required"`
	SDP  string `json:"sdp" wire:"required"`
}

// NewSessionRequest is the body of sessions/new. A body of zero bytes is a nil *NewSessionRequest, whereas `{}` does not
// decode (contract 1.1).
type NewSessionRequest struct {
	SessionDescription *SessionDescription `json:"sessionDescription" wire:"required"`
}

// NewSessionResponse answers sessions/new, with the SFU's answer if the request brought an offer.
type NewSessionResponse struct {
	SessionID          string              `json:"sessionId"`
	SessionDescription *SessionDescription `json:"sessionDescription,omitempty"`
}

// TracksRequest is the body of tracks/new (contract 1.3).
type TracksRequest struct {
	SessionDescription *SessionDescription `json:"sessionDescription,omitempty"`
	Tracks             []TrackObject       `json:"tracks,omitempty"`
	AutoDiscover       bool                `json:"autoDiscover,omitempty"`
}

// TrackObject names one track to push or to pull. A missing trackName does not decode: the real service lists the
// indexes of such items in its text (contract 1.2).
type TrackObject struct {
	Location                 string     `json:"location,omitempty"`
	Mid                      string     `json:"mid,omitempty"`
	SessionID                string     `json:"sessionId,omitempty"`
	TrackName                string     `json:"trackName" wire:"required"`
	BidirectionalMediaStream bool       `json:"bidirectionalMediaStream,omitempty"`
	Kind                     string     `json:"kind,omitempty"`
	Simulcast                *Simulcast `json:"simulcast,omitempty"`
}

// MidByName is the name in a mid of the form "#name", which means the transceiver on which the session publishes that track
// (contract 1.3 case C).
func (t TrackObject) MidByName() (name string, ok bool) { return strings.CutPrefix(t.Mid, "#") }

// Remote reports whether the item is a pull. Some clients leave location out; a sessionId then marks a pull
// (contract 0.3; the mark is inferred).
func (t TrackObject) Remote() bool {
	if t.Location == "" {
		return t.SessionID != ""
	}
	return t.Location == LocationRemote
}

// Simulcast says which encoding a pull prefers (contract 3.5). It is echoed in the pull's result. preferredRid may be
// present and empty, which means no preference.
type Simulcast struct {
	PreferredRid     *string `json:"preferredRid,omitempty"`
	PriorityOrdering string  `json:"priorityOrdering,omitempty"`
	RidNotAvailable  string  `json:"ridNotAvailable,omitempty"`
}

// TracksResponse answers tracks/new. SessionDescription is absent when every item failed (contract 1.3 H).
type TracksResponse struct {
	Failures                       `json:"-"`
	RequiresImmediateRenegotiation bool                `json:"requiresImmediateRenegotiation"`
	Tracks                         []TrackResult       `json:"tracks"`
	SessionDescription             *SessionDescription `json:"sessionDescription,omitempty"`
}

// TrackResult is the outcome of one item. Fields in use: push {mid, trackName}, with kind and location where autoDiscover
// made it; pull {sessionId, trackName, mid} and simulcast when asked; update {mid, sessionId, trackName}; close {mid}. A
// failed push or pull keeps its names and has an empty mid, which is written.
type TrackResult struct {
	Location         string     `json:"location,omitempty"`
	Kind             string     `json:"kind,omitempty"`
	Mid              string     `json:"mid"`
	SessionID        string     `json:"sessionId,omitempty"`
	TrackName        string     `json:"trackName,omitempty"`
	Simulcast        *Simulcast `json:"simulcast,omitempty"`
	ErrorCode        string     `json:"errorCode,omitempty"`
	ErrorDescription string     `json:"errorDescription,omitempty"`
}

// Fail returns the item with the error's code and text in it.
func (t TrackResult) Fail(e *Error) TrackResult {
	t.ErrorCode, t.ErrorDescription = e.Code, e.Description
	return t
}

// Failed says whether the item is one that failed.
func (t TrackResult) Failed() bool { return t.ErrorCode != "" }

// UpdateTracksRequest is the body of tracks/update (contract 1.5). A sessionDescription that some clients send is not
// looked at.
type UpdateTracksRequest struct {
	Tracks []UpdateTrack `json:"tracks,omitempty"`
}

// UpdateTrack changes what is sent on one mid of the session: to the track that sessionId and trackName name, and to the
// layer that simulcast asks for. Without names it means the track that is there.
type UpdateTrack struct {
	Location  string     `json:"location,omitempty"`
	Mid       string     `json:"mid,omitempty"`
	SessionID string     `json:"sessionId,omitempty"`
	TrackName string     `json:"trackName,omitempty"`
	Simulcast *Simulcast `json:"simulcast,omitempty"`
}

// UpdateTracksResponse answers tracks/update. RequiresImmediateRenegotiation is always false; a failed item keeps its mid.
type UpdateTracksResponse struct {
	Failures                       `json:"-"`
	RequiresImmediateRenegotiation bool          `json:"requiresImmediateRenegotiation"`
	Tracks                         []TrackResult `json:"tracks"`
}

// RenegotiateRequest is the body of renegotiate (contract 1.4).
type RenegotiateRequest struct {
	SessionDescription *SessionDescription `json:"sessionDescription" wire:"required"`
}

// RenegotiateResponse is the object {} after an accepted answer, and has the SFU's answer after an accepted offer.
type RenegotiateResponse struct {
	SessionDescription *SessionDescription `json:"sessionDescription,omitempty"`
}

// CloseTracksRequest is the body of tracks/close (contract 1.6). An absent force counts as false.
type CloseTracksRequest struct {
	Tracks             []CloseTrack        `json:"tracks"`
	SessionDescription *SessionDescription `json:"sessionDescription,omitempty"`
	Force              bool                `json:"force"`
}

// CloseTrack names a track by its mid; other fields that clients send along are ignored.
type CloseTrack struct {
	Mid string `json:"mid"`
}

// CloseTracksResponse answers tracks/close. RequiresImmediateRenegotiation is always false; SessionDescription is the
// answer of a negotiated close.
type CloseTracksResponse struct {
	Failures                       `json:"-"`
	RequiresImmediateRenegotiation bool                `json:"requiresImmediateRenegotiation"`
	Tracks                         []TrackResult       `json:"tracks"`
	SessionDescription             *SessionDescription `json:"sessionDescription,omitempty"`
}

// SessionState answers GET of a session. Both lists are present even when empty (contract 1.7).
type SessionState struct {
	Tracks       []TrackState       `json:"tracks"`
	DataChannels []DataChannelState `json:"dataChannels"`
}

// TrackState is one track of a session; sessionId is that of the publisher, on pulled tracks only.
type TrackState struct {
	Location  string `json:"location"`
	Mid       string `json:"mid"`
	SessionID string `json:"sessionId,omitempty"`
	TrackName string `json:"trackName"`
	Status    string `json:"status"`
}

// DataChannelState is one data channel of a session.
type DataChannelState struct {
	Location        string `json:"location"`
	SessionID       string `json:"sessionId,omitempty"`
	DataChannelName string `json:"dataChannelName"`
	ID              int    `json:"id"`
	Status          string `json:"status"`
}
