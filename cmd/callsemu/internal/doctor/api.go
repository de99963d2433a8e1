package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// refusal is an answer that is not a success; code is empty where it is not of the API's shape (contract 1.2).
type refusal struct {
	status              int
	kind                string // Content-Type
	code, text, explain string
}

func (r *refusal) Error() string { return r.String() }

func (r *refusal) String() string {
	if r.code == "" {
		return fmt.Sprintf("it answers %d with %s", r.status, orElse(r.kind, "no content type"))
	}
	return fmt.Sprintf("the API answers %d %s (%s)", r.status, r.code, r.text)
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// The shapes of contract 1 and 4, as far as they are needed.
type description struct {
	Type string `json:"type"`
	SDP  string `json:"sdp"`
}

type track struct {
	Location  string `json:"location,omitempty"`
	SessionID string `json:"sessionId,omitempty"`
	Mid       string `json:"mid,omitempty"`
	TrackName string `json:"trackName,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
}

type channel struct {
	Location        string `json:"location"`
	SessionID       string `json:"sessionId,omitempty"`
	DataChannelName string `json:"dataChannelName"`
	ID              uint16 `json:"id,omitempty"`
	ErrorCode       string `json:"errorCode,omitempty"`
}

type message struct {
	SessionID          string       `json:"sessionId,omitempty"`
	SessionDescription *description `json:"sessionDescription,omitempty"`
	Tracks             []track      `json:"tracks,omitempty"`
	DataChannel        *channel     `json:"dataChannel,omitempty"`
	DataChannels       []channel    `json:"dataChannels,omitempty"`
}

// itemError is the first item that failed inside a success.
func (m message) itemError() error {
	for _, t := range m.Tracks {
		if t.ErrorCode != "" {
			return fmt.Errorf("track %s: %s", t.TrackName, t.ErrorCode)
		}
	}
	for _, c := range m.DataChannels {
		if c.ErrorCode != "" {
			return fmt.Errorf("data channel %s: %s", c.DataChannelName, c.ErrorCode)
		}
	}
	return nil
}

func (m message) sdp() string {
	if m.SessionDescription == nil {
		return ""
	}
	return m.SessionDescription.SDP
}

// session makes one call below the path of the app's sessions; in is a message, or nil for no body.
func (p *patient) session(ctx context.Context, method, path string, in any) (out message, err error) {
	err = p.call(ctx, method, "/v1/apps/"+url.PathEscape(p.app.id)+"/sessions/"+path, p.app.secret, in, &out)
	if err == nil {
		err = out.itemError()
	}
	return out, err
}

func (p *patient) newSession(ctx context.Context) (id string, err error) {
	out, err := p.session(ctx, http.MethodPost, "new", nil)
	if err == nil && out.SessionID == "" {
		err = &refusal{status: http.StatusCreated, kind: "an object without sessionId"}
	}
	return out.SessionID, err
}

// iceServer is one entry of generate-ice-servers (contract 7.3).
type iceServer struct {
	URLs                 []string
	Username, Credential string
}

func (p *patient) iceServers(ctx context.Context) ([]iceServer, error) {
	var out struct{ ICEServers []iceServer }
	path := "/v1/turn/keys/" + url.PathEscape(p.key.id) + "/credentials/generate-ice-servers"
	err := p.call(ctx, http.MethodPost, path, p.key.secret, map[string]int{"ttl": 600}, &out)
	return out.ICEServers, err
}

// call makes one call; its error is a *refusal where there was an answer.
func (p *patient) call(ctx context.Context, method, path, token string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, p.root()+path, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	refused := &refusal{status: resp.StatusCode, kind: resp.Header.Get("Content-Type"), explain: explained(resp.Header)}
	if resp.StatusCode < http.StatusMultipleChoices {
		if json.Unmarshal(answer, out) != nil {
			return refused
		}
		return nil
	}
	var problem struct{ ErrorCode, ErrorDescription string }
	if json.Unmarshal(answer, &problem) == nil {
		refused.code, refused.text = problem.ErrorCode, problem.ErrorDescription
	}
	return refused
}

// explained is what an emulator in the mode dev says about a refusal.
func explained(header http.Header) string {
	text, err := url.PathUnescape(header.Get("X-Emu-Explain"))
	if err != nil {
		return ""
	}
	return text
}

// get reads JSON from a path that the real service does not have.
func (p *patient) get(ctx context.Context, path string, out any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.root()+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode, json.NewDecoder(io.LimitReader(resp.Body, maxState)).Decode(out)
}

// maxState bounds what is read of the state, which lists every session of the app.
const maxState = 16 << 20
