package sfu

import (
	"net/netip"
	"time"

	"github.com/pion/stun/v4"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

const (
	attrControlled  stun.AttrType = 0x8029 // RFC 8445 section 16.1
	attrControlling stun.AttrType = 0x802a

	// checkInterval paces the checks of a full agent until one succeeds, keepInterval from then on (RFC 7675 section 5.1).
	checkInterval = 200 * time.Millisecond
	keepInterval  = 2500 * time.Millisecond
	// maxChecks bounds the checks in flight of the whole SFU; the oldest round gives way.
	maxChecks = 4096
	// checkPriority is what our side of a pair has as a peer-reflexive candidate (RFC 8445 section 7.1.1).
	checkPriority = 110<<24 + 65535<<8 + 255
)

// iceAgent is what a Peer needs to send checks: a full one because its endpoint is ICE-lite (contract 1.1, thirdparty), a
// lite one only when it is asked to (Peer.Ask). Guarded by Peer.mu.
type iceAgent struct {
	controlling bool
	ufrag, pwd  string // the endpoint's
	username    string // of the checks of one round
	candidates  []netip.AddrPort
	tieBreaker  uint64
	lastRound   time.Time
}

// check is one that awaits its answer.
type check struct {
	peer *Peer
	pwd  string
}

// NewFullPeer is NewPeer for an endpoint that may be ICE-lite: the Peer sends connectivity checks to the candidates of the
// endpoint's SDP, and nominates.
func (s *SFU) NewFullPeer(labels ...any) (*Peer, error) {
	p := newPeer(s)
	p.log = s.log.With(labels...)
	p.full = true
	return p, s.admit(p)
}

// learnICELocked needs mu.
func (p *Peer) learnICELocked(d *sdp.Description, tag *sdp.Media, isOffer bool) {
	a := &p.agent
	a.ufrag, a.pwd = tag.Ufrag, tag.Pwd
	if !p.full {
		return
	}
	a.controlling = d.Lite || !isOffer // RFC 8445 section 6.1.1
	a.candidates = nil
	for i := range d.Media {
		if !d.Media[i].Rejected {
			a.candidates = append(a.candidates, d.Media[i].Candidates...)
		}
	}
}

// Ask sends the endpoint one connectivity check over the path in use, and does not wait for the answer: LastSeen tells of it.
// A lite agent need never do so; it is how one learns within a round trip what an endpoint that has nothing to send would
// show with its own next check, seconds later (RFC 7675 section 5.1). Every full agent answers (RFC 8445 section 7.3).
func (p *Peer) Ask() {
	p.mu.Lock()
	at, ok := p.inUseLocked()
	a := p.agent
	a.username = a.ufrag + ":" + p.ufrag
	p.mu.Unlock()
	if !ok || a.pwd == "" {
		return
	}
	if m := p.sfu.newCheck(p, &a); m != nil {
		at.send(m.Raw)
	}
}

// inUseLocked needs mu. It is where the endpoint is reached at present.
func (p *Peer) inUseLocked() (path, bool) {
	if a := p.current.Load(); a != nil {
		return *a.path.Load(), true
	}
	if p.nominated != nil {
		return p.nominated.path, true
	}
	return path{}, false
}

// tickChecks sends the checks that are due.
func (p *Peer) tickChecks(now time.Time) {
	p.mu.Lock()
	a := p.agent
	interval := checkInterval
	if p.nominated != nil {
		interval = keepInterval
	}
	if a.pwd == "" || p.closing || now.Sub(a.lastRound) < interval {
		p.mu.Unlock()
		return
	}
	p.agent.lastRound = now
	a.username = a.ufrag + ":" + p.ufrag
	p.mu.Unlock()
	for _, to := range a.candidates {
		for _, sock := range p.sfu.sockets {
			from := sock.Addr().Addr()
			if from.Is4() != to.Addr().Is4() || from.IsLoopback() != to.Addr().IsLoopback() {
				continue
			}
			if m := p.sfu.newCheck(p, &a); m != nil {
				path{sock: sock, addr: to}.send(m.Raw)
			}
		}
	}
}

// newCheck makes a connectivity check (RFC 8445 section 7.2.2) and remembers it.
func (s *SFU) newCheck(p *Peer, a *iceAgent) *stun.Message {
	setters := []stun.Setter{
		stun.TransactionID, stun.BindingRequest,
		stun.NewUsername(a.username),
		uintAttr{attrPriority, checkPriority, 4},
	}
	if a.controlling {
		setters = append(setters, uintAttr{attrControlling, a.tieBreaker, 8}, uintAttr{attrUseCandidate, 0, 0})
	} else {
		setters = append(setters, uintAttr{attrControlled, a.tieBreaker, 8})
	}
	setters = append(setters, stun.NewShortTermIntegrity(a.pwd), stun.Fingerprint)
	m, err := stun.Build(setters...)
	if err != nil {
		return nil // an endpoint's password that no STUN message can carry
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.checks) >= maxChecks {
		clear(s.checks)
	}
	s.checks[m.TransactionID] = check{p, a.pwd}
	return m
}

// uintAttr is an attribute with a big-endian number of size bytes.
type uintAttr struct {
	attr  stun.AttrType
	value uint64
	size  int
}

// AddTo implements stun.Setter.
func (u uintAttr) AddTo(m *stun.Message) error {
	b := make([]byte, u.size)
	for i := range b {
		b[i] = byte(u.value >> (8 * (u.size - 1 - i)))
	}
	m.Add(u.attr, b)
	return nil
}

// checkAnswered takes the endpoint's answer to one of our checks.
func (s *SFU) checkAnswered(m *stun.Message, from path) {
	s.mu.Lock()
	c, ok := s.checks[m.TransactionID]
	delete(s.checks, m.TransactionID)
	s.mu.Unlock()
	if !ok || stun.NewShortTermIntegrity(c.pwd).Check(m) != nil {
		return
	}
	if !c.peer.full { // the path is known, and the endpoint nominates
		c.peer.lastSeen.Store(time.Now().UnixNano())
		return
	}
	c.peer.mu.Lock()
	nominate := c.peer.agent.controlling
	c.peer.mu.Unlock()
	c.peer.checked(from, checkPriority, nominate)
}
