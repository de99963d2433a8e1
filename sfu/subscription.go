package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/callsemu/callsemu/sfu/internal/layers"
	"github.com/callsemu/callsemu/sfu/internal/rewrite"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// unmapped marks a payload type that the subscriber has not agreed to.
const unmapped = 0xff

// Selection is which simulcast layer a pull wants (contract 3.5). The zero value wants one steady layer.
type Selection = layers.Selection

// Subscription is one pulled track: one SSRC, on which whatever its source sends leaves with the numbers of one continuous
// stream. The source may change, and be absent: that is how a bidirectional section begins.
type Subscription struct {
	// Fixed after newSubscription.
	peer      *Peer
	mid       string
	kind      Kind
	ssrc, rtx uint32
	streamID  string // the same for all tracks of one publisher, so that endpoints play them in sync
	trackID   string

	source atomic.Pointer[Publication]
	// agreed is what the endpoint accepts on the section, nil before its answer and after the end; bound is that, mapped
	// from what the source sends.
	agreed atomic.Pointer[agreement]
	bound  atomic.Pointer[binding]

	// Guarded by peer.outMu.
	selector  layers.Selector
	target    *stream // the layer that is wanted, nil for none
	on        *stream // the one that is sent; a switch waits for target's next key frame
	begun     bool
	forwarded bool // of the present source
	numbers   rewrite.Mapper[*stream]
	rtxSeq    uint16
	lastSent  time.Time
	packets   uint32
	octets    uint32
	rate      sentRate
}

// sentRate is how much was sent within the last second that is over.
type sentRate struct {
	began   time.Time
	octets  uint32 // sent in all by then
	bitrate uint64 // bits a second
}

func (r *sentRate) update(now time.Time, octets uint32) {
	passed := now.Sub(r.began)
	if passed < time.Second {
		return
	}
	if !r.began.IsZero() {
		r.bitrate = uint64(float64(octets-r.octets) * 8 / passed.Seconds())
	}
	r.began, r.octets = now, octets
}

// agreement is what an answer says of a section.
type agreement struct {
	codecs     []sdp.Codec
	extensions []sdp.Extension
}

// binding is one agreement for one source, never changed once made.
type binding struct {
	pts      [128]uint8 // the publisher's payload types to the subscriber's
	rtx      [128]uint8 // the subscriber's payload types to those of their retransmission, 0 for none
	absTime  uint8      // extension ids, 0 for none
	level    uint8
	overhead int // bytes of the header extension block
}

// newSubscription makes the sending half of a section; pub is nil where it has no source yet.
func newSubscription(p *Peer, s *section, pub *Publication, want Selection) *Subscription {
	sub := &Subscription{
		peer:     p,
		mid:      s.mid,
		kind:     s.kind,
		ssrc:     randomUint32(),
		rtx:      randomUint32(),
		streamID: p.streamIDLocked(pub),
		trackID:  randomLetters(16),
		numbers:  rewrite.New[*stream](uint16(randomUint32()), randomUint32()),
		rtxSeq:   uint16(randomUint32()),
	}
	sub.source.Store(pub)
	sub.selector.Want(sub.applicable(pub, want))
	return sub
}

// applicable drops a wish for layers that the source does not have.
func (sub *Subscription) applicable(pub *Publication, want Selection) Selection {
	if pub == nil || len(pub.rids) == 0 {
		return Selection{}
	}
	return want
}

// streamIDLocked needs Peer.mu. It is one id per publisher, in pion's form: no track name is in it (contract 3.1).
func (p *Peer) streamIDLocked(pub *Publication) string {
	if pub != nil {
		for _, s := range p.negotiation.sections {
			if s.subscription == nil {
				continue
			}
			if other := s.subscription.source.Load(); other != nil && other.peer == pub.peer {
				return s.subscription.streamID
			}
		}
	}
	return randomLetters(8)
}

// Mid is the subscriber's mid.
func (sub *Subscription) Mid() string { return sub.mid }

// Source is the publication that is forwarded, nil for none.
func (sub *Subscription) Source() *Publication { return sub.source.Load() }

// Forwarding reports whether packets of the present source have been sent, even if its layer has stopped since.
func (sub *Subscription) Forwarding() bool {
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	return sub.forwarded // setSource clears it
}

// rtxIfAgreed is the SSRC of retransmissions, where one of the codecs has them.
func (sub *Subscription) rtxIfAgreed(codecs []sdp.Codec) uint32 {
	for _, c := range codecs {
		if c.RTX != 0 {
			return sub.rtx
		}
	}
	return 0
}

// accepts reports whether the endpoint takes what pub sends.
func (a *agreement) accepts(pub *Publication) bool { return a != nil && has(a.codecs, pub.Codec()) }

// bind takes over an agreement, and starts or stops the flow.
func (sub *Subscription) bind(s *section, receives bool) {
	if !receives {
		sub.close()
		return
	}
	sub.agreed.Store(&agreement{codecs: slices.Clone(s.codecs), extensions: slices.Clone(s.extensions)})
	sub.attach()
}

// attach connects the source to what was agreed. It needs Peer.mu of the subscriber.
func (sub *Subscription) attach() {
	pub, agreed := sub.source.Load(), sub.agreed.Load()
	if pub == nil || agreed == nil {
		return
	}
	sub.bound.Store(newBinding(*pub.codecs.Load(), agreed))
	pub.add(sub)
}

func newBinding(from []sdp.Codec, agreed *agreement) *binding {
	b := &binding{}
	for i := range b.pts {
		b.pts[i] = unmapped
	}
	for _, f := range from {
		for _, to := range agreed.codecs {
			if to.Is(f.Name) && to.Clock == f.Clock {
				b.pts[f.PT] = to.PT
				b.rtx[to.PT] = to.RTX
				break
			}
		}
	}
	for _, e := range agreed.extensions {
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
	return b
}

// setSource changes what is forwarded. It needs Peer.mu of the subscriber. The endpoint's stream stays continuous; until
// the new source's key frame nothing is sent, since the old source may be gone.
func (sub *Subscription) setSource(pub *Publication, want Selection) {
	if old := sub.source.Swap(pub); old != nil && old != pub {
		old.remove(sub)
	}
	sub.peer.outMu.Lock()
	sub.selector = layers.Selector{}
	sub.selector.Want(sub.applicable(pub, want))
	sub.target, sub.on, sub.forwarded = nil, nil, false
	sub.peer.outMu.Unlock()
	sub.attach()
}

// want changes the layer that is wanted; the present one goes on until the key frame of the new.
func (sub *Subscription) want(want Selection) {
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	sub.selector.Want(sub.applicable(sub.source.Load(), want))
}

// close stops the flow for good.
func (sub *Subscription) close() {
	sub.agreed.Store(nil)
	sub.bound.Store(nil)
	if pub := sub.source.Load(); pub != nil {
		pub.remove(sub)
	}
}

// step chooses the layer, and asks for the key frame that a switch or a start waits for.
func (sub *Subscription) step(now time.Time) {
	sub.peer.outMu.Lock()
	sub.rate.update(now, sub.octets)
	sub.peer.outMu.Unlock()
	pub := sub.source.Load()
	if pub == nil || sub.bound.Load() == nil {
		return
	}
	streams := pub.youngest()
	available := layersOf(streams, now)
	estimate := sub.peer.estimatePerTrack()

	sub.peer.outMu.Lock()
	rid, ok := sub.selector.Choose(now, available, estimate)
	sub.target = nil
	if i := slices.IndexFunc(streams, func(st *stream) bool { return st.rid == rid }); ok && i >= 0 {
		sub.target = streams[i]
	} else {
		sub.on = nil
	}
	wanted := sub.target
	waiting := wanted != nil && wanted != sub.on
	sub.peer.outMu.Unlock()
	if waiting && sub.peer.current.Load() != nil {
		wanted.requestKeyFrame(pub.peer)
	}
}

// subscriptions lists those that have an agreement.
func (p *Peer) subscriptions() []*Subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	var subs []*Subscription
	for _, s := range p.negotiation.sections {
		if s.subscription != nil && s.subscription.agreed.Load() != nil {
			subs = append(subs, s.subscription)
		}
	}
	return subs
}

// stepSubscriptions runs the choice of every subscription.
func (p *Peer) stepSubscriptions(now time.Time) {
	for _, sub := range p.subscriptions() {
		sub.step(now)
	}
}

// restartSubscriptions asks for key frames when the transport has come up: what was sent before is lost.
func (p *Peer) restartSubscriptions() {
	for _, sub := range p.subscriptions() {
		sub.step(time.Now())
		sub.requestKeyFrame()
	}
}

// requestKeyFrame passes on that the endpoint cannot decode what it gets.
func (sub *Subscription) requestKeyFrame() {
	sub.peer.outMu.Lock()
	st := sub.on
	if st == nil {
		st = sub.target
	}
	sub.peer.outMu.Unlock()
	if pub := sub.source.Load(); st != nil && pub != nil {
		st.requestKeyFrame(pub.peer)
	}
}

// write sends a burst to the subscriber: one lock, no allocation.
func (sub *Subscription) write(st *stream, burst []packet, w *worker) {
	b := sub.bound.Load()
	a := sub.peer.current.Load()
	if b == nil || a == nil {
		return
	}
	sub.peer.outMu.Lock()
	defer sub.peer.outMu.Unlock()
	first, fresh := sub.followLocked(st, burst, w.now)
	if first < 0 {
		return
	}
	at := *a.path.Load()
	for i := first; i < len(burst); i++ {
		p := &burst[i]
		pt := b.pts[p.pt&0x7f]
		if pt == unmapped {
			continue
		}
		n, ok := sub.numbers.Map(numbersOf(p))
		if !ok {
			continue
		}
		out := outgoing{ssrc: sub.ssrc, pt: pt, numbers: n, marker: p.marker, level: p.level, picture: p.picture, payload: p.payload}
		if w.sealPacket(a, at, b, &out) {
			sub.packets++
			sub.octets += uint32(len(p.payload))
		}
	}
	sub.lastSent = w.now
	if fresh {
		sub.reportLocked(a, st, w.now)
	}
}

func numbersOf(p *packet) rewrite.Numbers {
	return rewrite.Numbers{Seq: p.seq, TS: p.ts, Picture: p.picture.ID, TL0: p.picture.TL0}
}

// followLocked needs outMu. It returns the first packet of the burst to send, -1 for none, and switches to st where it is
// wanted: at a key frame, or at once when nothing has been sent yet, and for audio.
func (sub *Subscription) followLocked(st *stream, burst []packet, now time.Time) (first int, fresh bool) {
	if st == sub.on {
		return 0, false
	}
	successor := sub.on != nil && st.section == sub.on.section && st.rid == sub.on.rid && st.age > sub.on.age
	switch {
	case successor: // the publisher began a new SSRC for the same layer
	case st != sub.target:
		return -1, false
	case st.keyFrame != nil && sub.begun:
		if first = slices.IndexFunc(burst, func(p packet) bool { return p.keyFrame }); first < 0 {
			return -1, false
		}
	}
	var elapsed uint32
	if sub.begun {
		elapsed = uint32(now.Sub(sub.lastSent).Seconds() * float64(st.clock))
	}
	sub.numbers.Switch(st, numbersOf(&burst[first]), elapsed)
	sub.on, sub.target, sub.begun, sub.forwarded = st, st, true, true
	return first, true
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
		st, source, shift, ok := sub.numbers.Trace(seq)
		if !ok || st.cache == nil {
			continue
		}
		st.cache.read(source, func(c *cached) {
			pt := b.pts[c.pt&0x7f]
			if pt == unmapped {
				return
			}
			n := shift.Apply(rewrite.Numbers{Seq: seq, TS: c.ts, Picture: c.picture.ID, TL0: c.picture.TL0})
			out := outgoing{ssrc: sub.ssrc, pt: pt, numbers: n, marker: c.marker, level: noLevel, picture: c.picture, payload: c.payload}
			if rtx := b.rtx[pt]; rtx != 0 {
				out.ssrc, out.pt, out.original, out.repair = sub.rtx, rtx, seq, true
				out.numbers.Seq = sub.rtxSeq
				sub.rtxSeq++
			}
			w.sealPacket(a, at, b, &out)
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
	if sub.on == st {
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
