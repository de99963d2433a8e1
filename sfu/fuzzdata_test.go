package sfu

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/sctp"
)

// hostile is an endpoint whose SCTP is in the test's hands: first pion's, to set the association up, then whatever comes.
type hostile struct {
	peer  *Peer
	assoc *sctp.Association
	pipe  *dataPipe // under the endpoint's association

	mu  sync.Mutex
	tag uint32 // that the SFU expects in every packet
}

// newHostile gives the Peer of s a data transport with a publication, a subscription to it and an in-band channel, without DTLS
// and sockets.
func newHostile(tb testing.TB, s *SFU) *hostile {
	tb.Helper()
	p, err := s.NewPeer()
	must(tb, err)
	h := &hostile{peer: p}
	toSFU := newDataPipe(func(b []byte) { // what the SFU sends
		select {
		case h.pipe.packets <- append([]byte(nil), b...):
		default:
		}
	})
	h.pipe = newDataPipe(func(b []byte) { // what the endpoint sends
		h.mu.Lock()
		if tag := binary.BigEndian.Uint32(b[4:]); tag != 0 {
			h.tag = tag
		}
		h.mu.Unlock()
		p.receiveData(b)
	})
	p.pipe.Store(toSFU)
	p.mu.Lock()
	p.setStateLocked(StateConnected)
	p.startDataLocked(false, 0)
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	h.assoc, err = sctp.ClientContext(ctx, sctp.WithNetConn(h.pipe), sctp.WithLoggerFactory(logging.NewDefaultLoggerFactory()))
	must(tb, err)
	for h.over() { // the SFU's side is a moment later
		runtime.Gosched()
	}
	pub, err := p.PublishData(Policy{}, 1<<16)
	must(tb, err)
	_, err = p.SubscribeData(pub, Policy{Unordered: true}, SubscribeData{WaitForAck: true, CanReply: true})
	must(tb, err)
	inband, err := h.assoc.OpenStream(100, sctp.PayloadTypeWebRTCDCEP)
	must(tb, err)
	_, err = inband.Write([]byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'}) // DATA_CHANNEL_OPEN (RFC 8832 section 5.1)
	must(tb, err)
	return h
}

func (h *hostile) close() {
	_ = h.pipe.Close()
	_ = h.assoc.Close()
	_ = h.peer.Close()
}

// over reports whether what the endpoint sent has ended the association, as an ABORT should.
func (h *hostile) over() bool {
	h.peer.mu.Lock()
	d := h.peer.data
	h.peer.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.up == nil
}

// send gives the SFU a packet with these chunks, with the header of the association and a checksum that is right.
func (h *hostile) send(chunks []byte) {
	packet := make([]byte, 12, 12+len(chunks))
	binary.BigEndian.PutUint16(packet, 5000)
	binary.BigEndian.PutUint16(packet[2:], 5000)
	h.mu.Lock()
	binary.BigEndian.PutUint32(packet[4:], h.tag)
	h.mu.Unlock()
	packet = append(packet, chunks...)
	binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, crc32.MakeTable(crc32.Castagnoli)))
	h.peer.receiveData(packet)
}

// FuzzSCTP gives chunks of a connected endpoint to its data transport. Nothing may panic; an association that is ended for it
// takes nothing else with it.
func FuzzSCTP(f *testing.F) {
	f.Add([]byte{0, 3, 0, 17, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 51, 'x', 0, 0, 0})     // DATA on stream 1
	f.Add([]byte{64, 3, 0, 21, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 53, 'x'}) // I-DATA
	f.Add([]byte{3, 0, 0, 16, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})                    // SACK
	f.Add([]byte{192, 0, 0, 12, 0, 0, 0, 9, 0, 1, 0, 9})                              // FORWARD-TSN
	f.Add([]byte{130, 0, 0, 22, 0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Add([]byte{6, 0, 0, 4}) // ABORT
	f.Add([]byte{1, 0, 0, 20, 1, 2, 3, 4, 0, 16, 0, 0, 255, 255, 255, 255, 0, 0, 0, 1})
	f.Add([]byte{7, 0, 0, 8, 0, 0, 0, 0})
	s, err := New(Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	must(f, err)
	h := newHostile(f, s)
	f.Cleanup(func() { h.close(); _ = s.Close() })
	f.Fuzz(func(t *testing.T, chunks []byte) {
		if len(chunks) > 1200 {
			return
		}
		if h.over() {
			h.close()
			h = newHostile(t, s)
		}
		h.send(chunks)
	})
}

// FuzzDCEP gives messages of every kind to every channel of a connected endpoint.
func FuzzDCEP(f *testing.F) {
	f.Add(uint16(1), uint32(51), []byte("text"))
	f.Add(uint16(2), uint32(56), []byte{0})
	f.Add(uint16(7), uint32(50), []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'x'})
	f.Add(uint16(7), uint32(50), []byte{3, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Add(uint16(0), uint32(50), []byte{2})
	s, err := New(Config{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
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
