package adapter

import "time"

const (
	// reorderHeld and reorderTime bound how long a missing packet is waited for: as many later ones, or as long.
	reorderHeld = 3
	reorderTime = 60 * time.Millisecond
	// maxFill is the longest time that is filled with made-up sound. A publisher that sends no packets while it is silent
	// (DTX) sends one every 400 ms; after a longer pause the timestamp jumps.
	maxFill = 2 * sampleRate
	// farSequence: a number this far from the expected one begins a new stream.
	farSequence = 1000
)

// voice is an Opus packet as it came.
type voice struct {
	seq     uint16
	ts      uint32
	fresh   bool // the numbers have nothing to do with those before
	payload []byte
	arrived time.Time
}

// turn is what to do next: make up fill samples from the timestamp fillTS on, then decode the packet.
type turn struct {
	voice
	fill   int
	fillTS uint32
	lost   int // packets that did not come
}

// order puts packets into the order of their numbers, and says how much time is missing between them, be it by loss or because
// the publisher was silent. It is pure but for the times that it is given. The zero value is ready.
type order struct {
	started bool
	next    uint16 // the number that is due
	nextTS  uint32
	held    []voice // later than next, by number
	late    uint64  // packets that came too late to be played, and repeated ones
}

// push takes a packet in.
func (o *order) push(v voice) {
	ahead := int16(v.seq - o.next)
	if v.fresh || !o.started || ahead > farSequence || ahead < -farSequence {
		o.held = append(o.held[:0], v)
		o.held[0].fresh = true
		return
	}
	if ahead < 0 {
		o.late++
		return
	}
	i := len(o.held)
	for i > 0 && int16(o.held[i-1].seq-v.seq) >= 0 {
		i--
	}
	if i < len(o.held) && o.held[i].seq == v.seq {
		o.late++
		return
	}
	o.held = append(o.held, voice{})
	copy(o.held[i+1:], o.held[i:])
	o.held[i] = v
}

// pop returns the next turn, false when a packet is waited for.
func (o *order) pop(now time.Time) (turn, bool) {
	if len(o.held) == 0 {
		return turn{}, false
	}
	first := o.held[0]
	missing := int(first.seq - o.next)
	if first.fresh {
		missing = 0
	}
	if missing > 0 && len(o.held) < reorderHeld && now.Sub(first.arrived) < reorderTime {
		return turn{}, false
	}
	o.held = append(o.held[:0], o.held[1:]...)
	out := turn{voice: first, lost: missing, fillTS: o.nextTS}
	if gap := int32(first.ts - o.nextTS); o.started && !first.fresh && gap > 0 && gap <= maxFill {
		out.fill = int(gap) / plcStep * plcStep
	}
	o.started, o.next, o.nextTS = true, first.seq+1, first.ts+uint32(opusSamples(first.payload))
	return out, true
}

// due is when pop has to be asked again although nothing comes; false for not.
func (o *order) due() (time.Time, bool) {
	if len(o.held) == 0 {
		return time.Time{}, false
	}
	return o.held[0].arrived.Add(reorderTime), true
}
