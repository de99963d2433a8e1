package sfutest

// The payload headers below follow the RTP payload format of each codec closely enough for anything that looks at frame
// starts, key frames and picture ids. The pictures behind them are filler.

// packetPlace says where in the stream a packet stands.
type packetPlace struct {
	key       bool
	first     bool // first packet of its frame, of one spatial layer
	last      bool
	spatial   int // spatial layer of the frame, of so many
	of        int
	part      int // index in the frame
	pictureID uint16
	tl0       uint8 // VP8 only
	width     int   // VP8 key frames only
	height    int
}

// payloadHeader is what precedes the filler.
func payloadHeader(codec Codec, at packetPlace) []byte {
	switch codec {
	case VP8:
		return vp8Header(at)
	case VP9:
		return vp9Header(at)
	case H264:
		return h264Header(at)
	case H265:
		return h265Header(at)
	case AV1:
		return av1Header(at)
	case Opus:
		return []byte{0x78} // TOC: CELT, 20 ms, mono, one frame
	default:
		return nil // G.711 has no header
	}
}

// vp8Header: RFC 7741 section 4.2 (15 bit picture id, TL0PICIDX, one temporal layer), then section 4.3's frame header on
// the first packet.
func vp8Header(at packetPlace) []byte {
	b := []byte{0x80, 0xe0, 0x80 | byte(at.pictureID>>8), byte(at.pictureID), at.tl0, 0x20}
	if !at.first {
		return b
	}
	b[0] |= 0x10 // S: start of partition 0
	if !at.key {
		return append(b, 0x11, 0x20, 0x00) // P=1, shown
	}
	b = append(b, 0x10, 0x20, 0x00, 0x9d, 0x01, 0x2a)
	return append(b, byte(at.width), byte(at.width>>8), byte(at.height), byte(at.height>>8))
}

// vp9Header: RFC 9628 section 4.2 (I, P, B, E, and L in an SVC stream), then the uncompressed header of a profile 0 frame.
func vp9Header(at packetPlace) []byte {
	d := byte(0x80)
	if !at.key {
		d |= 0x40
	}
	if at.first {
		d |= 0x08
	}
	if at.last {
		d |= 0x04
	}
	b := []byte{d, 0x80 | byte(at.pictureID>>8), byte(at.pictureID)}
	if at.of > 1 {
		b[0] |= 0x20 // L: layer indices, and TL0PICIDX as there is no F
		layer := byte(at.spatial) << 1
		if at.spatial > 0 {
			layer |= 0x01 // D: predicted from the layer below
		}
		b = append(b, layer, at.tl0)
	}
	switch {
	case !at.first:
		return b
	case at.key && at.spatial == 0:
		return append(b, 0x82, 0x49, 0x83, 0x42, 0x00)
	default:
		return append(b, 0x86, 0x00)
	}
}

// h264Header: RFC 6184 section 5.6, one NAL unit per packet: SPS, PPS, IDR slice for a key frame, else slices.
func h264Header(at packetPlace) []byte {
	switch {
	case at.key && at.part == 0:
		return []byte{0x67, 0x42, 0xe0, 0x1f}
	case at.key && at.part == 1:
		return []byte{0x68, 0xce}
	case at.key:
		return []byte{0x65, 0x88}
	default:
		return []byte{0x41, 0x9a}
	}
}

// h265Header: RFC 7798 section 4.4.1, one NAL unit per packet: VPS, SPS, IDR for a key frame, else trailing pictures.
func h265Header(at packetPlace) []byte {
	nal := func(kind byte) []byte { return []byte{kind << 1, 0x01, 0x80} }
	switch {
	case at.key && at.part == 0:
		return nal(32)
	case at.key && at.part == 1:
		return nal(33)
	case at.key:
		return nal(19)
	default:
		return nal(1)
	}
}

// av1Header: the AV1 RTP aggregation header; N on the first packet of a key frame, which starts with a sequence header.
func av1Header(at packetPlace) []byte {
	const (
		zBit, yBit, nBit = 0x80, 0x40, 0x08
		w1, w2           = 0x10, 0x20
		obuSequence      = 1 << 3
		obuFrame         = 6 << 3
		obuExtension     = 0x04 // temporal and spatial id follow
	)
	h := byte(w1)
	if !at.first {
		h |= zBit
	}
	if !at.last {
		h |= yBit
	}
	switch {
	case at.first && at.key && at.spatial == 0:
		return []byte{h&^w1 | w2 | nBit, 3, obuSequence, 0x00, 0x00, obuFrame, 0x10}
	case at.first && at.of > 1:
		return []byte{h, obuFrame | obuExtension, byte(at.spatial) << 3, 0x30}
	case at.first:
		return []byte{h, obuFrame, 0x30}
	default:
		return []byte{h}
	}
}
