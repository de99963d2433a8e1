package sfu

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/callsemu/callsemu/sfu/internal/layers"
	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// Publication is one published track: what the endpoint sends on one section, in one or more layers.
type Publication struct {
	// Fixed after newPublication.
	peer    *Peer
	section *section
	mid     string
	kind    Kind
	rids    []string // as the endpoint's SDP names them; empty without simulcast
	dead    bool     // nothing is forwarded, ever
	ready   chan struct{}
	done    chan struct{}

	codecs   atomic.Pointer[[]sdp.Codec] // what the endpoint may send; final with the answer
	packets  atomic.Uint64
	last     atomic.Int64 // unix nanoseconds of the newest packet, 0 before the first
	pt       atomic.Int32 // payload type of the newest packet, -1 before the first
	isReady  atomic.Bool
	silenced atomic.Int32                    // by how many
	awaited  atomic.Bool                     // heard is waited for
	receives atomic.Pointer[[]*Subscription] // copy-on-write: the packet path reads it without a lock
	taps     atomic.Pointer[[]*Tap]          // copy-on-write, nil for none

	mu     sync.Mutex // writers of receives and taps
	closed bool
	heard  chan struct{} // closed at the next packet; nil while nobody waits
}

func newPublication(p *Peer, s *section) *Publication {
	pub := &Publication{
		peer:    p,
		section: s,
		mid:     s.mid,
		kind:    s.kind,
		rids:    s.remote.RIDs,
		ready:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	pub.learn(s.codecs)
	pub.pt.Store(-1)
	pub.receives.Store(&[]*Subscription{})
	return pub
}

// learn takes over what the endpoint may send.
func (pub *Publication) learn(codecs []sdp.Codec) {
	list := slices.Clone(codecs)
	pub.codecs.Store(&list)
}

// rebind maps anew what the endpoint sends for all who receive it.
func (pub *Publication) rebind() {
	for _, sub := range *pub.receives.Load() {
		if agreed := sub.agreed.Load(); agreed != nil {
			sub.bound.Store(newBinding(*pub.codecs.Load(), agreed))
		}
	}
}

// Mid is the publisher's mid.
func (pub *Publication) Mid() string { return pub.mid }

// Kind is audio or video.
func (pub *Publication) Kind() Kind { return pub.kind }

// RIDs are the simulcast layers that the endpoint's SDP announced, in its order; none without simulcast.
func (pub *Publication) RIDs() []string { return slices.Clone(pub.rids) }

// Ready is closed when the first media packet has arrived.
func (pub *Publication) Ready() <-chan struct{} { return pub.ready }

// Done is closed when the track is closed, or its Peer.
func (pub *Publication) Done() <-chan struct{} { return pub.done }

// Packets counts the media packets received so far, retransmissions of lost ones included.
func (pub *Publication) Packets() uint64 { return pub.packets.Load() }

// LastPacket is when the newest media packet arrived, in real time; zero before the first.
func (pub *Publication) LastPacket() time.Time {
	if ns := pub.last.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Heard is closed at the next media packet.
func (pub *Publication) Heard() <-chan struct{} {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.heard == nil {
		pub.heard = make(chan struct{})
		pub.awaited.Store(true)
	}
	return pub.heard
}

func (pub *Publication) tellHeard() {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.heard != nil {
		close(pub.heard)
		pub.heard = nil
	}
	pub.awaited.Store(false)
}

// Silence makes the SFU deaf to the publisher, as if it had stopped sending, until end is called, once. Several may overlap.
// It is a fault for tests.
func (pub *Publication) Silence() (end func()) {
	pub.silenced.Add(1)
	return func() { pub.silenced.Add(-1) }
}

// Codec is what the publisher sends, or will probably send, as SDP names it.
func (pub *Publication) Codec() string {
	codecs := *pub.codecs.Load()
	pt := pub.pt.Load()
	for _, c := range codecs {
		if int32(c.PT) == pt {
			return c.Name
		}
	}
	return codecs[0].Name
}

// forward hands a burst to every subscriber in turn.
func (pub *Publication) forward(st *stream, burst []packet, w *worker) {
	if pub.dead || pub.silenced.Load() > 0 {
		return
	}
	pub.packets.Add(uint64(len(burst)))
	pub.last.Store(w.now.UnixNano())
	pub.pt.Store(int32(burst[len(burst)-1].pt))
	if !pub.isReady.Load() && pub.isReady.CompareAndSwap(false, true) {
		close(pub.ready)
	}
	if pub.awaited.Load() {
		pub.tellHeard()
	}
	if st.cache != nil {
		st.cache.put(burst)
	}
	for _, sub := range *pub.receives.Load() {
		sub.write(st, burst, w)
	}
	if taps := pub.taps.Load(); taps != nil {
		for _, t := range *taps {
			t.write(st, burst, w.now)
		}
	}
}

// add and remove change the list of receivers.
func (pub *Publication) add(sub *Subscription) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	old := *pub.receives.Load()
	if pub.closed || slices.Contains(old, sub) {
		return
	}
	list := append(append(make([]*Subscription, 0, len(old)+1), old...), sub)
	pub.receives.Store(&list)
}

func (pub *Publication) remove(sub *Subscription) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	var list []*Subscription
	for _, s := range *pub.receives.Load() {
		if s != sub {
			list = append(list, s)
		}
	}
	pub.receives.Store(&list)
}

// close ends the track for all who receive it. They keep their sections and get nothing more (contract 1.6).
func (pub *Publication) close() {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.closed {
		return
	}
	pub.closed = true
	pub.receives.Store(&[]*Subscription{})
	pub.taps.Store(nil)
	close(pub.done)
}

// youngest lists the streams of the publication, the youngest of each rid, by rid in byte order.
func (pub *Publication) youngest() []*stream {
	var list []*stream
	for _, st := range *pub.peer.streams.Load() {
		if st.section != pub.section || st.repairs != nil {
			continue
		}
		i := slices.IndexFunc(list, func(x *stream) bool { return x.rid == st.rid })
		switch {
		case i < 0:
			list = append(list, st)
		case st.age > list[i].age:
			list[i] = st
		}
	}
	slices.SortFunc(list, func(a, b *stream) int { return strings.Compare(a.rid, b.rid) })
	return list
}

// layersOf describes streams as the choice of a layer needs them.
func layersOf(list []*stream, now time.Time) []layers.Layer {
	out := make([]layers.Layer, len(list))
	for i, st := range list {
		out[i] = layers.Layer{RID: st.rid, Alive: st.meter.alive(now), Bitrate: st.meter.rate.Load()}
	}
	return out
}

// requestKeyFrame asks the publisher for a key frame of one stream, at once unless it was asked just now.
func (st *stream) requestKeyFrame(publisher *Peer) {
	if st.keyFrame == nil {
		return
	}
	now := time.Now()
	st.wantKeyFrame(now)
	a := publisher.current.Load()
	if a == nil {
		return
	}
	if pli := st.keyFrameRequest(publisher.ssrc, now); pli != nil {
		_ = a.sendRTCP([]rtcp.Packet{pli}) // fails only when the association is being closed
	}
}
