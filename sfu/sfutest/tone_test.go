package sfutest

import (
	"testing"
)

func TestPurityTellsTonesApart(t *testing.T) {
	for _, c := range []struct {
		f, at     float64
		low, high float64
	}{{440, 440, 0.999, 1.001}, {459, 440, 0.99, 1.001}, {500, 440, 0, 0.001}, {0, 440, 0, 0}} {
		if p := Purity(PCMChannel(Tone(c.f, 0, SampleRate), 0), c.at); p < c.low || p > c.high {
			t.Errorf("%v Hz looked at as %v Hz: %v", c.f, c.at, p)
		}
	}
}

func TestTonesAreHeardOnTheirChannels(t *testing.T) {
	pcm := Tone(440, 1000, SampleRate)
	if err := HearTones(pcm, 440, 1000); err != nil {
		t.Error(err)
	}
	if err := HearTones(Tone(440, 0, SampleRate), 440, 0); err != nil {
		t.Error(err)
	}
	half := make([]int16, len(pcm))
	for i := range pcm {
		half[i] = pcm[i] / 2
	}
	for name, wrong := range map[string][]int16{"exchanged": Tone(1000, 440, SampleRate), "silent": make([]int16, len(pcm)), "too low": half,
		"a channel is missing": Tone(440, 0, SampleRate)} {
		if HearTones(wrong, 440, 1000) == nil {
			t.Errorf("%s: nothing is wrong with it", name)
		}
	}
	silence := make([]int16, 2*10*FrameSamples)
	if from, to := Loud(append(append(silence, pcm...), silence...)); from != 10*FrameSamples || to != 10*FrameSamples+SampleRate {
		t.Errorf("sound from %d to %d", from, to)
	}
}
