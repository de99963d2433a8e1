package conformance

import (
	"context"
	"net/http"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func discoverCases() []Case {
	return []Case{
		{
			ID: "discover/all", Sentence: "autoDiscover without tracks names every section of the offer, and the names can be pulled.",
			Section: "1.3 F", Mark: Doc, Run: discoverAll,
		},
		{
			ID: "discover/rest", Sentence: "autoDiscover beside tracks names the sections that no item names.",
			Section: "1.3 F, 10 Q16", Mark: Inferred, Run: discoverRest,
		},
		{
			ID: "discover/new", Sentence: "A second autoDiscover names only what is new.",
			Section: "1.3 F", Mark: Doc, Run: discoverNew,
		},
		{
			ID: "discover/nothing", Sentence: "autoDiscover of an offer in which nothing is new finds no track and is refused.",
			Section: "1.3 F, 10 Q16", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_params/406 no tracks"}, Run: discoverNothing,
		},
		{
			ID: "discover/refused", Sentence: "autoDiscover without an offer or with pulls is refused.",
			Section: "1.3 F", Mark: Inferred, Run: discoverRefused,
			Codes: []string{"invalid_params/406 offer expected", "invalid_params/406 mixed"},
		},
	}
}

// discover posts a body and applies the answer.
func (c *client) discover(ctx context.Context, body discoverBody) *exchange {
	body.AutoDiscover = true
	x := c.postTracks(ctx, body).want(http.StatusOK).wantRenegotiation(false).
		wantFields("requiresImmediateRenegotiation", "tracks", "sessionDescription")
	c.t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	return x
}

// add publishes tracks without names and offers them.
func (c *client) add(ctx context.Context, tracks ...named) ([]*sfutest.Publisher, *sdpBody) {
	body, publishers := c.prepare(ctx, tracks...)
	return publishers, body.SessionDescription
}

// checkFound checks an item that autoDiscover made, and gives its name.
func (x *exchange) checkFound(index int, mid, kind string) string {
	got := x.item(index)
	if got.Mid != mid || got.TrackName == "" || got.ErrorCode != "" || got.Kind != kind || got.Location != "local" {
		x.t.Errorf("%s: item %d is %+v, want a local one for mid %s of kind %s", x, index, got, mid, kind)
	}
	return got.TrackName
}

func discoverAll(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	publishers, offer := c.add(ctx, mic(), cam())
	x := c.discover(ctx, discoverBody{SessionDescription: offer})
	names := []string{x.checkFound(0, "0", "audio"), x.checkFound(1, "1", "video")}
	if len(x.Body.Tracks) != 2 || names[0] == names[1] {
		t.Fatalf("items %+v", x.Body.Tracks)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, names[0]), remote(c.ID, names[1]))
	for i, s := range subs {
		if got := t.flows(ctx, "the discovered track", s, 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("name %d is another track's", i)
		}
	}
	for i, track := range c.state(ctx).want(http.StatusOK).Body.Tracks {
		if track.TrackName != names[i] || track.Location != "local" || track.Status != "active" {
			t.Errorf("GET lists %+v", track)
		}
	}
}

func discoverRest(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	publishers, offer := c.add(ctx, mic(), cam())
	x := c.discover(ctx, discoverBody{SessionDescription: offer, Tracks: []trackItem{local("1", "cam")}})
	i := slices.IndexFunc(x.Body.Tracks, func(item answerItem) bool { return item.Mid == "1" })
	if len(x.Body.Tracks) != 2 || i < 0 || x.item(i).TrackName != "cam" {
		t.Fatalf("items %+v", x.Body.Tracks)
	}
	found := x.checkFound(1-i, "0", "audio")
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, found), remote(c.ID, "cam"))
	for i, s := range subs {
		if got := t.flows(ctx, "the track", s, 10); got.Streams[0] != publishers[i].Stream() {
			t.Errorf("name %d is another track's", i)
		}
	}
}

func discoverNew(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	_, offer := c.add(ctx, mic())
	first := c.discover(ctx, discoverBody{SessionDescription: offer}).checkFound(0, "0", "audio")
	c.connected(ctx)
	publishers, offer := c.add(ctx, cam())
	x := c.discover(ctx, discoverBody{SessionDescription: offer})
	second := x.checkFound(0, "1", "video")
	if len(x.Body.Tracks) != 1 {
		t.Errorf("items %+v", x.Body.Tracks)
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, first), remote(c.ID, second))
	t.flows(ctx, "the first track", subs[0], 5)
	if got := t.flows(ctx, "the second track", subs[1], 5); got.Streams[0] != publishers[0].Stream() {
		t.Errorf("the second name is another track's")
	}
}

func discoverNothing(ctx context.Context, t *T) {
	c, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(c.ID, "mic"))
	c.postTracks(ctx, discoverBody{SessionDescription: offerOf(c.offer(ctx)), AutoDiscover: true}).wantError("invalid_params/406 no tracks")
	t.flows(ctx, "mic", subs[0], 5)
}

func discoverRefused(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	_, offer := c.add(ctx, mic())
	path := c.path("/tracks/new")
	t.do(ctx, call{
		Method: http.MethodPost, Path: path, Body: discoverBody{AutoDiscover: true}, Malformed: "no offer",
	}).wantError("invalid_params/406 offer expected")
	t.do(ctx, call{
		Method: http.MethodPost, Path: path, Malformed: "autoDiscover beside a pull",
		Body: discoverBody{SessionDescription: offer, Tracks: []trackItem{remote(pub.ID, "mic")}, AutoDiscover: true},
	}).wantError("invalid_params/406 mixed")
	c.discover(ctx, discoverBody{SessionDescription: offer})
}
