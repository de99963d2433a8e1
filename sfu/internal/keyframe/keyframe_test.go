package keyframe

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"github.com/callsemu/callsemu/sfu/internal/codec"
)

// nal is an Annex B unit of a type, filled up to a size.
func nal(head []byte, size int) []byte {
	b := append([]byte{0, 0, 0, 1}, head...)
	return append(b, bytes.Repeat([]byte{0xab, 0xcd}, size/2)...)
}

// samples are one key frame of each codec, with what comes before and after it.
func samples() map[string]struct {
	payloader    rtp.Payloader
	key, between []byte
} {
	filler := bytes.Repeat([]byte{3, 1, 4, 1, 5}, 800)
	vp8Key := append([]byte{0x10, 0x20, 0x00, 0x9d, 0x01, 0x2a, 64, 0, 48, 0}, filler...)
	vp9Key := append([]byte{0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf0}, filler...)
	h264Key := append(append(nal([]byte{0x67, 0x42}, 20), nal([]byte{0x68, 0xce}, 6)...), nal([]byte{0x65, 0x88}, 4000)...)
	h265Key := append(append(append(nal([]byte{32 << 1, 1}, 20), nal([]byte{33 << 1, 1}, 20)...), nal([]byte{34 << 1, 1}, 6)...),
		nal([]byte{19 << 1, 1}, 4000)...)
	type sample = struct {
		payloader    rtp.Payloader
		key, between []byte
	}
	return map[string]sample{
		"VP8":  {&codecs.VP8Payloader{EnablePictureID: true}, vp8Key, append([]byte{0x11, 0x20, 0}, filler[:2000]...)},
		"VP9":  {&codecs.VP9Payloader{InitialPictureIDFn: func() uint16 { return 7 }}, vp9Key, append([]byte{0x86, 0}, filler[:2000]...)},
		"H264": {&codecs.H264Payloader{}, h264Key, nal([]byte{0x41, 0x9a}, 2000)},
		"H265": {&codecs.H265Payloader{}, h265Key, nal([]byte{1 << 1, 1}, 2000)},
	}
}

// packets are a frame between two others that are none of ours.
func packets(name string) (list []Packet, key []byte) {
	s, seq := samples()[name], uint16(65530)
	starts := codec.KeyFrame(name)
	for i, frame := range [][]byte{s.between, s.key, s.between} {
		payloads := s.payloader.Payload(1000, frame)
		for j, p := range payloads {
			list = append(list, Packet{Payload: p, Seq: seq, TS: uint32(i) * 3000, Marker: j == len(payloads)-1, Starts: starts(p)})
			seq++
		}
	}
	return list, s.key
}

func feed(a *Assembler, list []Packet) (frames [][][]byte) {
	for _, p := range list {
		if units, ok := a.Add(p); ok {
			frames = append(frames, units)
		}
	}
	return frames
}

func TestKeyFramesComeOutWhole(t *testing.T) {
	for name := range samples() {
		list, key := packets(name)
		frames := feed(New(name), list)
		if len(frames) != 1 || len(frames[0]) != 1 || !bytes.Equal(bytes.TrimLeft(frames[0][0], "\x00"), bytes.TrimLeft(key, "\x00")) {
			t.Errorf("%s: %d frames come out, or others than went in", name, len(frames))
		}
	}
}

func TestOrderAndRepetitionDoNotMatter(t *testing.T) {
	for name := range samples() {
		list, _ := packets(name)
		var frame []Packet
		for _, p := range list {
			if p.TS == 3000 {
				frame = append(frame, p)
			}
		}
		want := feed(New(name), frame)
		rest := append([]Packet(nil), frame[1:]...)
		rest = append(rest, rest[1]) // again
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		got := feed(New(name), append(frame[:1:1], rest...))
		if len(got) != 1 || !bytes.Equal(got[0][0], want[0][0]) {
			t.Errorf("%s: another order gives %d frames, or another one", name, len(got))
		}
	}
}

func TestAGapKeepsAFrameBack(t *testing.T) {
	for name := range samples() {
		list, _ := packets(name)
		var before, held []Packet
		var missing Packet
		for i, p := range list {
			switch {
			case p.TS == 3000 && missing.Payload == nil && !p.Starts:
				missing = list[i]
			case p.TS <= 3000:
				before = append(before, p)
			default:
				held = append(held, p)
			}
		}
		a := New(name)
		if n := len(feed(a, before)); n != 0 {
			t.Fatalf("%s: %d frames although a packet is missing", name, n)
		}
		if n := len(feed(a, append(held, missing))); n != 1 { // it comes late, among packets of the next frame
			t.Errorf("%s: %d frames when it comes late", name, n)
		}
	}
}

func TestLayersOfVP9AreUnits(t *testing.T) {
	layer := func(sid byte, begin, end bool, payload string) []byte {
		d := byte(0xa0) // I, L
		if begin {
			d |= 0x08
		}
		if end {
			d |= 0x04
		}
		return append([]byte{d, 7, sid << 1, 0}, payload...)
	}
	a := New("VP9")
	frames := feed(a, []Packet{
		{Payload: layer(0, true, true, "small"), Seq: 1, Starts: true},
		{Payload: layer(1, true, false, "lar"), Seq: 2},
		{Payload: layer(1, false, true, "ge"), Seq: 3, Marker: true},
	})
	if len(frames) != 1 || len(frames[0]) != 2 || string(frames[0][0]) != "small" || string(frames[0][1]) != "large" {
		t.Errorf("%q", frames)
	}
}

func TestOtherCodecsHaveNoAssembler(t *testing.T) {
	for _, name := range []string{"AV1", "opus", ""} {
		if New(name) != nil {
			t.Errorf("%s has one", name)
		}
	}
	if New("vp8") == nil {
		t.Error("names are compared with their case")
	}
}

func TestAFrameIsBounded(t *testing.T) {
	a := New("VP8")
	for i := range 3 * maxPackets {
		a.Add(Packet{Payload: make([]byte, 1000), Seq: uint16(i), Starts: i == 0})
		if len(a.held) > maxPackets {
			t.Fatalf("%d packets are held", len(a.held))
		}
	}
	if a.active {
		t.Error("it still waits for the end")
	}
}

func FuzzAssembler(f *testing.F) {
	for i, name := range []string{"VP8", "VP9", "H264", "H265"} {
		list, _ := packets(name)
		for _, p := range list {
			f.Add(uint8(i), p.Payload, []byte{0, 1, 2, 0x83})
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, payload, steps []byte) {
		name := []string{"VP8", "VP9", "H264", "H265"}[which%4]
		a, starts := New(name), codec.KeyFrame(name)
		for i, step := range steps[:min(len(steps), 64)] {
			p := payload[min(i, len(payload)):]
			units, ok := a.Add(Packet{Payload: p, Seq: uint16(step & 0x1f), TS: uint32(step & 0x20), Marker: step&0x80 != 0, Starts: starts(p)})
			if ok && len(units) == 0 {
				t.Fatal("a complete frame without a unit")
			}
		}
	})
}
