package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// canary stands for the token in an endpoint's query.
const canary = "canary-token"

// webSocketServer is an application's WebSocket server; every socket comes out of the channel.
func webSocketServer(t *testing.T) (url string, sockets <-chan *websocket.Conn) {
	t.Helper()
	made := make(chan *websocket.Conn, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			made <- conn
		}
	}))
	t.Cleanup(func() {
		server.Close()
		for len(made) > 0 {
			_ = (<-made).CloseNow()
		}
	})
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/x?token=" + canary, made
}

func (r *rig) adapters(call string, items ...object) (answer, wire.AdaptersResponse) {
	r.t.Helper()
	text, err := json.Marshal(object{"tracks": items})
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.do("POST", "/v1/apps/shop/adapters/websocket/"+call, strings.NewReader(string(text)), bearerOK)
	var out wire.AdaptersResponse
	if err := json.Unmarshal([]byte(a.body), &out); err != nil {
		r.t.Fatalf("%s: %d %s", call, a.status, a.body)
	}
	return a, out
}

func localItem(url string) object {
	return object{"location": "local", "trackName": "speech", "endpoint": url, "inputCodec": "pcm"}
}

func remoteItem(id, url string) object {
	return object{"location": "remote", "trackName": "mic", "sessionId": id, "endpoint": url, "outputCodec": "pcm"}
}

// shownAdapter is what the state says of one adapter.
type shownAdapter struct {
	AdapterID, Location, State, Endpoint, RetryLeft, LastError, EndedBecause string
	Frames, Bytes                                                            uint64
}

func (r *rig) shownAdapters() []shownAdapter {
	r.t.Helper()
	var state struct {
		Apps []struct{ Adapters []shownAdapter }
	}
	r.zone("GET", "state?app=shop", "", 200, &state)
	return state.Apps[0].Adapters
}

func TestAdaptersOnThisMachineWorkInDevMode(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	url, sockets := webSocketServer(t)
	id, track := r.publish()
	if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets > 5 }); err != nil {
		t.Fatal(err)
	}
	mustWaitFor(t, "the track is known to send", func() bool {
		a, _ := r.adapters("new", remoteItem(id, "ws://127.0.0.1:1/refused"))
		return strings.Contains(a.body, "handshake")
	})
	a, out := r.adapters("new", localItem(url), remoteItem(id, url), remoteItem(strings.Repeat("0", 32), url))
	if a.status != 200 || out.Tracks[0].SessionID == "" || out.Tracks[1].SessionID != "" || out.Tracks[2].ErrorCode != "not_found_track_error" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if why := a.header.Values(explainHeader); len(why) != 1 || !strings.HasPrefix(why[0], "ADP-1: tracks[2]") {
		t.Errorf("explained as %q", why)
	}
	first, second := <-sockets, <-sockets
	mustWaitFor(t, "frames are counted", func() bool {
		i := slices.IndexFunc(r.shownAdapters(), func(a shownAdapter) bool { return a.Location == "remote" })
		shown := r.shownAdapters()[i]
		return shown.State == "open" && shown.Frames > 2 && shown.Bytes > 2*3840-1
	})

	// The sockets end, and the egress one comes back.
	_ = first.CloseNow()
	_ = second.CloseNow()
	third := <-sockets
	mustWaitFor(t, "ingest is closed, egress is open again", func() bool {
		states := map[string]string{}
		for _, a := range r.shownAdapters() {
			states[a.Location] = a.State
		}
		return states["local"] == "closed" && states["remote"] == "open"
	})
	closed, _ := r.adapters("close", object{"adapterId": out.Tracks[1].AdapterID}, object{"adapterId": out.Tracks[0].AdapterID}, object{"adapterId": "never"})
	var items struct {
		Tracks []struct {
			AdapterID, ErrorCode string
			BytesProcessed       *uint64
		}
	}
	if err := json.Unmarshal([]byte(closed.body), &items); err != nil || closed.status != 200 {
		t.Fatalf("%d %s", closed.status, closed.body)
	}
	if items.Tracks[0].BytesProcessed == nil || items.Tracks[1].BytesProcessed != nil || items.Tracks[1].ErrorCode != "" ||
		items.Tracks[2].ErrorCode != "adapter_not_found" {
		t.Errorf("%s", closed.body)
	}
	_, _, err := third.Read(t.Context())
	for err == nil {
		_, _, err = third.Read(t.Context())
	}
	if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the socket ends with %v", err)
	}
	if log := string(r.log.Bytes()); strings.Contains(log, canary) {
		t.Error("the log has the token of an endpoint")
	}
	for _, shown := range r.shownAdapters() {
		if strings.Contains(shown.Endpoint+shown.LastError+shown.EndedBecause, canary) {
			t.Errorf("the state has the token of an endpoint: %+v", shown)
		}
		if want := map[string]string{"local": "without a close frame", "remote": "closed by the API"}[shown.Location]; shown.State != "closed" ||
			!strings.Contains(shown.EndedBecause, want) {
			t.Errorf("it is not shown as ended because of %q: %+v", want, shown)
		}
	}
}

func TestRealModeRefusesLocalhostAndPrivateNetworks(t *testing.T) {
	r := newRig(t)
	url, sockets := webSocketServer(t)
	for endpoint, code := range map[string]string{
		url: "websocket_localhost_not_allowed", strings.Replace(url, "127.0.0.1", "localhost", 1): "websocket_localhost_not_allowed",
		strings.Replace(url, "127.0.0.1", "[::ffff:127.0.0.1]", 1): "websocket_localhost_not_allowed",
		"ws://10.0.0.7/?token=" + canary:                           "websocket_handshake_failed",
		"ws://169.254.169.254/?token=" + canary:                    "websocket_handshake_failed",
	} {
		a, out := r.adapters("new", localItem(endpoint))
		if a.status != 503 || out.Tracks[0].ErrorCode != code || out.Tracks[0].ErrorDescription == "" {
			t.Errorf("%s: %d %s", endpoint, a.status, a.body)
		}
	}
	if len(sockets) > 0 {
		t.Error("the endpoint was called")
	}
	if log := string(r.log.Bytes()); strings.Contains(log, canary) || !strings.Contains(log, "ADP-3: tracks[0]") {
		t.Error("the log has the token, or does not explain")
	}
}

func TestRefusedAdapterRequests(t *testing.T) {
	r := newRig(t)
	post := func(call, body string) answer {
		return r.do("POST", "/v1/apps/shop/adapters/websocket/"+call, strings.NewReader(body), bearerOK)
	}
	for _, c := range []struct {
		call, body string
		status     int
		text       string
	}{
		{"new", `{`, 400, "The request could not be decoded."},
		{"new", ``, 400, "The request could not be decoded."},
		{"new", `{"tracks":[{"location":1}]}`, 400, "The request could not be decoded."},
		{"close", `{"tracks":[{"adapterId":1}]}`, 400, "The request could not be decoded."},
		{"new", `{}`, 406, "Expecting at least 1 track in the request"},
		{"new", `{"tracks":[{},{},{},{},{}]}`, 406, "Expecting at most 4 track in the request"},
		{"close", `{"tracks":[{},{},{},{},{}]}`, 406, "Expecting at most 4 track in the request"},
		{"close", `{"tracks":[{}]}`, 406, "tracks[0]: Missing adapterId in track"},
		{"new", `{"tracks":[{"location":"local","trackName":"a","inputCodec":"pcm","endpoint":"http://x/?` + canary + `"}]}`, 406,
			"tracks[0]: Invalid endpoint in track"},
	} {
		a := post(c.call, c.body)
		var e wire.Error
		if err := json.Unmarshal([]byte(a.body), &e); err != nil || a.status != c.status || e.Description != c.text {
			t.Errorf("%s %s: %d %s", c.call, c.body, a.status, a.body)
		}
	}
	if strings.Contains(string(r.log.Bytes()), canary) {
		t.Error("the log has the token")
	}
	if a := r.do("GET", "/v1/apps/shop/adapters/websocket/new", nil, bearerOK); a.status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
}

// TestTheRetryWindowFollowsTheClock of /_emu/clock, and shows the time that is left.
func TestTheRetryWindowFollowsTheClock(t *testing.T) {
	t.Run("newest", func(t *testing.T) { retryWindow(t, "", "15s", 200) })
	t.Run("beta", func(t *testing.T) { retryWindow(t, "2026-05-29", "5s", 503) })
}

// retryWindow loses a socket, lets the window pass, and closes what is closed.
func retryWindow(t *testing.T, contract, window string, closing int) {
	r := newRig(t, func(c *Config) {
		c.Mode = session.ModeDev
		c.Contract, _ = session.ParseContract(contract)
	})
	id, track := r.publish()
	if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets > 5 }); err != nil {
		t.Fatal(err)
	}
	sockets := make(chan *websocket.Conn, 1)
	var refuse atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if refuse.Swap(true) {
			http.Error(w, "gone", http.StatusGone)
			return
		}
		if conn, err := websocket.Accept(w, req, nil); err == nil {
			sockets <- conn
		}
	}))
	t.Cleanup(server.Close)
	var made wire.AdaptersResponse
	mustWaitFor(t, "an adapter", func() bool {
		_, made = r.adapters("new", remoteItem(id, "ws"+strings.TrimPrefix(server.URL, "http")))
		return made.Tracks[0].ErrorCode == ""
	})
	r.zone("POST", "clock", `{"mode":"frozen"}`, 200, nil)
	_ = (<-sockets).CloseNow()
	mustWaitFor(t, "it is retrying", func() bool { return r.shownAdapters()[0].State == "retrying" })
	if left := r.shownAdapters()[0].RetryLeft; left != window {
		t.Errorf("%s are left, want %s", left, window)
	}
	r.zone("POST", "clock", `{"advance":"`+window+`"}`, 200, nil)
	if s := r.shownAdapters()[0].State; s != "closed" {
		t.Errorf("after %s it is %s", window, s)
	}
	if a, _ := r.adapters("close", object{"adapterId": made.Tracks[0].AdapterID}); a.status != closing {
		t.Errorf("closing what is closed gives %d %s", a.status, a.body)
	}
}

func TestResetAndCloseEndAdapters(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	url, sockets := webSocketServer(t)
	ends := func(s *websocket.Conn) websocket.StatusCode {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, _, err := s.Read(ctx)
		return websocket.CloseStatus(err)
	}
	r.adapters("new", localItem(url))
	s := <-sockets
	var report struct{ Adapters int }
	ended := make(chan websocket.StatusCode, 1)
	go func() { ended <- ends(s) }()
	r.zone("POST", "reset", "", 200, &report)
	if code := <-ended; code != websocket.StatusNormalClosure || report.Adapters != 1 {
		t.Errorf("a reset of %d adapters ends the socket with %d", report.Adapters, code)
	}

	_, _ = r.adapters("new", localItem(url))
	s = <-sockets
	closed := make(chan error, 1)
	begun := time.Now()
	go func() { closed <- r.e.Close() }()
	if code := ends(s); code != websocket.StatusGoingAway {
		t.Errorf("the end of the program ends the socket with %d", code)
	}
	if err := <-closed; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4*time.Second {
		t.Errorf("closing took %v", took)
	}
}
