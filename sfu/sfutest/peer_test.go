package sfutest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a publishing and a receiving peer, connected to each other directly.
type pair struct {
	ctx      context.Context
	from, to *Peer
}

func newPair(t *testing.T, from, to Config, tracks ...Track) (*pair, []*Publisher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	from.Gather, to.Gather = true, true
	p := &pair{ctx: ctx, from: newTestPeer(t, from), to: newTestPeer(t, to)}
	publishers := make([]*Publisher, len(tracks))
	for i, track := range tracks {
		var err error
		publishers[i], err = p.from.Publish(track)
		must(t, err)
	}
	p.exchange(t)
	must(t, p.from.WaitConnected(ctx))
	must(t, p.to.WaitConnected(ctx))
	return p, publishers
}

func (p *pair) exchange(t *testing.T) {
	t.Helper()
	offer, err := p.from.Offer(p.ctx)
	must(t, err)
	answer, err := p.to.Answer(p.ctx, offer)
	must(t, err)
	must(t, p.from.SetAnswer(answer))
}

func newTestPeer(t *testing.T, cfg Config) *Peer {
	t.Helper()
	p, err := NewPeer(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryCodecArrivesWholeAndInOrder(t *testing.T) {
	for _, codec := range AllCodecs() {
		t.Run(string(codec), func(t *testing.T) {
			t.Parallel()
			p, pubs := newPair(t, Config{}, Config{}, Track{Codec: codec, Interval: 10 * time.Millisecond, AudioLevel: 33})
			got, err := p.to.Subscriber(pubs[0].Mid()).Wait(p.ctx, func(s SubscriberStats) bool { return s.Packets >= 30 })
			must(t, err)
			if got.Missing+got.Duplicates+got.Corrupt+got.Unstamped+got.SequenceSteps+got.TimestampSteps != 0 {
				t.Errorf("damaged stream: %+v", got)
			}
			if len(got.Streams) != 1 || got.Streams[0] != pubs[0].Stream() || len(got.SSRCs) != 1 || got.SSRCs[0] != pubs[0].SSRC() {
				t.Errorf("wrong source: %+v", got)
			}
			if got.Codec != codec {
				t.Errorf("codec %s, want %s", got.Codec, codec)
			}
			if video := pubs[0].Kind() == webrtc.RTPCodecTypeVideo; video && got.KeyFrames != 1 || !video && got.AudioLevel != 33 {
				t.Errorf("key frames %d, audio level %d", got.KeyFrames, got.AudioLevel)
			}
		})
	}
}

func TestPLIAndFIRMakeKeyFrames(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{}, Track{Codec: VP8})
	sub := p.to.Subscriber(pubs[0].Mid())
	_, err := sub.Wait(p.ctx, func(s SubscriberStats) bool { return s.KeyFrames == 1 })
	must(t, err)
	must(t, sub.RequestKeyFrame())
	_, err = sub.Wait(p.ctx, func(s SubscriberStats) bool { return s.KeyFrames == 2 })
	must(t, err)
	pubs[0].HoldKeyFrames(true)
	must(t, sub.SendFIR(1))
	_, err = sub.WaitMore(p.ctx, 12)
	must(t, err)
	if s := pubs[0].Stats(); s.KeyFrames != 2 {
		t.Errorf("a held key frame was sent: %+v", s)
	}
	pubs[0].HoldKeyFrames(false)
	_, err = pubs[0].Wait(p.ctx, func(s PublisherStats) bool { return s.PLIs == 1 && s.FIRs == 1 && s.KeyFrames == 3 })
	must(t, err)
}

func TestWithheldPacketsComeByNACK(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg      Config
		repaired uint64
	}{"over RTX": {Config{}, 2}, "as they were": {Config{WithoutRTX: true}, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, pubs := newPair(t, tc.cfg, tc.cfg, Track{Codec: VP8})
			sub := p.to.Subscriber(pubs[0].Mid())
			_, err := sub.WaitMore(p.ctx, 10)
			must(t, err)
			pubs[0].Withhold(2)
			hole, err := sub.Wait(p.ctx, func(s SubscriberStats) bool { return s.Missing == 2 })
			must(t, err)
			numbers := make([]uint16, 0, 20)
			for i := range uint16(20) {
				numbers = append(numbers, hole.LastSequence-i)
			}
			must(t, sub.SendNACK(numbers...))
			whole, err := sub.Wait(p.ctx, func(s SubscriberStats) bool { return s.Missing == 0 && s.Packets > 20 && s.Late >= 2 })
			must(t, err)
			if whole.Repaired < tc.repaired || tc.repaired == 0 && whole.Repaired != 0 || whole.SequenceSteps != 0 {
				t.Errorf("repair went wrong: %+v", whole)
			}
		})
	}
}

func TestReplaysAreSeenOnlyWhenAccepted(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{AcceptReplays: true}, Track{Codec: Opus})
	sub := p.to.Subscriber(pubs[0].Mid())
	got, err := sub.WaitMore(p.ctx, 5)
	must(t, err)
	must(t, sub.SendNACK(got.LastSequence))
	_, err = sub.Wait(p.ctx, func(s SubscriberStats) bool { return s.Duplicates == 1 })
	must(t, err)
}

func TestReportsKeepAudioAndVideoInSync(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{}, Track{Codec: Opus}, Track{Codec: VP8})
	var offsets [2]time.Duration
	for i, pub := range pubs {
		got, err := p.to.Subscriber(pub.Mid()).Wait(p.ctx, func(s SubscriberStats) bool { return len(s.Reports) > 1 })
		must(t, err)
		offsets[i], _ = got.ClockOffset()
	}
	if apart := (offsets[0] - offsets[1]).Abs(); apart > 2*time.Millisecond {
		t.Errorf("audio and video are %s apart", apart)
	}
}

func TestSilenceStopsPacketsAndKeepsNumbersTogether(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{}, Track{Codec: Opus, Silent: true})
	sub := p.to.Subscriber(pubs[0].Mid())
	short, cancel := context.WithTimeout(p.ctx, 200*time.Millisecond)
	defer cancel()
	if _, err := sub.WaitMore(short, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent publisher sent: %v", err)
	}
	pubs[0].SetSilent(false)
	got, err := sub.WaitMore(p.ctx, 5)
	must(t, err)
	if got.Missing != 0 || got.TimestampSteps != 0 {
		t.Errorf("silence left a hole: %+v", got)
	}
}

func TestVanishedPeerFailsWithoutAWord(t *testing.T) {
	quick := Config{Disconnected: 500 * time.Millisecond, Failed: 500 * time.Millisecond}
	p, _ := newPair(t, quick, quick, Track{Codec: Opus})
	p.from.Vanish()
	must(t, p.to.WaitState(p.ctx, webrtc.PeerConnectionStateFailed))
	if err := p.to.WaitState(p.ctx, webrtc.PeerConnectionStateConnected); !errors.Is(err, ErrFailed) {
		t.Errorf("wait on a failed connection: %v", err)
	}
}

func TestStoppedTrackEndsAndTheOtherGoesOn(t *testing.T) {
	p, pubs := newPair(t, Config{}, Config{}, Track{Codec: Opus}, Track{Codec: VP8})
	must(t, p.from.Stop(pubs[0].Mid()))
	p.exchange(t)
	_, err := p.to.Subscriber(pubs[1].Mid()).WaitMore(p.ctx, 10)
	must(t, err)
}

func TestWaitsEndWithClose(t *testing.T) {
	p, err := NewPeer(Config{})
	must(t, err)
	waited := make(chan error, 1)
	go func() { waited <- p.WaitConnected(context.Background()) }()
	must(t, p.Close())
	must(t, p.Close())
	if err := <-waited; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrFailed) {
		t.Errorf("wait ended with %v", err)
	}
}

func TestStampFindsDamage(t *testing.T) {
	payload := Stamp{Stream: 7, Packet: 9, Sequence: 3, Timestamp: 5, Captured: time.Unix(1, 2), Key: true}.appendTo(make([]byte, 100))
	got, err := ReadStamp(payload)
	if err != nil || got.Stream != 7 || got.Packet != 9 || !got.Key || !got.Captured.Equal(time.Unix(1, 2)) {
		t.Errorf("read %+v, %v", got, err)
	}
	payload[90] ^= 1
	if _, err := ReadStamp(payload); !errors.Is(err, errBadStamp) {
		t.Errorf("damage gave %v", err)
	}
	if _, err := ReadStamp(make([]byte, 200)); !errors.Is(err, errNoStamp) {
		t.Errorf("foreign payload gave %v", err)
	}
}
