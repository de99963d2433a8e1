package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/callsemu/callsemu/sfu/internal/keyframe"
)

// How many packets a Tap holds for its reader: five seconds of audio, or one large key frame.
const (
	tapAudio = 256
	tapVideo = 1024
)

// TapPacket is a copy of one packet of audio.
type TapPacket struct {
	Payload   []byte
	Codec     string // as SDP names it
	Seq       uint16
	Timestamp uint32
	Fresh     bool // the numbers have nothing to do with those before: the publisher began anew
	Arrived   time.Time
}

// KeyFrame is a whole key frame: what a decoder is given, unit by unit. Of a VP9 frame every spatial layer is a unit; H.264
// and H.265 come as Annex B.
type KeyFrame struct {
	Codec     string
	Timestamp uint32
	Units     [][]byte
}

// Tap copies what a Publication receives for a reader that may be slow: the packets of audio, the key frames of video. It
// holds a bounded number of packets; when they are too many the oldest goes, so that forwarding never waits. Of simulcast it
// follows the living layer with the highest bit rate. The reading methods are for one goroutine.
type Tap struct {
	// Fixed after Publication.Tap.
	pub     *Publication
	arrived chan struct{} // one slot
	video   bool

	target  atomic.Pointer[stream] // what is copied; nil until that is decided
	dropped atomic.Uint64

	// Owned by the reader.
	spare     []byte
	assembler *keyframe.Assembler
	codec     string // of assembler

	mu    sync.Mutex
	on    *stream // whose packet came last
	keyTS uint32
	inKey bool // packets of the time keyTS are those of a key frame
	ring  []tapped
	first int
	count int
}

// tapped is a packet in the ring; slots keep their memory.
type tapped struct {
	TapPacket
	marker, starts bool
}

// Tap begins to copy. Close ends that.
func (pub *Publication) Tap() *Tap {
	t := &Tap{pub: pub, arrived: make(chan struct{}, 1), video: pub.kind == KindVideo}
	size := tapAudio
	if t.video {
		size = tapVideo
	}
	t.ring = make([]tapped, size)
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if !pub.closed {
		pub.setTapsLocked(append(slices.Clone(pub.tapList()), t))
	}
	return t
}

// Close ends the copying. What was copied can still be read.
func (t *Tap) Close() {
	t.pub.mu.Lock()
	defer t.pub.mu.Unlock()
	t.pub.setTapsLocked(slices.DeleteFunc(slices.Clone(t.pub.tapList()), func(other *Tap) bool { return other == t }))
}

func (pub *Publication) tapList() []*Tap {
	if list := pub.taps.Load(); list != nil {
		return *list
	}
	return nil
}

// setTapsLocked needs pub.mu. Without taps there is no list: then the packet path looks at one pointer and no more.
func (pub *Publication) setTapsLocked(list []*Tap) {
	if len(list) == 0 {
		pub.taps.Store(nil)
		return
	}
	pub.taps.Store(&list)
}

// Arrived tells, at least once after every packet, that there may be something to read.
func (t *Tap) Arrived() <-chan struct{} { return t.arrived }

// Done is closed when the publication has ended.
func (t *Tap) Done() <-chan struct{} { return t.pub.done }

// Dropped counts the packets that went because the reader was slow.
func (t *Tap) Dropped() uint64 { return t.dropped.Load() }

// write copies a burst. It waits for nobody but a reader that is taking one packet out.
func (t *Tap) write(st *stream, burst []packet, now time.Time) {
	if !t.follows(st) {
		return
	}
	t.mu.Lock()
	fresh := t.on != st
	t.on = st
	for i := range burst {
		p := &burst[i]
		if t.video && !t.inKeyFrameLocked(p, fresh) {
			continue
		}
		t.putLocked(p, now).Fresh = fresh
		fresh = false
	}
	t.mu.Unlock()
	select {
	case t.arrived <- struct{}{}:
	default:
	}
}

// follows decides whether a stream is copied: the one that was chosen, or its successor when the publisher has begun anew.
func (t *Tap) follows(st *stream) bool {
	for {
		on := t.target.Load()
		if on == st {
			return true
		}
		if on != nil && (on.section != st.section || on.rid != st.rid || on.age > st.age) {
			return false
		}
		if t.target.CompareAndSwap(on, st) {
			return true
		}
	}
}

// inKeyFrameLocked needs mu.
func (t *Tap) inKeyFrameLocked(p *packet, fresh bool) bool {
	if fresh {
		t.inKey = false
	}
	if p.keyFrame {
		t.inKey, t.keyTS = true, p.ts
	}
	return t.inKey && p.ts == t.keyTS
}

// putLocked needs mu. It copies a packet into the next slot.
func (t *Tap) putLocked(p *packet, now time.Time) *tapped {
	if t.count == len(t.ring) {
		t.first = (t.first + 1) % len(t.ring)
		t.count--
		t.dropped.Add(1)
	}
	slot := &t.ring[(t.first+t.count)%len(t.ring)]
	t.count++
	payload := append(slot.Payload[:0], p.payload...)
	*slot = tapped{
		TapPacket: TapPacket{Payload: payload, Codec: t.pub.codecOf(p.pt), Seq: p.seq, Timestamp: p.ts, Arrived: now},
		marker:    p.marker, starts: p.keyFrame,
	}
	return slot
}

// codecOf names the codec of a payload type, empty for one that the publisher has not agreed to.
func (pub *Publication) codecOf(pt uint8) string {
	codecs := *pub.codecs.Load()
	for i := range codecs {
		if codecs[i].PT == pt {
			return codecs[i].Name
		}
	}
	return ""
}

// Next takes the oldest packet of audio out; false for none. Its payload is valid until the next call.
func (t *Tap) Next() (TapPacket, bool) {
	p, ok := t.take()
	return p.TapPacket, ok
}

func (t *Tap) take() (tapped, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		return tapped{}, false
	}
	slot := &t.ring[t.first]
	t.first = (t.first + 1) % len(t.ring)
	t.count--
	out := *slot
	slot.Payload, t.spare = t.spare, out.Payload // the slot gets the memory of the packet before
	return out, true
}

// KeyFrame puts the packets that are there together and returns the newest whole key frame; false for none.
func (t *Tap) KeyFrame() (frame KeyFrame, ok bool) {
	for {
		p, more := t.take()
		if !more {
			return frame, ok
		}
		if p.Codec != t.codec || p.Fresh {
			t.codec, t.assembler = p.Codec, keyframe.New(p.Codec)
		}
		if t.assembler == nil {
			continue
		}
		units, complete := t.assembler.Add(keyframe.Packet{
			Payload: p.Payload, Seq: p.Seq, TS: p.Timestamp, Marker: p.marker, Starts: p.starts,
		})
		if complete {
			frame, ok = KeyFrame{Codec: p.Codec, Timestamp: p.Timestamp, Units: units}, true
		}
	}
}

// RequestKeyFrame chooses the best layer and sees to it that a key frame comes: the publisher is asked unless it was asked
// within the interval, be it for this reader, for another one or for a subscriber. Whoever wants a key frame now and then
// calls it that often, and all of them together ask no more often than one of them would.
func (t *Tap) RequestKeyFrame(interval time.Duration) {
	best := t.best()
	if best == nil {
		return
	}
	t.target.Store(best)
	if since := time.Since(time.Unix(0, best.lastPLI.Load())); since < interval-interval/10 { // a tenth for uneven timers
		return
	}
	best.requestKeyFrame(t.pub.peer)
}

// best is the living layer with the highest bit rate. Another one has to be a quarter better, for a layer's rate is never
// the same twice.
func (t *Tap) best() *stream {
	now, on := time.Now(), t.target.Load()
	var best *stream
	for _, st := range t.pub.youngest() {
		if st.meter.alive(now) && (best == nil || worth(st, on) > worth(best, on)) {
			best = st
		}
	}
	return best
}

func worth(st, on *stream) uint64 {
	rate := st.meter.rate.Load()
	if on != nil && st.section == on.section && st.rid == on.rid {
		rate += rate / 4
	}
	return rate
}
