package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tidyTime bounds the closing of what one case has left, and tidyCall one call of it: on a session that is not connected a close would
// wait and then be refused, and such a session ends by itself.
const (
	tidyTime = 20 * time.Second
	tidyCall = 2 * time.Second
)

// made is what a case has made at the target, with what it takes to close it. It is filled from answers, whatever the case does with them.
type made struct {
	sessions    []owned // path of the session
	adapters    []owned // id, with the path of its app
	credentials []owned // path of the TURN username
	items       []owned // URL of an app or TURN key of an account
}

type owned struct{ id, path, authorization string }

// note remembers what a successful call has made.
func (m *made) note(request *http.Request, a answered) {
	if request.Method != http.MethodPost || a.status < 200 || a.status > 299 {
		return
	}
	path, authorization := request.URL.Path, request.Header.Get("Authorization")
	var body struct {
		SessionID  string          `json:"sessionId"`
		ICEServers json.RawMessage `json:"iceServers"`
		Tracks     []struct{ AdapterID string }
		Result     struct{ UID string }
	}
	if json.Unmarshal(a.raw, &body) != nil {
		return // then it is no answer of this API
	}
	switch {
	case strings.HasSuffix(path, "/sessions/new") && body.SessionID != "":
		m.sessions = append(m.sessions, owned{body.SessionID, strings.TrimSuffix(path, "new") + body.SessionID, authorization})
	case strings.HasSuffix(path, "/adapters/websocket/new"):
		for _, track := range body.Tracks {
			if track.AdapterID != "" {
				m.adapters = append(m.adapters, owned{track.AdapterID, strings.TrimSuffix(path, "new") + "close", authorization})
			}
		}
	case body.ICEServers != nil:
		for _, found := range secretFields.FindAllSubmatch(body.ICEServers, -1) {
			if string(found[1]) == "username" {
				m.credentials = append(m.credentials, owned{"", path[:strings.LastIndex(path, "/")+1] + string(found[2]) + "/revoke", authorization})
			}
		}
	case strings.HasSuffix(path, "/calls/apps") || strings.HasSuffix(path, "/calls/turn_keys"):
		if body.Result.UID != "" {
			m.items = append(m.items, owned{body.Result.UID, request.URL.String() + "/" + body.Result.UID, authorization})
		}
	}
}

// tidy closes what the case has left at a service that goes on: tracks and data channels, adapters, TURN credentials. An emulator forgets
// by itself. It is best effort; the failures of the case tell more than those of its closing.
func (t *T) tidy(ctx context.Context) {
	if t.target.Emulator {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	for _, s := range t.made.sessions {
		t.closeSession(ctx, s)
	}
	for _, a := range t.made.adapters {
		t.tidyCall(ctx, http.MethodPost, t.target.BaseURL+a.path, a.authorization, map[string]any{"tracks": []map[string]string{{"adapterId": a.id}}})
	}
	for _, c := range t.made.credentials {
		t.tidyCall(ctx, http.MethodPost, t.target.BaseURL+c.path, c.authorization, nil)
	}
}

// tidyAccount deletes the apps and TURN keys that the case has not deleted itself.
func (t *T) tidyAccount(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	for _, item := range t.made.items {
		if !slices.ContainsFunc(t.steps, func(s Step) bool {
			return s.Exchange != nil && s.Exchange.Method == http.MethodDelete && s.Exchange.Status == http.StatusOK && strings.HasSuffix(s.Exchange.URL, "/"+item.id)
		}) {
			t.tidyCall(ctx, http.MethodDelete, item.path, orElse(item.authorization, "Bearer "+t.target.AccountToken), nil)
		}
	}
}

// closeSession closes all that GET lists.
func (t *T) closeSession(ctx context.Context, s owned) {
	at := t.target.BaseURL + s.path
	a := t.tidyCall(ctx, http.MethodGet, at, s.authorization, nil)
	var state answerBody
	if a.status != http.StatusOK || json.Unmarshal(a.raw, &state) != nil {
		return // it is gone
	}
	var tracks []closeItem
	for _, track := range state.Tracks {
		if track.Mid != "" && track.Status != "inactive" {
			tracks = append(tracks, closeItem{track.Mid})
		}
	}
	if len(tracks) > 0 {
		t.tidyCall(ctx, http.MethodPut, at+"/tracks/close", s.authorization, closeBody{Tracks: tracks, Force: true})
	}
	var channels []channelRow
	for _, channel := range state.DataChannels {
		if channel.ID != nil && channel.Status != "inactive" {
			channels = append(channels, channelRow{ID: channel.ID})
		}
	}
	if len(channels) > 0 {
		t.tidyCall(ctx, http.MethodPut, at+"/datachannels/close", s.authorization, channelsBody{channels})
	}
}

// tidyCall is one request that may fail.
func (t *T) tidyCall(ctx context.Context, method, url, authorization string, body any) answered {
	ctx, cancel := context.WithTimeout(ctx, tidyCall)
	defer cancel()
	encoded := t.encode(body)
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(encoded))
	if err != nil {
		return answered{}
	}
	request.Header.Set("Authorization", authorization)
	if encoded != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	a, _ := t.send(request, encoded) // the record has the error
	t.steps[len(t.steps)-1].Tidy = true
	return a
}
