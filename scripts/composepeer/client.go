package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// client makes the calls of one session (contract 1.1, 1.3, 1.4). Any app id and token will do: the emulator runs in
// dev mode.
type client struct {
	base    string
	session string
}

func newClient(url string) *client {
	return &client{base: strings.TrimSuffix(url, "/") + "/v1/apps/compose-test/sessions/"}
}

type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

type trackObject struct {
	Location  string `json:"location,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	Mid       string `json:"mid,omitempty"`
	TrackName string `json:"trackName,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

type tracksRequest struct {
	Description *description  `json:"sessionDescription,omitempty"`
	Tracks      []trackObject `json:"tracks,omitempty"`
}

type tracksResponse struct {
	Description description   `json:"sessionDescription"`
	Tracks      []trackObject `json:"tracks"`
}

func (c *client) newSession(ctx context.Context) error {
	var out struct {
		SessionID string `json:"sessionId"`
	}
	if err := c.call(ctx, http.MethodPost, "new", nil, &out); err != nil {
		return err
	}
	c.session = out.SessionID
	return nil
}

func (c *client) addTracks(ctx context.Context, in tracksRequest) (tracksResponse, error) {
	var out tracksResponse
	if err := c.call(ctx, http.MethodPost, c.session+"/tracks/new", in, &out); err != nil {
		return out, err
	}
	for _, track := range out.Tracks {
		if track.ErrorCode != "" {
			return out, fmt.Errorf("track %s: %s", track.TrackName, track.ErrorCode)
		}
	}
	return out, nil
}

func (c *client) renegotiate(ctx context.Context, answer string) error {
	in := tracksRequest{Description: &description{Type: "answer", SDP: answer}}
	return c.call(ctx, http.MethodPut, c.session+"/renegotiate", in, &struct{}{})
}

func (c *client) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer compose-test")
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
