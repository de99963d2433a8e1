package adapter

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// film is what a publisher sends: a real key frame where one is wanted, and else packets that begin none.
func film(t *testing.T, codec string, picture *image.RGBA) func(uint64, bool) [][]byte {
	t.Helper()
	key := encode(t, codec, picture, 1)[0]
	between := map[string][]byte{"VP8": {0x11, 0x20, 0}, "VP9": {0x86, 0}, "H264": {0, 0, 0, 1, 0x41, 0x9a, 1}, "H265": {0, 0, 0, 1, 0x02, 1, 1}}
	payloader := map[string]rtp.Payloader{
		"VP8": &codecs.VP8Payloader{EnablePictureID: true}, "VP9": &codecs.VP9Payloader{},
		"H264": &codecs.H264Payloader{}, "H265": &codecs.H265Payloader{},
	}[codec]
	return func(_ uint64, wanted bool) [][]byte {
		if wanted {
			return payloader.Payload(1100, key)
		}
		return payloader.Payload(1100, between[codec])
	}
}

// publish connects a real publisher of one track.
func (r *rig) publish(track sfutest.Track, layers ...sfutest.Layer) (*sfu.Publication, []*sfutest.Publisher) {
	t := r.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := sfutest.NewPeer(sfutest.Config{})
	check(err)
	t.Cleanup(func() { _ = e.Close() })
	var sent []*sfutest.Publisher
	if len(layers) > 0 {
		sent, err = e.PublishSimulcast(track, layers...)
	} else {
		var one *sfutest.Publisher
		one, err = e.Publish(track)
		sent = append(sent, one)
	}
	check(err)
	offer, err := e.Offer(ctx)
	check(err)
	parsed, err := sfu.ParseDescription(offer)
	check(err)
	p, err := r.sfu.NewPeer()
	check(err)
	mid := sent[0].Mid()
	got, err := p.Answer(parsed, sfu.AnswerPlan{Publish: []string{mid}})
	check(err)
	check(e.SetAnswer(got.SDP))
	check(e.WaitConnected(ctx))
	pub := got.Publications[mid]
	select {
	case <-pub.Ready():
	case <-ctx.Done():
		t.Fatal("the publisher sends nothing")
	}
	return pub, sent
}

// pictures makes an endpoint for pictures five times a second.
func (r *rig) pictures(pub *sfu.Publication) (*Adapter, *websocket.Conn) {
	limits := *r.limits.Load()
	limits.Picture = 200 * time.Millisecond
	r.limits.Store(&limits)
	e := newEndpoint(r.t)
	a := r.open(NewJPEG(r.config(e.url), pub))
	return a, e.socket()
}

func TestAPublishersVideoArrivesAsPictures(t *testing.T) {
	for codec := range encoders {
		t.Run(codec, func(t *testing.T) {
			r, source := newRig(t), card(320, 180)
			pub, _ := r.publish(sfutest.Track{Codec: sfutest.Codec(codec), Content: film(t, codec, source)})
			a, s := r.pictures(pub)
			var last Packet
			for i := range 3 {
				p := next(t, s)
				wantPicture(t, p.Payload, source)
				if i > 0 && (p.SequenceNumber != last.SequenceNumber+1 || int32(p.Timestamp-last.Timestamp) <= 0) {
					t.Errorf("picture %d/%d follows %d/%d", p.SequenceNumber, p.Timestamp, last.SequenceNumber, last.Timestamp)
				}
				last = p
			}
			a.Close()
			wantClose(t, s, websocket.StatusNormalClosure, "adapter closed")
		})
	}
}

// TestPicturesShareKeyFrames: many adapters ask the publisher no more often than one, and one no more often than once a second.
func TestPicturesShareKeyFrames(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 100 * time.Millisecond} {
		t.Run(interval.String(), func(t *testing.T) { sharesKeyFrames(t, interval) })
	}
}

func sharesKeyFrames(t *testing.T, interval time.Duration) {
	r := newRig(t)
	pub, sent := r.publish(sfutest.Track{Codec: sfutest.VP8, Content: film(t, "VP8", card(64, 48))})
	limits := *r.limits.Load()
	limits.Picture = interval
	r.limits.Store(&limits)
	e := newEndpoint(t)
	var sockets []*websocket.Conn
	begun, before := time.Now(), sent[0].Stats().PLIs
	for range 4 {
		r.open(NewJPEG(r.config(e.url), pub))
		sockets = append(sockets, e.socket())
	}
	for time.Since(begun) < 3*time.Second {
		for _, s := range sockets {
			next(t, s)
		}
	}
	asked, took := sent[0].Stats().PLIs-before, time.Since(begun)
	if most := uint64(took/time.Second) + 2; asked > most {
		t.Errorf("four adapters asked for %d key frames in %v", asked, took)
	}
}

func TestSimulcastGivesItsBestLayer(t *testing.T) {
	r := newRig(t)
	small, large := card(160, 90), card(320, 180)
	films := map[bool]func(uint64, bool) [][]byte{false: film(t, "VP8", small), true: film(t, "VP8", large)}
	pub, _ := r.publish(sfutest.Track{Codec: sfutest.VP8},
		sfutest.Layer{RID: "a", Content: films[false]},
		sfutest.Layer{RID: "b", Content: func(n uint64, key bool) [][]byte { return films[true](n, key || n%5 == 0) }})
	until(t, "both layers are measured", func() bool {
		layers := pub.Info().Layers
		return len(layers) == 2 && layers[0].Bitrate > 0 && layers[1].Bitrate > layers[0].Bitrate
	})
	_, s := r.pictures(pub)
	for range 3 {
		wantPicture(t, next(t, s).Payload, large)
	}
}

// TestAVideoThatCannotBeDecodedIsCounted: the stamped filler of a test publisher is no VP8.
func TestAVideoThatCannotBeDecodedIsCounted(t *testing.T) {
	r := newRig(t)
	pub, _ := r.publish(sfutest.Track{Codec: sfutest.VP8})
	a, _ := r.pictures(pub)
	until(t, "it is counted", func() bool { return a.Info().Dropped > 1 && a.Info().LastError != "" })
	if info := a.Info(); info.State != StateOpen || info.Messages != 0 {
		t.Errorf("%+v", info)
	}
}

// TestOnlyTheNewestPictureIsKeptForALostSocket.
func TestOnlyTheNewestPictureIsKept(t *testing.T) {
	out := newBacklog(videoBacklog)
	for i := range byte(3) {
		if dropped := out.put(message{wire: []byte{i}}); dropped != (i > 0) {
			t.Errorf("picture %d: an older one is dropped: %t", i, dropped)
		}
	}
	if m, ok := out.take(); !ok || m.wire[0] != 2 {
		t.Errorf("%v is kept", m.wire)
	}
	if _, ok := out.take(); ok {
		t.Error("there is more than one")
	}
}

func TestTheRhythmOfPictures(t *testing.T) {
	var r rhythm
	start := time.Unix(100, 0)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	if !r.ask(at(0), time.Second) || r.ask(at(400), time.Second) {
		t.Error("the first key frame is not asked for once")
	}
	if !r.ready(at(50), time.Second) || r.ready(at(900), time.Second) {
		t.Error("the first picture is not due at once, or the second is")
	}
	if r.ask(at(1000), time.Second) || !r.ask(at(1050), time.Second) { // the first was late, so its rhythm begins with it
		t.Error("the second key frame is not asked for when it is due")
	}
	if !r.ready(at(1200), time.Second) {
		t.Error("the second picture is not due when it comes")
	}
	if next := r.next(at(1300), time.Second); !next.Equal(at(2050)) {
		t.Errorf("the third is due at %v", next)
	}
	if !r.ready(at(9000), time.Second) || r.ready(at(9500), time.Second) {
		t.Error("after a pause pictures are made up for")
	}
}

func TestPicturesHaveTheSourcesShape(t *testing.T) {
	source := card(322, 182) // no multiple of 16
	r := newRig(t)
	pub, _ := r.publish(sfutest.Track{Codec: sfutest.VP8, Content: film(t, "VP8", source)})
	_, s := r.pictures(pub)
	p := next(t, s)
	wantPicture(t, p.Payload, source)
	if !bytes.HasPrefix(p.Payload, []byte{0xff, 0xd8}) || !bytes.HasSuffix(p.Payload, []byte{0xff, 0xd9}) {
		t.Error("the message is not one whole JPEG")
	}
	if _, err := jpeg.Decode(bytes.NewReader(p.Payload)); err != nil {
		t.Error(err)
	}
}
