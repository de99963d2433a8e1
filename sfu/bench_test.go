package sfu

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/callsemu/callsemu/sfu/internal/rewrite"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
	"github.com/callsemu/callsemu/sfu/internal/udp"
)

// room is a publication with n subscribers on real keys and a real socket, made without signalling.
type room struct {
	sfu    *SFU
	pub    *Publication
	stream *stream
	worker *worker
	sink   *udp.Socket
}

func newRoom(tb testing.TB, subscribers int) *room {
	tb.Helper()
	s, err := New(Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	sink, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sink.Close() })
	vp8 := []sdp.Codec{{PT: 96, Name: "VP8", Clock: 90000, RTX: 97, Feedback: []string{fbNACK}}}
	r := &room{sfu: s, worker: newWorker(s), sink: sink}
	publisher := &section{mid: "0", kind: KindVideo, codecs: vp8}
	r.pub = newPublication(newPeer(s), publisher)
	publisher.publication.Store(r.pub)
	r.stream = &stream{ssrc: 1, section: publisher, clock: 90000, cache: newCache()}
	for range subscribers {
		p := newPeer(s)
		a := newAssociation(p, false, path{sock: s.sockets[0], addr: sink.Addr()}, func() {})
		out, err := srtp.CreateContext(bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 12), srtp.ProtectionProfileAeadAes128Gcm)
		if err != nil {
			tb.Fatal(err)
		}
		a.out = out
		p.current.Store(a)
		sub := &Subscription{peer: p, ssrc: 7, rtx: 8, numbers: rewrite.New[*stream](1, 1), target: r.stream}
		sub.source.Store(r.pub)
		sub.bind(&section{mid: "0", kind: KindVideo, codecs: vp8, extensions: pullExtensions(KindVideo)}, true)
	}
	return r
}

// burst makes n packets with consecutive numbers from seq on.
func (r *room) burst(seq uint16, n int) []packet {
	payload := make([]byte, 1030)
	out := make([]packet, n)
	for i := range out {
		out[i] = packet{payload: payload, seq: seq + uint16(i), ts: uint32(seq) * 3000, pt: 96, level: noLevel}
	}
	return out
}

// BenchmarkForward measures a forwarded packet: numbered, sealed by pion/srtp, sent through the socket in batches. It must
// allocate nothing.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			r := newRoom(b, n)
			b.ReportAllocs()
			seq := uint16(0)
			burst := r.burst(0, 4)
			for b.Loop() {
				for i := range burst {
					burst[i].seq = seq
					seq++
				}
				r.worker.now = time.Now()
				r.pub.forward(r.stream, burst, r.worker)
				r.worker.flush()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(4*n), "ns/packet")
		})
	}
}

// TestForwardingAllocatesNothing holds the promise of BenchmarkForward in every test run.
func TestForwardingAllocatesNothing(t *testing.T) {
	r := newRoom(t, 10)
	burst := r.burst(0, 4)
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
	for range 2 * cacheSize { // the cache's slots keep their memory from the second round on
		step()
	}
	if n := testing.AllocsPerRun(200, step); n >= 1 {
		t.Fatalf("%.1f allocations for a burst of 4 packets to 10 subscribers, want 0", n)
	}
}
