package sfutest

import (
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// TestPaddingIsNoLoss: an SFU may send packets without media on the numbers of the media, to probe for bandwidth.
func TestPaddingIsNoLoss(t *testing.T) {
	s := &Subscriber{seen: map[uint64]struct{}{}, offsets: map[uint32]offsets{}}
	for i, media := range []bool{false, true, true, false, false, true, false, true} {
		packet := &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(65533 + i), SSRC: 1}}
		if media {
			stamp := Stamp{Stream: 7, Packet: s.stats.Packets, Sequence: uint16(100 + s.stats.Packets), Captured: time.Unix(1, 0)}
			packet.Payload = stamp.appendTo(make([]byte, 100))
		}
		s.take(packet, interceptor.Attributes{}, false)
	}
	s.take(&rtp.Packet{Header: rtp.Header{SequenceNumber: 0, SSRC: 1}}, interceptor.Attributes{}, false) // again
	if got := s.Stats(); got.Packets != 4 || got.Padding != 4 || got.Missing+got.Late+got.Duplicates+got.SequenceSteps+got.Unstamped+got.Corrupt != 0 {
		t.Errorf("%+v", got)
	}
}

// TestWhatALateKeyFrameHasOvertakenIsCounted: behind the first packet, and behind that of another source; not what is lost later.
func TestWhatALateKeyFrameHasOvertakenIsCounted(t *testing.T) {
	s := &Subscriber{seen: map[uint64]struct{}{}, offsets: map[uint32]offsets{}}
	take := func(stream uint32, numbers ...uint16) {
		for _, number := range numbers {
			stamp := Stamp{Stream: stream, Packet: uint64(number), Sequence: number, Captured: time.Unix(1, 0)}
			s.take(&rtp.Packet{Header: rtp.Header{SequenceNumber: number, SSRC: 1}, Payload: stamp.appendTo(make([]byte, 100))}, interceptor.Attributes{}, false)
		}
	}
	take(7, 1, 22, 10, 23, 24, 25, 35)
	if got := s.Stats(); got.Overtaken != 20 || got.Missing != 28 || got.Late != 1 {
		t.Errorf("at first: %+v", got)
	}
	take(8, 36, 40, 41, 400, 410)
	if got := s.Stats(); got.Overtaken != 23 || len(got.Switches) != 1 {
		t.Errorf("after a switch: %+v", got)
	}
}
