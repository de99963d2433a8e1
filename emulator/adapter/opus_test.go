package adapter

import (
	"testing"

	pionopus "github.com/pion/opus"
)

// encodeTone makes the Opus packets of a tone, 20 ms each.
func encodeTone(tb testing.TB, left, right float64, packets int) [][]byte {
	tb.Helper()
	pcm, codec := tone(left, right, packets*frameSamples), &gopusCodec{}
	var out [][]byte
	for i := range packets {
		b := make([]byte, maxPacketBytes)
		n, err := codec.Encode(pcm[i*frameSamples*channels:][:frameSamples*channels], b)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, b[:n])
	}
	return out
}

func decodeAll(tb testing.TB, codec opusCodec, packets [][]byte) []int16 {
	tb.Helper()
	var out []int16
	pcm := make([]int16, maxPacketSamples*channels)
	for _, p := range packets {
		n, err := codec.Decode(p, pcm)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, pcm[:n*channels]...)
	}
	return out
}

// steady is the part of a recording after its first fifth of a second, in which codecs find their feet.
func steady(pcm []int16) []int16 { return pcm[min(len(pcm), sampleRate/5*channels):] }

func TestATonePassesTheCodecOnItsOwnChannel(t *testing.T) {
	packets := encodeTone(t, 440, 1000, 60)
	wantTones(t, steady(decodeAll(t, &gopusCodec{}, packets)), 440, 1000)
	wantTones(t, steady(decodeAll(t, &gopusCodec{}, encodeTone(t, 600, 0, 60))), 600, 0)
}

// TestAnotherDecoderHearsTheSame gives our packets to a decoder of other authors.
func TestAnotherDecoderHearsTheSame(t *testing.T) {
	other, err := pionopus.NewDecoderWithOutput(sampleRate, channels)
	if err != nil {
		t.Fatal(err)
	}
	var out []int16
	pcm := make([]int16, maxPacketSamples*channels)
	for _, p := range encodeTone(t, 440, 1000, 60) {
		n, err := other.DecodeToInt16(p, pcm)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, pcm[:n*channels]...)
	}
	wantTones(t, steady(out), 440, 1000)
}

func TestDurationIsReadFromThePacket(t *testing.T) {
	for want, packets := range map[int][][]byte{
		0:    {nil, {0x03}, {0x1b, 3}},                               // empty, count missing, three of 60 ms
		120:  {{0x80}},                                               // CELT 2.5 ms
		480:  {{0x00}, {0x60}, {0x90}},                               // SILK, hybrid, CELT of 10 ms
		960:  {{0x08}, {0x68}, {0x98}, {0x91}, {0x03, 2}, {0x83, 8}}, // 20 ms in one piece or in several
		2880: {{0x18}, {0x0b, 3}},
		5760: {{0x1a}, {0x9b, 6}}, // the longest
	} {
		for _, p := range packets {
			if got := opusSamples(p); got != want {
				t.Errorf("% x: %d samples, want %d", p, got, want)
			}
		}
	}
}

// FuzzOpus mutates packets of our encoder on their way to the decoder.
func FuzzOpus(f *testing.F) {
	for _, p := range encodeTone(f, 440, 1000, 3) {
		f.Add(p, p)
	}
	f.Add([]byte{0x78}, []byte{0x0b, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		codec, pcm := &gopusCodec{}, make([]int16, maxPacketSamples*channels)
		for _, p := range [][]byte{first, second, nil, first} {
			room := pcm
			if len(p) == 0 {
				room = pcm[:frameSamples*channels]
			}
			n, err := codec.Decode(p, room)
			if err == nil && (n < 0 || n*channels > len(room)) {
				t.Fatalf("% x: %d samples", p, n)
			}
			if len(p) > 0 && err == nil && n != opusSamples(p) {
				t.Fatalf("% x: %d samples, its first bytes say %d", p, n, opusSamples(p))
			}
		}
	})
}
