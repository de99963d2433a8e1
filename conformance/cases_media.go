package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func mediaCases() []Case {
	return []Case{
		{
			ID: "media/continuous", Sentence: "A pulled track has one SSRC and continuous sequence numbers and timestamps.",
			Section: "3.3", Mark: Doc, Run: mediaContinuous,
		},
		{
			ID: "media/late-join", Sentence: "A subscriber that joins late gets a key frame, because the publisher gets a PLI.",
			Section: "3.4", Mark: Doc, Run: mediaLateJoin,
		},
		{
			ID: "media/pli", Sentence: "A subscriber's PLI reaches the publisher.",
			Section: "3.4", Mark: Recorded, Run: mediaPLI,
		},
		{
			ID: "media/pli-throttled", Sentence: "Many PLIs at once reach the publisher as few.",
			Section: "3.4", Mark: Recorded, Run: mediaPLIThrottled,
		},
		{
			ID: "media/fir", Sentence: "A subscriber's FIR is not honoured.",
			Section: "3.4", Mark: Recorded, Run: mediaFIR,
		},
		{
			ID: "media/sync", Sentence: "Sender reports keep audio and video of one publisher in sync at the subscriber.",
			Section: "3.4", Mark: Inferred, Run: mediaSync,
		},
		{
			ID: "media/extensions", Sentence: "Header extensions carry the ids that each side negotiated.",
			Section: "3.1", Mark: Inferred, Run: mediaExtensions,
		},
		{
			ID: "media/tcp", Sentence: "Media flows over ICE-TCP, both ways, beside UDP.",
			Section: "3.1", Mark: Inferred, Needs: []Need{TCPMedia}, Run: mediaTCP,
		},
		{
			ID: "media/silence", Sentence: "A publisher that pauses and goes on leaves no hole in the numbers.",
			Section: "2.3, 3.3", Mark: Inferred, Run: mediaSilence,
		},
		{
			ID: "media/fast", Sentence: "A fast video track arrives whole: thousands of packets, none lost, none twice.",
			Section: "3.3", Mark: Inferred, Alone: true, Run: mediaMany,
		},
	}
}

func mediaContinuous(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for i, s := range subs {
		got := t.flows(ctx, "the track", s, 60)
		if t.strays(got) || got.Streams[0] != publishers[i].Stream() {
			t.Errorf("mid %s: %+v", s.Mid(), got)
		}
	}
}

func mediaLateJoin(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, cam())
	for range 2 {
		before, err := publishers[0].Wait(ctx, func(s sfutest.PublisherStats) bool { return s.Frames > 5 })
		t.Must(err)
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
		if got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.KeyFrames > 0 }); err != nil {
			t.Fatalf("the late subscriber got no key frame (contract 3.4): %v: %+v", err, got)
		}
		if after := publishers[0].Stats(); after.PLIs == before.PLIs || after.FIRs != 0 {
			t.Errorf("publisher was told %+v, before %+v", after, before)
		}
	}
}

func mediaPLI(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	first := t.pictures(ctx, subs[0], keyFrame)
	before := publishers[0].Stats().PLIs
	t.eventually(ctx, "no PLI reached the publisher", func() bool {
		t.Must(subs[0].RequestKeyFrame()) // again and again: the first ones may fall to the throttle
		return publishers[0].Stats().PLIs > before
	})
	t.pictures(ctx, subs[0], func(s sfutest.SubscriberStats) bool { return s.KeyFrames > first.KeyFrames })
}

func mediaPLIThrottled(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.pictures(ctx, subs[0], keyFrame)
	t.flows(ctx, "cam", subs[0], 80) // a second: beyond what the start of the flow asked for
	before, begun := publishers[0].Stats().PLIs, time.Now()
	for range 50 {
		t.Must(subs[0].RequestKeyFrame())
	}
	_, err := publishers[0].Wait(ctx, func(s sfutest.PublisherStats) bool { return s.PLIs > before })
	t.Must(err)
	t.flows(ctx, "cam", subs[0], 40)
	most := 2 + uint64(time.Since(begun)/(100*time.Millisecond)) // any sane throttle lets fewer than ten a second through
	if got := publishers[0].Stats().PLIs - before; got == 0 || got > most {
		t.Errorf("50 PLIs at once became %d at the publisher, want 1 to %d", got, most)
	}
}

func mediaFIR(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	t.pictures(ctx, subs[0], keyFrame)
	t.flows(ctx, "cam", subs[0], 60) // beyond a throttled second request for the first key frame
	const rounds = 3
	honoured := 0
	for round := range uint8(rounds) {
		before := publishers[0].Stats()
		for i := range uint8(20) {
			t.Must(subs[0].SendFIR(20*round + i))
		}
		t.flows(ctx, "cam", subs[0], 60)
		after := publishers[0].Stats()
		if after.FIRs != 0 {
			t.Errorf("%d FIRs reached the publisher", after.FIRs)
		}
		if after.PLIs != before.PLIs || after.KeyFrames != before.KeyFrames {
			honoured++
		}
	}
	if honoured == rounds || t.target.Emulator && honoured > 0 { // a service may ask for a key frame for reasons of its own
		t.Errorf("20 FIRs brought a key frame in %d of %d rounds", honoured, rounds)
	}
}

func mediaSync(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	var offsets [2]time.Duration
	for i, s := range subs {
		got, err := s.Wait(ctx, func(s sfutest.SubscriberStats) bool { return len(s.Reports) > 1 && s.Packets > 10 })
		t.Must(err)
		offsets[i], _ = got.ClockOffset()
		for _, report := range got.Reports {
			if report.SSRC != got.SSRCs[0] {
				t.Errorf("mid %s: a report is about SSRC %d, the media has %v", s.Mid(), report.SSRC, got.SSRCs)
			}
		}
	}
	if apart := (offsets[0] - offsets[1]).Abs(); apart > 20*time.Millisecond {
		t.Errorf("audio and video are %s apart by their reports", apart)
	}
}

func mediaExtensions(ctx context.Context, t *T) {
	for _, shift := range []int{0, 5} {
		pub, _ := t.publish(ctx, sfutest.Config{ExtensionShift: shift}, mic())
		for _, other := range []int{0, 3} {
			sub, subs := t.subscribe(ctx, sfutest.Config{ExtensionShift: other}, remote(pub.ID, "mic"))
			got := t.flows(ctx, "mic", subs[0], 5)
			if got.AudioLevel != 42 {
				t.Errorf("the audio level arrives as %d, want 42 (shifts %d and %d)", got.AudioLevel, shift, other)
			}
			if got.MidExtension != "" && got.MidExtension != subs[0].Mid() {
				t.Errorf("the mid extension says %q on mid %s", got.MidExtension, subs[0].Mid())
			}
			t.Must(sub.Peer.Close())
		}
	}
}

func mediaTCP(ctx context.Context, t *T) {
	pub := t.client(ctx, sfutest.Config{TCPOnly: true})
	body, _ := pub.prepare(ctx, mic(), cam())
	x := pub.postTracks(ctx, body).want(http.StatusOK)
	t.checkTCPCandidates(x.sdp("answer"))
	t.Must(pub.Peer.SetAnswer(x.sdp("answer")))
	pub.connected(ctx)
	if got := pub.Peer.SelectedTransport(); got != "tcp" {
		t.Errorf("the publisher is connected over %q", got)
	}
	for _, tcp := range []bool{true, false} {
		_, subs := t.subscribe(ctx, sfutest.Config{TCPOnly: tcp}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
		for _, s := range subs {
			t.flows(ctx, fmt.Sprintf("over TCP both ways: %t", tcp), s, 30)
		}
	}
}

// checkTCPCandidates: passive, and after those of UDP.
func (t *T) checkTCPCandidates(sdp string) {
	seen := false
	for _, candidate := range sdpLines(sdp, "a=candidate:") {
		tcp := strings.EqualFold(strings.Fields(candidate)[2], "tcp")
		if tcp && !strings.Contains(candidate, "tcptype passive") || seen && !tcp {
			t.Errorf("candidate %q is not passive, or stands behind one of TCP", candidate)
		}
		seen = seen || tcp
	}
	if !seen {
		t.Fatalf("no TCP candidate in\n%s", sdp)
	}
}

func mediaSilence(ctx context.Context, t *T) {
	pub, publishers := t.publish(ctx, sfutest.Config{}, mic(), cam())
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "mic"), remote(pub.ID, "cam"))
	for i := range subs {
		t.flows(ctx, "before", subs[i], 10)
		publishers[i].SetSilent(true)
		t.quiet(ctx, "the silent track", subs[i])
		publishers[i].SetSilent(false)
		t.flows(ctx, "after", subs[i], 10)
	}
}

func mediaMany(ctx context.Context, t *T) {
	fast := cam()
	fast.Interval, fast.PerFrame, fast.Size = 10*time.Millisecond, 8, 1100
	pub, _ := t.publish(ctx, sfutest.Config{}, fast)
	_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
	got := t.flows(ctx, "cam", subs[0], 2500)
	if t.strays(got) || t.target.Emulator && got.KeyFrames == 0 {
		t.Errorf("%+v", got)
	}
}
