package sfutest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// SenderReport is one RTCP sender report of the far end.
type SenderReport struct {
	SSRC    uint32
	NTP     time.Time
	RTP     uint32
	Packets uint32
}

// SubscriberStats is what one mid has received. All counters only grow, except Missing, which repairs make smaller.
type SubscriberStats struct {
	Packets        uint64 // distinct sequence numbers
	Octets         uint64 // of payloads, repeated ones too
	Duplicates     uint64 // sequence numbers that came again, by RTX too
	Repaired       uint64 // packets that came over RTX
	Missing        uint64 // numbers between the lowest and the highest that have not come
	Overtaken      uint64 // numbers that the first packets of a source left out at first: a key frame that came late starts behind the rest
	Padding        uint64 // packets without media, as an SFU sends to probe for bandwidth, on the numbers of the media
	Late           uint64 // packets that came after one with a higher number
	KeyFrames      uint64
	Corrupt        uint64 // stamped payloads that are damaged
	Unstamped      uint64
	SequenceSteps  uint64   // changes of (number here - number at the publisher) while the source stays: 0 on a continuous stream
	TimestampSteps uint64   // the same for timestamps
	PictureSteps   uint64   // VP8: frames whose picture id or TL0PICIDX does not follow that of the frame before
	Switches       []Switch // changes of the source, the newest 64
	Byes           uint64
	SSRCs          []uint32 // every SSRC of media seen, in order of appearance
	PayloadTypes   []uint8
	Streams        []uint32 // Publisher.Stream of every stamp seen
	Codec          Codec
	HasRTX         bool
	LastSequence   uint16
	Offset         uint16 // number here - number at the publisher, of the newest packet with a stamp
	LastTimestamp  uint32
	LastStamp      Stamp
	AudioLevel     uint8          // of the last packet, 0 without the extension
	MidExtension   string         // of the last packet that had it
	Reports        []SenderReport // the newest 8
}

// Switch is a change of the source between two packets that came in order: another publisher, or another layer. The
// steps are those of the numbers on this side; a decoder sees no seam if Sequence is 1 and Timestamp is above 0.
type Switch struct {
	From, To  uint32 // Publisher.Stream
	Key       bool   // it begins with a key frame, as audio always does
	Sequence  int16
	Timestamp int32
	Captured  time.Duration // between the captures of the two packets
}

// ClockOffset is the moment that the newest report gives the newest packet, less the moment of its capture. Two mids
// of one publisher play in sync if their offsets are equal. False without a report.
func (s SubscriberStats) ClockOffset() (time.Duration, bool) {
	info, err := s.Codec.info()
	if err != nil || len(s.Reports) == 0 || s.LastStamp.Captured.IsZero() {
		return 0, false
	}
	report := s.Reports[len(s.Reports)-1]
	ahead := time.Duration(int64(int32(s.LastTimestamp-report.RTP)) * int64(time.Second) / int64(info.clockRate))
	return report.NTP.Add(ahead).Sub(s.LastStamp.Captured), true
}

// Subscriber watches what one mid of a Peer receives.
type Subscriber struct {
	peer *Peer  // fixed after construction
	mid  string // fixed after construction
	bell bell

	mu       sync.Mutex
	stats    SubscriberStats
	ssrc     uint32
	levelExt uint8
	midExt   uint8
	began    bool
	opening  int // packets that are still the first ones of their source
	lowest   uint64
	highest  uint64
	seen     map[uint64]struct{} // extended numbers of the last window
	offsets  map[uint32]offsets  // by Stamp.Stream, since the newest switch
	picture  pictureNumbers
	listener func(*rtp.Packet)
}

// offsets are what lies between the numbers here and those at the publisher.
type offsets struct {
	seq uint16
	ts  uint32
}

const seenWindow = 8192

// Subscriber gives the watcher of a mid; it may be asked for before the mid exists.
func (p *Peer) Subscriber(mid string) *Subscriber {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.subscribers[mid]
	if s == nil {
		s = &Subscriber{peer: p, mid: mid, seen: map[uint64]struct{}{}, offsets: map[uint32]offsets{}}
		p.subscribers[mid] = s
	}
	return s
}

// attach is pion's OnTrack.
func (p *Peer) attach(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	for _, t := range p.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			s := p.Subscriber(t.Mid())
			s.begin(track, receiver)
			p.spawn(func() { s.readMedia(track) })
			p.spawn(func() { s.readRTCP(track.RID(), receiver) })
			return
		}
	}
}

func (s *Subscriber) begin(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ssrc = uint32(track.SSRC())
	s.stats.Codec = codecOfMime(track.Codec().MimeType)
	for _, ext := range receiver.GetParameters().HeaderExtensions {
		switch ext.URI {
		case audioLevelURI:
			s.levelExt = uint8(ext.ID)
		case midURI:
			s.midExt = uint8(ext.ID)
		}
	}
}

func (s *Subscriber) readMedia(track *webrtc.TrackRemote) {
	for {
		packet, attributes, err := track.ReadRTP()
		if err != nil {
			return
		}
		s.take(packet, attributes, track.HasRTX())
		if use := s.listening(); use != nil {
			use(packet)
		}
		s.bell.ring()
	}
}

// readRTCP reads what belongs to one layer, or to the whole of a track without layers. With layers pion's ReadRTCP reads that of the first
// one, and panics as long as nothing has come of it.
func (s *Subscriber) readRTCP(rid string, receiver *webrtc.RTPReceiver) {
	read := receiver.ReadRTCP
	if rid != "" {
		read = func() ([]rtcp.Packet, interceptor.Attributes, error) { return receiver.ReadSimulcastRTCP(rid) }
	}
	for {
		packets, _, err := read()
		if err != nil {
			return
		}
		for _, packet := range packets {
			s.takeRTCP(packet)
		}
		s.bell.ring()
	}
}

func (s *Subscriber) takeRTCP(packet rtcp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch p := packet.(type) {
	case *rtcp.SenderReport:
		report := SenderReport{SSRC: p.SSRC, NTP: fromNTP(p.NTPTime), RTP: p.RTPTime, Packets: p.PacketCount}
		s.stats.Reports = append(s.stats.Reports, report)
		if len(s.stats.Reports) > 8 {
			s.stats.Reports = s.stats.Reports[1:]
		}
	case *rtcp.Goodbye:
		s.stats.Byes++
	}
}

func (s *Subscriber) take(packet *rtp.Packet, attributes interceptor.Attributes, hasRTX bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.HasRTX = hasRTX
	if len(packet.Payload) == 0 {
		s.takePaddingLocked(packet.SequenceNumber)
		return
	}
	s.stats.Octets += uint64(len(packet.Payload))
	if attributes.Get(webrtc.AttributeRtxSsrc) != nil {
		s.stats.Repaired++
	}
	s.stats.SSRCs = appendNew(s.stats.SSRCs, packet.SSRC)
	s.stats.PayloadTypes = appendNew(s.stats.PayloadTypes, packet.PayloadType)
	s.takeExtensionsLocked(packet)
	fresh, newest := s.takeNumberLocked(packet.SequenceNumber)
	if !fresh {
		s.stats.Duplicates++
	}
	stamp, ok := s.readStampLocked(packet)
	if ok && newest {
		s.takeSwitchLocked(packet, stamp)
		s.takePictureLocked(packet)
	}
	if ok {
		s.checkOffsetsLocked(packet, stamp)
	}
	if !fresh {
		return
	}
	s.stats.Packets++
	if !ok {
		s.stats.LastSequence, s.stats.LastTimestamp = packet.SequenceNumber, packet.Timestamp
		return
	}
	if newest {
		s.stats.LastSequence, s.stats.LastTimestamp, s.stats.LastStamp = packet.SequenceNumber, packet.Timestamp, stamp
	}
	s.stats.Streams = appendNew(s.stats.Streams, stamp.Stream)
	if stamp.Key {
		s.stats.KeyFrames++
	}
}

func (s *Subscriber) takeExtensionsLocked(packet *rtp.Packet) {
	if s.levelExt != 0 {
		s.stats.AudioLevel = 0
		if b := packet.GetExtension(s.levelExt); len(b) == 1 {
			s.stats.AudioLevel = b[0]
		}
	}
	if s.midExt != 0 {
		if b := packet.GetExtension(s.midExt); len(b) > 0 {
			s.stats.MidExtension = string(b)
		}
	}
}

// The first packets of a source, and the most that one of them leaves out that counts as overtaken: that is a second of video.
const openingPackets, mostOvertaken = 3, 100

// takeNumberLocked keeps the books of sequence numbers and says whether this one is new, and the highest so far.
func (s *Subscriber) takeNumberLocked(seq uint16) (fresh, newest bool) {
	if !s.began {
		s.began, s.opening = true, openingPackets
		s.lowest = 1<<32 | uint64(seq)
		s.highest = s.lowest
		s.seen[s.highest] = struct{}{}
		return true, true
	}
	number := uint64(int64(s.highest) + int64(int16(seq-uint16(s.highest))))
	if _, again := s.seen[number]; again {
		return false, false
	}
	s.seen[number] = struct{}{}
	delete(s.seen, number-seenWindow)
	if number < s.highest {
		s.stats.Late++
	}
	newest = number > s.highest
	if left := number - s.highest - 1; newest && s.opening > 0 {
		s.opening--
		if left <= mostOvertaken {
			s.stats.Overtaken += left
		}
	}
	s.highest, s.lowest = max(s.highest, number), min(s.lowest, number)
	s.stats.Missing = s.highest - s.lowest + 1 - (s.stats.Packets + s.stats.Padding + 1)
	return true, newest
}

// takePaddingLocked counts a number that no packet of a publisher stands behind: from here on theirs are one farther off.
func (s *Subscriber) takePaddingLocked(seq uint16) {
	fresh, newest := s.takeNumberLocked(seq)
	if !fresh {
		return
	}
	s.stats.Padding++
	if !newest {
		return
	}
	s.stats.LastSequence = seq
	for stream, o := range s.offsets {
		s.offsets[stream] = offsets{o.seq + 1, o.ts}
	}
}

// readStampLocked reads the stamp, of repeated packets too.
func (s *Subscriber) readStampLocked(packet *rtp.Packet) (Stamp, bool) {
	stamp, err := ReadStamp(packet.Payload)
	switch {
	case errors.Is(err, errBadStamp):
		s.stats.Corrupt++
		return stamp, false
	case err != nil:
		s.stats.Unstamped++
		return stamp, false
	}
	return stamp, true
}

// takeSwitchLocked notes a change of the source. The offsets of the new one are not those of before.
func (s *Subscriber) takeSwitchLocked(packet *rtp.Packet, stamp Stamp) {
	last := s.stats.LastStamp
	if last.Captured.IsZero() || last.Stream == stamp.Stream {
		return
	}
	delete(s.offsets, stamp.Stream)
	s.opening = openingPackets
	s.stats.Switches = append(s.stats.Switches, Switch{
		From: last.Stream, To: stamp.Stream, Key: stamp.Key || stamp.Width == 0,
		Sequence:  int16(packet.SequenceNumber - s.stats.LastSequence),
		Timestamp: int32(packet.Timestamp - s.stats.LastTimestamp),
		Captured:  stamp.Captured.Sub(last.Captured),
	})
	if len(s.stats.Switches) > 64 {
		s.stats.Switches = s.stats.Switches[1:]
	}
}

// checkOffsetsLocked compares the packet's numbers with those at the publisher.
func (s *Subscriber) checkOffsetsLocked(packet *rtp.Packet, stamp Stamp) {
	now := offsets{packet.SequenceNumber - stamp.Sequence, packet.Timestamp - stamp.Timestamp}
	s.stats.Offset = now.seq
	if before, known := s.offsets[stamp.Stream]; known {
		if now.seq != before.seq {
			s.stats.SequenceSteps++
		}
		if now.ts != before.ts {
			s.stats.TimestampSteps++
		}
	}
	s.offsets[stamp.Stream] = now
}

func appendNew[E comparable](list []E, e E) []E {
	if slices.Contains(list, e) {
		return list
	}
	return append(list, e)
}

// Listen hands every packet to use as it comes, on the goroutine that reads them.
func (s *Subscriber) Listen(use func(*rtp.Packet)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = use
}

func (s *Subscriber) listening() func(*rtp.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listener
}

// Mid is the mid that is watched.
func (s *Subscriber) Mid() string { return s.mid }

// Stats is a snapshot; its slices are copies.
func (s *Subscriber) Stats() SubscriberStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.stats
	c.SSRCs, c.PayloadTypes = slices.Clone(c.SSRCs), slices.Clone(c.PayloadTypes)
	c.Streams, c.Reports, c.Switches = slices.Clone(c.Streams), slices.Clone(c.Reports), slices.Clone(c.Switches)
	return c
}

// Wait returns the first snapshot that satisfies done.
func (s *Subscriber) Wait(ctx context.Context, done func(SubscriberStats) bool) (SubscriberStats, error) {
	stats, err := await(ctx, &s.bell, s.peer.done, s.Stats, done)
	if err != nil {
		return stats, fmt.Errorf("sfutest: subscriber of mid %s: %w", s.mid, err)
	}
	return stats, nil
}

// WaitMore returns when n more packets have come than now.
func (s *Subscriber) WaitMore(ctx context.Context, n uint64) (SubscriberStats, error) {
	target := s.Stats().Packets + n
	return s.Wait(ctx, func(st SubscriberStats) bool { return st.Packets >= target })
}

// RequestKeyFrame sends a PLI.
func (s *Subscriber) RequestKeyFrame() error {
	ssrc, err := s.target()
	if err != nil {
		return err
	}
	return s.peer.writeRTCP(&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: ssrc})
}

// SendFIR sends a full intra request with the given command number (RFC 5104 section 4.3.1).
func (s *Subscriber) SendFIR(number uint8) error {
	ssrc, err := s.target()
	if err != nil {
		return err
	}
	return s.peer.writeRTCP(&rtcp.FullIntraRequest{
		SenderSSRC: 1, MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: number}},
	})
}

// SendNACK asks for packets again by their number on this side.
func (s *Subscriber) SendNACK(numbers ...uint16) error {
	ssrc, err := s.target()
	if err != nil {
		return err
	}
	return s.peer.writeRTCP(&rtcp.TransportLayerNack{
		SenderSSRC: 1, MediaSSRC: ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(numbers),
	})
}

// SendREMB tells the far end that so many bits a second can be received on this mid (goog-remb).
func (s *Subscriber) SendREMB(bitsPerSecond uint64) error {
	ssrc, err := s.target()
	if err != nil {
		return err
	}
	return s.peer.writeRTCP(&rtcp.ReceiverEstimatedMaximumBitrate{
		SenderSSRC: 1, Bitrate: float32(bitsPerSecond), SSRCs: []uint32{ssrc},
	})
}

// WaitStream returns when the newest packet is one of this Publisher.Stream.
func (s *Subscriber) WaitStream(ctx context.Context, stream uint32) (SubscriberStats, error) {
	return s.Wait(ctx, func(st SubscriberStats) bool { return st.Packets > 0 && st.LastStamp.Stream == stream })
}

func (s *Subscriber) target() (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ssrc == 0 {
		return 0, ErrNoTrack
	}
	return s.ssrc, nil
}
