package adapter

import "time"

// speaker turns Opus packets into the messages of PCM egress: one decoded packet each, and 20 ms each of what had to be made
// up. It belongs to one goroutine.
type speaker struct {
	codec opusCodec
	order order
	pcm   []int16
	seq   uint32 // of the next message
	begun bool

	lost    uint64 // packets that did not come
	damaged uint64 // packets that could not be decoded
}

func newSpeaker(codec opusCodec) *speaker {
	return &speaker{codec: codec, pcm: make([]int16, maxPacketSamples*channels)}
}

// dropped counts the packets that came and were not played.
func (s *speaker) dropped() uint64 { return s.damaged + s.order.late }

// hear takes a packet in; the messages that it makes possible go to emit.
func (s *speaker) hear(v voice, emit func(Packet)) {
	s.order.push(v)
	s.speak(v.arrived, emit)
}

// speak emits what is due by now.
func (s *speaker) speak(now time.Time, emit func(Packet)) {
	for {
		next, ok := s.order.pop(now)
		if !ok {
			return
		}
		s.lost += uint64(next.lost)
		if !s.begun { // messages count up from where the publisher's packets did
			s.begun, s.seq = true, uint32(next.seq)
		}
		s.makeUp(next.fillTS, next.fill, emit)
		if len(next.payload) == 0 {
			continue // a number without sound
		}
		n, err := s.codec.Decode(next.payload, s.pcm)
		if err != nil {
			s.damaged++
			s.makeUp(next.ts, opusSamples(next.payload), emit)
			continue
		}
		s.emit(next.ts, n, emit)
	}
}

// makeUp conceals missing time. It ends early where the codec has nothing to go on from.
func (s *speaker) makeUp(ts uint32, samples int, emit func(Packet)) {
	for samples >= plcStep {
		n, err := s.codec.Decode(nil, s.pcm[:min(samples, frameSamples)*channels])
		if err != nil || n <= 0 {
			return
		}
		s.emit(ts, n, emit)
		ts += uint32(n)
		samples -= n
	}
}

func (s *speaker) emit(ts uint32, samples int, emit func(Packet)) {
	emit(Packet{SequenceNumber: s.seq, Timestamp: ts, Payload: bytesOf(s.pcm[:samples*channels])})
	s.seq++
}
