package wire

import (
	"net/url"
	"strings"
)

// Values of AdapterTrack.InputCodec and OutputCodec (contract 5.1).
const (
	CodecPCM  = "pcm"
	CodecJPEG = "jpeg" // output only
)

// MaxAdapters is how many items one request makes or closes (contract 5.1, 5.2, 6).
const MaxAdapters = 4

// AdaptersRequest is the body of adapters/websocket/new (contract 5.1). Both locations may stand in one request.
type AdaptersRequest struct {
	Tracks []AdapterTrack `json:"tracks,omitempty"`
}

// AdapterTrack is one adapter to make: local takes PCM from the endpoint and publishes it, remote sends a published track
// there. The mode that older clients send is not looked at.
type AdapterTrack struct {
	Location    string `json:"location,omitempty"`
	SessionID   string `json:"sessionId,omitempty"` // remote: the publisher's; of a local one it is not looked at
	TrackName   string `json:"trackName,omitempty"`
	Endpoint    string `json:"endpoint,omitempty"`
	InputCodec  string `json:"inputCodec,omitempty"`
	OutputCodec string `json:"outputCodec,omitempty"`
}

// AdaptersResponse answers adapters/websocket/new, one item per item of the request.
type AdaptersResponse struct {
	Failures `json:"-"`
	Tracks   []AdapterResult `json:"tracks"`
}

// AdapterResult is the outcome of one item. Fields in use: local {trackName, adapterId, sessionId, endpoint} with the id of
// the new session, remote {trackName, adapterId, endpoint}, failed {trackName, errorCode, errorDescription}.
type AdapterResult struct {
	TrackName        string `json:"trackName,omitempty"`
	AdapterID        string `json:"adapterId,omitempty"`
	SessionID        string `json:"sessionId,omitempty"`
	Endpoint         string `json:"endpoint,omitempty"`
	ErrorCode        string `json:"errorCode,omitempty"`
	ErrorDescription string `json:"errorDescription,omitempty"`
}

// Fail is the item with the error's code and text and its name alone.
func (t AdapterResult) Fail(e *Error) AdapterResult {
	return AdapterResult{TrackName: t.TrackName, ErrorCode: e.Code, ErrorDescription: e.Description}
}

// Failed says whether the item is one that failed.
func (t AdapterResult) Failed() bool { return t.ErrorCode != "" }

// CloseAdaptersRequest is the body of adapters/websocket/close (contract 5.2).
type CloseAdaptersRequest struct {
	Tracks []CloseAdapter `json:"tracks,omitempty"`
}

// CloseAdapter names an adapter.
type CloseAdapter struct {
	AdapterID string `json:"adapterId,omitempty"`
}

// CloseAdaptersResponse answers adapters/websocket/close, one item per item of the request.
type CloseAdaptersResponse struct {
	Failures `json:"-"`
	Tracks   []CloseAdapterResult `json:"tracks"`
}

// CloseAdapterResult is the outcome of one item. BytesProcessed is there where this request closed the adapter.
type CloseAdapterResult struct {
	AdapterID        string  `json:"adapterId"`
	BytesProcessed   *uint64 `json:"bytesProcessed,omitempty"`
	ErrorCode        string  `json:"errorCode,omitempty"`
	ErrorDescription string  `json:"errorDescription,omitempty"`
}

// Fail is the item with the error's code and text.
func (t CloseAdapterResult) Fail(e *Error) CloseAdapterResult {
	return CloseAdapterResult{AdapterID: t.AdapterID, ErrorCode: e.Code, ErrorDescription: e.Description}
}

// Failed says whether the item is one that failed.
func (t CloseAdapterResult) Failed() bool { return t.ErrorCode != "" }

// Status is 200 if any item succeeded, else 503 with the same body (contract 5.1).
func (r *AdaptersResponse) Status() int { return partial(len(r.Failed), len(r.Tracks)) }

// Status is 200 if any item succeeded, else 503 with the same body (contract 5.2).
func (r *CloseAdaptersResponse) Status() int { return partial(len(r.Failed), len(r.Tracks)) }

func partial(failed, items int) int {
	if failed == items {
		return statusAllFailed
	}
	return statusSomeDone
}

// Validate checks that there are one to four items, each with the fields that its location needs (contract 5.1).
func (r *AdaptersRequest) Validate() *Error {
	if err := adapterCount(len(r.Tracks)); err != nil {
		return err
	}
	for i, track := range r.Tracks {
		if err := track.validate(i); err != nil {
			return err
		}
	}
	return nil
}

func adapterCount(items int) *Error {
	switch {
	case items == 0:
		return Refuse(NoTracks, "tracks is absent or empty; name one to %d adapters", MaxAdapters)
	case items > MaxAdapters:
		return Refuse(TooManyTracks, "%d adapters in one request; split it into requests of at most %d", items, MaxAdapters).Fill(MaxAdapters)
	}
	return nil
}

func (t AdapterTrack) validate(i int) *Error {
	local := t.Location == LocationLocal
	switch {
	case !local && t.Location != LocationRemote:
		return Refuse(UnknownLocation, "tracks[%d].location is %q; use local to publish what the endpoint sends, remote to send it "+
			"a track", i, t.Location).Fill(i)
	case t.TrackName == "":
		return Refuse(MissingTrackName, "tracks[%d].trackName is absent or empty; give the track a name", i).Fill(i)
	case !local && t.SessionID == "":
		return Refuse(MissingSessionID, "tracks[%d] is remote without the publisher's sessionId", i).Fill(i)
	case local && t.InputCodec != CodecPCM:
		return Refuse(InputCodecInvalid, "tracks[%d].inputCodec is %q; local adapters take pcm", i, t.InputCodec).Fill(i)
	case !local && t.OutputCodec != CodecPCM && t.OutputCodec != CodecJPEG:
		return Refuse(OutputCodecInvalid, "tracks[%d].outputCodec is %q; remote adapters send pcm or jpeg", i, t.OutputCodec).Fill(i)
	}
	if fault := endpointFault(t.Endpoint); fault != "" {
		return Refuse(EndpointInvalid, "tracks[%d].endpoint %s; send a ws:// or wss:// URL, with a token in its query if need be", i, fault).Fill(i)
	}
	return nil
}

// endpointFault says what is wrong with an endpoint, without quoting it: there may be a token in it.
func endpointFault(endpoint string) string {
	if !strings.HasPrefix(endpoint, "ws://") && !strings.HasPrefix(endpoint, "wss://") {
		return "does not begin with ws:// or wss://"
	}
	at, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return "cannot be parsed as a URL"
	case at.Hostname() == "":
		return "names no host"
	case at.User != nil:
		return "has a user name, which would need a header, and adapters send none"
	case at.Fragment != "" || strings.HasSuffix(endpoint, "#"):
		return "has a fragment, which RFC 6455 section 3 forbids"
	}
	return ""
}

// Validate checks that one to four adapters are named (contract 5.2).
func (r *CloseAdaptersRequest) Validate() *Error {
	if err := adapterCount(len(r.Tracks)); err != nil {
		return err
	}
	for i, track := range r.Tracks {
		if track.AdapterID == "" {
			return Refuse(MissingAdapterID, "tracks[%d].adapterId is absent or empty; adapters are closed by the id from new", i).Fill(i)
		}
	}
	return nil
}
