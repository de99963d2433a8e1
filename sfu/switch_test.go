package sfu

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/callsemu/callsemu/sfu/internal/codec"
	"github.com/callsemu/callsemu/sfu/internal/rewrite"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
	"github.com/callsemu/callsemu/sfu/internal/udp"
)

func addrPorts(list ...string) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range list {
		out = append(out, netip.MustParseAddrPort(s))
	}
	return out
}

// stage is one publication with layers and one subscriber, whose packets are read and decrypted.
type stage struct {
	t      *testing.T
	pub    *Publication
	sub    *Subscription
	worker *worker
	layers map[string]*stream
	got    chan *rtp.Packet
	now    time.Time
}

func newStage(t *testing.T, want Selection, rids ...string) *stage {
	s := newSFU(t, Config{})
	sink, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	must(t, err)
	key, salt := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 12)
	out, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm)
	must(t, err)
	in, err := srtp.CreateContext(key, salt, srtp.ProtectionProfileAeadAes128Gcm)
	must(t, err)

	vp8 := []sdp.Codec{{PT: 96, Name: "VP8", Clock: 90000, RTX: 97, Feedback: []string{fbNACK}}}
	publisher := newTestPeer(t, s)
	sec := &section{mid: "0", kind: KindVideo, codecs: vp8, remote: sdp.Media{Sends: true, RIDs: rids}}
	g := &stage{t: t, worker: newWorker(s), layers: map[string]*stream{}, got: make(chan *rtp.Packet, 1000), now: time.Now()}
	g.pub = sec.publish(publisher)
	known := map[uint32]*stream{}
	for i, rid := range rids {
		st := &stream{ssrc: uint32(i + 1), rid: rid, section: sec, clock: 90000, age: i, cache: newCache(), keyFrame: codec.KeyFrame("VP8"), picture: codec.VP8Picture}
		known[st.ssrc], g.layers[rid] = st, st
	}
	publisher.streams.Store(&known)

	p := newTestPeer(t, s)
	a := newAssociation(p, false, path{sock: s.sockets[0], addr: sink.Addr()}, func() {})
	a.out = out
	p.current.Store(a)
	t.Cleanup(func() { p.current.Store(nil) })
	g.sub = &Subscription{peer: p, kind: KindVideo, ssrc: 7, rtx: 8, numbers: rewrite.New[*stream](1000, 5000)}
	g.sub.source.Store(g.pub)
	g.sub.selector.Want(g.sub.applicable(g.pub, want))
	g.sub.bind(&section{mid: "0", kind: KindVideo, codecs: []sdp.Codec{{PT: 120, Name: "VP8", Clock: 90000, RTX: 121}}}, true)

	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = sink.Serve(func(burst []udp.Packet) {
			for _, pkt := range burst {
				if isRTCP(pkt.Data) {
					continue
				}
				plain, err := in.DecryptRTP(nil, pkt.Data, nil)
				if err != nil {
					t.Errorf("decrypt: %v", err)
					continue
				}
				parsed := &rtp.Packet{}
				if err := parsed.Unmarshal(plain); err != nil {
					t.Errorf("parse: %v", err)
				}
				g.got <- parsed
			}
		})
	}()
	t.Cleanup(func() { _ = sink.Close(); <-done })
	return g
}

// frame sends one packet of a layer: descriptor with a 15-bit picture id and TL0PICIDX, then the layer's name.
func (g *stage) frame(rid string, seq uint16, ts uint32, picture uint16, tl0 uint8, key bool) {
	st := g.layers[rid]
	payload := []byte{0x90, 0xe0, 0x80 | byte(picture>>8), byte(picture), tl0, 0x20, 0x01}
	if key {
		payload[6] = 0x00
	}
	payload = append(payload, rid...)
	pkt := packet{payload: payload, seq: seq, ts: ts, pt: 96, level: noLevel, keyFrame: key, picture: codec.VP8Picture(payload)}
	g.worker.now = g.now
	st.meter.count(len(payload), g.now)
	g.pub.forward(st, []packet{pkt}, g.worker)
	g.worker.flush()
}

// next is the next packet that the subscriber gets, with its layer and numbers.
func (g *stage) next() (rid string, n rewrite.Numbers) {
	g.t.Helper()
	select {
	case p := <-g.got:
		return g.read(p)
	case <-time.After(5 * time.Second):
		g.t.Fatal("no packet arrives")
		return "", n
	}
}

func (g *stage) read(p *rtp.Packet) (string, rewrite.Numbers) {
	payload := p.Payload
	seq := p.SequenceNumber
	if p.SSRC == 8 {
		seq, payload = binary.BigEndian.Uint16(payload), payload[2:]
	}
	pic := codec.VP8Picture(payload)
	return string(payload[7:]), rewrite.Numbers{Seq: seq, TS: p.Timestamp, Picture: pic.ID, TL0: pic.TL0}
}

// nothing checks that no packet is waiting behind what has been read: what was sent before a marker arrives before it.
func (g *stage) nothing() {
	g.t.Helper()
	select {
	case p := <-g.got:
		rid, n := g.read(p)
		g.t.Fatalf("layer %q sent %+v, want nothing", rid, n)
	default:
	}
}

func TestLayerSwitchWaitsForAKeyFrameAndIsSeamless(t *testing.T) {
	g := newStage(t, Selection{PreferredRID: "h"}, "f", "h")
	g.frame("f", 100, 7, 9, 9, true)
	g.frame("h", 10, 1000, 0x7ffe, 254, true)
	g.sub.step(g.now)
	g.frame("h", 11, 4000, 0x7fff, 255, false)
	rid, first := g.next()
	if rid != "h" || first != (rewrite.Numbers{Seq: 1000, TS: 5000, Picture: 0x7fff, TL0: 255}) {
		t.Fatalf("began with %q %+v", rid, first)
	}

	g.sub.want(Selection{PreferredRID: "f"})
	g.sub.step(g.now)
	if g.layers["f"].wantsKey.Load() == 0 {
		t.Fatal("no key frame of the new layer is asked for")
	}
	g.now = g.now.Add(100 * time.Millisecond)
	g.frame("f", 101, 3007, 10, 10, false) // not a key frame: the old layer goes on
	g.frame("h", 12, 7000, 0x0000, 0, false)
	if rid, n := g.next(); rid != "h" || n.Seq != 1001 || n.Picture != 0 || n.TL0 != 0 {
		t.Fatalf("got %q %+v, want h 1001 with wrapped picture numbers", rid, n)
	}
	g.now = g.now.Add(100 * time.Millisecond)
	g.frame("f", 102, 6007, 11, 11, true)
	g.frame("h", 13, 10000, 1, 1, false) // the old layer has ended
	g.frame("f", 103, 9007, 12, 12, false)
	rid, n := g.next()
	if rid != "f" || n.Seq != 1002 || n.Picture != 1 || n.TL0 != 1 {
		t.Fatalf("switched to %q %+v, want f 1002 with the next picture numbers", rid, n)
	}
	if moved := int32(n.TS - (5000 + 6000 - 3000)); moved < 8000 || moved > 10000 {
		t.Errorf("the timestamp moved by %d over 100 ms, want about 9000", moved)
	}
	if rid, after := g.next(); rid != "f" || after != (rewrite.Numbers{Seq: 1003, TS: n.TS + 3000, Picture: 2, TL0: 2}) {
		t.Fatalf("then %q %+v", rid, after)
	}
	g.nothing()

	g.sub.retransmit(g.worker, []uint16{1001, 1002})
	g.worker.flush()
	if rid, again := g.next(); rid != "h" || again.Seq != 1001 || again.Picture != 0 {
		t.Fatalf("retransmission of 1001: %q %+v", rid, again)
	}
	if rid, again := g.next(); rid != "f" || again != (rewrite.Numbers{Seq: 1002, TS: n.TS, Picture: 1, TL0: 1}) {
		t.Fatalf("retransmission of 1002: %q %+v", rid, again)
	}
}

func TestStoppedLayerWithoutLeaveSendsNothing(t *testing.T) {
	g := newStage(t, Selection{PreferredRID: "f"}, "f", "h")
	g.frame("f", 1, 0, 1, 1, true)
	g.sub.step(g.now)
	g.frame("f", 2, 3000, 2, 2, false)
	if rid, _ := g.next(); rid != "f" {
		t.Fatalf("began with %q", rid)
	}
	g.now = g.now.Add(aliveFor + time.Second)
	g.frame("h", 1, 0, 1, 1, true)
	g.sub.step(g.now)
	if !g.sub.Forwarding() {
		t.Error("a source whose layer has stopped counts as one that was never sent: no other layer can be chosen")
	}
	g.frame("h", 2, 3000, 2, 2, true)
	g.frame("f", 3, 9000, 3, 3, false) // comes back: but only a key frame begins it anew
	g.sub.step(g.now)
	g.frame("f", 4, 12000, 4, 4, true)
	if rid, n := g.next(); rid != "f" || n.Seq != 1001 || n.Picture != 3 {
		t.Fatalf("got %q %+v, want f as the next packet after the pause", rid, n)
	}
	g.nothing()
}

// TestChoiceOfALayerMeetsTheEnd: the tracks of a session may end while a layer is chosen.
func TestChoiceOfALayerMeetsTheEnd(t *testing.T) {
	g := newStage(t, Selection{PreferredRID: "f"}, "f", "h")
	p := g.sub.peer
	p.mu.Lock()
	sec := &section{mid: "0", kind: KindVideo, subscription: g.sub}
	p.negotiation.sections = append(p.negotiation.sections, sec)
	p.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.endTracks()
	}()
	for {
		if err := p.Select("0", Selection{PreferredRID: "h"}); err != nil {
			if !errors.Is(err, ErrNoSection) {
				t.Error(err)
			}
			break
		}
	}
	<-ended
}

func TestAnotherSourceContinuesTheStream(t *testing.T) {
	g := newStage(t, Selection{}, "")
	g.sub.step(g.now)
	g.frame("", 1, 0, 1, 1, true)
	g.sub.step(g.now)
	g.frame("", 2, 3000, 2, 2, false)
	g.frame("", 3, 6000, 3, 3, false)
	g.next()
	_, last := g.next()
	other := newStage(t, Selection{}, "")
	g.sub.peer.mu.Lock()
	g.sub.setSource(other.pub, Selection{})
	g.sub.peer.mu.Unlock()
	if g.sub.Forwarding() {
		t.Fatal("forwarding before the new source's first packet")
	}
	g.frame("", 4, 9000, 4, 4, true) // the old source has no say any more
	g.pub, g.layers = other.pub, other.layers
	g.layers[""].meter.count(1, g.now)
	g.sub.step(g.now)
	g.frame("", 77, 1, 500, 50, false)
	g.frame("", 78, 3001, 501, 51, true)
	if _, n := g.next(); n.Seq != last.Seq+1 || n.Picture != last.Picture+1 || int32(n.TS-last.TS) <= 0 {
		t.Fatalf("after %+v came %+v", last, n)
	}
	if !g.sub.Forwarding() {
		t.Fatal("not forwarding")
	}
	g.nothing()
}

func TestSentRateIsThatOfTheLastSecond(t *testing.T) {
	var r sentRate
	began := time.Now()
	octets := uint32(1<<32 - 5000) // wraps
	for i := range 31 {            // 3 seconds of 1000 octets each 100 ms
		r.update(began.Add(time.Duration(i)*100*time.Millisecond), octets)
		octets += 1000
	}
	if r.bitrate != 80_000 {
		t.Errorf("got %d bits a second", r.bitrate)
	}
	r.update(began.Add(5*time.Second), octets-1000)
	if r.bitrate != 0 {
		t.Errorf("%d bits a second when nothing is sent", r.bitrate)
	}
}
