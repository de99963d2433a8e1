package adapter

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/callsemu/callsemu/sfu"
)

const frameTime = 20 * time.Millisecond

// maxLag is how far playing may fall behind, as when the machine sleeps, before it goes on from now instead of catching up.
const maxLag = 500 * time.Millisecond

// NewIngest makes the adapter that takes PCM from its endpoint and sends it as Opus. Source stays the caller's to close.
func NewIngest(cfg Config, source *sfu.Source) *Adapter {
	a := newAdapter(cfg, source.Publication().Done())
	a.carry = func(s *socket) func() { return a.ingest(s, source) }
	return a
}

// ingest plays what the endpoint sends until the socket ends: it is never made anew (contract 5.4).
func (a *Adapter) ingest(s *socket, source *sfu.Source) (due func()) {
	p := newPacer(int(a.cfg.Limits().Buffer.Seconds() * sampleRate * sampleBytes))
	a.pacer.Store(p)
	var player sync.WaitGroup
	player.Go(func() { a.play(p, source) })
	if err := a.converse(s, func() error { return a.listen(s, p) }); err != nil {
		a.note(err)
		a.end(err)
	}
	player.Wait()
	return nil
}

// listen reads messages until the socket ends. While the pacer is full it does not read.
func (a *Adapter) listen(s *socket, p *pacer) error {
	for {
		b, err := s.receive(context.Background())
		if err != nil {
			return whyEnded(err)
		}
		packet, err := ParsePacket(b)
		if err != nil {
			a.refuse(err)
			continue
		}
		whole := len(packet.Payload) / sampleBytes * sampleBytes
		if whole < len(packet.Payload) { // the rest is no sample (contract 10 Q42, inferred)
			a.refuse(fmt.Errorf("a payload of %d bytes, which is not a multiple of %d: the end is cut off", len(packet.Payload), sampleBytes))
		}
		for !p.push(packet.Payload[:whole]) {
			select {
			case <-p.space:
			case <-a.life.Done():
				return nil
			}
		}
		a.messages.Add(1)
		a.bytes.Add(uint64(whole))
	}
}

// refuse notes a message that is not used, or not as a whole, and logs the first one.
func (a *Adapter) refuse(err error) {
	a.note(err)
	if a.dropped.Add(1) == 1 {
		a.cfg.Logger.Warn("adapter got a message that it cannot use whole; later ones are counted", "why", err)
	}
}

// play sends a frame every 20 ms until the adapter ends: what the endpoint sent, and silence between utterances and before
// the first, so that the track can be pulled at any time (contract 5.3, 10 Q42, inferred).
func (a *Adapter) play(p *pacer, source *sfu.Source) {
	codec := &gopusCodec{}
	pcm, packet := make([]int16, frameSamples*channels), make([]byte, maxPacketBytes)
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-a.life.Done():
			return
		}
		if time.Since(next) > maxLag {
			next = time.Now()
		}
		p.frame(pcm)
		n, err := codec.Encode(pcm, packet)
		if err != nil {
			a.refuse(err)
		} else {
			source.Write(packet[:n], frameSamples)
		}
		next = next.Add(frameTime)
		timer.Reset(time.Until(next))
	}
}
