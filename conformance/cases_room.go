package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func roomCases() []Case {
	return []Case{{
		ID: "flow/10-video-room", Sentence: "Flow 10: each member publishes in one session and receives in another; forced closes, and GET tells what there is.",
		Section: "11 flow 10", Mark: Seen, Run: flowRoom, Codes: []string{"session_error/410", "close_track_error"},
	}}
}

// member is one in a room, as the video room example has it: a session to publish in and one to receive in.
type member struct {
	publish, receive *client
	heard            map[string]*sfutest.Subscriber // by pulled session and name
}

func (t *T) join(ctx context.Context) *member {
	m := &member{receive: t.client(ctx, sfutest.Config{}), heard: map[string]*sfutest.Subscriber{}}
	m.publish, _ = t.publish(ctx, sfutest.Config{}, mic(), cam())
	return m
}

func heardKey(sessionID, name string) string { return sessionID + " " + name }

// follow pulls tracks of another member in one request.
func (m *member) follow(ctx context.Context, other *member, names ...string) {
	var items []trackItem
	for _, name := range names {
		items = append(items, remote(other.publish.ID, name))
	}
	for i, s := range m.receive.pull(ctx, items...) {
		m.heard[heardKey(other.publish.ID, names[i])] = s
	}
	m.receive.connected(ctx)
}

// active lists what GET says is active on a session, by session and name.
func (c *client) active(ctx context.Context) (keys []string) {
	for _, track := range c.state(ctx).want(http.StatusOK).Body.Tracks {
		if track.Status == "active" {
			keys = append(keys, heardKey(orElse(track.SessionID, c.ID), track.TrackName))
		}
	}
	slices.Sort(keys)
	return keys
}

// reconcile closes by force what the member receives and what is no longer there, as GET tells, and stays in step.
func (m *member) reconcile(ctx context.Context, t *T) {
	var gone []closeItem
	for _, track := range m.receive.state(ctx).want(http.StatusOK).Body.Tracks {
		key := heardKey(track.SessionID, track.TrackName)
		if m.heard[key] != nil && m.heard[key].Mid() == track.Mid && track.Status == "inactive" {
			gone = append(gone, closeItem{track.Mid})
			delete(m.heard, key)
		}
	}
	if len(gone) == 0 {
		t.Fatalf("GET shows no track that is gone")
	}
	closing := closeBody{gone, nil, true}
	x := m.receive.put(ctx, "/tracks/close", closing).want(http.StatusOK).wantRenegotiation(false)
	for i := range gone {
		if got := x.item(i); got.Mid != gone[i].Mid || got.ErrorCode != "" {
			t.Errorf("%s: item %+v", x, got)
		}
	}
	m.receive.put(ctx, "/tracks/close", closing).want(http.StatusOK).wantItemError(0, "close_track_error")
}

// settled checks that what each member receives is exactly what GET lists as active, and that all of it flows.
func (t *T) settled(ctx context.Context, when string, members ...*member) {
	for i, m := range members {
		var want []string
		for key, s := range m.heard {
			want = append(want, key)
			t.flows(ctx, fmt.Sprintf("%s, member %d", when, i), s, 5)
		}
		slices.Sort(want)
		if got := m.receive.active(ctx); !slices.Equal(got, want) {
			t.Errorf("%s, member %d: GET lists %q as active, want %q", when, i, got, want)
		}
	}
}

func flowRoom(ctx context.Context, t *T) {
	var room []*member
	for range 3 { // each pulls those before, and they pull the newcomer
		m := t.join(ctx)
		for _, other := range room {
			m.follow(ctx, other, "mic", "cam")
			other.follow(ctx, m, "mic", "cam")
		}
		room = append(room, m)
	}
	t.settled(ctx, "all are there", room...)

	a, b, c := room[0], room[1], room[2]
	a.publish.put(ctx, "/tracks/close", closeBody{mids("1"), nil, true}).want(http.StatusOK).wantItemFields(0, "mid")
	if got := a.publish.active(ctx); !slices.Equal(got, []string{heardKey(a.publish.ID, "mic")}) {
		t.Errorf("a camera is off, GET lists %q as active", got)
	}
	b.reconcile(ctx, t)
	c.reconcile(ctx, t)
	t.settled(ctx, "a camera is off", room...)

	t.Must(c.publish.Peer.Close())
	t.Must(c.receive.Peer.Close())
	for _, left := range []*client{c.publish, c.receive} {
		t.eventually(ctx, "a member who left is still there", func() bool { return left.gone(ctx) })
		left.state(ctx).wantError("session_error/410")
	}
	a.reconcile(ctx, t)
	b.reconcile(ctx, t)
	t.settled(ctx, "a member has left", a, b)

	a.publish.push(ctx, cam()) // on a section of its own
	b.follow(ctx, a, "cam")
	t.settled(ctx, "the camera is on again", a, b)
}
