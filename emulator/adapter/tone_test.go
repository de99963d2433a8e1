package adapter

import (
	"math"
	"testing"
)

// tone makes PCM with one frequency on each channel, 0 for silence, at half of full scale.
func tone(left, right float64, samples int) []int16 {
	pcm := make([]int16, 0, samples*channels)
	for i := range samples {
		for _, f := range []float64{left, right} {
			pcm = append(pcm, int16(16000*math.Sin(2*math.Pi*f*float64(i)/sampleRate)))
		}
	}
	return pcm
}

// channel is one channel of interleaved PCM.
func channel(pcm []int16, which int) []float64 {
	var out []float64
	for i := which; i < len(pcm); i += channels {
		out = append(out, float64(pcm[i]))
	}
	return out
}

// purity is the share of a signal's energy within 20 Hz of a frequency. The window is Hann's, so that the ends of the
// recording do not count as noise.
func purity(signal []float64, frequency float64) float64 {
	n := len(signal)
	windowed, total := make([]float64, n), 0.0
	for i, s := range signal {
		windowed[i] = s * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(n)))
		total += windowed[i] * windowed[i]
	}
	if total == 0 {
		return 0
	}
	bin := float64(sampleRate) / float64(n)
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

func loudness(signal []float64) float64 {
	sum := 0.0
	for _, s := range signal {
		sum += s * s
	}
	return math.Sqrt(sum / float64(max(1, len(signal))))
}

// wantTones checks that each channel has 99 % of its energy at its frequency; 0 stands for a channel that is silent.
func wantTones(t *testing.T, pcm []int16, left, right float64) {
	t.Helper()
	for i, f := range []float64{left, right} {
		signal := channel(pcm, i)
		if f == 0 {
			if l := loudness(signal); l > 300 {
				t.Errorf("channel %d has loudness %.0f, want silence", i, l)
			}
			continue
		}
		if p := purity(signal, f); p < 0.99 {
			t.Errorf("channel %d has %.2f %% of its energy at %.0f Hz", i, 100*p, f)
		}
		if l := loudness(signal); l < 8000 || l > 14000 {
			t.Errorf("channel %d has loudness %.0f, the tone has 11300", i, l)
		}
	}
}

func TestPurityTellsTonesApart(t *testing.T) {
	for _, c := range []struct {
		f, at     float64
		low, high float64
	}{{440, 440, 0.999, 1.001}, {459, 440, 0.99, 1.001}, {500, 440, 0, 0.001}, {0, 440, 0, 0}} {
		if p := purity(channel(tone(c.f, 0, sampleRate), 0), c.at); p < c.low || p > c.high {
			t.Errorf("%v Hz looked at as %v Hz: %v", c.f, c.at, p)
		}
	}
}
