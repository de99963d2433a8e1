package conformance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openTrackCases are the questions about pushing, pulling and updating tracks.
func openTrackCases() []Case {
	return []Case{
		question(8, "repeated", "How is a push of a name that is live, on a mid that is named already, or on a mid that the SDP lacks answered?", openRepeated),
		question(14, "unoffered", "Does a push without an offer work with and without bidirectionalMediaStream?", openUnoffered),
		question(15, "by-name", "How is mid \"#name\" answered for an unknown name, a one-way transceiver and one in use?", openByName),
		question(16, "discover", "Which fields and names do autoDiscover's items have, also beside explicit tracks?", openDiscover),
		question(17, "order", "How do pull items without a mid map to the sections of a client's offer?", openPullOrder),
		question(20, "mids", "Which mids does the SFU choose when the client used a number, or a word?", openMids),
		question(21, "reuse", "Are closed sections used again in the SFU's offers?", openReuse),
		question(25, "update", "How is tracks/update to another kind, another codec or a missing track answered, and what does it reset?", openUpdate),
		question(27, "missing", "Which error comes when, for a pull of what is not there or not sending?", openMissing),
		question(28, "batch", "Does a pull wait for a silent track although others are ready?", openBatch),
	}
}

// openRepeated asks on a session each, since a push that fails leaves the client with an offer that nobody answers.
func openRepeated(ctx context.Context, t *T) {
	for _, push := range []struct {
		name string
		item trackItem
	}{
		{"a live name on a new mid", local("1", "mic")},
		{"a new name on a named mid", local("0", "other")},
		{"a mid that the SDP lacks", local("9", "third")},
	} {
		c, _ := t.publish(ctx, sfutest.Config{}, mic())
		body, _ := c.prepare(ctx, cam())
		c.seeTracks(ctx, push.name, tracksBody{body.SessionDescription, []trackItem{push.item}})
		c.seeState(ctx, "GET after "+push.name)
	}
}

func openUnoffered(ctx context.Context, t *T) {
	for _, both := range []bool{false, true} {
		name := "one-way"
		if both {
			name = "bidirectional"
		}
		c := t.client(ctx, sfutest.Config{})
		track := mic()
		track.Receives = both
		_, err := c.Peer.PublishInAnswer(track.Track)
		t.Must(err)
		item := local("", "mic")
		item.Kind, item.Bidirectional = "audio", both
		x := c.seePull(ctx, name, item)
		if d := x.Body.SessionDescription; d != nil {
			t.observeSections(name, d.SDP)
		}
		c.tryAnswer(ctx, name, x)
	}
}

func openByName(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic(), named{"second", mic().Track}, cam())
	c, _ := t.publish(ctx, sfutest.Config{}, named{"plain", mic().Track})
	c.seePull(ctx, "an unknown name", remote(source.ID, "mic").into("#nothing"))
	c.seePull(ctx, "a one-way transceiver", remote(source.ID, "mic").into("#plain"))
	two := t.client(ctx, sfutest.Config{})
	body, _ := two.prepare(ctx, both(named{"user", mic().Track}))
	body.Tracks[0].Bidirectional = true
	x := two.seeTracks(ctx, "push of a bidirectional track", body)
	two.tryApply("push of a bidirectional track", x)
	two.seePull(ctx, "a free transceiver", remote(source.ID, "mic").into("#user"))
	two.seePull(ctx, "one that is used", remote(source.ID, "second").into("#user"))
	two.seePull(ctx, "another kind", remote(source.ID, "cam").into("#user"))
}

func openDiscover(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	body, _ := c.prepare(ctx, mic(), cam())
	x := c.seeTracks(ctx, "both discovered", discoverBody{SessionDescription: body.SessionDescription, AutoDiscover: true})
	for i, item := range x.Body.Tracks {
		t.observe(fmt.Sprintf("both discovered: name %d", i), "%s", nameForm(item.TrackName))
	}
	other := t.client(ctx, sfutest.Config{})
	body, _ = other.prepare(ctx, mic(), cam())
	x = other.seeTracks(ctx, "one named, one discovered", discoverBody{body.SessionDescription, body.Tracks[:1], true})
	for i, item := range x.Body.Tracks {
		t.observe(fmt.Sprintf("one named, one discovered: name %d", i), "%s", nameForm(item.TrackName))
	}
}

// nameForm says what a track name looks like.
func nameForm(name string) string {
	hyphens := strings.Count(name, "-")
	switch {
	case name == "mic" || name == "cam":
		return "as requested"
	case len(name) == 36 && hyphens == 4 && name[14] == '4':
		return "a UUID of version 4"
	case len(name) == 36 && hyphens == 4:
		return "a UUID"
	case sessionIDs.MatchString(name):
		return "32 hex digits"
	}
	return fmt.Sprintf("another form, of %d characters", len(name))
}

func openPullOrder(ctx context.Context, t *T) {
	source, publishers := t.publish(ctx, sfutest.Config{}, named{"first", cam().Track}, named{"second", cam().Track}, mic())
	c := t.client(ctx, sfutest.Config{})
	x := c.seeTracks(ctx, "two videos and an audio", tracksBody{c.ask(ctx, 0, "video", "video", "audio"),
		[]trackItem{remote(source.ID, "second"), remote(source.ID, "mic"), remote(source.ID, "first")}})
	if !c.tryApply("two videos and an audio", x) {
		return
	}
	for mid := range 3 {
		s := c.Peer.Subscriber(fmt.Sprint(mid))
		carries := "nothing"
		if t.happens(ctx, 4*time.Second, func() bool { return len(s.Stats().Streams) > 0 }) {
			for i, name := range []string{"first", "second", "mic"} {
				if publishers[i].Stream() == s.Stats().Streams[0] {
					carries = name
				}
			}
		}
		t.observe(fmt.Sprintf("mid %d carries", mid), "%s", carries)
	}
}

// openMids pushes under mids that pion would not choose: the SDP is changed on its way, in both directions.
func openMids(ctx context.Context, t *T) {
	source, _ := t.publish(ctx, sfutest.Config{}, mic())
	for _, mid := range []string{"7", "abc"} {
		c := t.client(ctx, sfutest.Config{})
		body, _ := c.prepare(ctx, mic())
		body.SessionDescription.SDP = renameMid(body.SessionDescription.SDP, "0", mid)
		body.Tracks[0].Mid = mid
		x := c.seeTracks(ctx, "push on mid "+mid, body)
		if d := x.Body.SessionDescription; d != nil {
			d.SDP = renameMid(d.SDP, mid, "0")
		}
		if c.tryApply("push on mid "+mid, x) {
			c.connected(ctx)
			c.seePull(ctx, "pull after mid "+mid, remote(source.ID, "mic"), remote(source.ID, "mic"))
		}
	}
}

// renameMid changes the one mid of an SDP.
func renameMid(sdp, from, to string) string {
	return strings.NewReplacer("a=mid:"+from+"\r\n", "a=mid:"+to+"\r\n", "a=group:BUNDLE "+from+"\r\n", "a=group:BUNDLE "+to+"\r\n").Replace(sdp)
}

func openReuse(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	t.Must(c.Peer.Stop("1"))
	x := c.seePut(ctx, "negotiated close of mid 1", "/tracks/close", closeBody{mids("1"), offerOf(c.offer(ctx)), false})
	if !c.tryApply("negotiated close of mid 1", x) {
		return
	}
	for _, name := range []string{"mic", "cam"} {
		x = c.seePull(ctx, "pull of "+name+" afterwards", remote(pub.ID, name))
		if d := x.Body.SessionDescription; d != nil {
			t.observeSections("pull of "+name+" afterwards", d.SDP)
		}
		c.tryAnswer(ctx, "pull of "+name+" afterwards", x)
	}
}

func openUpdate(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam(), named{"h264", sfutest.Track{Codec: sfutest.H264}}, named{"spare", cam().Track})
	c, subs := t.subscribe(ctx, sfutest.Config{Codecs: []sfutest.Codec{sfutest.VP8, sfutest.Opus}}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 5)
	update := func(name string, item trackItem) {
		c.seePut(ctx, name, "/tracks/update", updateBody{[]trackItem{item}})
	}
	update("another kind", remote(pub.ID, "mic").into("0"))
	update("another codec", remote(pub.ID, "h264").into("0"))
	update("a missing track", remote(pub.ID, "nothing").into("0"))
	update("an unknown session", remote(nobody, "cam").into("0"))
	update("an unknown mid", remote(pub.ID, "cam").into("9"))
	update("another track that fits", remote(pub.ID, "spare").into("0"))
	update("a layer of a track without layers", remote(pub.ID, "spare").into("0").layered(prefer("a")))
	update("a local track", local("0", "new"))
	t.observe("media flows in the end", "%s", yesNo(t.flowsOn(ctx, subs[0])))
	t.observeReset(ctx)
}

// observeReset: an update with preferredRid alone, after a pull that had ridNotAvailable; then that layer stops.
func (t *T) observeReset(ctx context.Context) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	c, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{PreferredRid: "a", RidNotAvailable: asciibetical}))
	t.Must(waitFor(subs[0].WaitStream(ctx, pub.layer("a").Stream())))
	c.seePut(ctx, "preferredRid alone", "/tracks/update", updateBody{[]trackItem{pub.cam(prefer("b")).into(subs[0].Mid())}})
	t.Must(waitFor(subs[0].WaitStream(ctx, pub.layer("b").Stream())))
	pub.layer("b").SetSilent(true)
	stands := t.happens(ctx, 6*time.Second, func() bool { return pub.rid(subs[0].Stats().LastStamp.Stream) != "b" })
	t.observe("ridNotAvailable of the pull is in force after it", "%s", yesNo(stands))
}

// waitFor drops the value of a wait.
func waitFor[V any](_ V, err error) error { return err }

func openMissing(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, silent(mic()), cam())
	sub := t.client(ctx, sfutest.Config{})
	sub.seePull(ctx, "a live session, an unknown name", remote(pub.ID, "nothing"))
	sub.seePull(ctx, "a track that does not send", remote(pub.ID, "mic"))
	sub.seePull(ctx, "an unknown session", remote(nobody, "mic"))
	sub.seePull(ctx, "a session id that is no hex", remote("no-hex-id", "mic"))
	closed, _ := t.publish(ctx, sfutest.Config{}, mic())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(closed.ID, "mic"))
	t.flows(ctx, "mic", subs[0], 5)
	t.Must(closed.Peer.Close())
	t.quiet(ctx, "mic", subs[0])
	sub.seePull(ctx, "a publisher that closed its connection", remote(closed.ID, "mic"))
	closed.seeState(ctx, "GET of that publisher")
}

func openBatch(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, silent(mic()), cam())
	sub := t.client(ctx, sfutest.Config{})
	sub.seePull(ctx, "a good and a silent track", remote(pub.ID, "cam"), remote(pub.ID, "mic"))
}
