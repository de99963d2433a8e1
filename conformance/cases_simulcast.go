package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

const asciibetical = "asciibetical"

func simulcastCases() []Case {
	list := []Case{
		{
			ID: "simulcast/answer", Sentence: "A push with layers, without their SSRCs, is answered with the same layers to receive; pull offers show none.",
			Section: "3.1, 3.3", Mark: Doc, Run: simulcastAnswer,
		},
		{
			ID: "simulcast/plain", Sentence: "A pull without a choice gives one steady layer, and so does an empty preferredRid.",
			Section: "3.3, 3.5", Mark: Seen, Run: simulcastPlain,
		},
		{
			ID: "simulcast/plain-stopped", Sentence: "When the layer of a pull without a choice stops, none stands in until it comes back.",
			Section: "3.5", Mark: Inferred, Run: simulcastPlainStopped,
		},
		{
			ID: "simulcast/names", Sentence: "Names of layers are free, and so is their number.",
			Section: "3.5", Mark: Doc, Run: simulcastNames,
		},
		{
			ID: "simulcast/subscribers", Sentence: "Each subscriber has its own layer, and a choice of one leaves the others alone.",
			Section: "3.4, 3.5", Mark: Doc, Run: simulcastSubscribers,
		},
		{
			ID: "simulcast/stopped", Sentence: "When the preferred layer stops nothing is sent, until it comes back.",
			Section: "3.5 ridNotAvailable none", Mark: Doc, Run: simulcastStopped,
		},
		{
			ID: "simulcast/stopped-fallback", Sentence: "With ridNotAvailable asciibetical the next layer stands in for one that stopped, until it comes back.",
			Section: "3.5 ridNotAvailable asciibetical", Mark: Doc, Run: simulcastStoppedFallback,
		},
		{
			ID: "simulcast/missing-fallback", Sentence: "With ridNotAvailable asciibetical the next rid in byte order stands in for one that never was.",
			Section: "3.5 ridNotAvailable asciibetical", Mark: Doc, Run: simulcastMissingFallback,
		},
		{
			ID: "simulcast/bandwidth-none", Sentence: "Without priorityOrdering the preferred layer is sent although bandwidth is short.",
			Section: "3.5 priorityOrdering none", Mark: Doc, Run: simulcastBandwidthNone,
		},
		{
			ID: "simulcast/bandwidth", Sentence: "With priorityOrdering asciibetical the layer goes down when bandwidth is short and up again when it is not.",
			Section: "3.5 priorityOrdering asciibetical", Mark: Doc, EmulatorOnly: true, Run: simulcastBandwidth,
		},
		{
			ID: "simulcast/bandwidth-shared", Sentence: "The tracks that a session pulls share its bandwidth evenly; other sessions have their own.",
			Section: "3.4", Mark: Doc, EmulatorOnly: true, Run: simulcastBandwidthShared,
		},
		{
			ID: "simulcast/bandwidth-preferred", Sentence: "Going up again ends at the preferred layer.",
			Section: "3.5 priorityOrdering asciibetical", Mark: Doc, EmulatorOnly: true, Run: simulcastBandwidthPreferred,
		},
		{
			ID: "simulcast/bandwidth-stopped", Sentence: "Both orders together: a stopped layer is skipped on the way down.",
			Section: "3.5", Mark: Inferred, EmulatorOnly: true, Run: simulcastBandwidthStopped,
		},
		{
			ID: "simulcast/bandwidth-fixed", Sentence: "A bandwidth fixed from outside decides, whatever the endpoint reports, until it is taken back.",
			Section: "3.5 priorityOrdering asciibetical", Mark: Inferred, EmulatorOnly: true, Needs: []Need{FixableEstimate}, Run: simulcastBandwidthFixed,
		},
		{
			ID: "simulcast/update-replaces", Sentence: "The simulcast object of an update replaces the old one: what it leaves out is none again.",
			Section: "1.5", Mark: Inferred, EmulatorOnly: true, Run: simulcastUpdateReplaces,
		},
		{
			ID: "simulcast/update-orders", Sentence: "An update can turn both orders on: a stopped layer is stood in for, and bandwidth counts.",
			Section: "1.5, 3.5", Mark: Doc, EmulatorOnly: true, Operations: []string{"updateTracks"}, Run: simulcastUpdateOrders,
		},
		{
			ID: "simulcast/switch", Sentence: "A choice of another layer asks for a key frame at once; the old layer goes on until that frame comes.",
			Section: "1.5, 3.4, 3.6", Mark: Inferred, EmulatorOnly: true, Run: simulcastSwitch,
		},
		{
			ID: "simulcast/many-switches", Sentence: "Through many switches the receiver sees one stream: sequence numbers, timestamps and VP8 picture ids go on.",
			Section: "3.3", Mark: Doc, Run: simulcastManySwitches,
		},
		{
			ID: "simulcast/uplink", Sentence: "Loss of a layer on the way to the SFU is repaired.",
			Section: "3.4", Mark: Inferred, Run: simulcastUplink,
		},
		{
			ID: "simulcast/nack", Sentence: "A NACK for packets from before a switch is answered.",
			Section: "3.4", Mark: Inferred, Run: simulcastNACK,
		},
		{
			ID: "simulcast/bad-choice", Sentence: "A choice with an order that does not exist is refused.",
			Section: "1.3, 3.5", Mark: Inferred, EmulatorOnly: true, Codes: []string{"invalid_params/406 simulcast"}, Run: simulcastBadChoice,
		},
	}
	for _, codec := range []sfutest.Codec{sfutest.VP8, sfutest.VP9, sfutest.H264, sfutest.H265, sfutest.AV1} {
		list = append(list, Case{
			ID: "simulcast/preferred-" + strings.ToLower(string(codec)), Sentence: "preferredRid chooses the layer of a track of " + string(codec) + ".",
			Section: "3.5", Mark: Doc, Run: simulcastPreferred(codec),
		})
	}
	return list
}

func simulcastAnswer(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	publishers, err := c.Peer.PublishSimulcast(sfutest.Track{Codec: sfutest.VP8}, threeLayers()...)
	t.Must(err)
	offer := withoutLines(c.offer(ctx), "a=ssrc") // as browsers offer: packets tell their layer by mid and rid alone
	if !strings.Contains(offer, "a=simulcast:send a;b;c\r\n") {
		t.Fatalf("the offer of the test client names no layers:\n%s", offer)
	}
	x := c.postTracks(ctx, tracksBody{offerOf(offer), []trackItem{local(publishers[0].Mid(), "cam")}}).want(http.StatusOK)
	section := t.checkSDP("the answer", x.sdp("answer"))[1]
	for _, line := range []string{"a=recvonly", "a=rid:a recv", "a=rid:b recv", "a=rid:c recv", "a=simulcast:recv a;b;c"} {
		if !hasLine(section, line) {
			t.Errorf("the answer lacks %s:\n%s", line, section)
		}
	}
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	pub, sub := &layered{c, "cam", publishers}, t.client(ctx, sfutest.Config{})
	pulled := sub.requestPull(ctx, pub.cam(prefer("c")), pub.cam(prefer("b"))).want(http.StatusOK)
	if shown := pulled.sdp("offer"); strings.Contains(shown, "a=simulcast") || strings.Contains(shown, "a=rid") {
		t.Errorf("the offer of a pull shows layers:\n%s", shown)
	}
	sub.answer(ctx, pulled)
	for mid, rid := range inOrder(map[string]string{"0": "c", "1": "b"}) {
		pub.staysOn(ctx, sub.Peer.Subscriber(mid), rid, 10)
	}
}

func simulcastPreferred(codec sfutest.Codec) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		pub := t.publishLayers(ctx, codec, threeLayers()...)
		for _, rid := range []string{"c", "a", "b"} {
			_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer(rid)))
			pub.staysOn(ctx, subs[0], rid, 20)
			if t.target.Emulator && subs[0].Stats().KeyFrames == 0 {
				t.Errorf("layer %s begins without a key frame", rid)
			}
			if got := t.pictures(ctx, subs[0], keyFrame); got.Codec != codec || len(got.Streams) != 1 {
				t.Errorf("layer %s arrives as %+v", rid, got)
			}
		}
	}
}

func simulcastPlain(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	for _, choice := range []*simulcast{nil, prefer("")} {
		_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(choice))
		got := t.pictures(ctx, subs[0], func(s sfutest.SubscriberStats) bool { return s.Packets >= 60 && s.KeyFrames > 0 })
		t.checkSeamless("the layer", got)
		if len(got.Streams) != 1 {
			t.Errorf("choice %+v gives %+v", choice, got)
		}
	}
}

func simulcastPlainStopped(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	for _, choice := range []*simulcast{nil, prefer("")} {
		_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(choice))
		got, err := subs[0].WaitMore(ctx, 10)
		t.Must(err)
		sent := pub.layer(pub.rid(got.Streams[0]))
		sent.SetSilent(true)
		t.quiet(ctx, "the layer that was sent, stopped", subs[0])
		other := pub.layers[(slices.Index(pub.layers, sent)+1)%len(pub.layers)]
		later := other.Stats().Frames + 75 // three seconds, in which another layer would have come
		_, err = other.Wait(ctx, func(s sfutest.PublisherStats) bool { return s.Frames >= later })
		t.Must(err)
		if now := subs[0].Stats(); len(now.Switches) != 0 {
			t.Errorf("choice %+v: another layer stood in: %+v", choice, now.Switches)
		}
		sent.SetSilent(false)
		pub.comesFrom(ctx, subs[0], sent.RID())
	}
}

func simulcastNames(ctx context.Context, t *T) {
	layers := threeLayers()
	layers[0].RID, layers[1].RID, layers[2].RID = "hi-res_1", "Z", "0"
	layers = append(layers, sfutest.Layer{RID: "tiny", Size: 110}, sfutest.Layer{RID: "q7", Size: 110})
	pub := t.publishLayers(ctx, sfutest.VP8, layers...)
	for _, layer := range layers {
		_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer(layer.RID)))
		pub.staysOn(ctx, subs[0], layer.RID, 6)
	}
	one := t.publishLayers(ctx, sfutest.VP8, sfutest.Layer{RID: "only"})
	_, subs := t.subscribe(ctx, sfutest.Config{}, one.cam(prefer("only")))
	one.staysOn(ctx, subs[0], "only", 6)
}

func simulcastSubscribers(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	rids := []string{"a", "b", "c"}
	clients, watchers := make([]*client, 3), make([]*sfutest.Subscriber, 3)
	for i, rid := range rids {
		c, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer(rid)))
		clients[i], watchers[i] = c, subs[0]
		pub.comesFrom(ctx, subs[0], rid)
	}
	clients[0].update(ctx, pub.cam(prefer("c")).into("0"))
	for i, rid := range []string{"c", "b", "c"} {
		pub.staysOn(ctx, watchers[i], rid, 20)
	}
}

func simulcastStopped(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("b")))
	pub.comesFrom(ctx, subs[0], "b")
	pub.layer("b").SetSilent(true)
	t.quiet(ctx, "the stopped layer", subs[0])
	_, err := pub.layer("a").Wait(ctx, more(pub.layer("a"), 350)) // for some seconds
	t.Must(err)
	if got := subs[0].Stats(); len(got.Switches) != 0 {
		t.Errorf("another layer stood in: %+v", got.Switches)
	}
	before := subs[0].Stats().Packets
	pub.layer("b").SetSilent(false)
	got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.Packets > before+10 })
	t.Must(err)
	if len(got.Streams) != 1 || !t.mayMiss(got) || t.target.Emulator && got.PictureSteps != 0 {
		t.Errorf("the layer came back as %+v", got)
	}
}

// more is satisfied by n packets more than now.
func more(p *sfutest.Publisher, n uint64) func(sfutest.PublisherStats) bool {
	target := p.Stats().Packets + n
	return func(s sfutest.PublisherStats) bool { return s.Packets >= target }
}

func simulcastStoppedFallback(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{PreferredRid: "a", RidNotAvailable: asciibetical}))
	pub.comesFrom(ctx, subs[0], "a")
	pub.layer("a").SetSilent(true)
	pub.comesFrom(ctx, subs[0], "b")
	pub.layer("b").SetSilent(true)
	pub.comesFrom(ctx, subs[0], "c")
	pub.layer("a").SetSilent(false)
	pub.comesFrom(ctx, subs[0], "a")
	pub.layer("b").SetSilent(false)
	pub.staysOn(ctx, subs[0], "a", 30)
}

func simulcastMissingFallback(ctx context.Context, t *T) {
	layers := threeLayers()
	layers[0].RID, layers[1].RID, layers[2].RID = "B", "b", "d"
	pub := t.publishLayers(ctx, sfutest.VP8, layers...)
	for asked, want := range inOrder(map[string]string{"A": "B", "C": "b", "a": "b", "c": "d", "b": "b"}) {
		_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{PreferredRid: asked, RidNotAvailable: asciibetical}))
		pub.staysOn(ctx, subs[0], want, 10)
	}
}

// estimates sends REMB until the case says that it is enough, as a receiver does all the time. That an SFU goes by REMB is a decision of ours
// (contract 3.1): cases that need it to have an effect are for emulators only.
func (t *T) estimates(ctx context.Context, s *sfutest.Subscriber, bitsPerSecond uint64, until func(sfutest.SubscriberStats) bool) sfutest.SubscriberStats {
	t.eventually(ctx, "bandwidth has no effect", func() bool {
		t.Must(s.SendREMB(bitsPerSecond))
		return until(s.Stats())
	})
	return s.Stats()
}

// on is satisfied when the newest packet is of a layer.
func (l *layered) on(rid string) func(sfutest.SubscriberStats) bool {
	return func(s sfutest.SubscriberStats) bool { return s.LastStamp.Stream == l.layer(rid).Stream() }
}

// after is satisfied when a time has gone by.
func after(d time.Duration) func(sfutest.SubscriberStats) bool {
	until := time.Now().Add(d)
	return func(sfutest.SubscriberStats) bool { return time.Now().After(until) }
}

func simulcastBandwidthNone(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	t.estimates(ctx, subs[0], 150_000, after(2*time.Second))
	pub.staysOn(ctx, subs[0], "a", 20)
	if got := subs[0].Stats(); len(got.Switches) != 0 {
		t.Errorf("the layer changed: %+v", got.Switches)
	}
}

func simulcastBandwidth(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{PreferredRid: "a", PriorityOrdering: asciibetical}))
	pub.comesFrom(ctx, subs[0], "a")
	t.estimates(ctx, subs[0], 10_000_000, after(time.Second))
	pub.comesFrom(ctx, subs[0], "a")
	t.estimates(ctx, subs[0], 500_000, pub.on("b"))
	t.estimates(ctx, subs[0], 150_000, pub.on("c"))
	t.estimates(ctx, subs[0], 150_000, after(2*time.Second))
	pub.comesFrom(ctx, subs[0], "c")
	t.estimates(ctx, subs[0], 10_000_000, pub.on("a"))
	t.checkSeamless("the stream", subs[0].Stats())
}

// simulcastBandwidthShared lets two sessions report the same bandwidth, which is enough for one layer a and not for two.
func simulcastBandwidthShared(ctx context.Context, t *T) {
	one, two := t.publishLayers(ctx, sfutest.VP8, threeLayers()...), t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	down := &simulcast{PreferredRid: "a", PriorityOrdering: asciibetical}
	_, both := t.subscribe(ctx, sfutest.Config{}, one.cam(down), two.cam(down))
	_, alone := t.subscribe(ctx, sfutest.Config{}, one.cam(down))
	one.comesFrom(ctx, both[0], "a")
	two.comesFrom(ctx, both[1], "a")
	one.comesFrom(ctx, alone[0], "a")
	t.eventually(ctx, "both tracks go down", func() bool {
		t.Must(both[0].SendREMB(1_600_000))
		t.Must(alone[0].SendREMB(1_600_000))
		return one.on("b")(both[0].Stats()) && two.on("b")(both[1].Stats())
	})
	one.staysOn(ctx, alone[0], "a", 20)
	if got := alone[0].Stats(); len(got.Switches) != 0 {
		t.Errorf("the layer of the session with one track changed: %+v", got.Switches)
	}
}

func simulcastBandwidthPreferred(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{PreferredRid: "b", PriorityOrdering: asciibetical}))
	pub.comesFrom(ctx, subs[0], "b")
	t.estimates(ctx, subs[0], 150_000, pub.on("c"))
	t.estimates(ctx, subs[0], 10_000_000, pub.on("b"))
	got := t.estimates(ctx, subs[0], 10_000_000, after(2*time.Second))
	t.checkSeamless("the stream", got)
	if slices.Contains(got.Streams, pub.layer("a").Stream()) || len(got.Switches) != 2 {
		t.Errorf("the layers were %+v", got.Switches)
	}
}

func simulcastBandwidthStopped(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	pub.layer("b").SetSilent(true)
	_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{"a", asciibetical, asciibetical}))
	pub.comesFrom(ctx, subs[0], "a")
	// A layer counts as there for a moment after its last packet.
	t.estimates(ctx, subs[0], 10_000_000, after(3*time.Second))
	t.estimates(ctx, subs[0], 500_000, pub.on("c"))
	pub.layer("a").SetSilent(true)
	t.estimates(ctx, subs[0], 10_000_000, after(3*time.Second))
	pub.comesFrom(ctx, subs[0], "c")
	pub.layer("a").SetSilent(false)
	t.estimates(ctx, subs[0], 10_000_000, pub.on("a"))
	t.checkSeamless("the stream", subs[0].Stats())
}

func simulcastBandwidthFixed(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	wish := pub.cam(&simulcast{PreferredRid: "a", PriorityOrdering: asciibetical})
	fixed, subs := t.subscribe(ctx, sfutest.Config{}, wish)
	_, others := t.subscribe(ctx, sfutest.Config{}, wish)
	pub.comesFrom(ctx, subs[0], "a")
	fix := func(bitsPerSecond int) {
		t.control(ctx, http.MethodPut, "/_emu/settings", map[string]any{"estimates": map[string]int{fixed.ID: bitsPerSecond}})
	}
	for _, step := range []struct {
		bitsPerSecond int
		rid           string
	}{{200_000, "c"}, {700_000, "b"}, {10_000_000, "a"}, {200_000, "c"}} {
		fix(step.bitsPerSecond)
		t.estimates(ctx, subs[0], 5_000_000, pub.on(step.rid)) // the endpoint's own is not looked at
		pub.staysOn(ctx, subs[0], step.rid, 20)
	}
	fix(0)
	t.estimates(ctx, subs[0], 5_000_000, pub.on("a"))
	t.checkSeamless("the stream", subs[0].Stats())
	pub.comesFrom(ctx, others[0], "a")
	if got := others[0].Stats(); len(got.Switches) != 0 {
		t.Errorf("another session's layer changed: %+v", got.Switches)
	}
}

func simulcastUpdateReplaces(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(&simulcast{"a", asciibetical, asciibetical}))
	pub.comesFrom(ctx, subs[0], "a")
	sub.update(ctx, pub.cam(prefer("b")).into("0"))
	pub.comesFrom(ctx, subs[0], "b")
	t.estimates(ctx, subs[0], 120_000, after(2*time.Second))
	pub.staysOn(ctx, subs[0], "b", 20)
	pub.layer("b").SetSilent(true)
	t.quiet(ctx, "the stopped layer", subs[0])
	_, err := pub.layer("c").Wait(ctx, more(pub.layer("c"), 140)) // for some seconds
	t.Must(err)
	if got := subs[0].Stats(); got.LastStamp.Stream != pub.layer("b").Stream() {
		t.Errorf("layer %s stood in", pub.rid(got.LastStamp.Stream))
	}
}

func simulcastUpdateOrders(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	sub.update(ctx, pub.cam(&simulcast{"a", asciibetical, asciibetical}).into("0"))
	pub.layer("a").SetSilent(true)
	pub.comesFrom(ctx, subs[0], "b")
	pub.layer("a").SetSilent(false)
	t.estimates(ctx, subs[0], 10_000_000, pub.on("a"))
	t.estimates(ctx, subs[0], 120_000, pub.on("c"))
	t.estimates(ctx, subs[0], 10_000_000, pub.on("a"))
	t.checkSeamless("the stream", subs[0].Stats())
}

func simulcastSwitch(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	for _, rid := range []string{"b", "c"} {
		layer := pub.layer(rid)
		before, old := layer.Stats(), pub.rid(subs[0].Stats().LastStamp.Stream)
		layer.HoldKeyFrames(true)
		sub.update(ctx, pub.cam(prefer(rid)).into("0"))
		prompt, cancel := context.WithTimeout(ctx, time.Second)
		told, err := layer.Wait(prompt, func(s sfutest.PublisherStats) bool { return s.PLIs > before.PLIs })
		cancel()
		if err != nil {
			t.Fatalf("no PLI for layer %s at once: %v", rid, err)
		}
		if told.FIRs != 0 {
			t.Errorf("layer %s was asked by FIR", rid)
		}
		pub.staysOn(ctx, subs[0], old, 20)
		layer.HoldKeyFrames(false)
		got := pub.comesFrom(ctx, subs[0], rid)
		if sent := layer.Stats().KeyFrames - before.KeyFrames; sent < 1 || sent > 2 { // the first may cross a repeated request
			t.Errorf("layer %s sent %d key frames until the switch, want 1", rid, sent)
		}
		if last := got.Switches[len(got.Switches)-1]; !last.Key {
			t.Errorf("the switch is not at a key frame: %+v", last)
		}
	}
}

func simulcastManySwitches(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("a")))
	pub.comesFrom(ctx, subs[0], "a")
	for i := range 12 {
		rid := []string{"c", "a", "b"}[i%3]
		sub.update(ctx, pub.cam(prefer(rid)).into("0"))
		pub.staysOn(ctx, subs[0], rid, 7)
	}
	if got := subs[0].Stats(); len(got.Switches) != 12 || len(got.Streams) != 3 {
		t.Errorf("%d switches: %+v", len(got.Switches), got)
	}
}

func simulcastUplink(ctx context.Context, t *T) {
	for _, cfg := range []sfutest.Config{{}, {WithoutRTX: true}} {
		pub := t.client(ctx, cfg).pushLayers(ctx, sfutest.VP8, threeLayers()...)
		_, subs := t.subscribe(ctx, sfutest.Config{}, pub.cam(prefer("b")))
		pub.comesFrom(ctx, subs[0], "b")
		pub.layer("b").Withhold(2)
		told, err := pub.layer("b").Wait(ctx, func(s sfutest.PublisherStats) bool { return s.Retransmitted >= 2 })
		t.Must(err)
		got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool {
			return s.LastStamp.Packet > told.Packets+told.Withheld && t.mayMiss(s) && s.Late > 0
		})
		t.Must(err)
		if got.Corrupt+got.SequenceSteps+got.TimestampSteps != 0 || len(got.Streams) != 1 {
			t.Errorf("without RTX %t: %+v", cfg.WithoutRTX, got)
		}
	}
}

func simulcastNACK(ctx context.Context, t *T) {
	pub := t.publishLayers(ctx, sfutest.VP8, threeLayers()...)
	sub, subs := t.subscribe(ctx, sfutest.Config{AcceptReplays: true}, pub.cam(prefer("a")))
	before := pub.comesFrom(ctx, subs[0], "a")
	sub.update(ctx, pub.cam(prefer("c")).into("0"))
	pub.comesFrom(ctx, subs[0], "c")
	t.Must(subs[0].SendNACK(before.LastSequence))
	got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.Duplicates == 1 })
	t.Must(err)
	if got.Repaired != 1 || !t.mayMiss(got) || got.Corrupt+got.SequenceSteps+got.TimestampSteps != 0 {
		t.Errorf("the repair is not the packet that was asked for: %+v", got)
	}
}

func simulcastBadChoice(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam())
	sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.flows(ctx, "cam", subs[0], 5)
	for _, choice := range []*simulcast{{"a", "alphabetical", ""}, {"a", "", "next"}} {
		item := remote(pub.ID, "cam").layered(choice)
		t.do(ctx, call{
			Method: http.MethodPost, Path: sub.path("/tracks/new"), Body: tracksBody{Tracks: []trackItem{item}}, Malformed: "order",
		}).wantError("invalid_params/406 simulcast")
		t.do(ctx, call{
			Method: http.MethodPut, Path: sub.path("/tracks/update"), Body: updateBody{[]trackItem{item.into("0")}}, Malformed: "order",
		}).wantError("invalid_params/406 simulcast")
	}
}
