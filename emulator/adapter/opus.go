package adapter

import (
	"encoding/binary"
	"fmt"

	"github.com/thesyncim/gopus"
)

// PCM of adapters: signed 16 bit little endian, 48 kHz, two channels interleaved (contract 5.3).
const (
	sampleRate   = 48000
	channels     = 2
	sampleBytes  = 2 * channels // one moment, both channels
	frameSamples = sampleRate / 50
	frameBytes   = frameSamples * sampleBytes
	// maxPacketSamples is the longest Opus packet, 120 ms (RFC 6716 section 3.2.5); maxPacketBytes is what the encoder
	// may need.
	maxPacketSamples = 5760
	maxPacketBytes   = 1500
	// opusBitrate is what libopus itself takes for music in stereo.
	opusBitrate = 96000
	// plcStep is the unit in which lost time can be filled, 2.5 ms.
	plcStep = sampleRate / 400
)

// opusCodec is all that adapters need of a codec. An instance is one stream, in one direction; it is not for concurrent use.
type opusCodec interface {
	// Decode writes the samples of a packet to pcm and returns how many there are per channel. Without a packet it makes up
	// what was lost, as much as pcm holds.
	Decode(packet []byte, pcm []int16) (samples int, err error)
	// Encode writes the packet of one frame and returns its length.
	Encode(pcm []int16, packet []byte) (n int, err error)
}

// gopusCodec is opusCodec by gopus. Each half is made when it is first used: a decoder alone takes half a megabyte.
type gopusCodec struct {
	decoder *gopus.Decoder
	encoder *gopus.Encoder
}

var _ opusCodec = (*gopusCodec)(nil)

func (g *gopusCodec) Decode(packet []byte, pcm []int16) (int, error) {
	if g.decoder == nil {
		var err error
		if g.decoder, err = gopus.NewDecoder(gopus.DefaultDecoderConfig(sampleRate, channels)); err != nil {
			return 0, fmt.Errorf("make the opus decoder: %w", err)
		}
	}
	n, err := g.decoder.DecodeInt16(packet, pcm)
	if err != nil {
		return 0, fmt.Errorf("opus packet of %d bytes: %w", len(packet), err)
	}
	return n, nil
}

func (g *gopusCodec) Encode(pcm []int16, packet []byte) (int, error) {
	if g.encoder == nil {
		e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: sampleRate, Channels: channels, Application: gopus.ApplicationAudio})
		if err != nil {
			return 0, fmt.Errorf("make the opus encoder: %w", err)
		}
		if err := e.SetBitrate(opusBitrate); err != nil {
			return 0, fmt.Errorf("opus bit rate: %w", err)
		}
		g.encoder = e
	}
	n, err := g.encoder.EncodeInt16(pcm, packet)
	if err != nil {
		return 0, fmt.Errorf("opus frame of %d samples: %w", len(pcm)/channels, err)
	}
	return n, nil
}

// opusSamples is how long a packet plays, in samples, by its first two bytes (RFC 6716 section 3.1); 0 for none that can be.
func opusSamples(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	config, frames := packet[0]>>3, 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 0x3f)
	}
	var frame int // in samples
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [...]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = 480 << (config & 1)
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = 120 << (config & 3)
	}
	if total := frame * frames; total <= maxPacketSamples {
		return total
	}
	return 0
}

// bytesOf and readPCM turn samples into bytes and back.
func bytesOf(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func readPCM(b []byte, pcm []int16) {
	for i := range min(len(pcm), len(b)/2) {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
}
