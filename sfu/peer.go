package sfu

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// State is how far a Peer's transport is.
type State int

// The states of a transport (contract 2.1).
const (
	StateNew         State = iota // no SDP yet
	StateNegotiating              // the first SDP has been exchanged or offered
	StateConnected                // ICE and DTLS are up
	StateLost                     // was connected, and nothing arrives
	StateClosed                   // for good
)

// String names the state as logs do.
func (s State) String() string {
	return [...]string{"new", "negotiating", "connected", "lost", "closed"}[s]
}

const (
	// maxPaths bounds the addresses that one endpoint may hold; a browser with two interfaces, IPv6 and TCP uses under ten.
	maxPaths = 32
	// restartGrace is how long an endpoint may take to bring up the new transport that it needs after closing the section
	// of the old one.
	restartGrace = 10 * time.Second
	// helloInterval paces the DTLS connections that one endpoint may begin; an endpoint repeats its ClientHello after it.
	helloInterval = time.Second
	// nominationGrace is how long a path keeps the media after the endpoint has stopped checking it.
	nominationGrace = 3 * time.Second
)

// Peer is one session's transport, its m-lines and what flows over them. Answer, Offer, AcceptAnswer and CloseMids are
// called one at a time; everything else at any time.
type Peer struct {
	// Fixed after newPeer.
	sfu       *SFU
	log       *slog.Logger
	full      bool   // sends checks of its own accord: see iceAgent
	alone     bool   // has no endpoint: see Source
	ssrc      uint32 // our own, in RTCP
	sessionID uint64 // o= line
	done      chan struct{}

	wg sync.WaitGroup // associations

	current  atomic.Pointer[association] // established; nil before the first and between two
	streams  atomic.Pointer[map[uint32]*stream]
	ids      atomic.Pointer[extensionIDs]
	lastSeen atomic.Int64 // unix nanoseconds of the last authenticated packet

	estimated     atomic.Uint64 // the endpoint's REMB, bits a second; 0 before the first
	fixedEstimate atomic.Uint64 // replaces it, 0 for none
	videos        atomic.Int64  // video tracks that are being sent

	inbound inbound
	pipe    atomic.Pointer[dataPipe] // where SCTP's packets go; nil before a section for data

	// outMu keeps the order of what is sent to this endpoint: it guards the sealing half of its associations and the
	// numbering of its Subscriptions. It is the one lock of the packet path on the way out.
	outMu sync.Mutex

	mu            sync.Mutex
	state         State
	changed       chan struct{} // closed at the next change of state
	connected     time.Time     // when state became StateConnected last
	closing       bool
	pending       *association
	paths         map[path]*candidatePair
	nominated     *candidatePair
	begun         time.Time // when the newest DTLS connection began
	restartUntil  time.Time // a new DTLS connection is expected until then
	fingerprint   string    // the endpoint's
	fingerprinted chan struct{}
	active        bool // the SFU is the DTLS client, as the endpoint's first SDP decided
	negotiation   negotiation
	data          *dataTransport // nil before both sides have agreed on a section for it
	ages          int            // of streams
	agent         iceAgent
	ufrag, pwd    string // ours, of the present ICE generation
	remoteUfrag   string // the endpoint's
}

// candidatePair is a path on which the endpoint has passed a connectivity check.
type candidatePair struct {
	path      path
	priority  uint32
	seen      time.Time // the last check
	nominated time.Time // the last check with USE-CANDIDATE
}

func newPeer(s *SFU) *Peer {
	p := &Peer{
		sfu:           s,
		log:           s.log,
		ufrag:         randomLetters(16),
		pwd:           randomLetters(32),
		ssrc:          randomUint32(),
		sessionID:     randomUint64() >> 2, // positive in every endpoint's integer type
		done:          make(chan struct{}),
		changed:       make(chan struct{}),
		paths:         map[path]*candidatePair{},
		fingerprinted: make(chan struct{}),
		negotiation:   newNegotiation(),
	}
	p.agent.tieBreaker = randomUint64()
	p.streams.Store(&map[uint32]*stream{})
	p.ids.Store(&extensionIDs{})
	return p
}

// State is the transport's state, with a channel that is closed when it changes next.
func (p *Peer) State() (State, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, p.changed
}

// Done is closed when the transport has ended for good: the endpoint closed it, or Close was called.
func (p *Peer) Done() <-chan struct{} { return p.done }

// setStateLocked needs mu.
func (p *Peer) setStateLocked(s State) {
	if p.state == s || p.state == StateClosed {
		return
	}
	p.state = s
	if s == StateConnected {
		p.connected = time.Now()
	}
	close(p.changed)
	p.changed = make(chan struct{})
	if s == StateClosed {
		close(p.done)
	}
}

// Close ends the transport with a close_notify, ends all tracks and joins the Peer's goroutines. It may be called more
// than once, also after the endpoint has gone.
func (p *Peer) Close() error {
	p.mu.Lock()
	p.closing = true
	current, pending := p.current.Load(), p.pending
	p.setStateLocked(StateClosed)
	p.mu.Unlock()

	p.sfu.forget(p)
	p.endTracks()
	p.endData()
	if current != nil {
		// Sends the close_notify, and ends the read loop. An error means that the connection was closed already.
		_ = current.conn.Close()
		current.close()
	}
	if pending != nil {
		pending.close()
	}
	p.wg.Wait()
	return nil
}

// checked notes an authenticated connectivity check; false refuses it.
func (p *Peer) checked(from path, priority uint32, nominate bool) bool {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing || p.state == StateNew || p.state == StateClosed {
		return !p.closing && p.state == StateNew // a self-test checks a Peer without SDP, and gets no route
	}
	pair := p.paths[from]
	if pair == nil {
		if len(p.paths) >= maxPaths {
			p.dropOldestLocked()
		}
		pair = &candidatePair{path: from}
		p.paths[from] = pair
		p.sfu.route(from, p)
	}
	pair.priority, pair.seen = priority, now
	p.lastSeen.Store(now.UnixNano())
	if nominate {
		pair.nominated = now
		p.nominateLocked(pair, now)
	}
	return true
}

// dropOldestLocked needs mu. It makes room for a path: an endpoint that roams, or restarts its transport, leaves old ones
// behind.
func (p *Peer) dropOldestLocked() {
	var oldest *candidatePair
	for _, pair := range p.paths {
		if pair != p.nominated && (oldest == nil || pair.seen.Before(oldest.seen)) {
			oldest = pair
		}
	}
	delete(p.paths, oldest.path)
	p.sfu.unroute(oldest.path, p)
}

func (s *SFU) unroute(at path, p *Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.routes[at] == p {
		delete(s.routes, at)
	}
}

func (s *SFU) route(from path, p *Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, alive := s.peers[p]; alive {
		s.routes[from] = p
	}
}

// nominateLocked needs mu. An endpoint that nominates several pairs (aggressive nomination) means the one of the highest
// priority; one that has left a pair for another stops checking the old one.
func (p *Peer) nominateLocked(pair *candidatePair, now time.Time) {
	old := p.nominated
	if old != nil && old != pair && pair.priority < old.priority && now.Sub(old.nominated) < nominationGrace {
		return
	}
	p.nominated = pair
	a := p.current.Load()
	switch {
	case a != nil && now.After(p.restartUntil):
		p.moveLocked(a, pair.path)
	case a == nil && p.pending == nil && p.active:
		p.associateLocked(true, pair.path)
	}
}

// moveLocked needs mu. It lets an association's packets leave on another path.
func (p *Peer) moveLocked(a *association, to path) {
	if *a.path.Load() != to {
		a.path.Store(&to)
	}
}

// pathGone: a TCP connection has ended.
func (p *Peer) pathGone(at path) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pair := p.paths[at]; pair != nil {
		delete(p.paths, at)
		if p.nominated == pair {
			p.nominated = nil
		}
	}
}

// isClientHello finds the client random of a ClientHello in the clear: epoch 0, content type handshake, message type 1,
// not a later fragment (RFC 6347 section 4.2.2, RFC 5246 section 7.4.1.2).
func isClientHello(b []byte) (random [32]byte, ok bool) {
	const record, handshake = 13, 12
	if len(b) < record+handshake+2+32 || b[0] != 22 || binary.BigEndian.Uint16(b[3:]) != 0 || b[record] != 1 {
		return random, false
	}
	if b[record+6]|b[record+7]|b[record+8] != 0 {
		return random, false
	}
	return [32]byte(b[record+handshake+2:]), true
}

// receiveDTLS gives a record to the association that it belongs to. A ClientHello with a new random is a new connection:
// the endpoint's first, or the one that Chromium makes when the section of its BUNDLE transport was closed.
func (p *Peer) receiveDTLS(b []byte, from path) {
	p.lastSeen.Store(time.Now().UnixNano())
	random, hello := isClientHello(b)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing || p.state == StateClosed {
		return
	}
	current := p.current.Load()
	fresh := hello && !p.active && (p.pending == nil || p.pending.random != random) && (current == nil || current.random != random)
	if now := time.Now(); fresh && now.Sub(p.begun) >= helloInterval {
		p.begun = now
		if p.pending != nil {
			p.pending.close()
			p.pending = nil
		}
		p.associateLocked(false, from)
		if p.pending != nil {
			p.pending.random = random
		}
	}
	switch {
	case p.pending != nil && (hello || current == nil || *p.pending.path.Load() == from):
		p.moveLocked(p.pending, from)
		p.pending.push(b)
	case current != nil:
		current.push(b)
	}
}

// associateLocked needs mu. It starts a DTLS connection.
func (p *Peer) associateLocked(client bool, at path) {
	if p.closing {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := newAssociation(p, client, at, cancel)
	p.pending = a
	p.wg.Go(func() { p.ended(a, a.run(ctx)) })
}

// install makes an established association the one that carries media.
func (p *Peer) install(a *association) error {
	p.mu.Lock()
	if p.pending != a || p.closing {
		p.mu.Unlock()
		return errors.Join(ErrClosed, a.conn.Close())
	}
	old := p.current.Load()
	p.current.Store(a)
	p.pending = nil
	p.restartUntil = time.Time{}
	p.lastSeen.Store(time.Now().UnixNano())
	p.setStateLocked(StateConnected)
	p.mu.Unlock()
	if old != nil {
		_ = old.conn.Close() // its endpoint is gone or going: nothing depends on it
		old.close()
	}
	p.restartSubscriptions()
	return nil
}

// ended is the last thing that an association's goroutine does.
func (p *Peer) ended(a *association, err error) {
	a.close()
	if a.conn != nil {
		_ = a.conn.Close()
	}
	p.mu.Lock()
	switch {
	case p.pending == a:
		p.pending = nil
		closing := p.closing
		// Of a handshake that has just succeeded pion says so, or reports the close_notify that came behind it.
		gone := !closing && p.current.Load() == nil && isCloseNotify(err)
		if gone {
			p.setStateLocked(StateClosed)
		}
		p.mu.Unlock()
		switch {
		case gone:
			p.endTracks()
			p.endData()
		case !closing:
			p.log.Info("dtls handshake failed: the endpoint must connect again", "error", err)
		}
	case p.current.Load() != a || p.closing:
		p.mu.Unlock()
	case time.Now().Before(p.restartUntil):
		p.current.Store(nil)
		p.setStateLocked(StateLost)
		p.mu.Unlock()
	default: // close_notify: the endpoint has closed its PeerConnection (contract 2.3)
		p.current.Store(nil)
		p.setStateLocked(StateClosed)
		p.mu.Unlock()
		p.endTracks()
		p.endData()
	}
}

// remoteFingerprint waits for the SDP that carries it.
func (p *Peer) remoteFingerprint(ctx context.Context) (string, error) {
	select {
	case <-p.fingerprinted:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fingerprint, nil
}

// tick repeats what has to be repeated.
func (p *Peer) tick(now time.Time) {
	p.mu.Lock()
	a := p.current.Load()
	silent := now.UnixNano()-p.lastSeen.Load() > int64(p.sfu.cfg.LostAfter)
	switch {
	case a == nil:
	case p.state == StateConnected && silent:
		p.setStateLocked(StateLost)
	case p.state == StateLost && !silent:
		p.setStateLocked(StateConnected)
	}
	if a != nil && p.nominated != nil && now.After(p.restartUntil) {
		p.moveLocked(a, p.nominated.path)
	}
	p.mu.Unlock()
	if p.full {
		p.tickChecks(now)
	}
	if a != nil {
		p.tickInbound(a, now)
		p.stepSubscriptions(now)
	}
}

func randomUint32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails
	return binary.BigEndian.Uint32(b[:])
}

func randomUint64() uint64 { return uint64(randomUint32())<<32 | uint64(randomUint32()) }

// randomLetters is the form in which pion, and so the real service, writes its ids and ICE credentials.
func randomLetters(n int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)] // 52 does not divide 256: the bias costs a fraction of a bit
	}
	return string(b)
}
