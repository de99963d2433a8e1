package sfu

import (
	"time"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// sourceCodec is what a Source sends, under the recorded payload type (contract 3.2). Its number means nothing to
// subscribers, who have their own.
var sourceCodec = sdp.Codec{PT: 111, Name: "opus", Clock: 48000, Channels: 2, Parameter: "minptime=10;useinbandfec=1;stereo=1"}

// Source is a published track that has no endpoint: the program itself writes its Opus packets, which are forwarded like
// those of any other. It starts nothing. One goroutine writes.
type Source struct {
	// Fixed after NewSource.
	peer   *Peer // has no transport, and no packet reaches it
	pub    *Publication
	stream *stream

	// Owned by the writer.
	worker   *worker
	burst    [1]packet
	reported time.Time
}

// NewSource makes a Source. It fails with ErrClosed only.
func (s *SFU) NewSource() (*Source, error) {
	s.mu.RLock()
	closed := s.closed
	s.mu.RUnlock()
	if closed {
		return nil, ErrClosed
	}
	p := newPeer(s)
	p.alone = true
	p.setStateLocked(StateConnected) // nobody else knows it yet
	section := &section{mid: "0", kind: KindAudio, codecs: []sdp.Codec{sourceCodec}}
	section.remote.Sends = true
	p.negotiation.sections = append(p.negotiation.sections, section)
	src := &Source{peer: p, pub: section.publish(p), worker: newWorker(s)}
	src.stream = &stream{ssrc: randomUint32(), section: section, clock: sourceCodec.Clock, age: 1}
	p.streams.Store(&map[uint32]*stream{src.stream.ssrc: src.stream})
	src.burst[0] = packet{pt: sourceCodec.PT, level: noLevel, seq: uint16(randomUint32()), ts: randomUint32()}
	return src, nil
}

// Publication is the track, of mid 0.
func (src *Source) Publication() *Publication { return src.pub }

// Peer stands in for the endpoint: connected as long as the track is written, seen when it was written last. Its track can be
// closed; exchanges of SDP fail with ErrNoEndpoint. Its Close closes the Source.
func (src *Source) Peer() *Peer { return src.peer }

// Write sends one Opus packet that plays for so many samples of 48 kHz, at once. After Close nobody gets it.
func (src *Source) Write(payload []byte, samples int) {
	now := time.Now()
	p := &src.burst[0]
	p.payload = payload
	src.peer.lastSeen.Store(now.UnixNano())
	src.stream.meter.count(len(payload), now)
	src.peer.inbound.mu.Lock()
	src.stream.meter.update(now)
	src.peer.inbound.mu.Unlock()
	src.worker.now = now
	src.pub.forward(src.stream, src.burst[:], src.worker)
	src.worker.flush()
	if now.Sub(src.reported) >= reportInterval {
		src.reported = now
		src.report(now, p.ts)
	}
	p.seq++
	p.ts += uint32(samples)
	p.payload = nil
}

// report tells those who receive the track what its timestamps mean in real time, as an endpoint's sender reports would.
func (src *Source) report(now time.Time, ts uint32) {
	src.stream.report.Store(&senderReport{ntp: toNTP(now), rtp: ts, arrived: now})
	for _, sub := range *src.pub.receives.Load() {
		sub.report(src.stream, now)
	}
}

// toNTP is the 64 bit NTP time of RFC 3550 section 4.
func toNTP(t time.Time) uint64 {
	const epoch = 2208988800 // seconds from 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// Close ends the track for all who receive it. It may be called more than once.
func (src *Source) Close() { _ = src.peer.Close() }
