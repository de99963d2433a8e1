package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// client is one session with the PeerConnection behind it.
type client struct {
	t    *T
	ID   string
	Peer *sfutest.Peer
}

// newSession makes a session without a body.
func (t *T) newSession(ctx context.Context) string {
	return t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new"}).want(http.StatusCreated).Body.SessionID
}

// client makes a session and a peer that has not negotiated.
func (t *T) client(ctx context.Context, cfg sfutest.Config) *client {
	return &client{t: t, ID: t.newSession(ctx), Peer: t.peer(cfg)}
}

func (t *T) peer(cfg sfutest.Config) *sfutest.Peer {
	peer, err := sfutest.NewPeer(t.routed(cfg))
	t.Must(err)
	t.Cleanup(func() { t.Must(peer.Close()) })
	return peer
}

// routed is the configuration for the target's route. One that says how it connects stays as it is.
func (t *T) routed(cfg sfutest.Config) sfutest.Config {
	if cfg.ICEServers != nil || cfg.Lite || cfg.Net != nil {
		return cfg
	}
	switch t.target.Route {
	case OverTCP:
		cfg.TCPOnly = true
	case OverTURN:
		ctx, cancel := context.WithTimeout(context.Background(), Deadline)
		defer cancel()
		relay := t.relayed(t.issue(ctx, 600), "udp")
		cfg.ICEServers, cfg.RelayOnly, cfg.Gather = relay.ICEServers, relay.RelayOnly, relay.Gather
	}
	return cfg
}

// named is a track to push.
type named struct {
	Name string
	sfutest.Track
}

func mic() named { return named{"mic", sfutest.Track{Codec: sfutest.Opus, AudioLevel: 42}} }
func cam() named { return named{"cam", sfutest.Track{Codec: sfutest.VP8}} }

func (c *client) path(rest string) string { return "/sessions/" + c.ID + rest }

func (c *client) postTracks(ctx context.Context, body any) *exchange {
	return c.t.do(ctx, call{Method: http.MethodPost, Path: c.path("/tracks/new"), Body: body})
}

func (c *client) put(ctx context.Context, rest string, body any) *exchange {
	return c.t.do(ctx, call{Method: http.MethodPut, Path: c.path(rest), Body: body})
}

func (c *client) state(ctx context.Context) *exchange {
	return c.t.do(ctx, call{Method: http.MethodGet, Path: c.path("")})
}

// prepare adds the tracks to the peer and makes the offer with the items that name them.
func (c *client) prepare(ctx context.Context, tracks ...named) (tracksBody, []*sfutest.Publisher) {
	publishers := make([]*sfutest.Publisher, len(tracks))
	for i, track := range tracks {
		var err error
		publishers[i], err = c.Peer.Publish(track.Track)
		c.t.Must(err)
	}
	body := tracksBody{SessionDescription: offerOf(c.offer(ctx))}
	for i, track := range tracks {
		body.Tracks = append(body.Tracks, local(publishers[i].Mid(), track.Name))
	}
	return body, publishers
}

func (c *client) offer(ctx context.Context) string {
	offer, err := c.Peer.Offer(ctx)
	c.t.Must(err)
	return offer
}

// push publishes the tracks in one request; it does not wait for the connection.
func (c *client) push(ctx context.Context, tracks ...named) []*sfutest.Publisher {
	body, publishers := c.prepare(ctx, tracks...)
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false)
	for i, item := range body.Tracks {
		if got := x.item(i); got.Mid != item.Mid || got.ErrorCode != "" {
			c.t.Fatalf("%s: item %d is %+v", x, i, got)
		}
	}
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return publishers
}

// publish is a new session that pushes the tracks and is connected.
func (t *T) publish(ctx context.Context, cfg sfutest.Config, tracks ...named) (*client, []*sfutest.Publisher) {
	c := t.client(ctx, cfg)
	publishers := c.push(ctx, tracks...)
	c.connected(ctx)
	return c, publishers
}

func (c *client) connected(ctx context.Context) { c.t.Must(c.Peer.WaitConnected(ctx)) }

// requestPull asks for tracks and leaves the offer unanswered.
func (c *client) requestPull(ctx context.Context, items ...trackItem) *exchange {
	return c.postTracks(ctx, tracksBody{Tracks: items})
}

// answer answers the SFU's offer in x.
func (c *client) answer(ctx context.Context, x *exchange) {
	answer, err := c.Peer.Answer(ctx, x.sdp("offer"))
	c.t.Must(err)
	c.put(ctx, "/renegotiate", renegotiateBody{answerOf(answer)}).want(http.StatusOK).wantFields()
}

// pull pulls tracks that must all be there and gives the watchers in order.
func (c *client) pull(ctx context.Context, items ...trackItem) []*sfutest.Subscriber {
	x := c.requestPull(ctx, items...).want(http.StatusOK).wantRenegotiation(true)
	subscribers := make([]*sfutest.Subscriber, len(items))
	for i, item := range items {
		got := x.item(i)
		if got.ErrorCode != "" || got.SessionID != item.SessionID || got.TrackName != item.TrackName {
			c.t.Fatalf("%s: item %d is %+v, asked was %+v", x, i, got, item)
		}
		subscribers[i] = c.Peer.Subscriber(got.Mid)
	}
	c.answer(ctx, x)
	return subscribers
}

// subscribe is a new session that pulls the tracks.
func (t *T) subscribe(ctx context.Context, cfg sfutest.Config, items ...trackItem) (*client, []*sfutest.Subscriber) {
	c := t.client(ctx, cfg)
	return c, c.pull(ctx, items...)
}

// eventually asks again until content or the deadline; requests are a quarter of a second apart.
func (t *T) eventually(ctx context.Context, what string, content func() bool) {
	content, end := t.polled(content)
	defer end()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for !content() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, context.Cause(ctx))
		}
	}
}
