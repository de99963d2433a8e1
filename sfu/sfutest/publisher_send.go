package sfutest

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const reportEvery = 250 * time.Millisecond

// pump sends frames at their pace and a sender report every quarter of a second.
func (b *Publisher) pump() {
	select {
	case <-b.peer.connected:
	case <-b.peer.done:
		return
	}
	b.mu.Lock()
	b.started = time.Now()
	b.mu.Unlock()
	frames := time.NewTicker(b.track.Interval)
	defer frames.Stop()
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	for {
		select {
		case <-frames.C:
			b.sendFrame()
		case <-reports.C:
			b.sendReport()
		case <-b.peer.done:
			return
		}
	}
}

// sendFrame sends one frame. A write error is a connection that is ending: the wait of whoever misses the packets says so.
func (b *Publisher) sendFrame() {
	for _, packet := range b.makeFrame() {
		_, _ = packet.writer.WriteRTP(&packet.header, packet.payload)
	}
	b.bell.ring()
}

type outgoing struct {
	sentPacket
	writer interface {
		WriteRTP(header *rtp.Header, payload []byte) (int, error)
	}
}

func (b *Publisher) makeFrame() []outgoing {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.frame++
	if b.silent || b.binding == nil {
		return nil
	}
	key := b.info.kind().String() == "video" && !b.holdKey &&
		(b.wantKey || b.track.KeyEvery > 0 && b.stats.Frames%uint64(b.track.KeyEvery) == 0)
	b.wantKey = b.wantKey && b.holdKey
	parts, spatial := b.track.PerFrame, b.track.Spatial
	var content [][]byte
	if b.track.Content != nil {
		content = b.track.Content(b.stats.Frames, key)
		parts, spatial = len(content), 1
	}
	out := make([]outgoing, 0, parts*spatial)
	for i := range parts * spatial {
		part := i % parts
		packet := b.makePacketLocked(packetPlace{
			key: key, first: part == 0, last: part == parts-1, part: part, spatial: i / parts, of: spatial,
			pictureID: (b.basePic + uint16(b.stats.Frames)) & 0x7fff, tl0: b.baseTL0 + uint8(b.stats.Frames),
			width: b.track.Width, height: b.track.Height,
		})
		if content != nil {
			packet.payload = content[part]
			packet.header.Marker = part == parts-1 && b.info.kind() == webrtc.RTPCodecTypeVideo
		}
		b.history[packet.header.SequenceNumber%historySize] = packet
		if b.withhold > 0 {
			b.withhold--
			b.stats.Withheld++
			continue
		}
		b.stats.Packets++
		out = append(out, outgoing{packet, b.binding.writer})
	}
	b.stats.Frames++
	if key {
		b.stats.KeyFrames++
	}
	return out
}

// makePacketLocked needs b.mu.
func (b *Publisher) makePacketLocked(at packetPlace) sentPacket {
	elapsed := time.Duration(b.frame) * b.track.Interval
	stamp := Stamp{
		Stream: b.stream, Packet: b.packets, Sequence: b.seq, Captured: b.started.Add(elapsed),
		Timestamp: b.timestampLocked(elapsed), Key: at.key && at.first && at.spatial == 0,
		Width: b.track.Width, Height: b.track.Height,
	}
	header := rtp.Header{
		Version: 2, PayloadType: b.binding.payload, SSRC: b.binding.ssrc, Marker: at.last && at.spatial == at.of-1 && b.track.PerFrame > 1,
		SequenceNumber: stamp.Sequence, Timestamp: stamp.Timestamp,
	}
	b.setExtensionsLocked(&header)
	payload := payloadHeader(b.track.Codec, at)
	for i := len(payload); i < b.track.Size-stampSize; i++ {
		payload = append(payload, byte(i)^byte(b.packets)|0x80) // no zero bytes: nothing that looks like a start code
	}
	b.packets++
	b.seq++
	return sentPacket{header, stamp.appendTo(payload)}
}

// timestampLocked is the RTP time of a moment after the start.
func (b *Publisher) timestampLocked(elapsed time.Duration) uint32 {
	return b.baseTS + uint32(int64(elapsed)*int64(b.info.clockRate)/int64(time.Second))
}

func (b *Publisher) setExtensionsLocked(header *rtp.Header) {
	if b.binding.midExt != 0 {
		_ = header.SetExtension(b.binding.midExt, []byte(b.binding.mid))
	}
	if b.binding.ridExt != 0 && b.rid != "" {
		_ = header.SetExtension(b.binding.ridExt, []byte(b.rid))
	}
	if b.binding.levelExt != 0 && b.track.AudioLevel != 0 {
		_ = header.SetExtension(b.binding.levelExt, []byte{b.track.AudioLevel})
	}
}

func (b *Publisher) sendReport() {
	b.mu.Lock()
	if b.binding == nil || b.stats.Packets == 0 {
		b.mu.Unlock()
		return
	}
	now := time.Now()
	report := &rtcp.SenderReport{
		SSRC: b.binding.ssrc, NTPTime: toNTP(now), RTPTime: b.timestampLocked(now.Sub(b.started)),
		PacketCount: uint32(b.stats.Packets), OctetCount: uint32(b.stats.Packets) * uint32(b.track.Size),
	}
	b.mu.Unlock()
	_ = b.peer.writeRTCP(report) // as for media: a closing connection shows elsewhere
}

// feedback counts and obeys what the far end asks for. It ends with the sender.
func (b *Publisher) feedback() {
	for {
		packets, err := b.readRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			b.obey(packet)
		}
		b.bell.ring()
	}
}

func (b *Publisher) readRTCP() (packets []rtcp.Packet, err error) {
	if b.rid != "" {
		packets, _, err = b.trx.Sender().ReadSimulcastRTCP(b.rid)
	} else {
		packets, _, err = b.trx.Sender().ReadRTCP()
	}
	return packets, err
}

func (b *Publisher) obey(packet rtcp.Packet) {
	switch p := packet.(type) {
	case *rtcp.PictureLossIndication:
		b.count(func(s *PublisherStats) { s.PLIs++; b.wantKey = true })
	case *rtcp.FullIntraRequest:
		b.count(func(s *PublisherStats) { s.FIRs++; b.wantKey = true })
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		b.count(func(s *PublisherStats) { s.REMBs++ })
	case *rtcp.TransportLayerCC:
		b.count(func(s *PublisherStats) { s.TransportCCs++ })
	case *rtcp.TransportLayerNack:
		for _, pair := range p.Nacks {
			for _, seq := range pair.PacketList() {
				b.retransmit(seq)
			}
		}
	}
}

func (b *Publisher) count(change func(*PublisherStats)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.stats)
}

// retransmit answers one number of a NACK, over RTX where it is negotiated (RFC 4588 section 4).
func (b *Publisher) retransmit(seq uint16) {
	b.mu.Lock()
	b.stats.NACKs++
	b.stats.Asked = append(b.stats.Asked, seq)
	if len(b.stats.Asked) > 64 {
		b.stats.Asked = b.stats.Asked[1:]
	}
	packet, bound := b.history[seq%historySize], b.binding
	if bound == nil || packet.payload == nil || packet.header.SequenceNumber != seq {
		b.mu.Unlock()
		return
	}
	b.stats.Retransmitted++
	if bound.rtx != 0 && bound.rtxSSRC != 0 {
		packet.header.SSRC, packet.header.PayloadType, packet.header.SequenceNumber = bound.rtxSSRC, bound.rtx, b.rtxSeq
		packet.payload = append(binary.BigEndian.AppendUint16(nil, seq), packet.payload...)
		if b.rid != "" && bound.ridExt != 0 && bound.rridExt != 0 {
			packet.header = packet.header.Clone()
			_ = packet.header.DelExtension(bound.ridExt)
			_ = packet.header.SetExtension(bound.rridExt, []byte(b.rid)) // RFC 8852 section 3
		}
		b.rtxSeq++
	}
	b.mu.Unlock()
	_, _ = bound.writer.WriteRTP(&packet.header, packet.payload)
}

// toNTP is the 64 bit NTP time of RFC 3550 section 4.
func toNTP(t time.Time) uint64 {
	const epoch = 2208988800 // seconds from 1900 to 1970
	return uint64(t.Unix()+epoch)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// fromNTP is the inverse of toNTP, to the nanosecond below.
func fromNTP(ntp uint64) time.Time {
	const epoch = 2208988800
	return time.Unix(int64(ntp>>32)-epoch, int64(ntp&0xffffffff)*1e9>>32)
}
