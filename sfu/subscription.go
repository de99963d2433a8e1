package sfu

import (
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/callsemu/callsemu/sfu/internal/rewrite"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// unmapped marks a payload type that the subscriber has not agreed to.
const unmapped = 0xff

// Subscription is one pulled track: one SSRC, on which whatever the publication sends leaves with the numbers of one
// continuous stream.
type Subscription struct {
	// Fixed after newSubscription.
	peer        *Peer
	publication *Publication
	mid         string
	rid         string // the layer that is forwarded
	ssrc, rtx   uint32
	streamID    string // the same for all tracks of one publisher, so that endpoints play them in sync
	trackID     string

	// bound is what the endpoint has agreed to; nil before its answer and after the end.
	bound atomic.Pointer[binding]

	// Guarded by peer.outMu.
	numbers  rewrite.Mapper[*stream]
	rtxSeq   uint16
	lastSent time.Time
	packets  uint32
	octets   uint32
}

// binding is one agreement, never changed once made.
type binding struct {
	pts      [128]uint8 // the publisher's payload types to the subscriber's
	rtx      [128]uint8 // the subscriber's payload types to those of their retransmission, 0 for none
	absTime  uint8      // extension ids, 0 for none
	level    uint8
	overhead int // bytes of the header extension block
}

func newSubscription(p *Peer, pub *Publication, s *section) *Subscription {
	return &Subscription{
		peer:        p,
		publication: pub,
		mid:         s.mid,
		rid:         pub.firstRID(),
		ssrc:        randomUint32(),
		rtx:         randomUint32(),
		streamID:    p.streamIDLocked(pub.peer),
		trackID:     randomLetters(16),
		numbers:     rewrite.New[*stream](uint16(randomUint32()), randomUint32()),
		rtxSeq:      uint16(randomUint32()),
	}
}

// streamIDLocked needs Peer.mu. It is one id per publisher, in pion's form: no track name is in it (contract 3.1).
func (p *Peer) streamIDLocked(publisher *Peer) string {
	for _, s := range p.negotiation.sections {
		if s.subscription != nil && s.subscription.publication.peer == publisher {
			return s.subscription.streamID
		}
	}
	return randomLetters(8)
}

// Mid is the subscriber's mid.
func (sub *Subscription) Mid() string { return sub.mid }

// rtxIfAgreed is the SSRC of retransmissions, where one of the codecs has them.
func (sub *Subscription) rtxIfAgreed(codecs []sdp.Codec) uint32 {
	for _, c := range codecs {
		if c.RTX != 0 {
			return sub.rtx
		}
	}
	return 0
}

// bind takes over an agreement, and starts or stops the flow. It is true when the flow has begun: then a key frame is due.
func (sub *Subscription) bind(s *section, receives bool) bool {
	if !receives {
		sub.close()
		return false
	}
	b := &binding{}
	for i := range b.pts {
		b.pts[i] = unmapped
	}
	for _, from := range sub.publication.codecs {
		for _, to := range s.codecs {
			if to.Is(from.Name) && to.Clock == from.Clock {
				b.pts[from.PT] = to.PT
				b.rtx[to.PT] = to.RTX
				break
			}
		}
	}
	for _, e := range s.extensions {
		switch e.URI {
		case extAbsSendTime:
			b.absTime = e.ID
			b.overhead += 4
		case extAudioLevel:
			b.level = e.ID
			b.overhead += 2
		}
	}
	if b.overhead > 0 {
		b.overhead = 4 + (b.overhead+3)/4*4
	}
	fresh := sub.bound.Swap(b) == nil
	sub.publication.add(sub)
	return fresh
}

// close stops the flow.
func (sub *Subscription) close() {
	sub.bound.Store(nil)
	sub.publication.remove(sub)
}

// restartSubscriptions asks for key frames when the transport has come up: what was sent before is lost.
func (p *Peer) restartSubscriptions() {
	p.mu.Lock()
	var subs []*Subscription
	for _, s := range p.negotiation.sections {
		if s.subscription != nil && s.subscription.bound.Load() != nil {
			subs = append(subs, s.subscription)
		}
	}
	p.mu.Unlock()
	begin(subs)
}

// begin asks for the key frames with which subscriptions start.
func begin(subs []*Subscription) {
	for _, sub := range subs {
		sub.publication.requestKeyFrame(sub.rid)
	}
}

// write sends a burst to the subscriber: one lock, no allocation.
func (sub *Subscription) write(st *stream, burst []packet, w *worker) {
	b := sub.bound.Load()
	a := sub.peer.current.Load()
	if b == nil || a == nil || st.rid != sub.rid {
		return
	}
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	fresh, ok := sub.followLocked(st, &burst[0], w.now)
	if !ok {
		return
	}
	at := *a.path.Load()
	for i := range burst {
		p := &burst[i]
		pt := b.pts[p.pt&0x7f]
		if pt == unmapped {
			continue
		}
		seq, ts, ok := sub.numbers.Map(p.seq, p.ts)
		if !ok {
			continue
		}
		out := outgoing{ssrc: sub.ssrc, pt: pt, seq: seq, ts: ts, marker: p.marker, level: p.level, payload: p.payload}
		if w.seal1(a, at, b, &out) {
			sub.packets++
			sub.octets += uint32(len(p.payload))
		}
	}
	sub.lastSent = w.now
	if fresh {
		sub.reportLocked(a, st, w.now)
	}
}

// followLocked needs outMu. It switches to st when the layer's publisher has begun a new SSRC; ok is false for packets of
// an SSRC that has been replaced.
func (sub *Subscription) followLocked(st *stream, first *packet, now time.Time) (fresh, ok bool) {
	current, begun := sub.numbers.Current()
	if begun && current == st {
		return false, true
	}
	if begun && st.age < current.age {
		return false, false
	}
	var elapsed uint32
	if begun {
		elapsed = uint32(now.Sub(sub.lastSent).Seconds() * float64(st.clock))
	}
	sub.numbers.Switch(st, first.seq, first.ts, elapsed)
	return true, true
}

// outgoing is one packet before it is sealed.
type outgoing struct {
	ssrc    uint32
	pt      uint8
	seq     uint16
	ts      uint32
	marker  bool
	level   uint8
	osn     int // a retransmission's original sequence number, behind the header (RFC 4588 section 4)
	repair  bool
	payload []byte
}

// seal1 writes header and payload where the batch wants them, encrypts in place and commits. It needs outMu.
func (w *worker) seal1(a *association, at path, b *binding, o *outgoing) bool {
	n := 12 + b.overhead + len(o.payload)
	if o.repair {
		n += 2
	}
	buf := w.reserve(at, n+sealRoom)
	buf[0] = 0x80
	if b.overhead > 0 {
		buf[0] |= 0x10
	}
	buf[1] = o.pt
	if o.marker {
		buf[1] |= 0x80
	}
	binary.BigEndian.PutUint16(buf[2:], o.seq)
	binary.BigEndian.PutUint32(buf[4:], o.ts)
	binary.BigEndian.PutUint32(buf[8:], o.ssrc)
	i := 12
	if b.overhead > 0 {
		b.extensions(buf[i:i+b.overhead], o.level, w.now)
		i += b.overhead
	}
	if o.repair {
		binary.BigEndian.PutUint16(buf[i:], uint16(o.osn))
		i += 2
	}
	copy(buf[i:], o.payload)
	sealed, err := a.out.EncryptRTP(buf, buf[:n], &w.seal)
	if err != nil {
		return false // the association has used up its keys' life, which takes 2^48 packets
	}
	w.commit(at, len(sealed))
	return true
}

// extensions writes the header extension block in the one-byte form (RFC 8285 section 4.2).
func (b *binding) extensions(buf []byte, level uint8, now time.Time) {
	clear(buf)
	binary.BigEndian.PutUint16(buf, 0xBEDE)
	binary.BigEndian.PutUint16(buf[2:], uint16(len(buf)/4-1))
	i := 4
	if b.absTime != 0 {
		t := absSendTime(now)
		buf[i], buf[i+1], buf[i+2], buf[i+3] = b.absTime<<4|2, byte(t>>16), byte(t>>8), byte(t)
		i += 4
	}
	if b.level != 0 && level != noLevel {
		buf[i], buf[i+1] = b.level<<4, level
	}
}

// absSendTime is seconds in 6.18 fixed point.
func absSendTime(now time.Time) uint32 {
	ns := now.UnixNano()
	return uint32((ns/1e9)<<18|(ns%1e9)<<18/1e9) & 0xffffff
}

// retransmit answers a subscriber's NACK from the publication's cache, over RTX where that was agreed.
func (sub *Subscription) retransmit(w *worker, seqs []uint16) {
	b := sub.bound.Load()
	a := sub.peer.current.Load()
	if b == nil || a == nil {
		return
	}
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	at := *a.path.Load()
	for _, seq := range seqs {
		st, source, tsOffset, ok := sub.numbers.Trace(seq)
		if !ok || st.cache == nil {
			continue
		}
		st.cache.read(source, func(c *cached) {
			pt := b.pts[c.pt&0x7f]
			if pt == unmapped {
				return
			}
			out := outgoing{ssrc: sub.ssrc, pt: pt, seq: seq, ts: c.ts + tsOffset, marker: c.marker, level: noLevel, payload: c.payload}
			if rtx := b.rtx[pt]; rtx != 0 {
				out.ssrc, out.pt, out.osn, out.seq, out.repair = sub.rtx, rtx, int(seq), sub.rtxSeq, true
				sub.rtxSeq++
			}
			w.seal1(a, at, b, &out)
		})
	}
}

// report passes on the publisher's clock, mapped onto this subscription's timestamps. All tracks of one publisher keep the
// publisher's own NTP time: that is what keeps them in sync.
func (sub *Subscription) report(st *stream, now time.Time) {
	a := sub.peer.current.Load()
	if a == nil || sub.bound.Load() == nil {
		return
	}
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	if current, ok := sub.numbers.Current(); ok && current == st {
		sub.reportLocked(a, st, now)
	}
}

// reportLocked needs outMu.
func (sub *Subscription) reportLocked(a *association, st *stream, now time.Time) {
	sr := st.report.Load()
	if sr == nil {
		return
	}
	since := now.Sub(sr.arrived)
	ts, ok := sub.numbers.Timestamp(sr.rtp + uint32(since.Seconds()*float64(st.clock)))
	if !ok {
		return
	}
	plain, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{
			SSRC:        sub.ssrc,
			NTPTime:     sr.ntp + uint64(since.Seconds()*(1<<32)),
			RTPTime:     ts,
			PacketCount: sub.packets,
			OctetCount:  sub.octets,
		},
		rtcp.NewCNAMESourceDescription(sub.ssrc, sub.streamID),
	})
	if err != nil {
		return // cannot be: both packets are ours
	}
	_ = a.sendRTCPLocked(plain) // fails only when the association is being closed
}
