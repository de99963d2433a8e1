package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	// maxMissing is how many lost packets are remembered; a loss beyond that is a gap that only a key frame closes.
	maxMissing = 256
	// nackInterval is the wait for a retransmission before it is asked for again, and nackTries how often that happens.
	nackInterval = 50 * time.Millisecond
	nackTries    = 10
)

type verdict int

const (
	next      verdict = iota // the newest packet, or one that was missing
	gap                      // the newest, and something before it is missing
	duplicate                // has been forwarded already, or is too old to be of use
)

// missing is a packet that has not arrived.
type missing struct {
	seq   uint16
	tries int
	asked time.Time
}

// senderReport is what the publisher said last of a stream's clock (RFC 3550 section 6.4.1).
type senderReport struct {
	ntp     uint64
	rtp     uint32
	arrived time.Time
}

// receiver keeps the account of one incoming stream (RFC 3550 appendix A). It is pure but for the times it is given.
type receiver struct {
	track    bool // remember what is missing, to ask for it
	started  bool
	first    int64 // extended sequence numbers
	highest  int64
	received uint64
	missing  []missing
	overrun  bool // more was lost than is remembered

	jitter      float64 // in units of the clock
	transit     int64
	lastHighest int64 // at the last report
	lastGot     uint64
}

func newReceiver(track bool) receiver { return receiver{track: track} }

// receive accounts for a packet and says what it is.
func (r *receiver) receive(seq uint16, ts, clock uint32, now time.Time) verdict {
	if !r.started {
		r.started = true
		r.first, r.highest = int64(seq), int64(seq)
		r.lastHighest = r.highest - 1
		r.received = 1
		return next
	}
	step := int64(int16(seq - uint16(r.highest)))
	if step <= 0 {
		if r.track && !r.found(seq) {
			return duplicate
		}
		r.received++
		return next
	}
	r.received++
	r.measure(ts, clock, now)
	lost := r.lose(step)
	r.highest += step
	if lost {
		return gap
	}
	return next
}

// lose remembers the packets that a step of the sequence number skips.
func (r *receiver) lose(step int64) bool {
	if step == 1 || !r.track {
		return false
	}
	if step-1 > maxMissing {
		r.missing = r.missing[:0]
		r.overrun = true
		return true
	}
	for i := int64(1); i < step; i++ {
		if len(r.missing) == maxMissing {
			r.missing = append(r.missing[:0], r.missing[1:]...)
			r.overrun = true
		}
		r.missing = append(r.missing, missing{seq: uint16(r.highest + i)})
	}
	return true
}

// found strikes a late packet off the list.
func (r *receiver) found(seq uint16) bool {
	for i := range r.missing {
		if r.missing[i].seq == seq {
			r.missing = append(r.missing[:i], r.missing[i+1:]...)
			return true
		}
	}
	return false
}

// due lists what to ask for now. lost is true when packets have been given up: only a key frame helps then.
func (r *receiver) due(now time.Time) (pairs []rtcp.NackPair, lost bool) {
	lost, r.overrun = r.overrun, false
	var seqs []uint16
	kept := r.missing[:0]
	for _, m := range r.missing {
		late := now.Sub(m.asked) >= nackInterval
		if late && m.tries == nackTries {
			lost = true
			continue
		}
		if late {
			m.tries++
			m.asked = now
			seqs = append(seqs, m.seq)
		}
		kept = append(kept, m)
	}
	r.missing = kept
	if len(seqs) == 0 {
		return nil, lost
	}
	return rtcp.NackPairsFromSequenceNumbers(seqs), lost
}

// measure keeps the interarrival jitter (RFC 3550 appendix A.8).
func (r *receiver) measure(ts, clock uint32, now time.Time) {
	if clock == 0 {
		return
	}
	arrival := now.UnixMicro() * int64(clock) / 1_000_000
	transit := int64(int32(uint32(arrival) - ts))
	if r.transit != 0 {
		d := int64(int32(transit - r.transit)) // the difference of two numbers of 32 bits that wrap
		if d < 0 {
			d = -d
		}
		r.jitter += (float64(d) - r.jitter) / 16
	}
	r.transit = transit
}

// report is the report block of the time since the last one (RFC 3550 appendix A.3).
func (r *receiver) report(ssrc uint32, sr senderReport, now time.Time) rtcp.ReceptionReport {
	out := rtcp.ReceptionReport{SSRC: ssrc, LastSequenceNumber: uint32(r.highest), Jitter: uint32(r.jitter)}
	if total := r.highest - r.first + 1 - int64(r.received); total > 0 {
		out.TotalLost = uint32(min(total, 0x7fffff))
	}
	expected := r.highest - r.lastHighest
	if lost := expected - int64(r.received-r.lastGot); lost > 0 && expected > 0 {
		out.FractionLost = uint8(min(lost*256/expected, 255))
	}
	r.lastHighest, r.lastGot = r.highest, r.received
	if !sr.arrived.IsZero() {
		out.LastSenderReport = uint32(sr.ntp >> 16)
		out.Delay = uint32(now.Sub(sr.arrived).Seconds() * 65536)
	}
	return out
}
