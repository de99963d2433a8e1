package codec

import "strings"

// KeyFrame returns the test for "a key frame starts in this payload" of a codec, named as in SDP ("VP8"); nil for a codec
// whose packets all stand alone (audio) or that is not known.
func KeyFrame(name string) func(payload []byte) bool {
	switch strings.ToUpper(name) {
	case "VP8":
		return vp8KeyFrame
	case "VP9":
		return vp9KeyFrame
	case "H264":
		return h264KeyFrame
	case "H265":
		return h265KeyFrame
	case "AV1":
		return av1KeyFrame
	}
	return nil
}

// vp8KeyFrame: RFC 7741 section 4.2 (payload descriptor) and RFC 6386 section 9.1 (frame tag, bit 0 clear in key frames).
func vp8KeyFrame(p []byte) bool {
	if len(p) < 1 || p[0]&0x10 == 0 || p[0]&0x07 != 0 { // S set, partition 0
		return false
	}
	i := 1
	if p[0]&0x80 != 0 { // X
		if len(p) < 2 {
			return false
		}
		x := p[1]
		i = 2
		if x&0x80 != 0 { // I: picture id of 7 or 15 bits
			if len(p) < 3 {
				return false
			}
			i++
			if p[2]&0x80 != 0 {
				i++
			}
		}
		if x&0x40 != 0 { // L
			i++
		}
		if x&0x30 != 0 { // T or K
			i++
		}
	}
	return len(p) > i && p[i]&0x01 == 0
}

// vp9KeyFrame: RFC 9628 section 4.2. A key frame is not inter-picture predicted, begins a frame and is the lowest spatial
// layer.
func vp9KeyFrame(p []byte) bool {
	if len(p) < 1 || p[0]&0x40 != 0 || p[0]&0x08 == 0 { // P clear, B set
		return false
	}
	i := 1
	if p[0]&0x80 != 0 { // I
		if len(p) < 2 {
			return false
		}
		i++
		if p[1]&0x80 != 0 {
			i++
		}
	}
	if p[0]&0x20 == 0 { // no layer indices: a single layer
		return len(p) > i
	}
	return len(p) > i && p[i]>>1&0x07 == 0
}

// NAL unit types of H.264 (ITU-T H.264 table 7-1) and its RTP form (RFC 6184 section 5.2).
const (
	h264IDR   = 5
	h264SPS   = 7
	h264STAPA = 24
	h264FUA   = 28
)

// h264KeyFrame is true where an IDR picture or the parameter sets in front of it begin.
func h264KeyFrame(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	switch t := p[0] & 0x1f; t {
	case h264IDR, h264SPS:
		return true
	case h264FUA:
		return p[1]&0x80 != 0 && p[1]&0x1f == h264IDR
	case h264STAPA:
		return aggregate(p[1:], func(nal []byte) bool {
			t := nal[0] & 0x1f
			return t == h264IDR || t == h264SPS
		})
	}
	return false
}

// NAL unit types of H.265 (ITU-T H.265 table 7-1) and its RTP form (RFC 7798 section 4.4).
const (
	h265FirstIRAP = 16
	h265LastIRAP  = 21
	h265VPS       = 32
	h265SPS       = 33
	h265AP        = 48
	h265FU        = 49
)

func h265KeyFrame(p []byte) bool {
	if len(p) < 3 {
		return false
	}
	intra := func(t byte) bool { return t >= h265FirstIRAP && t <= h265LastIRAP || t == h265VPS || t == h265SPS }
	switch t := p[0] >> 1 & 0x3f; t {
	case h265FU:
		return p[2]&0x80 != 0 && intra(p[2]&0x3f)
	case h265AP:
		return aggregate(p[2:], func(nal []byte) bool { return intra(nal[0] >> 1 & 0x3f) })
	default:
		return intra(t)
	}
}

// aggregate is true when one of the NAL units, each behind a 16-bit length, satisfies is.
func aggregate(p []byte, is func(nal []byte) bool) bool {
	for len(p) > 2 {
		n := int(p[0])<<8 | int(p[1])
		p = p[2:]
		if n == 0 || n > len(p) {
			return false
		}
		if is(p[:n]) {
			return true
		}
		p = p[n:]
	}
	return false
}

// av1KeyFrame: AV1 RTP specification section 4.4. N marks the first packet of a coded video sequence.
func av1KeyFrame(p []byte) bool { return len(p) > 1 && p[0]&0x08 != 0 }
