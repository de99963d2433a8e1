package sfu

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/sctp"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

const (
	// serverEvents is the label of the channel that the SFU opens in band where it offered the section (contract 4.1).
	serverEvents = "server-events"
	// maxChannelID is the highest id that clients accept (contract 4.2).
	maxChannelID = 65534
	// maxReassembly bounds the fragments of one stream that wait for others; the longest message has some 230.
	maxReassembly = 16384
	// rtoMax keeps an endpoint that comes back from waiting up to a minute for what it has missed.
	rtoMax = 3 * time.Second
	// idRest is how long an id is not given away after its reset, in real time: retransmitted resets of the old stream would
	// hit the new one.
	idRest = 10 * time.Second
	// redialPause lies between two associations, where the first did not last.
	redialPause = time.Second
	// maxInband bounds the channels that an endpoint opens in band; each costs a goroutine and a buffer.
	maxInband = 256
	// maxOffered is the a=max-message-size of the SFU. Longer messages could not be reassembled within SCTP's window; what
	// is really delivered is up to PublishData.
	maxOffered = 262144
)

// dataTransport is what carries a Peer's data channels (RFC 8831): an SCTP association over the DTLS connection of the moment. It
// begins when both sides have agreed on a section for data, and lasts over any number of connections and associations.
type dataTransport struct {
	// Fixed after newDataTransport.
	peer    *Peer
	own     bool   // the SFU offered the section, and so opens server-events
	firstID uint16 // lowest id to hand out
	longest uint32 // the longest message that the endpoint accepts, 0 for any
	cancel  context.CancelFunc

	wg sync.WaitGroup // readers of streams, joined by serve

	// resets says that the endpoint notices when a stream is reset. Before it has answered to server-events (or had firstWord for it) it
	// may be ready for SCTP and not for channels: pion is so for a moment, takes a reset for done, and then opens what was reset.
	resets atomic.Bool

	mu      sync.Mutex
	up      *sctp.Association // while it is established
	greeted bool              // server-events has been opened
	ended   bool
	legs    map[uint16]*leg
	low     uint16               // no lower id is free
	resting map[uint16]time.Time // until when these ids are not given away
	inband  map[uint16]int       // readers of streams that the endpoint opened
	refused map[uint16]struct{}  // streams that the endpoint opened and nobody reads
}

// sctpProtocol reports whether an m-line is of the present form (RFC 8841 section 4); the form with sctpmap is older than any
// client of the service.
func sctpProtocol(protocol string) bool {
	return strings.EqualFold(protocol, "UDP/DTLS/SCTP") || strings.EqualFold(protocol, "TCP/DTLS/SCTP")
}

// dataOfferedLocked needs mu. A session has one section for data; a second one is rejected.
func (p *Peer) dataOfferedLocked(s *section, m *sdp.Media) {
	n := &p.negotiation
	if m.Rejected || !sctpProtocol(m.Protocol) || n.data != nil && n.data != s {
		p.rejectLocked(s)
		return
	}
	s.rejected, s.agreed = false, true
	n.data = s
	p.startDataLocked(false, m.MaxMessage)
}

// dataAnsweredLocked needs mu.
func (p *Peer) dataAnsweredLocked(s *section, m *sdp.Media) {
	s.remote, s.agreed = *m, true
	p.startDataLocked(true, m.MaxMessage)
}

// rejectLocked needs mu. It takes a section out of use.
func (p *Peer) rejectLocked(s *section) {
	s.rejected = true
	p.endLocked(s)
	if p.negotiation.data != s {
		return
	}
	p.negotiation.data = nil
	p.pipe.Store(nil)
	if p.data != nil {
		p.data.cancel()
		p.data = nil
	}
}

// offerDataLocked needs mu. It adds the section for data to the SFU's offer.
func (p *Peer) offerDataLocked() {
	n := &p.negotiation
	s := n.add(KindData, nil, sdp.Media{})
	s.protocol = "UDP/DTLS/SCTP"
	n.data = s
	p.pipe.CompareAndSwap(nil, newDataPipe(p.sendData)) // endpoints begin as soon as they have answered
}

// startDataLocked needs mu. own says that the SFU has offered the section.
func (p *Peer) startDataLocked(own bool, longest uint32) {
	if p.data != nil || p.closing || p.state == StateClosed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &dataTransport{
		peer: p, own: own, firstID: 1, longest: longest, cancel: cancel, legs: map[uint16]*leg{},
		resting: map[uint16]time.Time{}, inband: map[uint16]int{}, refused: map[uint16]struct{}{},
	}
	if p.active && !own {
		d.firstID = 2 // an endpoint that is the DTLS server opens its first channel in band on 1 (RFC 8832 section 6)
	}
	p.pipe.CompareAndSwap(nil, newDataPipe(p.sendData))
	p.data = d
	pipe := p.pipe.Load()
	p.wg.Go(func() { d.run(ctx, pipe) })
}

// run is the data transport's goroutine. It lasts as long as the Peer: an association that has ended is followed by another one,
// on which the channels go on. Chromium ends its own when it closes the section of the transport, and begins anew.
func (d *dataTransport) run(ctx context.Context, pipe *dataPipe) {
	defer d.end()
	defer d.cancel()
	for d.connected(ctx) {
		assoc, err := sctp.ClientContext(ctx,
			sctp.WithNetConn(pipe), sctp.WithLoggerFactory(d.peer.sfu.logging), sctp.WithMaxMessageSize(maxOffered),
			sctp.WithMaxReassemblyQueueEntries(maxReassembly), sctp.WithRTOMax(float64(rtoMax.Milliseconds())),
			sctp.WithEnableInterleaving(false)) // browsers have none, and pion bounds nothing there
		began := time.Now()
		if err == nil {
			stop := context.AfterFunc(ctx, func() { _ = pipe.Close() })
			d.serve(assoc)
			stop()
		}
		_ = pipe.Close() // a handshake that failed leaves its association behind
		if ctx.Err() != nil {
			return
		}
		fresh := newDataPipe(d.peer.sendData)
		if !d.peer.pipe.CompareAndSwap(pipe, fresh) {
			return
		}
		pipe = fresh
		d.peer.log.Debug("the sctp association has ended, another one is awaited", "error", err) // usually the endpoint is leaving
		if time.Since(began) < redialPause && !pause(ctx, redialPause) {
			return
		}
	}
}

// pause waits; false where ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connected waits for DTLS; false means that there is nothing to wait for any more.
func (d *dataTransport) connected(ctx context.Context) bool {
	for {
		state, changed := d.peer.State()
		switch {
		case ctx.Err() != nil || state == StateClosed:
			return false
		case state == StateConnected:
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// serve runs an established association until it ends. Streams that no call has allocated were opened by the endpoint.
func (d *dataTransport) serve(assoc *sctp.Association) {
	d.established(assoc)
	for {
		stream, err := assoc.AcceptStream()
		if err != nil {
			break
		}
		d.accept(stream)
	}
	_ = assoc.Close() // ended already: this joins its reader
	d.mu.Lock()
	d.up = nil // no reader is started from here on
	d.mu.Unlock()
	d.wg.Wait()
}

// start runs a reader of one of the present association's streams, which serve joins.
func (d *dataTransport) start(assoc *sctp.Association, read func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.up == assoc {
		d.wg.Go(read)
	}
}

// established opens what was waiting for the association.
func (d *dataTransport) established(assoc *sctp.Association) {
	d.mu.Lock()
	d.up = assoc
	first := !d.greeted
	d.greeted = true
	d.resets.Store(!d.own || !first)
	waiting := make([]*leg, 0, len(d.legs))
	for _, l := range d.legs {
		waiting = append(waiting, l)
	}
	d.mu.Unlock()
	for _, l := range waiting {
		d.open(l, assoc)
	}
	if !d.own {
		return
	}
	stream, err := assoc.OpenStream(0, sctp.PayloadTypeWebRTCDCEP)
	if err != nil { // the association is ending
		return
	}
	if first {
		_, _ = stream.WriteSCTP(openMessage(serverEvents), sctp.PayloadTypeWebRTCDCEP) // as above
	}
	d.start(assoc, func() { serveInband(stream, d.resetClosed) })
}

// resetClosed has the endpoint close what was closed before it could notice.
func (d *dataTransport) resetClosed() {
	d.resets.Store(true)
	d.mu.Lock()
	all := slices.Collect(maps.Values(d.legs))
	d.mu.Unlock()
	for _, l := range all {
		l.resetClosed()
	}
}

// open gives a leg its stream.
func (d *dataTransport) open(l *leg, assoc *sctp.Association) {
	stream, err := assoc.OpenStream(l.id, sctp.PayloadTypeWebRTCBinary)
	if err != nil { // the association is ending: the next one opens the leg
		return
	}
	if l.attach(stream) {
		d.start(assoc, func() { l.read(stream) })
	}
}

// accept serves a stream that the endpoint has opened in band. Its channel stays open, and what comes on it is swallowed: a
// closed one makes native clients give up (contract 4.1).
func (d *dataTransport) accept(stream *sctp.Stream) {
	id := stream.StreamIdentifier()
	d.mu.Lock()
	l, assoc := d.legs[id], d.up
	if l != nil && !l.over() { // data came before the leg was opened, which takes over this very stream
		d.mu.Unlock()
		return
	}
	room := len(d.inband) < maxInband
	first := !room && len(d.refused) == 0
	if room {
		d.inband[id]++
	} else {
		d.refused[id] = struct{}{}
	}
	d.mu.Unlock()
	if room {
		d.start(assoc, func() { d.serveInband(stream, id) })
		return
	}
	if first {
		d.peer.log.Warn("in-band data channels are refused: the endpoint has too many; allocate channels with datachannels/new",
			"id", id, "limit", maxInband)
	}
	_ = stream.Close() // an error means that the association is ending
}

func (d *dataTransport) serveInband(stream *sctp.Stream, id uint16) {
	serveInband(stream, nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inband[id]--; d.inband[id] == 0 {
		delete(d.inband, id)
	}
}

// allocate finds the lowest free id and gives it to a leg (contract 4.2). It fails with ErrNoChannelIDs or ErrClosed.
func (d *dataTransport) allocate(l *leg) error {
	d.mu.Lock()
	if d.ended {
		d.mu.Unlock()
		return ErrClosed
	}
	id, ok := d.freeIDLocked(time.Now())
	if !ok {
		d.mu.Unlock()
		return ErrNoChannelIDs
	}
	l.id = id
	d.legs[l.id] = l
	assoc := d.up
	d.mu.Unlock()
	if assoc != nil {
		d.open(l, assoc)
	}
	return nil
}

// freeIDLocked needs mu. It finds the lowest id that means nothing to the endpoint any more.
func (d *dataTransport) freeIDLocked(now time.Time) (id uint16, ok bool) {
	lowest := true // so far nothing but legs was passed over
	for n := max(d.firstID, d.low); n <= maxChannelID; n++ {
		if _, used := d.legs[n]; used {
			continue
		}
		if lowest {
			d.low, lowest = n, false
		}
		_, refused := d.refused[n]
		if refused || d.inband[n] > 0 || now.Before(d.resting[n]) {
			continue
		}
		delete(d.resting, n)
		return n, true
	}
	return 0, false
}

// release makes an id free again, after a rest: its stream has been reset in both directions, or its association has ended.
func (d *dataTransport) release(l *leg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.legs[l.id] == l {
		delete(d.legs, l.id)
		d.resting[l.id] = time.Now().Add(idRest)
		d.low = min(d.low, l.id)
	}
}

// end ends every leg. It does not wait, and may be called more than once.
func (d *dataTransport) end() {
	d.mu.Lock()
	d.ended, d.up = true, nil
	left := make([]*leg, 0, len(d.legs))
	for _, l := range d.legs {
		left = append(left, l)
	}
	d.mu.Unlock()
	for _, l := range left {
		l.finish()
	}
}

// endData ends the data transport, if there is one.
func (p *Peer) endData() {
	p.mu.Lock()
	d := p.data
	p.mu.Unlock()
	if d != nil {
		d.cancel()
		d.end()
	}
}

// dataTransport is the one in use; ErrNoData where the sides have not agreed on one.
func (p *Peer) dataTransport() (*dataTransport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closing || p.state == StateClosed:
		return nil, ErrClosed
	case p.data == nil:
		return nil, ErrNoData
	}
	return p.data, nil
}

// HasData reports whether the session's SDP has a section for data: one in use, or one in an offer that awaits its answer.
func (p *Peer) HasData() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.negotiation.data != nil
}

// DataAgreed reports whether both sides have agreed on a section for data, so that channels can be allocated.
func (p *Peer) DataAgreed() bool {
	_, err := p.dataTransport()
	return err == nil
}

// InbandID is the id of the first channel that is opened in band: 0 where the SFU has offered the section or the endpoint is
// the DTLS client, 1 where the endpoint is the server (RFC 8832 section 6).
func (p *Peer) InbandID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.data != nil && p.data.firstID == 2 {
		return 1
	}
	return 0
}

// PublishData allocates a channel on which the endpoint publishes. It fails with ErrNoData, ErrNoChannelIDs or ErrClosed.
//
// Messages longer than longest bytes are dropped.
func (p *Peer) PublishData(policy Policy, longest int) (*DataPublication, error) {
	d, err := p.dataTransport()
	if err != nil {
		return nil, err
	}
	pub := newDataPublication(longest)
	pub.leg = newLeg(d, policy, pub.received, pub.legEnded)
	if err := d.allocate(pub.leg); err != nil {
		return nil, fmt.Errorf("publish data: %w", err)
	}
	return pub, nil
}

// SubscribeData allocates a channel on which the endpoint receives what is published on pub. It fails with ErrNoData,
// ErrNoChannelIDs or ErrClosed.
func (p *Peer) SubscribeData(pub *DataPublication, policy Policy, options SubscribeData) (*DataSubscription, error) {
	d, err := p.dataTransport()
	if err != nil {
		return nil, err
	}
	sub := newDataSubscription(pub, options)
	sub.leg = newLeg(d, policy, sub.received, sub.legEnded)
	if err := d.allocate(sub.leg); err != nil {
		return nil, fmt.Errorf("subscribe to data: %w", err)
	}
	pub.add(sub)
	if options.CanReply {
		sub.SetReply(true)
	}
	return sub, nil
}
