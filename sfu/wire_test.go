package sfu

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/callsemu/callsemu/sfu/internal/udp"
)

// wire is an endpoint of which only the packets exist: its Peer is on real SRTP keys and a real socket, without ICE and
// DTLS. The SFU's ticker does not know the Peer, so that nothing happens but what the test does.
type wire struct {
	peer   *Peer
	worker *worker
	from   path
	seal   *srtp.Context
	open   *srtp.Context
	sink   *udp.Socket
	inbox  chan []byte
}

func srtpContext(tb testing.TB, key byte) *srtp.Context {
	tb.Helper()
	c, err := srtp.CreateContext(bytes.Repeat([]byte{key}, 16), bytes.Repeat([]byte{key}, 12), srtp.ProtectionProfileAeadAes128Gcm)
	must(tb, err)
	return c
}

// endOfDrain is what drain reads up to.
const endOfDrain = "that is all"

func newWire(tb testing.TB, s *SFU) *wire {
	tb.Helper()
	sink, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	must(tb, err)
	w := &wire{peer: newPeer(s), worker: newWorker(s), sink: sink, inbox: make(chan []byte, 1024),
		from: path{sock: s.sockets[0], addr: sink.Addr()}, seal: srtpContext(tb, 1), open: srtpContext(tb, 2)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = sink.Serve(func(burst []udp.Packet) {
			for _, p := range burst {
				w.inbox <- bytes.Clone(p.Data)
			}
		})
	}()
	tb.Cleanup(func() {
		must(tb, w.peer.Close())
		must(tb, sink.Close())
		<-served
	})
	return w
}

// connect gives the Peer an established association.
func (w *wire) connect(tb testing.TB) {
	tb.Helper()
	a := newAssociation(w.peer, false, w.from, func() {})
	conn, err := dtls.ServerWithOptions(pipe{a}, pipeAddr{}, dtls.WithCertificates(w.peer.sfu.certificate))
	must(tb, err)
	a.conn, a.in, a.out = conn, srtpContext(tb, 1), srtpContext(tb, 2)
	w.peer.mu.Lock()
	w.peer.current.Store(a)
	w.peer.setStateLocked(StateConnected)
	w.peer.mu.Unlock()
}

// deliver is what the socket's reader does with one datagram, at a time of the test's choice.
func (w *wire) deliver(at time.Time, datagrams ...[]byte) {
	w.worker.now = at
	for _, b := range datagrams {
		w.peer.sfu.receive(w.worker, w.peer, w.from, b)
	}
	w.worker.forward()
}

func (w *wire) sealRTP(tb testing.TB, plain []byte) []byte {
	tb.Helper()
	b, err := w.seal.EncryptRTP(nil, plain, nil)
	must(tb, err)
	return b
}

func (w *wire) sendRTP(tb testing.TB, packets ...rtp.Packet) {
	tb.Helper()
	var sealed [][]byte
	for i := range packets {
		packets[i].Version = 2
		plain, err := packets[i].Marshal()
		must(tb, err)
		sealed = append(sealed, w.sealRTP(tb, plain))
	}
	w.deliver(time.Now(), sealed...)
}

func (w *wire) sendRTCP(tb testing.TB, packets ...rtcp.Packet) {
	tb.Helper()
	plain, err := rtcp.Marshal(packets)
	must(tb, err)
	sealed, err := w.seal.EncryptRTCP(nil, plain, nil)
	must(tb, err)
	w.deliver(time.Now(), sealed)
}

// drain is everything that the SFU has sent to the endpoint until now.
func (w *wire) drain(tb testing.TB) (media []rtp.Packet, control []rtcp.Packet) {
	tb.Helper()
	w.from.send([]byte(endOfDrain))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		select {
		case b := <-w.inbox:
			switch {
			case string(b) == endOfDrain:
				return media, control
			case isRTCP(b):
				plain, err := w.open.DecryptRTCP(nil, b, nil)
				must(tb, err)
				packets, err := rtcp.Unmarshal(plain)
				must(tb, err)
				control = append(control, packets...)
			default:
				plain, err := w.open.DecryptRTP(nil, b, nil)
				must(tb, err)
				var p rtp.Packet
				must(tb, p.Unmarshal(plain))
				media = append(media, p)
			}
		case <-ctx.Done():
			tb.Fatal("the SFU's packets do not arrive")
		}
	}
}

// count is how many of the packets are of type T.
func count[T rtcp.Packet](packets []rtcp.Packet) int {
	n := 0
	for _, p := range packets {
		if _, ok := p.(T); ok {
			n++
		}
	}
	return n
}

// vp8 is a packet of mid 1 of publisher, below.
func vp8(seq uint16, payload ...byte) rtp.Packet {
	return rtp.Packet{Header: rtp.Header{PayloadType: 96, SequenceNumber: seq, Timestamp: 3000 * uint32(seq), SSRC: 21, Marker: true}, Payload: payload}
}

// inter and key are the payloads of a VP8 frame.
func inter(n byte) []byte { return []byte{0x10, 0x01, n, n} }
func key(n byte) []byte   { return []byte{0x10, 0x00, n, n} }

// publisher is a connected endpoint that publishes audio on mid 0 and video on mid 1, with the SSRCs 11, 21 and 22 (rtx).
func publisher(tb testing.TB, s *SFU) (*wire, map[string]*Publication) {
	tb.Helper()
	w := newWire(tb, s)
	_, got := push(tb, w.peer, audio("0", "sendonly").with("a=ssrc:11 cname:c"),
		video("1", "sendonly").with("a=ssrc-group:FID 21 22", "a=ssrc:21 cname:c", "a=ssrc:22 cname:c"))
	w.connect(tb)
	return w, got.Publications
}

// subscriber is a connected endpoint that receives the tracks.
func subscriber(tb testing.TB, s *SFU, pubs ...*Publication) (*wire, []*Subscription) {
	tb.Helper()
	w := newWire(tb, s)
	_, subs := pull(tb, w.peer, pubs...)
	w.connect(tb)
	w.peer.stepSubscriptions(time.Now())
	return w, subs
}

// flowing is a subscriber whose video has begun with packet 100.
func flowing(tb testing.TB) (from *wire, pub *Publication, to *wire, sub *Subscription) {
	tb.Helper()
	s := newSFU(tb, Config{})
	from, pubs := publisher(tb, s)
	from.sendRTP(tb, vp8(99, key(0)...))
	to, subs := subscriber(tb, s, pubs["1"])
	from.drain(tb)
	from.sendRTP(tb, vp8(100, key(0)...))
	if media, _ := to.drain(tb); len(media) != 1 {
		tb.Fatalf("%d packets arrived, want the first", len(media))
	}
	return from, pubs["1"], to, subs[0]
}

func TestForwardedPacketsKeepTheirPayloadAndGetNewNumbers(t *testing.T) {
	from, pub, to, sub := flowing(t)
	var packets []rtp.Packet
	for seq := uint16(101); seq < 140; seq++ {
		packets = append(packets, vp8(seq, inter(byte(seq))...))
	}
	from.sendRTP(t, packets...)
	media, _ := to.drain(t)
	if len(media) != len(packets) {
		t.Fatalf("%d packets, want %d", len(media), len(packets))
	}
	for i, got := range media {
		sent := packets[i]
		if got.SSRC != sub.ssrc || got.PayloadType != 96 || !got.Marker || !bytes.Equal(got.Payload, sent.Payload) {
			t.Fatalf("packet %d: %+v, sent %+v", i, got, sent)
		}
		if i > 0 && (got.SequenceNumber != media[i-1].SequenceNumber+1 || got.Timestamp != media[i-1].Timestamp+3000) {
			t.Fatalf("packet %d does not continue the one before: %d/%d after %d/%d", i, got.SequenceNumber, got.Timestamp,
				media[i-1].SequenceNumber, media[i-1].Timestamp)
		}
		if len(got.GetExtension(2)) != 3 || got.GetExtension(4) != nil {
			t.Fatalf("packet %d has extensions %v, want abs-send-time alone", i, got.GetExtensionIDs())
		}
	}
	if pub.Packets() != uint64(len(packets)+2) || sub.packets != uint32(len(packets)+1) {
		t.Errorf("counted %d and %d", pub.Packets(), sub.packets)
	}
}

// TestPaddingIsNoPayload: padding behind the payload (RFC 3550 section 5.1), and between and behind header extensions,
// where RFC 8285 section 4.1.2 allows it.
func TestPaddingIsNoPayload(t *testing.T) {
	from, pub, to, _ := flowing(t)
	head := func(seq uint16, first byte) []byte {
		b := []byte{first, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 21}
		binary.BigEndian.PutUint16(b[2:], seq)
		return b
	}
	body := []byte{0x10, 0x01, 7, 7, 7}
	join := slices.Concat[[]byte]
	for i, tc := range []struct {
		name  string
		plain []byte
		want  []byte
	}{
		{"none", join(head(101, 0x80), body), body},
		{"behind the payload", join(head(102, 0xa0), body, []byte{0, 0, 3}), body},
		{"alone", join(head(103, 0xa0), []byte{0, 0, 0, 4}), nil},
		{"between extensions", join(head(104, 0x90), []byte{0xbe, 0xde, 0, 3, 0, 0, 0x40, '1', 0, 0, 0, 0, 0x22, 1, 2, 3}, body), body},
		{"behind extensions", join(head(105, 0x90), []byte{0xbe, 0xde, 0, 3, 0x40, '1', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, body), body},
		{"an empty extension block", join(head(106, 0x90), []byte{0xbe, 0xde, 0, 0}, body), body},
		{"only padding in the block", join(head(107, 0x90), []byte{0xbe, 0xde, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}, body), body},
		{"extensions end early (id 15)", join(head(108, 0x90), []byte{0xbe, 0xde, 0, 2, 0x40, '1', 0xf0, 0, 9, 9, 9, 9}, body), body},
		{"two-byte form", join(head(109, 0x90), []byte{0x10, 0, 0, 3, 4, 1, '1', 0, 0, 0, 0, 2, 3, 1, 2, 3}, body), body},
		{"contributing sources", join(head(110, 0x82), []byte{0, 0, 0, 1, 0, 0, 0, 2}, body), body},
	} {
		from.deliver(time.Now(), from.sealRTP(t, tc.plain))
		media, _ := to.drain(t)
		if len(media) != 1 || !bytes.Equal(media[0].Payload, tc.want) || media[0].Padding {
			t.Errorf("%s: got %+v, want payload %x", tc.name, media, tc.want)
		}
		if pub.Packets() != uint64(3+i) {
			t.Fatalf("%s: %d packets counted", tc.name, pub.Packets())
		}
	}
	from.deliver(time.Now(), from.sealRTP(t, join(head(111, 0xa0), []byte{1, 2, 200}))) // more padding than packet
	if media, _ := to.drain(t); len(media) != 0 {
		t.Errorf("a packet with impossible padding was forwarded: %+v", media)
	}
}

func TestForgedAndReplayedPacketsAreDropped(t *testing.T) {
	from, pub, to, _ := flowing(t)
	plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: 101, SSRC: 21}, Payload: inter(1)}).Marshal()
	must(t, err)
	sealed := from.sealRTP(t, plain)
	damaged := bytes.Clone(sealed)
	damaged[len(damaged)-1] ^= 1
	from.deliver(time.Now(), damaged, bytes.Clone(plain))
	if media, _ := to.drain(t); len(media) != 0 || pub.Packets() != 2 {
		t.Errorf("a forged packet was forwarded: %+v", media)
	}
	from.deliver(time.Now(), bytes.Clone(sealed), bytes.Clone(sealed))
	if media, _ := to.drain(t); len(media) != 1 {
		t.Errorf("a packet that came twice was forwarded %d times", len(media))
	}
}

// TestLossIsRepairedByTheRepairStream: what a gap asks for comes back over RTX, and takes its place.
func TestLossIsRepairedByTheRepairStream(t *testing.T) {
	from, _, to, _ := flowing(t)
	from.sendRTP(t, vp8(101, inter(1)...), vp8(104, inter(4)...))
	media, _ := to.drain(t)
	_, control := from.drain(t)
	if count[*rtcp.TransportLayerNack](control) != 1 {
		t.Fatalf("a gap of two packets made %v", control)
	}
	for _, p := range control {
		if nack, ok := p.(*rtcp.TransportLayerNack); ok && (nack.MediaSSRC != 21 || !slices.Equal(nack.Nacks[0].PacketList(), []uint16{102, 103})) {
			t.Errorf("NACK %v, want 102 and 103", nack)
		}
	}
	repair := func(seq, lost uint16) rtp.Packet {
		return rtp.Packet{Header: rtp.Header{PayloadType: 97, SequenceNumber: seq, Timestamp: 3000 * uint32(lost), SSRC: 22},
			Payload: append(binary.BigEndian.AppendUint16(nil, lost), inter(byte(lost))...)}
	}
	from.sendRTP(t, repair(7, 102), repair(8, 103), repair(9, 103), repair(10, 101), // the last two are not missing
		rtp.Packet{Header: rtp.Header{PayloadType: 97, SequenceNumber: 11, SSRC: 22}, Payload: []byte{1}}) // a probe
	repaired, _ := to.drain(t)
	if len(repaired) != 2 {
		t.Fatalf("%d packets came of 2 repairs, 2 duplicates and a probe", len(repaired))
	}
	first := media[0].SequenceNumber - 101
	for i, lost := range []uint16{102, 103} {
		if got := repaired[i]; got.SequenceNumber != first+lost || got.PayloadType != 96 || !bytes.Equal(got.Payload, inter(byte(lost))) {
			t.Errorf("packet %d came back as %+v", lost, got)
		}
	}
}

// TestNACKIsAnsweredFromTheCache and not passed on (contract 3.4).
func TestNACKIsAnsweredFromTheCache(t *testing.T) {
	from, _, to, sub := flowing(t)
	from.sendRTP(t, vp8(101, inter(1)...), vp8(102, inter(2)...), vp8(103, inter(3)...))
	media, _ := to.drain(t)
	nack := func(seqs ...uint16) ([]rtp.Packet, []rtcp.Packet) {
		to.sendRTCP(t, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: sub.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(seqs)})
		again, _ := to.drain(t)
		_, control := from.drain(t)
		return again, control
	}
	lost := []uint16{media[0].SequenceNumber, media[2].SequenceNumber}
	again, control := nack(lost...)
	if len(again) != 2 || count[*rtcp.TransportLayerNack](control) != 0 {
		t.Fatalf("%d packets came back, and the publisher was sent %v", len(again), control)
	}
	for i, got := range again {
		was := media[2*i]
		if got.SSRC != sub.rtx || got.PayloadType != 35 || binary.BigEndian.Uint16(got.Payload) != lost[i] ||
			got.Timestamp != was.Timestamp || !bytes.Equal(got.Payload[2:], was.Payload) {
			t.Errorf("retransmission %+v of %+v", got, was)
		}
	}
	if again[1].SequenceNumber != again[0].SequenceNumber+1 {
		t.Error("the repair stream's own numbers do not rise by one")
	}
	for name, seq := range map[string]uint16{"never sent": media[2].SequenceNumber + 1, "long gone": media[2].SequenceNumber - 2*cacheSize} {
		if again, control := nack(seq); len(again) != 0 || count[*rtcp.TransportLayerNack](control) != 0 {
			t.Errorf("a NACK for what was %s brought %v and %v", name, again, control)
		}
	}
	to.sendRTCP(t, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: sub.ssrc + 1, Nacks: rtcp.NackPairsFromSequenceNumbers(lost)})
	if again, _ := to.drain(t); len(again) != 0 {
		t.Error("a NACK for another SSRC was answered")
	}
}

// TestOneNACKIsBounded: a packet that names everything makes the SFU send no more than maxNACKs.
func TestOneNACKIsBounded(t *testing.T) {
	from, _, to, sub := flowing(t)
	var last uint16
	for seq := uint16(101); seq < 101+cacheSize; seq += 32 {
		var burst []rtp.Packet
		for i := range uint16(32) {
			burst = append(burst, vp8(seq+i, inter(1)...))
		}
		from.sendRTP(t, burst...)
		media, _ := to.drain(t)
		last = media[len(media)-1].SequenceNumber
	}
	var all []uint16
	for i := range uint16(cacheSize) {
		all = append(all, last-cacheSize+1+i)
	}
	to.sendRTCP(t, &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: sub.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(all)})
	if again, _ := to.drain(t); len(again) != maxNACKs {
		t.Errorf("%d packets came of a NACK for %d, want %d", len(again), len(all), maxNACKs)
	}
}

// TestKeyFrameRequestsAreThrottled: 20 subscribers at one instant make one PLI; it is repeated until the key frame comes.
// A full intra request is not honoured (contract 3.4).
func TestKeyFrameRequestsAreThrottled(t *testing.T) {
	from, pub, to, sub := flowing(t)
	plis := func() int { _, control := from.drain(t); return count[*rtcp.PictureLossIndication](control) }
	st := (*from.peer.streams.Load())[21]
	rest := func() { st.lastPLI.Store(0) } // the last request is long ago

	rest()
	to.sendRTCP(t, &rtcp.FullIntraRequest{SenderSSRC: 1, MediaSSRC: sub.ssrc, FIR: []rtcp.FIREntry{{SSRC: sub.ssrc, SequenceNumber: 1}}})
	if n := plis(); n != 0 || st.wantsKey.Load() != 0 {
		t.Errorf("a full intra request brought %d PLIs", n)
	}
	others := make([]*wire, 20)
	subs := make([]*Subscription, 20)
	for i := range others {
		w, s := subscriber(t, from.peer.sfu, pub)
		others[i], subs[i] = w, s[0]
	}
	from.sendRTP(t, vp8(101, key(1)...))
	plis()
	rest()
	for i, w := range others {
		w.sendRTCP(t, &rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: subs[i].ssrc})
	}
	if n := plis(); n != 1 {
		t.Errorf("20 requests at one instant brought %d PLIs, want 1", n)
	}
	asked := time.Unix(0, st.lastPLI.Load())
	for after, want := range map[time.Duration]int{pliInterval - 1: 0, pliInterval: 1} {
		st.lastPLI.Store(asked.UnixNano())
		from.peer.tickInbound(from.peer.current.Load(), asked.Add(after))
		if n := plis(); n != want {
			t.Errorf("%s later: %d PLIs, want %d", after, n, want)
		}
	}
	from.sendRTP(t, vp8(102, key(2)...))
	from.peer.tickInbound(from.peer.current.Load(), asked.Add(10*pliInterval))
	if n := plis(); n != 0 {
		t.Errorf("%d PLIs after the key frame", n)
	}
}

// TestMidClosedByForceNeverCarriesMediaAgain (contract 1.3), until a negotiated close.
func TestMidClosedByForceNeverCarriesMediaAgain(t *testing.T) {
	s := newSFU(t, Config{})
	from, pubs := publisher(t, s)
	lines := []line{audio("0", "sendonly").with("a=ssrc:11 cname:c"), video("1", "sendonly").with("a=ssrc:21 cname:c")}
	answer := func(plan AnswerPlan) Negotiated {
		got, err := from.peer.Answer(describe(t, lines...), plan)
		must(t, err)
		return got
	}
	seq := uint16(100)
	send := func() { from.sendRTP(t, vp8(seq, key(1)...)); seq++ }
	send()
	if pubs["1"].Packets() != 1 {
		t.Fatal("no media before the close")
	}
	from.peer.CloseMids("1")
	send()
	again := answer(AnswerPlan{Publish: []string{"1"}}).Publications["1"]
	send()
	select {
	case <-again.Ready():
		t.Error("the track is ready")
	default:
	}
	if pubs["1"].Packets() != 1 || again.Packets() != 0 {
		t.Errorf("%d and %d packets, want those from before the close", pubs["1"].Packets(), again.Packets())
	}
	answer(AnswerPlan{Close: []string{"1"}})
	if !isDone(again) {
		t.Error("the track outlives its section's close")
	}
	fresh := answer(AnswerPlan{Publish: []string{"1"}}).Publications["1"]
	send()
	if fresh.Packets() != 1 {
		t.Errorf("%d packets after a negotiated close and a new push, want 1", fresh.Packets())
	}
}

func TestClosedTrackIsSilentAndOthersFlowOn(t *testing.T) {
	s := newSFU(t, Config{})
	from, pubs := publisher(t, s)
	to, _ := subscriber(t, s, pubs["0"], pubs["1"])
	send := func(seq uint16) (n int) {
		from.sendRTP(t, vp8(seq, key(1)...), rtp.Packet{Header: rtp.Header{PayloadType: 111, SequenceNumber: seq, SSRC: 11}, Payload: []byte{1}})
		to.peer.stepSubscriptions(time.Now())
		media, _ := to.drain(t)
		return len(media)
	}
	send(1)
	if n := send(2); n != 2 {
		t.Fatalf("%d packets of 2 tracks", n)
	}
	from.peer.CloseMids("1")
	if n := send(3); n != 1 {
		t.Errorf("%d packets after the publisher's close of one track, want 1", n)
	}
	to.peer.CloseMids("0")
	if n := send(4); n != 0 {
		t.Errorf("%d packets after the subscriber's close of the other, want 0", n)
	}
}

// TestSilenceCountsFromTheLastPacket: lost after LostAfter, not before, and back with the next packet.
func TestSilenceCountsFromTheLastPacket(t *testing.T) {
	const lostAfter = 3 * time.Second
	s := newSFU(t, Config{LostAfter: lostAfter})
	from, _ := publisher(t, s)
	base := time.Now()
	at := func(d time.Duration) State {
		from.peer.tick(base.Add(d))
		state, _ := from.peer.State()
		return state
	}
	packet := func(seq uint16, d time.Duration) {
		plain, err := (&rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: seq, SSRC: 21}, Payload: inter(1)}).Marshal()
		must(t, err)
		from.deliver(base.Add(d), from.sealRTP(t, plain))
	}
	packet(1, 0)
	_, changed := from.peer.State()
	if got := at(lostAfter); got != StateConnected {
		t.Errorf("%s after %s, want connected", got, lostAfter)
	}
	if got := at(lostAfter + 1); got != StateLost {
		t.Errorf("%s after more than %s, want lost", got, lostAfter)
	}
	select {
	case <-changed:
	default:
		t.Error("the change was not told")
	}
	from.deliver(base.Add(2*lostAfter), []byte("\x80\x60 no packet of the endpoint's"))
	if got := at(2 * lostAfter); got != StateLost {
		t.Errorf("%s after a forged packet, want lost", got)
	}
	packet(2, 2*lostAfter)
	if got := at(2*lostAfter + 1); got != StateConnected {
		t.Errorf("%s after a packet, want connected", got)
	}
	select {
	case <-from.peer.Done():
		t.Error("silence is not the end")
	default:
	}
}

// TestReportsMapThePublishersClock: the subscriber's sender report names the same moment in its own timestamps.
func TestReportsMapThePublishersClock(t *testing.T) {
	from, _, to, sub := flowing(t)
	from.sendRTP(t, vp8(101, inter(1)...))
	media, _ := to.drain(t)
	from.sendRTCP(t, &rtcp.SenderReport{SSRC: 21, NTPTime: 77 << 32, RTPTime: 3000*101 + 500})
	_, control := to.drain(t)
	for _, p := range control {
		if sr, ok := p.(*rtcp.SenderReport); ok {
			if sr.SSRC != sub.ssrc || sr.NTPTime>>32 != 77 || sr.RTPTime != media[0].Timestamp+500 || sr.PacketCount != 2 {
				t.Errorf("report %+v, want the timestamp %d", sr, media[0].Timestamp+500)
			}
			return
		}
	}
	t.Fatalf("no report among %v", control)
}
