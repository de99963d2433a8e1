package sfu

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"iter"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/sctp"

	"github.com/callsemu/callsemu/internal/pionlog"
)

// hostile is an endpoint whose SCTP is in the test's hands: first pion's, to set the association up, then whatever comes.
type hostile struct {
	peer  *Peer
	assoc *sctp.Association
	pipe  *dataPipe // under the endpoint's association
	pub   *DataPublication
	sub   *DataSubscription

	mu         sync.Mutex
	toEndpoint func(packet []byte) bool // false loses a packet of the SFU; nil loses none
	toSFU      func(packet []byte) bool
	tag        uint32 // that the SFU expects in every packet
	next       uint32 // TSN that the SFU expects
	last       uint32 // TSN of the SFU's newest DATA
	window     uint32 // a_rwnd of the SFU's newest SACK
}

// newHostile gives the Peer of s a data transport with a publication, a subscription to it and an in-band channel, without DTLS
// and sockets.
func newHostile(tb testing.TB, s *SFU) *hostile {
	tb.Helper()
	h := newConnected(tb, s, 0)
	var err error
	h.pub, err = h.peer.PublishData(Policy{}, 1<<16)
	must(tb, err)
	h.sub, err = h.peer.SubscribeData(h.pub, Policy{Unordered: true}, SubscribeData{WaitForAck: true, CanReply: true})
	must(tb, err)
	inband, err := h.assoc.OpenStream(100, sctp.PayloadTypeWebRTCDCEP)
	must(tb, err)
	_, err = inband.Write([]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'}) // DATA_CHANNEL_OPEN (RFC 8832 section 5.1)
	must(tb, err)
	return h
}

// newConnected gives the Peer of s a data transport to an endpoint that takes messages of up to longest bytes, 0 for any.
func newConnected(tb testing.TB, s *SFU, longest uint32) *hostile {
	tb.Helper()
	return newConnectedAs(tb, s, longest, false, func(*hostile) {})
}

// newConnectedAs is newConnected where own says that the SFU has offered the section, and before comes before the association.
func newConnectedAs(tb testing.TB, s *SFU, longest uint32, own bool, before func(*hostile)) *hostile {
	tb.Helper()
	p, err := s.NewPeer()
	must(tb, err)
	h := &hostile{peer: p}
	toSFU := newDataPipe(func(b []byte) { // what the SFU sends
		if h.sniffSFU(b) {
			select {
			case h.pipe.packets <- append([]byte(nil), b...):
			default:
			}
		}
	})
	h.pipe = newDataPipe(func(b []byte) { // what the endpoint sends
		if h.sniffEndpoint(b) {
			p.receiveData(b)
		}
	})
	p.pipe.Store(toSFU)
	p.mu.Lock()
	p.setStateLocked(StateConnected)
	p.startDataLocked(own, longest)
	p.mu.Unlock()
	before(h)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	h.assoc, err = sctp.ClientContext(ctx, sctp.WithNetConn(h.pipe), sctp.WithLoggerFactory(pionlog.Factory{Log: slog.New(slog.DiscardHandler)}))
	must(tb, err)
	for h.over() { // the SFU's side is a moment later
		runtime.Gosched()
	}
	return h
}

// sniffSFU reads a packet of the SFU; false loses it.
func (h *hostile) sniffSFU(packet []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range chunksOf(packet[12:]) {
		switch {
		case c[0] == chunkData && len(c) >= 8:
			h.last = binary.BigEndian.Uint32(c[4:])
		case c[0] == chunkSACK && len(c) >= 12:
			h.next, h.window = binary.BigEndian.Uint32(c[4:])+1, binary.BigEndian.Uint32(c[8:])
		}
	}
	return h.toEndpoint == nil || h.toEndpoint(packet)
}

// sniffEndpoint reads a packet of the endpoint's association; false loses it.
func (h *hostile) sniffEndpoint(packet []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tag := binary.BigEndian.Uint32(packet[4:]); tag != 0 {
		h.tag = tag
	}
	for c := range chunksOf(packet[12:]) {
		switch {
		case c[0] == chunkData && len(c) >= 8:
			h.next = binary.BigEndian.Uint32(c[4:]) + 1
		case (c[0] == chunkInit || c[0] == chunkInitAck) && len(c) >= 20:
			h.next = binary.BigEndian.Uint32(c[16:])
		}
	}
	return h.toSFU == nil || h.toSFU(packet)
}

// lose says what is lost from now on; nil loses nothing.
func (h *hostile) lose(fromSFU, fromEndpoint func(packet []byte) bool) {
	not := func(f func([]byte) bool) func([]byte) bool {
		if f == nil {
			return nil
		}
		return func(packet []byte) bool { return !f(packet) }
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.toEndpoint, h.toSFU = not(fromSFU), not(fromEndpoint)
}

// everything is for lose.
func everything([]byte) bool { return true }

// The chunks that a test looks at (RFC 9260 section 3.2, RFC 3758, RFC 6525).
const (
	chunkData       = 0
	chunkInit       = 1
	chunkInitAck    = 2
	chunkSACK       = 3
	chunkReconfig   = 130
	chunkForwardTSN = 192
)

// chunksOf are the chunks of a packet without its header, up to one that is malformed.
func chunksOf(b []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(b) >= 4 {
			n := int(binary.BigEndian.Uint16(b[2:]))
			if n < 4 || n > len(b) || !yield(b[:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}

// close ends the endpoint without a word, and the Peer.
func (h *hostile) close() {
	_ = h.pipe.Close()
	_ = h.assoc.Close()
	_ = h.peer.Close()
}

// transport is the SFU's side.
func (h *hostile) transport() *dataTransport {
	h.peer.mu.Lock()
	defer h.peer.mu.Unlock()
	return h.peer.data
}

// over reports whether what the endpoint sent has ended the association, as an ABORT should.
func (h *hostile) over() bool {
	d := h.transport()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.up == nil
}

// takeOver silences the endpoint's own association once the SFU has all that it sent. From here on only send speaks.
func (h *hostile) takeOver() {
	d := h.transport()
	opened := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.inband) > 0
	}
	for !opened() {
		runtime.Gosched()
	}
	h.drained()
	h.lose(everything, everything)
}

// drained waits until SCTP has taken all packets of the endpoint, or the association is over.
func (h *hostile) drained() {
	for len(h.peer.pipe.Load().packets) > 0 && !h.over() {
		runtime.Gosched()
	}
}

// send gives the SFU a packet with these chunks, with the header of the association and a checksum that is right, and waits
// until SCTP takes it. The TSNs of DATA and FORWARD-TSN count from the one that the SFU expects, those of SACK from its newest.
func (h *hostile) send(chunks []byte) {
	packet := make([]byte, 12, 12+len(chunks))
	binary.BigEndian.PutUint16(packet, 5000)
	binary.BigEndian.PutUint16(packet[2:], 5000)
	packet = append(packet, chunks...)
	h.mu.Lock()
	binary.BigEndian.PutUint32(packet[4:], h.tag)
	next := h.next
	for c := range chunksOf(packet[12:]) {
		if len(c) < 8 {
			continue
		}
		tsn := binary.BigEndian.Uint32(c[4:])
		switch c[0] {
		case chunkData, chunkForwardTSN:
			if tsn == 0 && next == h.next {
				h.next++
			}
			binary.BigEndian.PutUint32(c[4:], next+tsn)
		case chunkSACK:
			binary.BigEndian.PutUint32(c[4:], h.last+tsn)
		}
	}
	h.mu.Unlock()
	binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, crc32.MakeTable(crc32.Castagnoli)))
	h.peer.receiveData(packet)
	h.drained()
}

// FuzzSCTP gives chunks of a connected endpoint to its data transport. Nothing may panic; an association that is ended for it
// takes nothing else with it.
func FuzzSCTP(f *testing.F) {
	f.Add([]byte{0, 3, 0, 17, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 51, 'x', 0, 0, 0})     // DATA on stream 1, the TSN is relative
	f.Add([]byte{0, 7, 0, 17, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 53, 'x', 0, 0, 0})     // unordered, on stream 2
	f.Add([]byte{0, 2, 0, 17, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0, 53, 'x', 0, 0, 0})     // a first fragment beyond a gap
	f.Add([]byte{64, 3, 0, 21, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 'x'}) // I-DATA
	f.Add([]byte{3, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})                    // SACK
	f.Add([]byte{192, 0, 0, 12, 0, 0, 0, 1, 0, 1, 0, 9})                              // FORWARD-TSN
	f.Add([]byte{130, 0, 0, 22, 0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add([]byte{6, 0, 0, 4}) // ABORT
	f.Add([]byte{1, 0, 0, 20, 1, 2, 3, 4, 0, 16, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1})
	f.Add([]byte{7, 0, 0, 8, 0, 0, 0, 0})
	s, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	must(f, err)
	h := newHostile(f, s)
	h.takeOver()
	f.Cleanup(func() { h.close(); _ = s.Close() })
	f.Fuzz(func(t *testing.T, chunks []byte) {
		if len(chunks) > 1200 {
			return
		}
		if h.over() {
			h.close()
			h = newHostile(t, s)
			h.takeOver()
		}
		h.send(chunks)
	})
}

// TestWhatFuzzSCTPSendsArrives: a TSN that the association does not expect is dropped early, and would test nothing.
func TestWhatFuzzSCTPSendsArrives(t *testing.T) {
	h := newHostile(t, newSFU(t, Config{Logger: slog.New(slog.DiscardHandler)}))
	defer h.close()
	h.takeOver()
	on1 := func(tsn, ssn byte) []byte {
		return []byte{0, 3, 0, 17, 0, 0, 0, tsn, 0, 1, 0, ssn, 0, 0, 0, 51, 'x', 0, 0, 0}
	}
	h.send(on1(0, 0))
	h.send(on1(0, 1))
	h.send(append(on1(0, 2), on1(1, 3)...))
	limit := time.Now().Add(10 * time.Second)
	for h.pub.Info().Messages < 4 {
		if time.Now().After(limit) {
			t.Fatalf("%d of 4 messages arrived", h.pub.Info().Messages)
		}
		runtime.Gosched()
	}
}

// FuzzDCEP gives messages of every kind to every channel of a connected endpoint.
func FuzzDCEP(f *testing.F) {
	f.Add(uint16(1), uint32(51), []byte("text"))
	f.Add(uint16(2), uint32(56), []byte{0})
	f.Add(uint16(7), uint32(50), []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'})
	f.Add(uint16(7), uint32(50), []byte{3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Add(uint16(0), uint32(50), []byte{2})
	s, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
	must(f, err)
	h := newHostile(f, s)
	f.Cleanup(func() { h.close(); _ = s.Close() })
	f.Fuzz(func(t *testing.T, id uint16, kind uint32, message []byte) {
		if len(message) == 0 || len(message) > 65536 {
			return
		}
		if h.over() {
			t.Fatal("the association has ended")
		}
		stream, err := h.assoc.OpenStream(id, sctp.PayloadProtocolIdentifier(kind))
		if err != nil {
			t.Fatal(err)
		}
		if stream.State() != sctp.StreamStateOpen || stream.BufferedAmount() > 1<<20 {
			return
		}
		if _, err := stream.WriteSCTP(message, sctp.PayloadProtocolIdentifier(kind)); err != nil {
			t.Fatal(err)
		}
	})
}
