package sfutest

import (
	"fmt"
	"math"
	"sync"

	"github.com/thesyncim/gopus"
)

// PCM of tones: 48 kHz, two channels interleaved, 20 ms in a frame.
const (
	SampleRate   = 48000
	FrameSamples = SampleRate / 50 // per channel
)

// Tone makes PCM with one frequency on each channel, 0 for silence, at half of full scale.
func Tone(left, right float64, samples int) []int16 {
	pcm := make([]int16, 0, 2*samples)
	for i := range samples {
		for _, f := range []float64{left, right} {
			pcm = append(pcm, int16(16000*math.Sin(2*math.Pi*f*float64(i)/SampleRate)))
		}
	}
	return pcm
}

// ToneLoudness is the loudness of a Tone.
const ToneLoudness = 16000 / math.Sqrt2

// PCMChannel is one channel of interleaved PCM.
func PCMChannel(pcm []int16, which int) []float64 {
	var out []float64
	for i := which; i < len(pcm); i += 2 {
		out = append(out, float64(pcm[i]))
	}
	return out
}

// Loudness is the root of the mean square.
func Loudness(signal []float64) float64 {
	sum := 0.0
	for _, s := range signal {
		sum += s * s
	}
	return math.Sqrt(sum / float64(max(1, len(signal))))
}

// Purity is the share of a signal's energy that lies within 20 Hz of a frequency. The window is Hann's, so that the ends of a
// recording do not count as noise.
func Purity(signal []float64, frequency float64) float64 {
	n := len(signal)
	windowed, total := make([]float64, n), 0.0
	for i, s := range signal {
		windowed[i] = s * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n)))
		total += windowed[i] * windowed[i]
	}
	if total == 0 {
		return 0
	}
	bin := float64(SampleRate) / float64(n)
	near := 0.0
	for k := math.Ceil((frequency - 20) / bin); k*bin <= frequency+20; k++ {
		var re, im float64
		for i, s := range windowed {
			sin, cos := math.Sincos(2 * math.Pi * k * float64(i) / float64(n))
			re += s * cos
			im += s * sin
		}
		near += 2 * (re*re + im*im) / float64(n) // Parseval, both signs of the frequency
	}
	return near / total
}

// Loud is where in a recording sound begins and ends, in samples per channel; -1 for silence.
func Loud(pcm []int16) (from, to int) {
	from = -1
	for i := 0; i+2*FrameSamples <= len(pcm); i += 2 * FrameSamples {
		frame := pcm[i : i+2*FrameSamples]
		if max(Loudness(PCMChannel(frame, 0)), Loudness(PCMChannel(frame, 1))) > ToneLoudness/10 {
			if from < 0 {
				from = i / 2
			}
			to = i/2 + FrameSamples
		}
	}
	return from, to
}

// HearTones says what is wrong with a recording that should have one tone on each channel: 99 % of the energy at its
// frequency, and its loudness; nothing where the frequency is 0.
func HearTones(pcm []int16, left, right float64) error {
	for i, f := range []float64{left, right} {
		signal := PCMChannel(pcm, i)
		loud := Loudness(signal)
		switch {
		case f == 0 && loud > ToneLoudness/40:
			return fmt.Errorf("channel %d has loudness %.0f, want silence", i, loud)
		case f == 0:
		case loud < 0.7*ToneLoudness || loud > 1.25*ToneLoudness:
			return fmt.Errorf("channel %d has loudness %.0f, the tone has %.0f", i, loud, ToneLoudness)
		default:
			if p := Purity(signal, f); p < 0.99 {
				return fmt.Errorf("channel %d has %.2f %% of its energy at %.0f Hz", i, 100*p, f)
			}
		}
	}
	return nil
}

// OpusTone is the Content of a Track that sends a tone on each channel.
func OpusTone(left, right float64) (func(frame uint64, key bool) [][]byte, error) {
	encoder, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: SampleRate, Channels: 2, Application: gopus.ApplicationAudio})
	if err != nil {
		return nil, fmt.Errorf("sfutest: opus: %w", err)
	}
	if err := encoder.SetBitrate(96000); err != nil {
		return nil, fmt.Errorf("sfutest: opus: %w", err)
	}
	second := Tone(left, right, SampleRate) // whole periods of whole frequencies: it joins on to itself
	var mu sync.Mutex
	return func(frame uint64, _ bool) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		at := int(frame%50) * 2 * FrameSamples
		b := make([]byte, 1500)
		n, err := encoder.EncodeInt16(second[at:at+2*FrameSamples], b)
		if err != nil {
			return nil
		}
		return [][]byte{b[:n]}
	}, nil
}
