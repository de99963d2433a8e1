package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openSDPCases are the questions about what the SFU's descriptions have.
func openSDPCases() []Case {
	return []Case{
		question(18, "offer", "What does the SFU's offer have for each codec: payload types, extensions, feedback, SSRCs?", openOfferLines),
		question(18, "answer", "What does the SFU's answer have for each codec, and for data?", openAnswerLines),
		question(19, "candidates", "Which candidates are there: UDP, TCP, IPv4, IPv6?", openCandidates),
		question(46, "thirdparty", "How does the SDP of a thirdparty session differ?", openThirdparty),
	}
}

// observeLines records the lines of each section of an SDP; what is random in them, golden transcripts replace.
func (t *T) observeLines(name, sdp string) {
	for i, part := range sdpParts(sdp) {
		t.observe(fmt.Sprintf("%s: part %d", name, i), "%s", strings.ReplaceAll(strings.TrimSpace(part), "\r\n", "\n"))
	}
}

// openOfferLines pulls each codec on a session of its own, since the first answer fixes the codecs of a session (contract 3.2).
func openOfferLines(ctx context.Context, t *T) {
	var tracks []named
	for _, codec := range sfutest.AllCodecs() {
		tracks = append(tracks, named{string(codec), sfutest.Track{Codec: codec}})
	}
	pub, _ := t.publish(ctx, sfutest.Config{}, tracks...)
	for _, track := range tracks {
		c := t.client(ctx, sfutest.Config{})
		x := c.seePull(ctx, "pull of "+track.Name, remote(pub.ID, track.Name))
		if d := x.Body.SessionDescription; d != nil {
			t.observeLines("offer for "+track.Name, d.SDP)
		}
	}
	data := t.client(ctx, sfutest.Config{})
	x := data.seePost(ctx, "establish", "/datachannels/establish", establishBody{DataChannel: serverEvents()})
	if d := x.Body.SessionDescription; d != nil {
		t.observeLines("offer for data", d.SDP)
	}
}

func openAnswerLines(ctx context.Context, t *T) {
	for _, codec := range sfutest.AllCodecs() {
		c := t.client(ctx, sfutest.Config{})
		body, _ := c.prepare(ctx, named{string(codec), sfutest.Track{Codec: codec}})
		x := c.seeTracks(ctx, "push of "+string(codec), body)
		if d := x.Body.SessionDescription; d != nil {
			t.observeLines("answer for "+string(codec), d.SDP)
		}
	}
	c := t.client(ctx, sfutest.Config{})
	_, err := c.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	t.Must(err)
	x := c.seePost(ctx, "establish with an offer", "/datachannels/establish", establishBody{DataChannel: serverEvents(), SessionDescription: offerOf(c.offer(ctx))})
	if d := x.Body.SessionDescription; d != nil {
		t.observeLines("answer for data", d.SDP)
	}
}

func openCandidates(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.client(ctx, sfutest.Config{})
	x := c.requestPull(ctx, remote(pub.ID, "mic")).want(http.StatusOK)
	var kinds []string
	for _, section := range sdpParts(x.sdp("offer"))[1:] {
		for _, candidate := range sdpLines(section, "a=candidate:") {
			fields := strings.Fields(candidate)
			if len(fields) < 8 {
				continue
			}
			family := "IPv4"
			if strings.Contains(fields[4], ":") {
				family = "IPv6"
			}
			kind := strings.ToLower(fields[2]) + " " + family + " " + strings.Join(fields[7:], " ")
			if !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	slices.Sort(kinds)
	t.observe("candidates of an offer", "%s", strings.Join(kinds, ", "))
	c.tryAnswer(ctx, "that offer", x)
	c.connected(ctx)
	t.observe("transport in use", "%s", c.Peer.SelectedTransport())
}

func openThirdparty(ctx context.Context, t *T) {
	for _, query := range []string{"", "?thirdparty=true"} {
		name := orElse(strings.TrimPrefix(query, "?"), "ordinary")
		x := t.see(ctx, name+" session", call{Method: http.MethodPost, Path: "/sessions/new", Query: query})
		c := &client{t: t, ID: x.Body.SessionID}
		if c.ID == "" {
			continue
		}
		item := local("", "voice")
		item.Kind, item.Bidirectional = "audio", true
		x = c.seePull(ctx, name+" push", item)
		if d := x.Body.SessionDescription; d != nil {
			t.observeLines(name+" offer", d.SDP)
		}
	}
}

// openMediaCases are the questions about packets.
func openMediaCases() []Case {
	return []Case{
		question(26, "continuity", "Are SSRC, sequence numbers and timestamps continuous over tracks/update?", openContinuity),
		question(29, "leaving", "What does a puller see when the publisher closes a track, or leaves?", openLeaving),
		question(30, "feedback", "Is FIR ignored, and which feedback does a publisher get?", openFeedback),
	}
}

func openContinuity(ctx context.Context, t *T) {
	a, fromA := t.publish(ctx, sfutest.Config{}, cam())
	b, fromB := t.publish(ctx, sfutest.Config{}, cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "cam"))
	t.flows(ctx, "a", subs[0], 10)
	for i, to := range []struct {
		*client
		*sfutest.Publisher
	}{{b, fromB[0]}, {a, fromA[0]}} {
		c.seePut(ctx, fmt.Sprintf("update %d", i+1), "/tracks/update", updateBody{[]trackItem{remote(to.client.ID, "cam").into("0")}})
		came := t.happens(ctx, 15*time.Second, func() bool { return subs[0].Stats().LastStamp.Stream == to.Stream() })
		t.observe(fmt.Sprintf("update %d: the other track comes", i+1), "%s", yesNo(came))
	}
	t.observeSeams("over both", subs[0].Stats())
}

// observeSeams records what a decoder sees where the source changed.
func (t *T) observeSeams(name string, s sfutest.SubscriberStats) {
	t.observe(name+": SSRCs", "%d", len(s.SSRCs))
	t.observe(name+": payload types", "%d", len(s.PayloadTypes))
	clean := map[string]bool{"next sequence number": true, "timestamp ahead": true, "a key frame": true}
	for _, change := range s.Switches {
		clean["next sequence number"] = clean["next sequence number"] && change.Sequence == 1
		clean["timestamp ahead"] = clean["timestamp ahead"] && change.Timestamp > 0
		clean["a key frame"] = clean["a key frame"] && change.Key
	}
	for _, what := range []string{"next sequence number", "timestamp ahead", "a key frame"} {
		t.observe(name+": each change has "+what, "%s", yesNo(clean[what]))
	}
}

func openLeaving(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	c, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for _, s := range subs {
		t.flows(ctx, "the track", s, 5)
	}
	pub.put(ctx, "/tracks/close", closeBody{mids("1"), nil, true}).want(http.StatusOK)
	t.quiet(ctx, "cam", subs[1])
	t.observe("RTCP BYE after a close", "%s", yesNo(subs[1].Stats().Byes > 0))
	t.Must(pub.Peer.Close())
	t.quiet(ctx, "mic", subs[0])
	t.observe("RTCP BYE after the end of the publisher", "%s", yesNo(subs[0].Stats().Byes > 0))
	c.seeState(ctx, "GET of the puller")
}

func openFeedback(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{Interceptors: true}, cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 30)
	asked := func() uint64 { s := publishers[0].Stats(); return s.PLIs + s.FIRs }
	before := asked()
	for n := range uint8(5) {
		t.Must(subs[0].SendFIR(n))
	}
	t.observe("a publisher is asked for a key frame after FIR", "%s", yesNo(t.happens(ctx, 3*time.Second, func() bool { return asked() > before })))
	before = asked()
	t.Must(subs[0].RequestKeyFrame())
	t.observe("a publisher is asked for a key frame after PLI", "%s", yesNo(t.happens(ctx, 5*time.Second, func() bool { return asked() > before })))
	s := publishers[0].Stats()
	t.observe("a publisher gets PLI", "%s", yesNo(s.PLIs > 0))
	t.observe("a publisher gets FIR", "%s", yesNo(s.FIRs > 0))
	t.observe("a publisher gets REMB", "%s", yesNo(s.REMBs > 0))
	t.observe("a publisher gets transport-cc feedback", "%s", yesNo(s.TransportCCs > 0))
	t.observe("a subscriber gets sender reports", "%s", yesNo(t.happens(ctx, 6*time.Second, func() bool { return len(subs[0].Stats().Reports) > 0 })))
}

// openLayerCases are the questions about simulcast.
func openLayerCases() []Case {
	return []Case{
		question(22, "default", "Which layer is sent without preferredRid, and what does a pull with an unknown rid get?", openDefaultLayer),
		question(23, "order", "Is asciibetical order bytewise, and does it look in both directions?", openLayerOrder),
		question(24, "switch", "How long does a change of the layer take, and is the publisher asked for a key frame?", openSwitch),
	}
}

func openDefaultLayer(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	t.observeLayer(ctx, "no choice", pub, nil)
	t.observeLayer(ctx, "an empty rid", pub, prefer(""))
	t.observeLayer(ctx, "an unknown rid", pub, prefer("x"))
}

// observeLayer pulls with a choice and says which layer comes.
func (t *T) observeLayer(ctx context.Context, name string, pub *layered, choice *simulcast) {
	c := t.client(ctx, sfutest.Config{})
	x := c.seePull(ctx, name, pub.cam(choice))
	if len(x.Body.Tracks) == 0 || x.item(0).Mid == "" {
		return
	}
	c.tryAnswer(ctx, name, x)
	s := c.Peer.Subscriber(x.item(0).Mid)
	layer := "nothing"
	if t.happens(ctx, 6*time.Second, func() bool { return s.Stats().Packets > 60 }) {
		layer = pub.rid(s.Stats().LastStamp.Stream)
	}
	t.observe(name+": layer that comes", "%s", layer)
}

func openLayerOrder(ctx context.Context, t *T) {
	layers := threeLayers()
	for i, rid := range []string{"b", "C", "d"} { // bytewise C, b, d; as letters b, C, d
		layers[i].RID = rid
	}
	pub := t.publishLayers(ctx, sfutest.VP8, layers...)
	for _, missing := range []string{"B", "a", "z"} {
		t.observeLayer(ctx, "in place of "+missing, pub, &simulcast{PreferredRid: missing, RidNotAvailable: asciibetical})
	}
}

func openSwitch(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	c, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	t.Must(waitFor(subs[0].WaitStream(ctx, pub.layer("a").Stream())))
	before := pub.layer("c").Stats()
	shows := t.stopwatch()
	c.seePut(ctx, "update", "/tracks/update", updateBody{[]trackItem{pub.cam(prefer("c")).into(subs[0].Mid())}})
	if !t.happens(ctx, 20*time.Second, func() bool { return subs[0].Stats().LastStamp.Stream == pub.layer("c").Stream() }) {
		t.observe("the new layer comes", "no")
		return
	}
	t.observe("the new layer comes", "%s", TimeClass(shows()))
	after := pub.layer("c").Stats()
	t.observe("the new layer is asked for a key frame", "%s", yesNo(after.PLIs+after.FIRs > before.PLIs+before.FIRs))
	t.observeSeams("over the change", subs[0].Stats())
}
