package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tidyTime bounds the closing of what one case has left in its sessions, and tidyCall one call of it: on a session that is not connected a
// close would wait and then be refused, and such a session ends by itself. tidyDelete bounds a call for an app or a TURN key, which would
// stay for ever. The wait for the pace counts in none of them; tidyQueue, more than the longest rest, bounds one call with that.
const (
	tidyTime   = 20 * time.Second
	tidyCall   = 2 * time.Second
	tidyQueue  = 6 * time.Minute
	tidyDelete = 10 * time.Second
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
	case ofItems(path):
		if uid := body.Result.UID; uid != "" {
			m.items = append(m.items, owned{id: uid, path: request.URL.String() + "/" + uid})
		}
	}
}

// ofItems says whether the path is that of all apps or all TURN keys of an account.
func ofItems(path string) bool {
	return strings.HasSuffix(path, "/calls/apps") || strings.HasSuffix(path, "/calls/turn_keys")
}

// shown is the body of an answer as it may be recorded. In a list of an account's apps or TURN keys each that the case has not made is
// masked whole, and so is an answer that lists in a form of its own.
func (m *made) shown(request *http.Request, a answered) []byte {
	if !ofItems(request.URL.Path) || a.status < 200 || a.status > 299 {
		return a.raw
	}
	own := func(item json.RawMessage) bool {
		var is struct{ UID string }
		return json.Unmarshal(item, &is) == nil && slices.ContainsFunc(m.items, func(o owned) bool { return o.id == is.UID })
	}
	var whole map[string]json.RawMessage
	if json.Unmarshal(a.raw, &whole) != nil {
		return []byte(masked)
	}
	if own(whole["result"]) {
		return a.raw
	}
	var list []json.RawMessage
	if json.Unmarshal(whole["result"], &list) != nil {
		list = nil
		whole["result"] = json.RawMessage(`"` + masked + `"`)
	}
	for i, item := range list {
		if !own(item) {
			list[i] = json.RawMessage(`{"uid":"` + masked + `","name":"` + masked + `"}`)
		}
	}
	if list != nil {
		whole["result"], _ = json.Marshal(list) // of valid JSON
	}
	shown, _ := json.Marshal(whole) // likewise
	return shown
}

// tidy closes what the case has left at a service that goes on: tracks and data channels, adapters, TURN credentials. An emulator forgets
// by itself. It is best effort; the failures of the case tell more than those of its closing.
func (t *T) tidy(ctx context.Context) {
	if t.target.Emulator {
		return
	}
	t.tidying = true
	ctx, allowed, cancel := allow(context.WithoutCancel(ctx), tidyTime)
	defer cancel()
	t.allowed = allowed
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

// tidyAccount deletes the apps and TURN keys that the case has not deleted itself, at an emulator as well. One that stays is a failure of
// the case, whatever else it proved: somebody has to delete it by hand.
func (t *T) tidyAccount(ctx context.Context) {
	t.tidying = true
	ctx = context.WithoutCancel(ctx)
	for _, item := range t.made.items {
		if slices.ContainsFunc(t.steps, func(s Step) bool {
			return s.Exchange != nil && s.Exchange.Method == http.MethodDelete && s.Exchange.Status == http.StatusOK && strings.HasSuffix(s.Exchange.URL, "/"+item.id)
		}) {
			continue
		}
		a, err := t.tidyWithin(ctx, tidyDelete, http.MethodDelete, item.path, "Bearer "+t.target.AccountToken, nil)
		if err == nil && a.status/100 != 2 && a.status != http.StatusNotFound {
			err = fmt.Errorf("status %d: %s", a.status, short(a.raw))
		}
		if err != nil {
			t.fail(fmt.Sprintf("could not delete %s: %v", item.title(), err))
		}
	}
}

// title names an app or a TURN key with its account, by its URL.
func (o owned) title() string {
	parts := strings.Split(o.path, "/") // .../accounts/{account}/calls/apps/{id}
	kind := map[string]string{"apps": "app", "turn_keys": "TURN key"}[parts[len(parts)-2]]
	return kind + " " + o.id + " of account " + parts[len(parts)-4]
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

// tidyCall is one request that may fail; the record says how.
func (t *T) tidyCall(ctx context.Context, method, url, authorization string, body any) answered {
	a, _ := t.tidyWithin(ctx, tidyCall, method, url, authorization, body)
	return a
}

// tidyWithin is sendWithin for what tidies up, whose wait for its turns is bounded as well.
func (t *T) tidyWithin(ctx context.Context, limit time.Duration, method, url, authorization string, body any) (answered, error) {
	ctx, cancel := context.WithTimeout(ctx, tidyQueue)
	defer cancel()
	encoded := t.encode(body)
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(encoded))
	if err != nil {
		return answered{}, err
	}
	request.Header.Set("Authorization", authorization)
	if encoded != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return t.sendWithin(limit, request, encoded)
}
