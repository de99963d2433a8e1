package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/pion/webrtc/v4"
)

// base is the service's address, as it stands in the code of most apps.
const base = "https://rtc.live.cloudflare.com/v1"

// trackObject is one track in a request or an answer.
type trackObject struct {
	Location  string `json:"location,omitempty"`
	Mid       string `json:"mid,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	TrackName string `json:"trackName,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

type tracksRequest struct {
	Description *webrtc.SessionDescription `json:"sessionDescription,omitempty"`
	Tracks      []trackObject              `json:"tracks"`
}

// variable reads a setting of the app.
func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func iceServers(ctx context.Context) ([]webrtc.ICEServer, error) {
	var out struct {
		ICEServers []struct {
			URLs       []string `json:"urls"`
			Username   string   `json:"username"`
			Credential string   `json:"credential"`
		} `json:"iceServers"`
	}
	path := "/turn/keys/" + variable("CALLS_TURN_KEY_ID", "my-key") + "/credentials/generate-ice-servers"
	err := call(ctx, http.MethodPost, path, variable("CALLS_TURN_KEY_TOKEN", "my-token"), map[string]int{"ttl": 600}, &out)
	if err != nil {
		return nil, err
	}
	var list []webrtc.ICEServer
	for _, s := range out.ICEServers {
		list = append(list, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: s.Credential})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no ICE servers")
	}
	return list, nil
}

func newSession(ctx context.Context) (string, error) {
	var out struct {
		SessionID string `json:"sessionId"`
	}
	err := appCall(ctx, http.MethodPost, "/sessions/new", nil, &out)
	return out.SessionID, err
}

// addTracks returns the answer to an offer, or an offer.
func addTracks(ctx context.Context, session string, in tracksRequest) (*webrtc.SessionDescription, error) {
	var out tracksRequest
	if err := appCall(ctx, http.MethodPost, "/sessions/"+session+"/tracks/new", in, &out); err != nil {
		return nil, err
	}
	for _, track := range out.Tracks {
		if track.ErrorCode != "" { // inside a 200
			return nil, fmt.Errorf("track %s: %s", track.TrackName, track.ErrorCode)
		}
	}
	return out.Description, nil
}

func renegotiate(ctx context.Context, session string, answer *webrtc.SessionDescription) error {
	return appCall(ctx, http.MethodPut, "/sessions/"+session+"/renegotiate", map[string]any{"sessionDescription": answer}, nil)
}

func appCall(ctx context.Context, method, path string, in, out any) error {
	return call(ctx, method, "/apps/"+variable("CALLS_APP_ID", "my-app")+path, variable("CALLS_APP_SECRET", "my-token"), in, out)
}

// call is one request; out may be nil.
func call(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}
