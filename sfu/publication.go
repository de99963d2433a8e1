package sfu

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// Publication is one published track: what the endpoint sends on one section, in one or more layers.
type Publication struct {
	// Fixed after newPublication.
	peer    *Peer
	section *section
	mid     string
	kind    Kind
	codecs  []sdp.Codec
	dead    bool // nothing is forwarded, ever
	ready   chan struct{}
	done    chan struct{}

	packets  atomic.Uint64
	pt       atomic.Int32 // payload type of the newest packet, -1 before the first
	isReady  atomic.Bool
	receives atomic.Pointer[[]*Subscription] // copy-on-write: the packet path reads it without a lock

	mu     sync.Mutex // writers of receives
	closed bool
}

func newPublication(p *Peer, s *section) *Publication {
	pub := &Publication{
		peer:    p,
		section: s,
		mid:     s.mid,
		kind:    s.kind,
		codecs:  s.codecs,
		ready:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	pub.pt.Store(-1)
	pub.receives.Store(&[]*Subscription{})
	return pub
}

// Mid is the publisher's mid.
func (pub *Publication) Mid() string { return pub.mid }

// Kind is audio or video.
func (pub *Publication) Kind() Kind { return pub.kind }

// Ready is closed when the first media packet has arrived.
func (pub *Publication) Ready() <-chan struct{} { return pub.ready }

// Done is closed when the track is closed, or its Peer.
func (pub *Publication) Done() <-chan struct{} { return pub.done }

// Packets counts the media packets received so far, retransmissions of lost ones included.
func (pub *Publication) Packets() uint64 { return pub.packets.Load() }

// codecName is the codec that the publisher sends, or will probably send.
func (pub *Publication) codecName() string {
	pt := pub.pt.Load()
	for _, c := range pub.codecs {
		if int32(c.PT) == pt {
			return c.Name
		}
	}
	return pub.codecs[0].Name
}

// forward hands a burst to every subscriber in turn.
func (pub *Publication) forward(st *stream, burst []packet, w *worker) {
	if pub.dead {
		return
	}
	pub.packets.Add(uint64(len(burst)))
	if !pub.isReady.Load() && pub.isReady.CompareAndSwap(false, true) {
		pub.pt.Store(int32(burst[0].pt))
		close(pub.ready)
	}
	pub.pt.Store(int32(burst[len(burst)-1].pt))
	if st.cache != nil {
		st.cache.put(burst)
	}
	for _, sub := range *pub.receives.Load() {
		sub.write(st, burst, w)
	}
}

// add and remove change the list of receivers.
func (pub *Publication) add(sub *Subscription) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.closed {
		return
	}
	old := *pub.receives.Load()
	for _, s := range old {
		if s == sub {
			return
		}
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
	close(pub.done)
}

// layer is the youngest stream of that rid, nil before its first packet.
func (pub *Publication) layer(rid string) *stream {
	var found *stream
	for _, st := range *pub.peer.streams.Load() {
		if st.section == pub.section && st.repairs == nil && st.rid == rid && (found == nil || st.age > found.age) {
			found = st
		}
	}
	return found
}

// firstRID is the layer that a pull without a wish gets: the first in byte order (contract 3.3).
func (pub *Publication) firstRID() string {
	first, found := "", false
	for _, st := range *pub.peer.streams.Load() {
		if st.section == pub.section && st.repairs == nil && (!found || st.rid < first) {
			first, found = st.rid, true
		}
	}
	return first
}

// requestKeyFrame asks the publisher for a key frame of one layer, at once unless it was asked just now.
func (pub *Publication) requestKeyFrame(rid string) {
	st := pub.layer(rid)
	if st == nil || st.keyFrame == nil {
		return
	}
	now := time.Now()
	st.wantKeyFrame(now)
	a := pub.peer.current.Load()
	if a == nil {
		return
	}
	if pli := st.keyFrameRequest(pub.peer.ssrc, now); pli != nil {
		_ = a.sendRTCP([]rtcp.Packet{pli}) // fails only when the association is being closed
	}
}
