package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/emulator/session"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// post sends JSON to the API and reads the answer into out, which may be nil.
func (r *rig) post(method, path string, body, out any) answer {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.do(method, "/v1/apps/shop/sessions/"+path, strings.NewReader(string(text)), bearerOK)
	if out != nil {
		if err := json.Unmarshal([]byte(a.body), out); err != nil {
			r.t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	return a
}

type object = map[string]any

// publish makes a session that sends one audio track called mic, and waits until it is connected.
func (r *rig) publish() (id string, track *sfutest.Publisher) {
	r.t.Helper()
	id, peer, track := r.publishOn()
	r.t.Cleanup(func() { _ = peer.Close() })
	return id, track
}

// publishOn is publish with the endpoint, which is the caller's to close.
func (r *rig) publishOn() (id string, peer *sfutest.Peer, track *sfutest.Publisher) {
	r.t.Helper()
	must := func(err error) {
		if err != nil {
			r.t.Helper()
			r.t.Fatal(err)
		}
	}
	peer, err := sfutest.NewPeer(sfutest.Config{})
	must(err)
	track, err = peer.Publish(sfutest.Track{Codec: sfutest.Opus})
	must(err)
	id, _ = r.push(peer, track)
	must(peer.WaitConnected(r.t.Context()))
	return id, peer, track
}

// push makes a session, offers the track on it as mic and applies the SFU's answer.
func (r *rig) push(peer *sfutest.Peer, track *sfutest.Publisher) (id, answer string) {
	r.t.Helper()
	offer, err := peer.Offer(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	id = r.newSession()
	var out struct {
		SessionDescription struct{ SDP string }
	}
	a := r.post("POST", id+"/tracks/new", object{
		"sessionDescription": object{"type": "offer", "sdp": offer},
		"tracks":             []object{{"location": "local", "mid": track.Mid(), "trackName": "mic"}},
	}, &out)
	if a.status != 200 {
		r.t.Fatalf("push: %d %s", a.status, a.body)
	}
	if err := peer.SetAnswer(out.SessionDescription.SDP); err != nil {
		r.t.Fatal(err)
	}
	return id, out.SessionDescription.SDP
}

// pull asks for mic from a new session, and tells the item's error and its explanation.
func (r *rig) pull(publisher string) (code string, why []string) {
	r.t.Helper()
	var out struct{ Tracks []struct{ ErrorCode string } }
	a := r.post("POST", r.newSession()+"/tracks/new", object{
		"tracks": []object{{"location": "remote", "sessionId": publisher, "trackName": "mic"}},
	}, &out)
	if a.status != 200 || len(out.Tracks) != 1 {
		r.t.Fatalf("pull: %d %s", a.status, a.body)
	}
	return out.Tracks[0].ErrorCode, a.header.Values(explainHeader)
}

func TestSilentPublisherIsEmptyUntilItsTimeIsOver(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Mode = session.ModeDev })
	r.zone("POST", "clock", `{"mode":"frozen"}`, 200, nil)
	r.zone("POST", "faults", `{"silent":"20s","count":1}`, 200, nil)
	id, track := r.publish()
	if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets > 5 }); err != nil {
		t.Fatal(err)
	}

	type result struct {
		code string
		why  []string
	}
	pulled := make(chan result, 1)
	go func() { // ends with the advance; the test waits for it
		code, why := r.pull(id)
		pulled <- result{code, why}
	}()
	mustWaitFor(t, "the pull that waits for media", func() bool {
		var state struct {
			Apps []struct {
				Sessions []struct{ Request *struct{ Operation string } }
			}
		}
		r.zone("GET", "state?app=shop", "", 200, &state)
		for _, s := range state.Apps[0].Sessions {
			if s.Request != nil {
				return true
			}
		}
		return false
	})
	for range 15 { // the wait of 8.2 s may begin after the first of them
		r.zone("POST", "clock", `{"advance":"1s"}`, 200, nil)
	}
	var got result
	select {
	case got = <-pulled:
	case <-time.After(patience):
		t.Fatal("the pull still waits")
	}
	if got.code != "empty_track_error" || len(got.why) != 1 || !strings.HasPrefix(got.why[0], "TRK-") {
		t.Errorf("while silent: %s, explained by %q", got.code, got.why)
	}
	r.zone("POST", "clock", `{"advance":"6s"}`, 200, nil) // silence is over, and the track not yet collected
	if code, _ := r.pull(id); code != "" {
		t.Errorf("afterwards: %s", code)
	}
}

func TestLivePublisherFallsSilentUntilTheRuleIsGone(t *testing.T) {
	r := newRig(t)
	id, track := r.publish()
	sent := func(more uint64) {
		before := track.Stats().Packets
		if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets >= before+more }); err != nil {
			t.Fatal(err)
		}
	}
	received := func() int {
		var state struct {
			Apps []struct {
				Sessions []struct{ Tracks []struct{ Packets int } }
			}
		}
		r.zone("GET", "state?app=shop", "", 200, &state)
		return state.Apps[0].Sessions[0].Tracks[0].Packets
	}
	sent(5)
	var rule struct {
		ID  string
		Hit int
	}
	r.zone("POST", "faults", fmt.Sprintf(`{"silent":"1h","when":"now","session":%q,"track":"no"}`, id), 200, &rule)
	if rule.Hit != 0 {
		t.Errorf("a track of another name: %+v", rule)
	}
	r.zone("POST", "faults", fmt.Sprintf(`{"silent":"1h","when":"now","session":%q,"track":"mic"}`, id), 200, &rule)
	if rule.Hit != 1 {
		t.Fatalf("the live track was not hit: %+v", rule)
	}
	sent(5) // what was on its way has come
	before := received()
	sent(20)
	if now := received(); now != before {
		t.Errorf("%d packets of a silenced track", now-before)
	}
	r.zone("DELETE", "faults/"+rule.ID, "", 200, nil)
	mustWaitFor(t, "packets after the rule", func() bool { return received() > before })
}

func TestAdvanceLeavesAloneWhatIsAlive(t *testing.T) {
	r := newRig(t)
	r.zone("POST", "clock", `{"mode":"frozen"}`, 200, nil)
	id, track := r.publish()
	if _, err := track.Wait(t.Context(), func(s sfutest.PublisherStats) bool { return s.Packets > 5 }); err != nil {
		t.Fatal(err)
	}
	r.zone("POST", "clock", `{"advance":"10m"}`, 200, nil)
	a := r.do("GET", "/v1/apps/shop/sessions/"+id, nil, bearerOK)
	if a.status != 200 || !strings.Contains(a.body, `"status":"active"`) {
		t.Errorf("after ten minutes: %d %s", a.status, a.body)
	}
}

func TestFixedEstimateIsShownUntilItEnds(t *testing.T) {
	r := newRig(t)
	published, _ := r.publish()
	for _, id := range []string{published, r.newSession()} { // with a transport, and before there is one
		for _, rate := range []int{300000, 0} {
			var out struct{ Estimates map[string]int }
			r.zone("PUT", "settings", fmt.Sprintf(`{"estimates":{%q:%d}}`, id, rate), 200, &out)
			if got := out.Estimates[id]; got != rate || len(out.Estimates) > 1 {
				t.Errorf("set %d, got %v", rate, out.Estimates)
			}
		}
	}
}

func TestStateShowsWhoPullsWhom(t *testing.T) {
	r := newRig(t)
	id, _ := r.publish()
	if code, _ := r.pull(id); code != "" {
		t.Fatalf("pull: %s", code)
	}
	var state struct {
		Apps []struct {
			Sessions []struct {
				SessionID, Transport, Signalling string
				Tracks                           []struct {
					Location, SessionID, Codec string
					PulledBy                   []struct{ SessionID, Mid string }
				}
			}
		}
	}
	r.zone("GET", "state", "", 200, &state)
	for _, s := range state.Apps[0].Sessions {
		switch track := s.Tracks[0]; {
		case s.SessionID == id:
			if s.Transport != "connected" || len(track.PulledBy) != 1 || track.PulledBy[0].SessionID == id || track.Codec == "" {
				t.Errorf("publisher: %+v", s)
			}
		case s.Signalling != "sfu-offer-pending" || track.Location != "remote" || track.SessionID != id:
			t.Errorf("puller: %+v", s)
		}
	}
}

// TestTimesOfTheStateAreOnOneClock moves the clock first, so that real time would lie an hour before everything that is made.
func TestTimesOfTheStateAreOnOneClock(t *testing.T) {
	r := newRig(t, withTURN, func(c *Config) { c.Mode = session.ModeReal })
	r.zone("POST", "clock", `{"advance":"1h"}`, 200, nil)
	id, _ := r.publish()
	server := r.iceServers()[1]
	r.relayed(server, server.URLs[0])
	type times struct {
		Now  time.Time
		TURN struct{ Allocations []struct{ Since time.Time } }
		Apps []struct {
			Sessions []struct {
				SessionID string
				Created   time.Time
				Peer      struct{ LastSeen time.Time }
				Tracks    []struct {
					Layers []struct{ LastPacket time.Time }
				}
			}
		}
	}
	var state times
	mustWaitFor(t, "a packet at the SFU", func() bool {
		state = times{}
		r.zone("GET", "state", "", 200, &state)
		tracks := state.Apps[0].Sessions[0].Tracks
		return len(tracks) == 1 && len(tracks[0].Layers) == 1 && !tracks[0].Layers[0].LastPacket.IsZero()
	})
	first := state.Apps[0].Sessions[0]
	if first.SessionID != id {
		t.Fatalf("state %+v", state)
	}
	for what, at := range map[string]time.Time{
		"lastSeen": first.Peer.LastSeen, "lastPacket": first.Tracks[0].Layers[0].LastPacket, "since": state.TURN.Allocations[0].Since,
	} { // values of one state are read one after another; since is cut to milliseconds
		if at.Before(first.Created) || at.After(state.Now.Add(time.Second)) {
			t.Errorf("%s %s is not between created %s and now %s", what, at, first.Created, state.Now)
		}
	}
}
