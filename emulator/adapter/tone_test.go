package adapter

import (
	"testing"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func tone(left, right float64, samples int) []int16 { return sfutest.Tone(left, right, samples) }

func wantTones(t *testing.T, pcm []int16, left, right float64) {
	t.Helper()
	if err := sfutest.HearTones(pcm, left, right); err != nil {
		t.Error(err)
	}
}
