package sfu

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/pion/sctp"
)

const (
	// What may wait for one subscriber: inside SCTP, and in the leg's own queue behind it, in bytes. A reliable channel
	// that passes the bound is closed; an unreliable one drops its oldest messages.
	reliableInFlight   = 256 << 10
	reliableQueue      = 4 << 20
	unreliableInFlight = 64 << 10
	unreliableQueue    = 256 << 10
	// A channel with a lifetime keeps little inside SCTP, where a message that has not been sent once does not age.
	timedInFlight = 4 << 10
	// messageCost is what a message costs beside its bytes, so that empty ones fill a queue as well; maxOutstanding bounds
	// how many are inside SCTP.
	messageCost    = 64
	maxOutstanding = 1024
	// resetWait is how long an endpoint may take to reset its half of a stream, in real time. An id whose reset was not
	// answered is never used again.
	resetWait = 10 * time.Second
	// readBuffer is the size with which readers begin; a longer message makes it grow.
	readBuffer = 2048
)

// Policy says how messages are delivered on one leg (RFC 8831 section 6.1). At most one of the limits is set.
type Policy struct {
	Unordered      bool
	MaxRetransmits *uint16        // 0 sends once; nil is no limit
	MaxLifetime    *time.Duration // in the queue; pion/sctp counts from the newest transmission, so what it holds (64 KiB) is sent until it arrives
}

func (p Policy) reliable() bool { return p.MaxRetransmits == nil && p.MaxLifetime == nil }

// ChannelState is how far one leg is (contract 1.7).
type ChannelState int

// The states of a data channel.
const (
	ChannelInitializing ChannelState = iota // the transport is not up yet, or is being replaced
	ChannelActive
	ChannelInactive // closed by the endpoint, with its publication, or for what it left unread
)

// String names the state as the API does.
func (s ChannelState) String() string { return [...]string{"initializing", "active", "inactive"}[s] }

// message is one data channel message. Its bytes are never changed.
type message struct {
	data   []byte
	text   bool
	queued time.Time // when it entered a leg's queue
}

// cost is what the message takes of a queue.
func (m message) cost() int { return len(m.data) + messageCost }

func (m message) kind() sctp.PayloadProtocolIdentifier {
	switch {
	case m.text && len(m.data) == 0:
		return sctp.PayloadTypeWebRTCStringEmpty
	case m.text:
		return sctp.PayloadTypeWebRTCString
	case len(m.data) == 0:
		return sctp.PayloadTypeWebRTCBinaryEmpty
	}
	return sctp.PayloadTypeWebRTCBinary
}

// leg is one channel on one endpoint's association: a publisher's or a subscriber's.
type leg struct {
	// Fixed after newLeg, id after allocate.
	data     *dataTransport
	id       uint16
	policy   Policy
	received func(message) // on the leg's reader
	gone     func()        // the leg has ended, whoever ended it; called once, under no lock
	finished sync.Once

	// mu keeps the order of messages, so it is held while one is handed to SCTP, which takes locks of its own but waits for
	// nothing.
	mu       sync.Mutex
	stream   *sctp.Stream // nil while no association is up
	ended    bool
	closing  bool // reset from this side
	wasReset bool // by the endpoint
	queue    []message
	handed   uint64   // bytes that SCTP has had of this association
	ends     []uint64 // of the messages inside SCTP: handed at the end of each
	queued   int      // what the queue costs, in bytes
	sent     uint64
	bytes    uint64
	dropped  uint64
}

func newLeg(d *dataTransport, policy Policy, received func(message), gone func()) *leg {
	return &leg{data: d, policy: policy, received: received, gone: gone}
}

// attach gives the leg its stream; false where it has one, or where the endpoint has ended it. A leg that was closed before there
// was an association is reset only now, since the endpoint's channel is open all the same.
func (l *leg) attach(stream *sctp.Stream) bool {
	reliability, value := sctp.ReliabilityTypeReliable, uint32(0)
	switch {
	case l.policy.MaxRetransmits != nil:
		reliability, value = sctp.ReliabilityTypeRexmit, uint32(*l.policy.MaxRetransmits)
	case l.policy.MaxLifetime != nil:
		reliability, value = sctp.ReliabilityTypeTimed, uint32(l.policy.MaxLifetime.Milliseconds())
	}
	stream.SetReliabilityParams(l.policy.Unordered, reliability, value)
	stream.OnBufferedAmountLow(l.drain)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream != nil || l.wasReset || l.ended && !l.closing {
		return false
	}
	l.stream, l.handed, l.ends = stream, 0, nil
	l.resetClosedLocked()
	l.drainLocked()
	return true
}

// resetClosed is what the endpoint is told of a leg that was closed here, once it can notice.
func (l *leg) resetClosed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.resetClosedLocked()
}

// resetClosedLocked needs mu. It makes the endpoint's channel close.
func (l *leg) resetClosedLocked() {
	if !l.closing || l.stream == nil || !l.data.resets.Load() {
		return
	}
	_ = l.stream.SetReadDeadline(time.Now().Add(resetWait)) // it never fails
	_ = l.stream.Close()                                    // an error means that the association is ending
}

// inFlight is how many bytes may be inside SCTP.
func (l *leg) inFlight() uint64 {
	switch {
	case l.policy.reliable():
		return reliableInFlight
	case l.policy.MaxLifetime != nil:
		return timedInFlight
	}
	return unreliableInFlight
}

// hasRoomLocked needs mu. It reports whether SCTP may have another message.
func (l *leg) hasRoomLocked() bool {
	buffered := l.stream.BufferedAmount()
	for len(l.ends) > 0 && l.ends[0]+buffered <= l.handed {
		l.ends = l.ends[1:]
	}
	return buffered < l.inFlight() && len(l.ends) < maxOutstanding
}

// read is the leg's reader, until the endpoint resets its stream or the association ends.
func (l *leg) read(stream *sctp.Stream) {
	buf := make([]byte, readBuffer)
	for {
		n, kind, err := stream.ReadSCTP(buf)
		if grown, retry := grow(buf, n, err); retry {
			buf = grown
			continue
		}
		if err != nil {
			l.left(stream, err)
			return
		}
		m := message{}
		switch kind {
		case sctp.PayloadTypeWebRTCString, sctp.PayloadTypeWebRTCBinary:
			m.data = append(make([]byte, 0, n), buf[:n]...)
		case sctp.PayloadTypeWebRTCStringEmpty, sctp.PayloadTypeWebRTCBinaryEmpty: // their one byte means nothing
		default:
			continue // DCEP: these channels are negotiated by the API
		}
		m.text = kind == sctp.PayloadTypeWebRTCString || kind == sctp.PayloadTypeWebRTCStringEmpty
		if !l.over() { // an endpoint may go on until it has answered a reset
			l.received(m)
		}
	}
}

// grow makes room for a message that SCTP says is longer than the buffer.
func grow(buf []byte, n int, err error) (grown []byte, retry bool) {
	if !errors.Is(err, io.ErrShortBuffer) || n <= len(buf) {
		return buf, false
	}
	return make([]byte, n), true
}

// send hands a message to the endpoint, or to the queue. It never waits. It returns false where the queue of a reliable leg
// is full: the message is lost.
func (l *leg) send(m message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return true
	case len(m.data) > l.longest():
		l.dropped++
		return true
	case l.stream != nil && len(l.queue) == 0 && l.hasRoomLocked():
		l.writeLocked(m)
		return true
	case l.policy.reliable() && l.queued+m.cost() > reliableQueue:
		l.dropped++
		return false
	}
	m.queued = time.Now()
	l.queue = append(l.queue, m)
	l.queued += m.cost()
	for l.queued > l.room() {
		l.dropLocked()
	}
	l.drainLocked()
	return true
}

func (l *leg) room() int {
	if l.policy.reliable() {
		return reliableQueue
	}
	return unreliableQueue
}

// longest is the longest message that the endpoint takes.
func (l *leg) longest() int {
	if l.data.longest == 0 {
		return maxOffered
	}
	return int(min(l.data.longest, maxOffered))
}

// dropLocked needs mu. It forgets the oldest message of the queue.
func (l *leg) dropLocked() {
	l.queued -= l.queue[0].cost()
	l.queue = l.queue[1:]
	l.dropped++
}

// writeLocked needs mu.
func (l *leg) writeLocked(m message) {
	data := m.data
	if len(data) == 0 {
		data = []byte{0} // SCTP has no empty messages (RFC 8831 section 6.6)
	}
	if _, err := l.stream.WriteSCTP(data, m.kind()); err != nil {
		l.dropped++ // the association is ending, or the endpoint has reset the stream
		return
	}
	l.sent++
	l.bytes += uint64(len(m.data))
	l.handed += uint64(len(data))
	l.ends = append(l.ends, l.handed)
}

// drain is SCTP's word that there is room again; it comes on the reader of the endpoint's association.
func (l *leg) drain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drainLocked()
}

// drainLocked needs mu. What is left in the queue waits for SCTP's word, so that has to be asked for: SCTP says once that less
// than the threshold is left.
func (l *leg) drainLocked() {
	if l.stream == nil || l.ended {
		return
	}
	for {
		for len(l.queue) > 0 && (l.expiredLocked() || l.hasRoomLocked()) {
			m := l.queue[0]
			if l.expiredLocked() {
				l.dropLocked()
				continue
			}
			l.queued -= m.cost()
			l.queue = l.queue[1:]
			l.writeLocked(m)
		}
		if len(l.queue) == 0 {
			l.queue = nil
			return
		}
		threshold := l.stream.BufferedAmount() / 2
		l.stream.SetBufferedAmountLowThreshold(threshold)
		if l.stream.BufferedAmount() > threshold {
			return
		}
	}
}

// expiredLocked needs mu. It reports whether the oldest message has waited for too long.
func (l *leg) expiredLocked() bool {
	limit := l.policy.MaxLifetime
	return limit != nil && time.Since(l.queue[0].queued) > *limit
}

// close resets the stream, so that the endpoint's channel closes. The id is free once the endpoint has reset its half.
func (l *leg) close() {
	l.mu.Lock()
	free := l.wasReset
	l.closing = true
	l.mu.Unlock()
	l.finish()
	if free {
		l.data.release(l)
	} else {
		l.resetClosed()
	}
}

// left is the end of a reader: the endpoint has reset its half of the stream, which ends the leg; or it has not answered a
// reset from this side in time, so that the id stays taken; or the association has ended, and the leg waits for the next one.
func (l *leg) left(stream *sctp.Stream, err error) {
	reset, late := errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded)
	l.mu.Lock()
	l.wasReset = l.wasReset || reset
	free := l.closing && !late
	if !reset && !l.closing {
		l.stream = nil
	}
	l.mu.Unlock()
	if reset {
		_ = stream.Close() // answers the endpoint's reset (RFC 8831 section 6.7); an error means that all is ending
		l.finish()
	}
	if free {
		l.data.release(l)
	}
}

// finish ends the leg on this side.
func (l *leg) finish() {
	l.mu.Lock()
	l.ended = true
	l.queue, l.queued = nil, 0
	l.mu.Unlock()
	l.finished.Do(l.gone)
}

func (l *leg) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// state is what GET shows of the leg.
func (l *leg) state() ChannelState {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return ChannelInactive
	case l.stream == nil:
		return ChannelInitializing
	}
	return ChannelActive
}

// LegInfo is a snapshot of one channel on one endpoint's transport.
type LegInfo struct {
	ID       uint16
	State    ChannelState
	Sent     uint64 // messages handed to the endpoint's transport
	Bytes    uint64 // of these
	Queued   int    // messages that wait for it
	Buffered int    // bytes that wait, in the queue and in SCTP
	Dropped  uint64 // messages that were too long for the endpoint, too old, or too many
}

func (l *leg) info() LegInfo {
	state := l.state()
	l.mu.Lock()
	defer l.mu.Unlock()
	info := LegInfo{ID: l.id, State: state, Sent: l.sent, Bytes: l.bytes, Queued: len(l.queue), Buffered: l.queued, Dropped: l.dropped}
	if l.stream != nil && !l.ended {
		info.Buffered += int(l.stream.BufferedAmount())
	}
	return info
}
