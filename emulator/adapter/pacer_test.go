package adapter

import (
	"bytes"
	"slices"
	"testing"
)

const frameLen = frameSamples * channels

// played takes frames until the pacer has been silent for three of them.
func played(p *pacer) (pcm []int16, frames int) {
	frame := make([]int16, frameLen)
	for silent := 0; silent < 2*primeFrames; {
		if !p.frame(frame) {
			silent++
			continue
		}
		silent = 0
		pcm = append(pcm, frame...)
		frames++
	}
	return pcm, frames
}

func TestAnUtteranceSentAtOnceIsPlayedWhole(t *testing.T) {
	p := newPacer(1 << 20)
	want := tone(440, 1000, 10*frameSamples+100)
	sent := bytesOf(want)
	for piece := range slices.Chunk(sent, 16384) {
		if !p.push(piece) {
			t.Fatal("it does not fit")
		}
	}
	pcm, frames := played(p)
	if frames != 11 || !slices.Equal(pcm[:len(want)], want) {
		t.Errorf("%d frames were played, or others than were sent", frames)
	}
	for _, s := range pcm[len(want):] {
		if s != 0 {
			t.Fatal("the last frame is not filled with silence")
		}
	}
	if p.buffered() != 0 {
		t.Errorf("%d bytes are left", p.buffered())
	}
}

func TestAFewPiecesAreWaitedForBeforePlaying(t *testing.T) {
	p, frame := newPacer(1<<20), make([]int16, frameLen)
	piece := bytes.Repeat([]byte{1}, frameBytes)
	p.push(piece)
	for i := range primeFrames {
		if p.frame(frame) {
			t.Fatalf("frame %d is played at once", i)
		}
	}
	if !p.frame(frame) {
		t.Error("one frame is never played")
	}
	for range primeFrames {
		p.push(piece)
	}
	if !p.frame(frame) {
		t.Error("enough has come, and it is waited for more")
	}
}

func TestAnEmptyPieceEndsTheWait(t *testing.T) {
	p, frame := newPacer(1<<20), make([]int16, frameLen)
	p.push(nil) // nothing to end
	p.push([]byte{1, 0, 1, 0})
	p.push([]byte{})
	if !p.frame(frame) || frame[0] != 1 {
		t.Error("the end of the utterance is waited beyond")
	}
	p.push([]byte{2, 0, 2, 0})
	if p.frame(frame) {
		t.Error("the next utterance is not waited for")
	}
}

func TestAFullPacerRefusesUntilSomethingIsPlayed(t *testing.T) {
	p, frame := newPacer(4*frameBytes), make([]int16, frameLen)
	for range 4 {
		if !p.push(make([]byte, frameBytes)) {
			t.Fatal("refused below the bound")
		}
	}
	if p.push([]byte{1, 2, 3, 4}) || p.buffered() > 4*frameBytes {
		t.Fatal("the bound is passed")
	}
	select {
	case <-p.space:
		t.Fatal("there is space before anything was played")
	default:
	}
	p.frame(frame)
	select {
	case <-p.space:
	default:
		t.Fatal("nobody is told of the space")
	}
	if !p.push(make([]byte, frameBytes)) {
		t.Error("refused although there is space")
	}
	if huge := newPacer(10); !huge.push(make([]byte, 32768)) {
		t.Error("a piece larger than the pacer never fits")
	}
}

// TestWhatIsHeldIsWhatIsCounted: a message of a few bytes may lie in a buffer of many, which must not be kept for its sake.
func TestWhatIsHeldIsWhatIsCounted(t *testing.T) {
	p := newPacer(1 << 20)
	want := tone(440, 1000, 10*frameSamples)
	sent := bytesOf(want)
	for piece := range slices.Chunk(sent, 4) {
		message := make([]byte, 32<<10)
		if !p.push(message[:copy(message, piece)]) {
			t.Fatal("it does not fit")
		}
	}
	held := 0
	for _, piece := range p.pieces {
		held += cap(piece)
	}
	if held > len(sent)+chunkBytes {
		t.Errorf("%d bytes are held for %d", held, len(sent))
	}
	if pcm, _ := played(p); !slices.Equal(pcm[:len(want)], want) {
		t.Error("something else is played than was sent")
	}
}
