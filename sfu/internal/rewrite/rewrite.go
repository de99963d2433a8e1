package rewrite

// spans is how many sources back a loss can still be traced. Retransmission caches hold about a second; nobody switches
// more often than this within one.
const spans = 4

// Mapper is one outgoing stream. S identifies a source (one incoming SSRC).
type Mapper[S comparable] struct {
	spans   [spans]span[S]
	n       int    // spans in use, the newest at n-1
	lastIn  uint16 // the current source's highest number
	lastOut int64  // the outgoing number that it got, extended: its low 16 bits go on the wire
	lastTS  uint32 // and its outgoing timestamp
}

// span is a stretch of the outgoing stream that came from one source.
type span[S comparable] struct {
	source   S
	firstIn  uint16 // the source's number at the start
	firstOut int64
	tsOffset uint32
}

// New starts a stream whose first packet will carry seq and ts.
func New[S comparable](seq uint16, ts uint32) Mapper[S] {
	return Mapper[S]{lastOut: int64(seq) - 1, lastTS: ts}
}

// Current is the source that the stream is on; false before the first Switch.
func (m *Mapper[S]) Current() (source S, ok bool) {
	if m.n == 0 {
		return source, false
	}
	return m.spans[m.n-1].source, true
}

// Switch continues the stream with source, whose packet (seq, ts) comes next. elapsed is the time since the last packet
// sent, in units of the clock rate; the timestamp moves on by it, and by one at least, since a receiver joins packets of
// one timestamp into one frame.
func (m *Mapper[S]) Switch(source S, seq uint16, ts, elapsed uint32) {
	out := m.lastTS
	if m.n > 0 {
		out += max(elapsed, 1)
	}
	if m.n == spans {
		copy(m.spans[:], m.spans[1:])
		m.n--
	}
	m.spans[m.n] = span[S]{source: source, firstIn: seq, firstOut: m.lastOut + 1, tsOffset: out - ts}
	m.n++
	m.lastIn, m.lastTS = seq-1, out
}

// Map gives the outgoing numbers of a packet of the current source. It is false for a packet from before the switch to
// that source, whose outgoing number belongs to the source before.
func (m *Mapper[S]) Map(seq uint16, ts uint32) (outSeq uint16, outTS uint32, ok bool) {
	if m.n == 0 {
		return 0, 0, false
	}
	s := &m.spans[m.n-1]
	step := int64(int16(seq - m.lastIn))
	out := m.lastOut + step
	if out < s.firstOut {
		return 0, 0, false
	}
	outTS = ts + s.tsOffset
	if step > 0 {
		m.lastIn, m.lastOut, m.lastTS = seq, out, outTS
	}
	return uint16(out), outTS, true
}

// Timestamp maps a timestamp of the current source, as sender reports need it.
func (m *Mapper[S]) Timestamp(ts uint32) (uint32, bool) {
	if m.n == 0 {
		return 0, false
	}
	return ts + m.spans[m.n-1].tsOffset, true
}

// Trace tells which source's packet left under the outgoing number outSeq, for its timestamp add tsOffset to the source's.
func (m *Mapper[S]) Trace(outSeq uint16) (source S, seq uint16, tsOffset uint32, ok bool) {
	out := m.lastOut + int64(int16(outSeq-uint16(m.lastOut)))
	if out > m.lastOut {
		return source, 0, 0, false
	}
	for i := m.n - 1; i >= 0; i-- {
		if s := &m.spans[i]; out >= s.firstOut {
			return s.source, s.firstIn + uint16(out-s.firstOut), s.tsOffset, true
		}
	}
	return source, 0, 0, false
}
