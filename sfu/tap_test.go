package sfu

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// opus is a packet of mid 0 of publisher.
func opus(seq uint16, payload ...byte) rtp.Packet {
	return rtp.Packet{Header: rtp.Header{PayloadType: 111, SequenceNumber: seq, Timestamp: 960 * uint32(seq), SSRC: 11}, Payload: payload}
}

func told(t *Tap) bool {
	select {
	case <-t.Arrived():
		return true
	default:
		return false
	}
}

func TestATapGetsCopies(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	tap := pubs["0"].Tap()
	if told(tap) {
		t.Error("something has arrived before anything was sent")
	}
	from.sendRTP(t, opus(65535, 1, 2, 3), opus(0, 4))
	if !told(tap) {
		t.Fatal("nobody is told")
	}
	for i, want := range []TapPacket{
		{Payload: []byte{1, 2, 3}, Codec: "opus", Seq: 65535, Timestamp: 960 * 65535, Fresh: true},
		{Payload: []byte{4}, Codec: "opus", Seq: 0},
	} {
		got, ok := tap.Next()
		if !ok || !bytes.Equal(got.Payload, want.Payload) || got.Seq != want.Seq || got.Timestamp != want.Timestamp ||
			got.Codec != want.Codec || got.Fresh != want.Fresh || got.Arrived.IsZero() {
			t.Errorf("packet %d: %+v", i, got)
		}
	}
	if _, ok := tap.Next(); ok {
		t.Error("there is more than was sent")
	}
	tap.Close()
	from.sendRTP(t, opus(1, 5))
	if _, ok := tap.Next(); ok || told(tap) || pubs["0"].taps.Load() != nil {
		t.Error("a closed tap goes on")
	}
}

func TestASlowReaderLosesTheOldest(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	tap := pubs["0"].Tap()
	for seq := range uint16(tapAudio + 10) {
		from.sendRTP(t, opus(seq, byte(seq)))
	}
	if tap.Dropped() != 10 {
		t.Errorf("%d were dropped", tap.Dropped())
	}
	for seq := uint16(10); seq < tapAudio+10; seq++ {
		if got, ok := tap.Next(); !ok || got.Seq != seq || got.Payload[0] != byte(seq) {
			t.Fatalf("packet %d is %+v", seq, got)
		}
	}
}

// TestWhatWasReadStaysUntilTheNextRead although the ring goes around.
func TestWhatWasReadStaysUntilTheNextRead(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	tap := pubs["0"].Tap()
	for seq := range uint16(3) {
		from.sendRTP(t, opus(seq, byte(seq)))
		held, _ := tap.Next()
		for other := range uint16(2 * tapAudio) {
			from.sendRTP(t, opus(1000*(seq+1)+other, 99))
		}
		if held.Seq != seq || held.Payload[0] != byte(seq) {
			t.Fatalf("packet %d has become %+v", seq, held)
		}
		for ok := true; ok; _, ok = tap.Next() {
		}
	}
}

func TestATapFollowsANewStream(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	tap := pubs["0"].Tap()
	from.sendRTP(t, opus(7, 1))
	again := opus(3, 2)
	again.SSRC, again.Extension, again.ExtensionProfile = 12, true, 0xBEDE
	must(t, again.SetExtension(4, []byte("0")))
	from.sendRTP(t, again, opus(8, 3))
	for i, want := range []struct {
		payload byte
		fresh   bool
	}{{1, true}, {2, true}} {
		if got, ok := tap.Next(); !ok || got.Payload[0] != want.payload || got.Fresh != want.fresh {
			t.Errorf("packet %d: %+v", i, got)
		}
	}
	if got, ok := tap.Next(); ok {
		t.Errorf("a late packet of the old stream: %+v", got)
	}
}

func TestATapOfVideoGivesWholeKeyFrames(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	tap := pubs["1"].Tap()
	part := func(seq uint16, marker bool, payload ...byte) rtp.Packet {
		p := vp8(seq, payload...)
		p.Timestamp, p.Marker = 5000, marker
		return p
	}
	from.sendRTP(t, vp8(99, inter(1)...))
	if _, ok := tap.KeyFrame(); ok {
		t.Error("a frame in between is a key frame")
	}
	from.sendRTP(t, part(100, false, 0x10, 0x00, 1, 2), part(101, false, 0x00, 3, 4, 5), vp8(103, inter(2)...))
	if _, ok := tap.KeyFrame(); ok {
		t.Error("half a key frame is one")
	}
	from.sendRTP(t, part(102, true, 0x00, 6, 7, 8))
	frame, ok := tap.KeyFrame()
	if !ok || frame.Codec != "VP8" || frame.Timestamp != 5000 || len(frame.Units) != 1 ||
		!bytes.Equal(frame.Units[0], []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("%+v, %t", frame, ok)
	}
	from.sendRTP(t, vp8(104, key(1)...), vp8(105, key(2)...))
	if frame, ok = tap.KeyFrame(); !ok || frame.Timestamp != 3000*105 {
		t.Errorf("of two key frames comes %+v", frame)
	}
	if tap.count != 0 {
		t.Errorf("%d packets that belong to no key frame are kept", tap.count)
	}
}

// TestKeyFramesForTapsAreAskedForTogether: two taps that want one each second cost the publisher one PLI a second, and a
// subscriber's PLI serves them as well.
func TestKeyFramesForTapsAreAskedForTogether(t *testing.T) {
	from, pubs := publisher(t, newSFU(t, Config{}))
	from.sendRTP(t, vp8(1, key(0)...))
	a, b := pubs["1"].Tap(), pubs["1"].Tap()
	a.RequestKeyFrame(time.Minute)
	b.RequestKeyFrame(time.Minute)
	a.RequestKeyFrame(time.Minute)
	if _, control := from.drain(t); count[*rtcp.PictureLossIndication](control) != 1 {
		t.Errorf("the publisher gets %v, want one PLI", control)
	}
	st := pubs["1"].youngest()[0]
	st.lastPLI.Add(-int64(time.Minute))
	b.RequestKeyFrame(time.Minute)
	if _, control := from.drain(t); count[*rtcp.PictureLossIndication](control) != 1 {
		t.Errorf("a minute later the publisher gets %v", control)
	}
}

func TestATapTakesTheBestLivingLayer(t *testing.T) {
	g := newStage(t, Selection{}, "a", "b", "c")
	tap := g.pub.Tap()
	set := func(rid string, rate uint64, alive bool) {
		g.layers[rid].meter.rate.Store(rate)
		g.layers[rid].meter.last.Store(0)
		if alive {
			g.layers[rid].meter.last.Store(time.Now().UnixNano())
		}
	}
	for i, c := range []struct {
		a, b, c uint64
		want    string
	}{
		{0, 0, 0, ""},         // nobody sends
		{500, 1500, 800, "b"}, // the highest, whatever it is called
		{500, 1500, 1800, "b"},
		{500, 1500, 1900, "c"}, // clearly better
		{500, 1500, 0, "b"},    // c has gone
	} {
		set("a", c.a, c.a > 0)
		set("b", c.b, c.b > 0)
		set("c", c.c, c.c > 0)
		tap.RequestKeyFrame(time.Second)
		got := ""
		if st := tap.target.Load(); st != nil {
			got = st.rid
		}
		if got != c.want {
			t.Errorf("step %d: layer %q, want %q", i, got, c.want)
		}
	}
	g.frame("a", 1, 1, 1, 1, true)
	g.frame("b", 1, 1, 1, 1, true)
	if tap.count != 1 || tap.on != g.layers["b"] {
		t.Errorf("%d packets of %v are copied", tap.count, tap.on)
	}
}

func TestTheEndOfAPublicationEndsItsTaps(t *testing.T) {
	s := newSFU(t, Config{})
	from, pubs := publisher(t, s)
	tap := pubs["0"].Tap()
	from.sendRTP(t, opus(1, 1))
	from.peer.CloseMids("0")
	select {
	case <-tap.Done():
	default:
		t.Error("the tap is not told")
	}
	if _, ok := tap.Next(); !ok {
		t.Error("what was copied is lost")
	}
	tap.Close()
	if late := pubs["0"].Tap(); pubs["0"].taps.Load() != nil {
		t.Errorf("a publication that has ended has the tap %p", late)
	}
}

// TestReadingBesideTheCopying is for the race detector.
func TestReadingBesideTheCopying(t *testing.T) {
	src, err := newSFU(t, Config{}).NewSource()
	must(t, err)
	tap := src.Publication().Tap()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 2000 {
			src.Write([]byte{byte(i), byte(i >> 8)}, 960)
		}
		src.Close()
	}()
	seen, last := 0, uint16(0)
	for ended := false; !ended; {
		select {
		case <-tap.Arrived():
		case <-tap.Done():
			ended = true
		}
		for p, ok := tap.Next(); ok; p, ok = tap.Next() {
			if seen > 0 && int16(p.Seq-last) <= 0 {
				t.Fatalf("packet %d after %d", p.Seq, last)
			}
			last = p.Seq
			seen++
		}
	}
	<-done
	if seen+int(tap.Dropped()) != 2000 {
		t.Errorf("%d were read and %d dropped of 2000", seen, tap.Dropped())
	}
}

// TestForwardingWithTapsAllocatesNothing once the ring has its memory.
func TestForwardingWithTapsAllocatesNothing(t *testing.T) {
	r := newRoom(t, 2)
	tap := r.pub.Tap()
	defer tap.Close()
	burst := r.burst(0, 4)
	burst[0].keyFrame = true
	seq := uint16(0)
	step := func() {
		for i := range burst {
			burst[i].seq = seq
			seq++
		}
		r.worker.now = time.Now()
		r.pub.forward(r.stream, burst, r.worker)
		r.worker.flush()
	}
	for range 2 * tapVideo {
		step()
	}
	if n := testing.AllocsPerRun(200, step); n >= 1 {
		t.Fatalf("%.1f allocations for a burst, want 0", n)
	}
}
