package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Session makes the calls of one session. Any app id and token will do: the emulator runs in dev mode.
type Session struct {
	base string
	ID   string
}

// New makes a session of an app at the base URL, without /v1 (contract 1.1).
func New(ctx context.Context, url, app string) (*Session, error) {
	s := &Session{base: strings.TrimSuffix(url, "/") + "/v1/apps/" + app + "/"}
	var out struct {
		SessionID string `json:"sessionId"`
	}
	if err := s.Call(ctx, http.MethodPost, "new", nil, &out); err != nil {
		return nil, err
	}
	s.ID = out.SessionID
	return s, nil
}

// ICEServer is STUN, or TURN with its credential.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// ICEServers issues a credential for ten minutes, with the token of any TURN key (contract 7.3).
func ICEServers(ctx context.Context, url string) ([]ICEServer, error) {
	s := &Session{base: strings.TrimSuffix(url, "/") + "/v1/turn/keys/any-key/"}
	var out struct {
		ICEServers []ICEServer `json:"iceServers"`
	}
	err := s.CallApp(ctx, http.MethodPost, "credentials/generate-ice-servers", map[string]int{"ttl": 600}, &out)
	return out.ICEServers, err
}

// Description is an SDP with its role.
type Description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

// Track is one item of tracks/new, in requests and answers.
type Track struct {
	Location  string `json:"location,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	Mid       string `json:"mid,omitempty"`
	TrackName string `json:"trackName,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

// TracksRequest is the body of tracks/new, and of renegotiate.
type TracksRequest struct {
	Description *Description `json:"sessionDescription,omitempty"`
	Tracks      []Track      `json:"tracks,omitempty"`
}

// TracksResponse answers tracks/new.
type TracksResponse struct {
	Description Description `json:"sessionDescription"`
	Tracks      []Track     `json:"tracks"`
}

// AddTracks pushes or pulls; a failed item is an error (contract 1.3).
func (s *Session) AddTracks(ctx context.Context, in TracksRequest) (TracksResponse, error) {
	var out TracksResponse
	if err := s.Call(ctx, http.MethodPost, s.ID+"/tracks/new", in, &out); err != nil {
		return out, err
	}
	for _, track := range out.Tracks {
		if track.ErrorCode != "" {
			return out, fmt.Errorf("track %s: %s", track.TrackName, track.ErrorCode)
		}
	}
	return out, nil
}

// Renegotiate sends the answer to the SFU's offer (contract 1.4).
func (s *Session) Renegotiate(ctx context.Context, answer string) error {
	in := TracksRequest{Description: &Description{Type: "answer", SDP: answer}}
	return s.Call(ctx, http.MethodPut, s.ID+"/renegotiate", in, &struct{}{})
}

// Call makes one call below the path of sessions; out takes the answer.
func (s *Session) Call(ctx context.Context, method, path string, in, out any) error {
	return s.CallApp(ctx, method, "sessions/"+path, in, out)
}

// CallApp makes one call below the path of the app, or of the TURN key.
func (s *Session) CallApp(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer any-token")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return fmt.Errorf("%s %s: status %d: %w", method, path, res.StatusCode, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: status %d: %s", method, path, res.StatusCode, answer)
	}
	return json.Unmarshal(answer, out)
}
