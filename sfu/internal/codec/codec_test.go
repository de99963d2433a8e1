package codec

import "testing"

func TestKeyFrame(t *testing.T) {
	for _, c := range []struct {
		name, codec string
		payload     []byte
		want        bool
	}{
		{"vp8 key, no extension", "VP8", []byte{0x10, 0x00}, true},
		{"vp8 inter", "VP8", []byte{0x10, 0x01}, false},
		{"vp8 key, 15-bit picture id, tl0, tid", "VP8", []byte{0x90, 0xf0, 0x81, 0x02, 0x03, 0x04, 0x50}, true},
		{"vp8 inter, 7-bit picture id", "VP8", []byte{0x90, 0x80, 0x01, 0x51}, false},
		{"vp8 second packet of a key frame", "VP8", []byte{0x80, 0x80, 0x01, 0x50}, false},
		{"vp8 second partition", "VP8", []byte{0x11, 0x00}, false},
		{"vp9 key, flexible", "VP9", []byte{0x98, 0x81, 0x02, 0x00}, true},
		{"vp9 inter", "VP9", []byte{0xd8, 0x81, 0x02, 0x00}, false},
		{"vp9 key, middle of frame", "VP9", []byte{0x90, 0x81, 0x02, 0x00}, false},
		{"vp9 key, upper spatial layer", "VP9", []byte{0xa8, 0x01, 0x02, 0x00}, false},
		{"vp9 key, base spatial layer", "VP9", []byte{0xa8, 0x01, 0x00, 0x00}, true},
		{"h264 idr", "H264", []byte{0x65, 0x88}, true},
		{"h264 slice", "H264", []byte{0x41, 0x9a}, false},
		{"h264 sps in stap-a", "H264", []byte{0x78, 0x00, 0x02, 0x67, 0x42, 0x00, 0x01, 0x68}, true},
		{"h264 pps only in stap-a", "H264", []byte{0x78, 0x00, 0x02, 0x68, 0x42}, false},
		{"h264 idr fu-a start", "H264", []byte{0x7c, 0x85, 0x00}, true},
		{"h264 idr fu-a middle", "H264", []byte{0x7c, 0x05, 0x00}, false},
		{"h265 idr", "H265", []byte{0x26, 0x01, 0x00}, true},
		{"h265 trail", "H265", []byte{0x02, 0x01, 0x00}, false},
		{"h265 vps in ap", "H265", []byte{0x60, 0x01, 0x00, 0x02, 0x40, 0x01}, true},
		{"h265 idr fu start", "H265", []byte{0x62, 0x01, 0x93}, true},
		{"h265 idr fu end", "H265", []byte{0x62, 0x01, 0x53}, false},
		{"av1 new sequence", "AV1", []byte{0x18, 0x0a}, true},
		{"av1 inter", "AV1", []byte{0x10, 0x32}, false},
	} {
		if got := KeyFrame(c.codec)(c.payload); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAudioHasNoKeyFrames(t *testing.T) {
	for _, name := range []string{"opus", "PCMU", "PCMA"} {
		if KeyFrame(name) != nil {
			t.Errorf("%s has a key frame test", name)
		}
	}
}

func FuzzKeyFrame(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x81, 0x02, 0x03, 0x04, 0x50})
	f.Add([]byte{0x78, 0x00, 0x02, 0x67, 0x42, 0x00, 0x01, 0x68})
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, name := range []string{"VP8", "VP9", "H264", "H265", "AV1"} {
			for cut := range min(len(p), 16) + 1 {
				KeyFrame(name)(p[:cut]) // must not panic, whatever the bytes
			}
		}
	})
}
