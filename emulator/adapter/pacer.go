package adapter

import (
	"sync"
)

// primeFrames is how much of an utterance is waited for before it is played, so that an endpoint that sends in real time,
// piece by piece, is not interrupted by every late piece: 60 ms, or as many frames of waiting.
const primeFrames = 3

// chunkBytes is how much is kept in one piece: small messages are put together, so that what is counted is what is held.
const chunkBytes = 16 << 10

// pacer holds PCM that came faster than it is played. Whole utterances are sent at once and played in real time (contract
// 5.3). It holds at most as many bytes as it was made for; what does not fit is refused, and the socket is not read until it
// does, so that nothing is lost and TCP slows the endpoint down.
type pacer struct {
	max   int
	space chan struct{} // one slot: something was taken out

	mu      sync.Mutex
	pieces  [][]byte // oldest first, none empty, of our own
	size    int      // bytes in pieces
	playing bool
	waited  int  // frames of silence since the utterance's first piece
	ended   bool // the endpoint said that no more is to come: nothing is waited for
}

func newPacer(limit int) *pacer { return &pacer{max: limit, space: make(chan struct{}, 1)} }

// push adds a copy of a piece; false where it does not fit yet. A piece that is larger than the pacer fits when
// it is empty. An empty piece ends an utterance: Cloudflare's own example sends one.
func (p *pacer) push(piece []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(piece) == 0 {
		p.ended = p.size > 0
		return true
	}
	if p.size > 0 && p.size+len(piece) > p.max {
		return false
	}
	last := len(p.pieces) - 1
	if last < 0 || len(p.pieces[last])+len(piece) > chunkBytes {
		p.pieces = append(p.pieces, make([]byte, 0, max(chunkBytes, len(piece))))
		last++
	}
	p.pieces[last] = append(p.pieces[last], piece...)
	p.size += len(piece)
	p.ended = false
	return true
}

// frame fills pcm with what is to be heard next: speech and then silence, or silence alone, which it reports by false.
func (p *pacer) frame(pcm []int16) (speech bool) {
	clear(pcm)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ready(2 * len(pcm)) {
		return false
	}
	filled := 0
	for filled < 2*len(pcm) && p.size > 0 {
		piece := p.pieces[0]
		n := min(len(piece), 2*len(pcm)-filled)
		readPCM(piece[:n], pcm[filled/2:])
		filled += n
		p.size -= n
		if p.pieces[0] = piece[n:]; n == len(piece) {
			p.pieces[0] = nil
			p.pieces = p.pieces[1:]
		}
	}
	p.playing = filled == 2*len(pcm)
	select {
	case p.space <- struct{}{}:
	default:
	}
	return filled > 0
}

// ready needs mu. It decides whether to play now.
func (p *pacer) ready(frame int) bool {
	switch {
	case p.size == 0:
		p.playing, p.ended, p.waited = false, false, 0
	case p.playing, p.ended, p.size >= primeFrames*frame, p.waited >= primeFrames:
		p.playing, p.waited = true, 0
	default:
		p.waited++
	}
	return p.playing
}

// buffered is how many bytes wait.
func (p *pacer) buffered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.size
}
