package sfutest

import "github.com/pion/rtp"

// pictureNumbers are those of the newest VP8 frame.
type pictureNumbers struct {
	known bool
	ts    uint32
	id    uint16
	tl0   uint8
}

// takePictureLocked checks that every frame's picture id and TL0PICIDX follow those of the frame before, whatever its
// source. A decoder drops frames where they do not (RFC 7741 section 4.2).
func (s *Subscriber) takePictureLocked(packet *rtp.Packet) {
	if s.stats.Codec != VP8 {
		return
	}
	b := packet.Payload
	if len(b) < 6 || b[0]&0x80 == 0 || b[1]&0xc0 != 0xc0 || b[2]&0x80 == 0 {
		s.stats.PictureSteps++ // the numbers were sent, so somebody took them out
		return
	}
	now := pictureNumbers{true, packet.Timestamp, uint16(b[2]&0x7f)<<8 | uint16(b[3]), b[4]}
	last := s.picture
	s.picture = now
	switch {
	case !last.known:
	case now.ts == last.ts && (now.id != last.id || now.tl0 != last.tl0),
		now.ts != last.ts && (now.id != (last.id+1)&0x7fff || now.tl0 != last.tl0+1):
		s.stats.PictureSteps++
	}
}
