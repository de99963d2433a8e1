package sfutest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// connectPair connects from's offer with to's answer and waits for both.
func connectPair(t *testing.T, from, to *Peer, p *pair) (offer string) {
	t.Helper()
	offer, err := from.Offer(p.ctx)
	must(t, err)
	answer, err := to.Answer(p.ctx, offer)
	must(t, err)
	must(t, from.SetAnswer(answer))
	must(t, from.WaitConnected(p.ctx))
	must(t, to.WaitConnected(p.ctx))
	return offer
}

func TestSimulcastLayersAreOfferedByRIDAndSentApart(t *testing.T) {
	for _, codec := range []Codec{VP8, VP9, H264} {
		t.Run(string(codec), func(t *testing.T) {
			t.Parallel()
			p, _ := newPair(t, Config{}, Config{}, Track{Codec: Opus})
			from, to := newTestPeer(t, Config{Gather: true}), newTestPeer(t, Config{Gather: true})
			layers, err := from.PublishSimulcast(Track{Codec: codec},
				Layer{RID: "big", Width: 1280, Height: 720, Interval: 10 * time.Millisecond}, Layer{RID: "z1", Width: 640, Height: 360})
			must(t, err)
			layers[0].SetSilent(true) // the other one may well come first
			offer := connectPair(t, from, to, p)
			if !strings.Contains(offer, "a=rid:big send") || !strings.Contains(offer, "a=simulcast:send big;z1") {
				t.Errorf("the offer names no layers:\n%s", offer)
			}
			sub := to.Subscriber(layers[0].Mid())
			_, err = sub.WaitMore(p.ctx, 5)
			must(t, err)
			layers[0].SetSilent(false)
			got, err := sub.Wait(p.ctx, func(s SubscriberStats) bool { return len(s.Streams) == 2 && s.Packets > 20 })
			must(t, err)
			if !slices.Contains(got.Streams, layers[0].Stream()) || !slices.Contains(got.Streams, layers[1].Stream()) || len(got.SSRCs) != 2 {
				t.Errorf("layers arrive as %+v", got)
			}
			layers[0].SetSilent(true)
			big, small := layers[0].Stats().Packets, layers[1].Stats().Packets
			after, err := layers[1].Wait(p.ctx, func(s PublisherStats) bool { return s.Packets > small+9 })
			must(t, err)
			if now := layers[0].Stats().Packets; now != big || after.KeyFrames != 1 {
				t.Errorf("the silent layer sent %d packets more, the other %d key frames", now-big, after.KeyFrames)
			}
		})
	}
}

func TestAnswerSendsOnTheOfferedSection(t *testing.T) {
	p, _ := newPair(t, Config{}, Config{}, Track{Codec: Opus})
	asking, sending := newTestPeer(t, Config{Gather: true}), newTestPeer(t, Config{Gather: true})
	must(t, asking.ReceiveAs("video", "5"))
	pub, err := sending.PublishInAnswer(Track{Codec: H264})
	must(t, err)
	connectPair(t, asking, sending, p)
	got, err := asking.Subscriber("5").WaitMore(p.ctx, 20)
	must(t, err)
	if pub.Mid() != "5" || got.Codec != H264 || got.Streams[0] != pub.Stream() || got.Missing != 0 {
		t.Errorf("mid %q carries %+v", pub.Mid(), got)
	}
}

func TestOneSectionCarriesMediaBothWays(t *testing.T) {
	p, _ := newPair(t, Config{}, Config{}, Track{Codec: Opus})
	a, b := newTestPeer(t, Config{Gather: true}), newTestPeer(t, Config{Gather: true})
	atA, err := a.Publish(Track{Codec: Opus, Receives: true})
	must(t, err)
	atB, err := b.PublishInAnswer(Track{Codec: Opus, Receives: true})
	must(t, err)
	connectPair(t, a, b, p)
	for _, way := range []struct {
		from *Publisher
		to   *Peer
	}{{atA, b}, {atB, a}} {
		got, err := way.to.Subscriber("0").WaitMore(p.ctx, 10)
		must(t, err)
		if got.Streams[0] != way.from.Stream() {
			t.Errorf("mid 0 carries %+v", got)
		}
	}
}

func TestLitePeerIsReachedByAFullOne(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{Lite: true}, Track{Codec: Opus})
	_, err := p.to.Subscriber(pubs[0].Mid()).WaitMore(p.ctx, 5)
	must(t, err)
	if local := p.to.pc.LocalDescription().SDP; !strings.Contains(local, "a=ice-lite") {
		t.Errorf("the answer is not lite:\n%s", local)
	}
}

func TestREMBReachesThePublisher(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{}, Track{Codec: VP8})
	sub := p.to.Subscriber(pubs[0].Mid())
	_, err := sub.WaitMore(p.ctx, 3)
	must(t, err)
	must(t, sub.SendREMB(300_000))
	_, err = pubs[0].Wait(p.ctx, func(s PublisherStats) bool { return s.REMBs == 1 })
	must(t, err)
}

func TestRestartOffersNewCredentialsAndMediaGoesOn(t *testing.T) {
	p, pubs := newPair(t, Config{Restarts: true}, Config{Restarts: true}, Track{Codec: Opus})
	sub := p.to.Subscriber(pubs[0].Mid())
	_, err := sub.WaitMore(p.ctx, 5)
	must(t, err)
	before := p.from.pc.LocalDescription().SDP
	offer, err := p.from.OfferRestart(p.ctx)
	must(t, err)
	if ufragOf(offer) == ufragOf(before) || ufragOf(offer) == "" {
		t.Errorf("the credentials are still %q", ufragOf(offer))
	}
	answer, err := p.to.Answer(p.ctx, offer)
	must(t, err)
	must(t, p.from.SetAnswer(answer))
	_, err = sub.WaitMore(p.ctx, 50)
	must(t, err)
}

func ufragOf(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	return ufrag
}

// frames feeds a Subscriber with VP8 frames of one packet each.
type frames struct {
	sub *Subscriber
	seq uint16
	ts  uint32
}

func newFrames() *frames {
	f := &frames{sub: &Subscriber{seen: map[uint64]struct{}{}, offsets: map[uint32]offsets{}}}
	f.sub.stats.Codec = VP8
	return f
}

func (f *frames) take(stream uint32, source uint16, picture uint16, tl0 uint8, key bool) SubscriberStats {
	f.seq++
	f.ts += 3000
	payload := payloadHeader(VP8, packetPlace{key: key, first: true, last: true, pictureID: picture, tl0: tl0})
	payload = append(payload, make([]byte, 100)...)
	stamp := Stamp{Stream: stream, Sequence: source, Timestamp: uint32(source) * 3000, Captured: time.Unix(1, int64(source)*1e6), Key: key, Width: 320}
	packet := &rtp.Packet{Header: rtp.Header{SequenceNumber: f.seq, Timestamp: f.ts}, Payload: stamp.appendTo(payload)}
	f.sub.take(packet, nil, false)
	return f.sub.Stats()
}

func TestSwitchOfSourceIsNotedAndSeamsAreCounted(t *testing.T) {
	f := newFrames()
	f.take(1, 100, 0x7fff, 255, true)
	f.take(1, 101, 0, 0, false)
	f.take(2, 7, 1, 1, true)
	got := f.take(2, 8, 2, 2, false)
	if len(got.Switches) != 1 || got.Switches[0] != (Switch{1, 2, true, 1, 3000, -94 * time.Millisecond}) {
		t.Fatalf("switches %+v", got.Switches)
	}
	if got.SequenceSteps+got.TimestampSteps+got.PictureSteps+got.Missing != 0 {
		t.Fatalf("a seamless switch is damage: %+v", got)
	}
	f.take(2, 9, 3, 2, false) // TL0PICIDX stays
	f.take(2, 11, 5, 3, false)
	f.seq += 2
	got = f.take(1, 102, 6, 4, false)
	if got.PictureSteps != 2 || got.SequenceSteps != 1 || got.TimestampSteps != 1 || got.Missing != 2 {
		t.Fatalf("steps %+v", got)
	}
	if s := got.Switches[1]; s.Key || s.Sequence != 3 {
		t.Errorf("second switch %+v", s)
	}
}
