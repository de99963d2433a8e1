package rewrite

// spans is how many sources back a loss can still be traced. Retransmission caches hold about a second; nobody switches
// more often than this within one.
const spans = 4

// Numbers are what a packet carries that has to be continuous. Picture (15 bits) and TL0 are those of VP8 and stay 0 with
// codecs that have none.
type Numbers struct {
	Seq     uint16
	TS      uint32
	Picture uint16
	TL0     uint8
}

// shift is what is added to a source's numbers; Seq is not used.
func (n Numbers) shift(by Numbers) Numbers {
	return Numbers{Seq: n.Seq, TS: n.TS + by.TS, Picture: (n.Picture + by.Picture) & 0x7fff, TL0: n.TL0 + by.TL0}
}

// Mapper is one outgoing stream. S identifies a source (one incoming SSRC).
type Mapper[S comparable] struct {
	spans   [spans]span[S]
	n       int     // spans in use, the newest at n-1
	lastIn  uint16  // the current source's highest number
	lastOut int64   // the outgoing number that it got, extended: its low 16 bits go on the wire
	last    Numbers // the outgoing numbers of the same packet, but for Seq
}

// span is a stretch of the outgoing stream that came from one source.
type span[S comparable] struct {
	source   S
	firstIn  uint16 // the source's number at the start
	firstOut int64
	shift    Numbers
}

// New starts a stream whose first packet will carry seq and ts, and its source's own picture numbers.
func New[S comparable](seq uint16, ts uint32) Mapper[S] {
	return Mapper[S]{lastOut: int64(seq) - 1, last: Numbers{TS: ts}}
}

// Current is the source that the stream is on; false before the first Switch.
func (m *Mapper[S]) Current() (source S, ok bool) {
	if m.n == 0 {
		return source, false
	}
	return m.spans[m.n-1].source, true
}

// Switch continues the stream with source, whose packet first comes next. elapsed is the time since the last packet sent,
// in units of the clock rate; the timestamp moves on by it, and by one at least, since a receiver joins packets of one
// timestamp into one frame. Picture numbers move on by one.
func (m *Mapper[S]) Switch(source S, first Numbers, elapsed uint32) {
	to := Numbers{TS: m.last.TS, Picture: first.Picture, TL0: first.TL0}
	if m.n > 0 {
		to.TS += max(elapsed, 1)
		to.Picture, to.TL0 = m.last.Picture+1, m.last.TL0+1
	}
	if m.n == spans {
		copy(m.spans[:], m.spans[1:])
		m.n--
	}
	m.spans[m.n] = span[S]{
		source:   source,
		firstIn:  first.Seq,
		firstOut: m.lastOut + 1,
		shift:    Numbers{TS: to.TS - first.TS, Picture: to.Picture - first.Picture, TL0: to.TL0 - first.TL0},
	}
	m.n++
	m.lastIn, m.last = first.Seq-1, first.shift(m.spans[m.n-1].shift)
}

// Map gives the outgoing numbers of a packet of the current source. It is false for a packet from before the switch to
// that source, whose outgoing number belongs to the source before.
func (m *Mapper[S]) Map(in Numbers) (out Numbers, ok bool) {
	if m.n == 0 {
		return Numbers{}, false
	}
	s := &m.spans[m.n-1]
	step := int64(int16(in.Seq - m.lastIn))
	seq := m.lastOut + step
	if seq < s.firstOut {
		return Numbers{}, false
	}
	out = in.shift(s.shift)
	out.Seq = uint16(seq)
	if step > 0 {
		m.lastIn, m.lastOut, m.last = in.Seq, seq, out
	}
	return out, true
}

// Timestamp maps a timestamp of the current source, as sender reports need it.
func (m *Mapper[S]) Timestamp(ts uint32) (uint32, bool) {
	if m.n == 0 {
		return 0, false
	}
	return ts + m.spans[m.n-1].shift.TS, true
}

// Trace tells which source's packet left under the outgoing number outSeq, and what Shift adds to its other numbers.
func (m *Mapper[S]) Trace(outSeq uint16) (source S, seq uint16, by Shift, ok bool) {
	out := m.lastOut + int64(int16(outSeq-uint16(m.lastOut)))
	if out > m.lastOut {
		return source, 0, by, false
	}
	for i := m.n - 1; i >= 0; i-- {
		if s := &m.spans[i]; out >= s.firstOut {
			return s.source, s.firstIn + uint16(out-s.firstOut), Shift{s.shift}, true
		}
	}
	return source, 0, by, false
}

// Shift maps the numbers of packets that were sent before.
type Shift struct{ by Numbers }

// Apply gives the outgoing numbers of a packet, all but Seq.
func (s Shift) Apply(in Numbers) Numbers { return in.shift(s.by) }
