package conformance

import (
	"context"
	"net/http"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// layered is a published simulcast track.
type layered struct {
	*client
	Name   string
	layers []*sfutest.Publisher
}

// threeLayers are a, b and c with about 1.1 Mbit/s, 360 kbit/s and 90 kbit/s.
func threeLayers() []sfutest.Layer {
	return []sfutest.Layer{
		{RID: "a", Width: 1280, Height: 720, PerFrame: 5, Size: 1100},
		{RID: "b", Width: 640, Height: 360, PerFrame: 3, Size: 600},
		{RID: "c", Width: 320, Height: 180, PerFrame: 2, Size: 220},
	}
}

// publishLayers is a new session that publishes one simulcast track and is connected.
func (t *T) publishLayers(ctx context.Context, codec sfutest.Codec, layers ...sfutest.Layer) *layered {
	return t.client(ctx, sfutest.Config{}).pushLayers(ctx, codec, layers...)
}

func (c *client) pushLayers(ctx context.Context, codec sfutest.Codec, layers ...sfutest.Layer) *layered {
	publishers, err := c.Peer.PublishSimulcast(sfutest.Track{Codec: codec}, layers...)
	c.t.Must(err)
	offer := c.offer(ctx)
	x := c.postTracks(ctx, tracksBody{offerOf(offer), []trackItem{local(publishers[0].Mid(), "cam")}}).
		want(http.StatusOK).wantItemFields(0, "mid", "trackName")
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	c.connected(ctx)
	for _, p := range publishers {
		_, err := p.Wait(ctx, func(s sfutest.PublisherStats) bool { return s.Packets > 0 })
		c.t.Must(err)
	}
	return &layered{c, "cam", publishers}
}

// cam is the pull item with a choice of layers.
func (l *layered) cam(s *simulcast) trackItem { return remote(l.ID, l.Name).layered(s) }

// layer finds the publisher of a rid.
func (l *layered) layer(rid string) *sfutest.Publisher {
	i := slices.IndexFunc(l.layers, func(p *sfutest.Publisher) bool { return p.RID() == rid })
	if i < 0 {
		l.t.Fatalf("no layer %q", rid)
	}
	return l.layers[i]
}

// rid names the layer of a stream.
func (l *layered) rid(stream uint32) string {
	for _, p := range l.layers {
		if p.Stream() == stream {
			return p.RID()
		}
	}
	return "of another track"
}

// comesFrom ends the case unless packets of the layer come soon; they are checked for seams.
func (l *layered) comesFrom(ctx context.Context, s *sfutest.Subscriber, rid string) sfutest.SubscriberStats {
	return l.t.turnsTo(ctx, "layer "+rid, s, l.layer(rid))
}

// staysOn checks that the next n packets are of the layer.
func (l *layered) staysOn(ctx context.Context, s *sfutest.Subscriber, rid string, n uint64) {
	before := len(l.comesFrom(ctx, s, rid).Switches)
	got, err := s.WaitMore(ctx, n)
	if err != nil {
		l.t.Fatalf("layer %q: %v", rid, err)
	}
	if len(got.Switches) != before || got.LastStamp.Stream != l.layer(rid).Stream() {
		l.t.Errorf("layer %q gave way to layer %q: %+v", rid, l.rid(got.LastStamp.Stream), got.Switches)
	}
	l.t.checkSeamless("layer "+rid, got)
}

// update changes one track without SDP; the item must be good and echo mid, session and name.
func (c *client) update(ctx context.Context, item trackItem) *exchange {
	x := c.tryUpdate(ctx, item).wantItemFields(0, "mid", "sessionId", "trackName")
	if got := x.item(0); got.Mid != item.Mid || item.SessionID != "" && got.SessionID != item.SessionID ||
		item.TrackName != "" && got.TrackName != item.TrackName {
		c.t.Errorf("%s: item %+v, asked was %+v", x, got, item)
	}
	return x
}

// tryUpdate is update with items that may fail.
func (c *client) tryUpdate(ctx context.Context, items ...trackItem) *exchange {
	x := c.put(ctx, "/tracks/update", updateBody{items}).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks")
	if len(x.Body.Tracks) != len(items) {
		c.t.Fatalf("%s: %d items, want %d", x, len(x.Body.Tracks), len(items))
	}
	return x
}
