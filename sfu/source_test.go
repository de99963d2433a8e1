package sfu

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

func TestASourceIsForwardedLikeAnEndpointsTrack(t *testing.T) {
	s := newSFU(t, Config{})
	src, err := s.NewSource()
	must(t, err)
	pub := src.Publication()
	if pub.Kind() != KindAudio || pub.Codec() != "opus" || pub.Mid() != "0" || len(pub.RIDs()) != 0 {
		t.Errorf("%+v", pub.Info())
	}
	src.Write([]byte{1}, 960)
	to, subs := subscriber(t, s, pub)
	for i := range byte(10) {
		src.Write([]byte{i, 7}, 960)
	}
	media, control := to.drain(t)
	if len(media) != 10 {
		t.Fatalf("%d packets arrive", len(media))
	}
	for i, p := range media {
		if p.SSRC != subs[0].ssrc || p.PayloadType != 111 || p.Payload[0] != byte(i) {
			t.Errorf("packet %d: %+v", i, p)
		}
		if i > 0 && (p.SequenceNumber != media[i-1].SequenceNumber+1 || p.Timestamp != media[i-1].Timestamp+960) {
			t.Errorf("packet %d does not continue the one before", i)
		}
	}
	if count[*rtcp.SenderReport](control) == 0 {
		t.Error("nobody says what the timestamps mean")
	}
	info := pub.Info()
	if info.Packets != 11 || len(info.Layers) != 1 || !info.Layers[0].Alive || time.Since(pub.LastPacket()) > time.Minute {
		t.Errorf("%+v", info)
	}
	src.Close()
	src.Close()
	src.Write([]byte{99}, 960)
	if media, _ := to.drain(t); len(media) != 0 {
		t.Errorf("%d packets after the end", len(media))
	}
	select {
	case <-pub.Done():
	default:
		t.Error("the track has not ended")
	}
}

func TestTheSourcesPeerHasNoEndpoint(t *testing.T) {
	src, err := newSFU(t, Config{}).NewSource()
	must(t, err)
	p := src.Peer()
	if state, _ := p.State(); state != StateConnected || !p.LastSeen().IsZero() {
		t.Errorf("%v, seen at %v", state, p.LastSeen())
	}
	src.Write([]byte{1}, 960)
	if time.Since(p.LastSeen()) > time.Minute || p.Info().State != StateConnected {
		t.Errorf("%+v", p.Info())
	}
	if _, err := p.Answer(describe(t, audio("0", "sendonly")), AnswerPlan{}); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("answer: %v", err)
	}
	if _, err := p.Offer(OfferPlan{Pulls: []Pull{{Publication: src.Publication()}}}); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("offer: %v", err)
	}
	if err := p.AcceptAnswer(describe(t, audio("0", "sendonly"))); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("answer to an offer: %v", err)
	}
	p.CloseMids("0")
	select {
	case <-src.Publication().Done():
	default:
		t.Error("closing its mid does not end the track")
	}
	must(t, p.Close())
	if state, _ := p.State(); state != StateClosed {
		t.Errorf("closed, it is %v", state)
	}
}

func TestAClosedSFUMakesNoSource(t *testing.T) {
	s := newSFU(t, Config{})
	must(t, s.Close())
	if _, err := s.NewSource(); err == nil {
		t.Error("it makes one")
	}
}
