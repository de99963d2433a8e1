package sfu

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/callsemu/callsemu/sfu/internal/codec"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

const (
	// maxStreams bounds the SSRCs of one endpoint: 64 tracks of 3 layers with their retransmissions. maxGenerations bounds
	// those that follow each other on one layer.
	maxStreams       = 512
	maxGenerations   = 4
	reportInterval   = time.Second
	feedbackInterval = 100 * time.Millisecond
	// noLevel marks a packet without an audio level; levels have 7 bits and the voice flag.
	noLevel = 0x7f
)

// packet is one decrypted RTP packet of a burst. Its payload is valid until the burst has been forwarded.
type packet struct {
	payload  []byte
	ts       uint32
	seq      uint16
	pt       uint8
	level    uint8 // RFC 6464 octet, noLevel for none
	marker   bool
	keyFrame bool // one starts here
	picture  codec.Picture
}

// extensionIDs are the header extension ids that the endpoint uses; 0 for those that were not agreed.
type extensionIDs struct{ mid, rid, repairedRID, transportCC, audioLevel uint8 }

// inbound is what a Peer keeps of the media that it receives, under the lock of whichever reader brings it.
type inbound struct {
	mu           sync.Mutex
	recorder     *twcc.Recorder
	lastFeedback time.Time
	lastReport   time.Time
}

// stream is one incoming SSRC.
type stream struct {
	// Fixed after resolve.
	ssrc     uint32
	rid      string
	section  *section
	repairs  *stream         // the stream whose losses this one repairs; nil for media
	apt      map[uint8]uint8 // of a repair stream: its payload types to those of the media
	clock    uint32
	nack     bool
	age      int // rises with every stream of the Peer: of two with one rid the younger counts
	keyFrame func([]byte) bool
	picture  func([]byte) codec.Picture // nil for codecs without picture numbers that need care
	cache    *cache                     // nil where retransmission was not agreed

	// Guarded by Peer.inbound.mu.
	receiver receiver
	sr       senderReport

	meter    meter
	report   atomic.Pointer[senderReport] // the newest, for subscribers that come later
	wantsKey atomic.Int64                 // unix nanoseconds of the wish for a key frame that is still open, 0 for none
	lastPLI  atomic.Int64
}

// learnExtensionsLocked needs Peer.mu. In one BUNDLE group an extension has one id (RFC 8843 section 9.1).
func (p *Peer) learnExtensionsLocked() {
	ids := &extensionIDs{}
	for _, s := range p.negotiation.sections {
		if s.rejected || !s.remote.Sends {
			continue
		}
		for _, e := range s.extensions {
			switch e.URI {
			case extMid:
				ids.mid = e.ID
			case extRID:
				ids.rid = e.ID
			case extRepairedRID:
				ids.repairedRID = e.ID
			case extTransportCC:
				ids.transportCC = e.ID
			case extAudioLevel:
				ids.audioLevel = e.ID
			}
		}
	}
	p.ids.Store(ids)
}

// receiveRTP opens one packet and adds it to its stream's burst.
func (p *Peer) receiveRTP(w *worker, b []byte) {
	a := p.current.Load()
	if a == nil {
		return
	}
	h := &w.header
	a.inMu.Lock()
	plain, err := a.in.DecryptRTP(b, b, h)
	a.inMu.Unlock()
	if err != nil {
		return // a duplicate, or not from the endpoint
	}
	p.lastSeen.Store(w.now.UnixNano())
	payload := plain[headerSize(plain, h):]
	if h.Padding {
		if len(payload) == 0 || int(payload[len(payload)-1]) > len(payload) {
			return
		}
		payload = payload[:len(payload)-int(payload[len(payload)-1])]
	}
	st := (*p.streams.Load())[h.SSRC]
	if st == nil {
		if st = p.resolve(h); st == nil {
			return
		}
	}
	pkt := packet{payload: payload, ts: h.Timestamp, seq: h.SequenceNumber, pt: h.PayloadType, marker: h.Marker, level: noLevel}
	ids := p.ids.Load()

	p.inbound.mu.Lock()
	defer p.inbound.mu.Unlock()
	if ids.transportCC != 0 {
		if v := h.GetExtension(ids.transportCC); len(v) == 2 {
			p.recordLocked(h.SSRC, binary.BigEndian.Uint16(v), w.now)
		}
	}
	if st.repairs != nil {
		if !st.restore(&pkt) {
			return
		}
		st = st.repairs
	}
	verdict := st.receiver.receive(pkt.seq, pkt.ts, st.clock, w.now)
	if verdict == duplicate {
		return
	}
	if ids.audioLevel != 0 && st.section.kind == KindAudio {
		if v := h.GetExtension(ids.audioLevel); len(v) == 1 {
			pkt.level = v[0]
		}
	}
	if st.keyFrame != nil && st.keyFrame(pkt.payload) {
		pkt.keyFrame = true
		st.wantsKey.Store(0)
	}
	if st.picture != nil {
		pkt.picture = st.picture(pkt.payload)
	}
	st.meter.count(len(pkt.payload), w.now)
	w.collect(st, pkt)
	if verdict == gap && st.nack {
		p.requestLocked(a, st, w.now)
	}
}

// headerSize is the length of the header that b begins with. MarshalSize would be that of a header written anew, without
// the padding that RFC 8285 section 4.1.2 allows between and behind extensions.
func headerSize(b []byte, h *rtp.Header) int {
	n := 12 + 4*len(h.CSRC)
	if h.Extension {
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	return n
}

// restore turns a retransmission (RFC 4588 section 4) into the packet that was lost; false for a mere probe.
func (s *stream) restore(p *packet) bool {
	apt, known := s.apt[p.pt]
	if !known || len(p.payload) < 2 {
		return false
	}
	p.seq = binary.BigEndian.Uint16(p.payload)
	p.payload = p.payload[2:]
	p.pt = apt
	return true
}

// recordLocked needs inbound.mu.
func (p *Peer) recordLocked(ssrc uint32, seq uint16, at time.Time) {
	if p.inbound.recorder == nil {
		p.inbound.recorder = twcc.NewRecorder(p.ssrc)
	}
	p.inbound.recorder.Record(ssrc, seq, at.UnixMicro())
}

// requestLocked needs inbound.mu. It asks the publisher for what is missing and due.
func (p *Peer) requestLocked(a *association, st *stream, now time.Time) {
	pairs, lost := st.receiver.due(now)
	if lost {
		st.wantKeyFrame(now)
	}
	if len(pairs) > 0 {
		_ = a.sendRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{SenderSSRC: p.ssrc, MediaSSRC: st.ssrc, Nacks: pairs}})
	}
}

// resolve finds out what a new SSRC is: by the mid and rid that the packet carries, by the SDP's SSRC lines, or because
// only one section could have sent its payload type (RFC 8843 section 9.2). It is nil while that cannot be said.
func (p *Peer) resolve(h *rtp.Header) *stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := *p.streams.Load()
	if st := known[h.SSRC]; st != nil {
		return st
	}
	if len(known) >= maxStreams {
		return nil
	}
	s, rid, repair := p.identifyLocked(h)
	if s == nil || s.stopped {
		return nil
	}
	p.ages++
	st := &stream{ssrc: h.SSRC, rid: rid, section: s, age: p.ages}
	if repair != 0 || isRepair(s, h.PayloadType) {
		if st.repairs = repairedBy(known, s, rid, repair); st.repairs == nil {
			return nil // the media has not arrived yet: there is nothing to repair
		}
		st.apt = map[uint8]uint8{}
		for _, c := range s.codecs {
			if c.RTX != 0 {
				st.apt[c.RTX] = c.PT
			}
		}
	} else {
		c, ok := codecOf(s, h.PayloadType)
		if !ok {
			return nil
		}
		st.clock = c.Clock
		st.keyFrame = codec.KeyFrame(c.Name)
		if c.Is("VP8") {
			st.picture = codec.VP8Picture
		}
		if st.nack = slices.Contains(c.Feedback, fbNACK); st.nack {
			st.cache = newCache()
		}
		st.receiver = newReceiver(st.nack)
	}
	p.supersedeLocked(st)
	known = *p.streams.Load()
	next := make(map[uint32]*stream, len(known)+1)
	maps.Copy(next, known)
	next[h.SSRC] = st
	p.streams.Store(&next)
	return st
}

// supersedeLocked needs Peer.mu. It ends the key frame requests of the streams that st follows, and drops the oldest of
// them when they are many: one that is dropped at once would come back as the youngest with its next late packet.
func (p *Peer) supersedeLocked(st *stream) {
	var before []*stream
	for _, old := range *p.streams.Load() {
		if old.section == st.section && old.rid == st.rid && (old.repairs == nil) == (st.repairs == nil) {
			old.wantsKey.Store(0)
			before = append(before, old)
		}
	}
	if len(before) < maxGenerations {
		return
	}
	oldest := slices.MinFunc(before, func(a, b *stream) int { return a.age - b.age })
	p.dropStreamsLocked(func(x *stream) bool { return x == oldest })
}

// dropStreamsLocked needs Peer.mu. It forgets streams and frees what they hold.
func (p *Peer) dropStreamsLocked(ended func(*stream) bool) {
	known := *p.streams.Load()
	next := make(map[uint32]*stream, len(known))
	for ssrc, st := range known {
		switch {
		case !ended(st):
			next[ssrc] = st
		case st.cache != nil:
			st.cache.drop()
		}
	}
	if len(next) != len(known) {
		p.streams.Store(&next)
	}
}

// identifyLocked needs Peer.mu. repair is the media SSRC when the SDP says that this one repairs it.
func (p *Peer) identifyLocked(h *rtp.Header) (s *section, rid string, repair uint32) {
	ids := p.ids.Load()
	if v := h.GetExtension(ids.rid); ids.rid != 0 && len(v) > 0 {
		rid = string(v)
	} else if v := h.GetExtension(ids.repairedRID); ids.repairedRID != 0 && len(v) > 0 {
		rid = string(v)
	}
	if v := h.GetExtension(ids.mid); ids.mid != 0 && len(v) > 0 {
		for _, s := range p.negotiation.sections {
			if s.mid == string(v) && s.receives() {
				return s, rid, 0
			}
		}
	}
	var fits []*section
	for _, s := range p.negotiation.sections {
		if !s.receives() {
			continue
		}
		for _, source := range s.remote.Sources {
			switch h.SSRC {
			case source.SSRC:
				return s, rid, 0
			case source.RTX:
				return s, rid, source.SSRC
			}
		}
		if _, ok := codecOf(s, h.PayloadType); ok || isRepair(s, h.PayloadType) {
			fits = append(fits, s)
		}
	}
	if len(fits) == 1 && len(fits[0].remote.RIDs) == 0 {
		return fits[0], rid, 0
	}
	return nil, "", 0
}

func codecOf(s *section, pt uint8) (sdp.Codec, bool) {
	for _, c := range s.codecs {
		if c.PT == pt {
			return c, true
		}
	}
	return sdp.Codec{}, false
}

func isRepair(s *section, pt uint8) bool {
	for _, c := range s.codecs {
		if c.RTX != 0 && c.RTX == pt {
			return true
		}
	}
	return false
}

// repairedBy finds the media stream that a repair stream belongs to.
func repairedBy(known map[uint32]*stream, s *section, rid string, ssrc uint32) *stream {
	if st := known[ssrc]; ssrc != 0 && st != nil {
		return st
	}
	var found *stream
	for _, st := range known {
		if st.section == s && st.rid == rid && st.repairs == nil && (found == nil || st.age > found.age) {
			found = st
		}
	}
	return found
}

// wantKeyFrame notes that somebody cannot go on without a key frame. tick sends the request, and repeats it.
func (s *stream) wantKeyFrame(now time.Time) {
	if s.keyFrame != nil {
		s.wantsKey.CompareAndSwap(0, now.UnixNano())
	}
}

// tickInbound sends what is due to the publisher: requests for packets and key frames, reports and feedback.
func (p *Peer) tickInbound(a *association, now time.Time) {
	streams := *p.streams.Load()
	if len(streams) == 0 {
		return
	}
	var out []rtcp.Packet
	p.inbound.mu.Lock()
	report := now.Sub(p.inbound.lastReport) >= reportInterval
	rr := &rtcp.ReceiverReport{SSRC: p.ssrc}
	for _, st := range streams {
		if st.repairs != nil {
			continue
		}
		st.meter.update(now)
		if st.nack {
			p.requestLocked(a, st, now)
		}
		if report && len(rr.Reports) < 31 { // the count has five bits (RFC 3550 section 6.4.1)
			rr.Reports = append(rr.Reports, st.receiver.report(st.ssrc, st.sr, now))
		}
		if !st.meter.alive(now) {
			st.wantsKey.Store(0) // whoever still waits asks again when it comes back
		}
		if pli := st.keyFrameRequest(p.ssrc, now); pli != nil {
			out = append(out, pli)
		}
	}
	if report {
		p.inbound.lastReport = now
		out = append([]rtcp.Packet{rr}, out...)
	}
	if r := p.inbound.recorder; r != nil && now.Sub(p.inbound.lastFeedback) >= feedbackInterval && r.PacketsHeld() > 0 {
		p.inbound.lastFeedback = now
		out = append(out, r.BuildFeedbackPacket()...)
	}
	p.inbound.mu.Unlock()
	if len(out) > 0 {
		_ = a.sendRTCP(out) // fails only when the association is being closed
	}
}

// pliInterval throttles key frame requests per layer (contract 3.4, "debounced"): a request is repeated after it, and two
// subscribers that come within it share one key frame.
const pliInterval = 500 * time.Millisecond

// keyFrameRequest is the PLI that is due now, or nil.
func (s *stream) keyFrameRequest(from uint32, now time.Time) *rtcp.PictureLossIndication {
	last := s.lastPLI.Load()
	if s.wantsKey.Load() == 0 || now.UnixNano()-last < int64(pliInterval) || !s.lastPLI.CompareAndSwap(last, now.UnixNano()) {
		return nil
	}
	return &rtcp.PictureLossIndication{SenderSSRC: from, MediaSSRC: s.ssrc}
}
