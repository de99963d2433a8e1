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
