package sfu

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/callsemu/callsemu/sfu/internal/sdp"
)

// Description is an endpoint's parsed SDP.
type Description struct{ sdp *sdp.Description }

// Media is what planning needs of one m-line of a Description.
type Media struct {
	Mid      string
	Kind     Kind
	Sends    bool // the endpoint sends on it
	Receives bool // the endpoint receives on it
	Rejected bool // port 0, and not for the sake of bundle-only
}

// ParseDescription reads an endpoint's SDP; it fails with ErrSDPSyntax, ErrSDPLineEnd or ErrSDPNoUfrag.
func ParseDescription(text string) (*Description, error) {
	d, err := sdp.Parse(text)
	if err != nil {
		return nil, err
	}
	return &Description{d}, nil
}

// Media lists the m-lines in their order.
func (d *Description) Media() []Media {
	out := make([]Media, len(d.sdp.Media))
	for i := range d.sdp.Media {
		m := &d.sdp.Media[i]
		out[i] = Media{Mid: m.Mid, Kind: Kind(m.Kind), Sends: m.Sends, Receives: m.Receives, Rejected: m.Rejected}
	}
	return out
}

// AnswerPlan says what an endpoint's offer is meant to change.
type AnswerPlan struct {
	Publish []string // mids whose incoming media becomes a Publication
	Close   []string // mids to stop in both directions
}

// Negotiated is what came of an Answer or Offer.
type Negotiated struct {
	SDP           string
	Publications  map[string]*Publication // Answer: those newly made, by mid
	Subscriptions []*Subscription         // Offer: one per pull, in order
}

// negotiation is the offer/answer state of a Peer (RFC 8829), guarded by Peer.mu.
type negotiation struct {
	sections []*section
	numbers  numbers
	tag      string // the mid that carries the BUNDLE transport
	version  uint64
	offering bool            // an offer of the SFU awaits its answer
	pulls    []*Subscription // those that the offer brought
}

func newNegotiation() negotiation {
	return negotiation{numbers: newNumbers(), version: uint64(time.Now().Unix())}
}

// section is one m-line for the life of a session.
type section struct {
	mid      string
	kind     Kind
	protocol string
	rejected bool // port 0: only a new section with another mid may take its place
	stopped  bool // closed by force: the endpoint does not know, and nothing flows (contract 1.6)
	remote   sdp.Media

	codecs     []sdp.Codec
	extensions []sdp.Extension

	publication  atomic.Pointer[Publication]
	subscription *Subscription
}

// publish makes a Publication of what the endpoint sends, in place of any before. After a forced close the service accepts
// the mid again, and nothing comes of it (contract 1.3).
func (s *section) publish(p *Peer) *Publication {
	pub := newPublication(p, s)
	pub.dead = s.stopped
	if old := s.publication.Swap(pub); old != nil {
		old.close()
	}
	return pub
}

// end closes what flows on a section.
func (s *section) end() {
	if pub := s.publication.Swap(nil); pub != nil {
		pub.close()
	}
	if s.subscription != nil {
		s.subscription.close()
		s.subscription = nil
	}
}

// OfferPending reports whether an offer of the SFU awaits its answer.
func (p *Peer) OfferPending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.negotiation.offering
}

// Answer applies an endpoint's offer and returns the answer. It changes nothing when it fails, with ErrOfferPending,
// ErrSDPMismatch or ErrClosed. A mid of plan.Publish on which the endpoint does not send a known codec gets no
// Publication.
func (p *Peer) Answer(offer *Description, plan AnswerPlan) (Negotiated, error) {
	out, begun, err := p.answer(offer, plan)
	begin(begun)
	return out, err
}

func (p *Peer) answer(offer *Description, plan AnswerPlan) (Negotiated, []*Subscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	switch {
	case p.closing || p.state == StateClosed:
		return Negotiated{}, nil, ErrClosed
	case n.offering:
		return Negotiated{}, nil, ErrOfferPending
	}
	if err := n.fits(offer.sdp); err != nil {
		return Negotiated{}, nil, err
	}
	n.numbers.learn(offer.sdp)
	out := Negotiated{Publications: map[string]*Publication{}}
	var begun []*Subscription
	for i := range offer.sdp.Media {
		m := &offer.sdp.Media[i]
		s := n.section(i, m)
		if s.offered(m) {
			begun = append(begun, s.subscription)
		}
		if slices.Contains(plan.Close, m.Mid) {
			s.end()
			s.stopped = false // both sides know now: the mid may carry a new track
		}
		if slices.Contains(plan.Publish, m.Mid) && s.receives() {
			out.Publications[m.Mid] = s.publish(p)
		}
	}
	p.remoteLocked(offer.sdp)
	if tag := offer.sdp.Tag(); n.tag != "" && tag != n.tag && p.current.Load() != nil {
		p.restartUntil = time.Now().Add(restartGrace)
	}
	answer := p.describeLocked(plan.Close)
	answer.Bundle = intersect(offer.sdp.Bundle, answer.Live())
	n.tag = answer.Tag()
	out.SDP = p.textLocked(answer)
	return out, begun, nil
}

// fits checks that an offer continues the m-lines of the session.
func (n *negotiation) fits(offer *sdp.Description) error {
	if len(offer.Media) < len(n.sections) {
		return fmt.Errorf("%w: %d m-lines, the session has %d", ErrSDPMismatch, len(offer.Media), len(n.sections))
	}
	for i, s := range n.sections {
		m := &offer.Media[i]
		if s.rejected && m.Mid != s.mid {
			continue
		}
		if m.Mid != s.mid || Kind(m.Kind) != s.kind {
			return fmt.Errorf("%w: m-line %d is %s with mid %q, the session has %s with mid %q", ErrSDPMismatch, i, m.Kind, m.Mid, s.kind, s.mid)
		}
	}
	return nil
}

// section finds or makes the section of the i-th m-line. A rejected one is replaced when the endpoint uses its place anew.
func (n *negotiation) section(i int, m *sdp.Media) *section {
	if i < len(n.sections) {
		if s := n.sections[i]; s.mid == m.Mid {
			return s
		}
	}
	s := &section{mid: m.Mid, kind: Kind(m.Kind), protocol: m.Protocol}
	if i < len(n.sections) {
		n.sections[i] = s
	} else {
		n.sections = append(n.sections, s)
	}
	return s
}

// offered takes over what the endpoint's offer says of a section. It is true when its subscription begins to flow.
func (s *section) offered(m *sdp.Media) bool {
	s.remote = *m
	if m.Rejected || s.kind != KindAudio && s.kind != KindVideo {
		s.rejected = true
		s.end()
		return false
	}
	s.rejected = false
	if m.Sends {
		s.codecs = accepted(s.kind, m.Codecs)
		s.extensions = sharedExtensions(m.Extensions, pushExtensions(s.kind))
	} else {
		s.codecs = receivable(s.kind, m.Codecs)
		s.extensions = sharedExtensions(m.Extensions, pullExtensions(s.kind))
	}
	if len(s.codecs) == 0 {
		s.rejected = true
		s.end()
		return false
	}
	return s.subscription != nil && s.subscription.bind(s, m.Receives)
}

// receives reports whether the endpoint sends media that the SFU understands.
func (s *section) receives() bool { return !s.rejected && s.remote.Sends }

// remoteLocked needs mu. It takes over what the endpoint's SDP says of the transport.
func (p *Peer) remoteLocked(d *sdp.Description) {
	for i := range d.Media {
		m := &d.Media[i]
		if m.Rejected {
			continue
		}
		if p.fingerprint == "" {
			p.active = m.Setup == "passive" // fixed for the session's life (contract 3.1)
		}
		p.fingerprint = m.Fingerprint
		break
	}
	select {
	case <-p.fingerprinted:
	default:
		if p.fingerprint != "" {
			close(p.fingerprinted)
		}
	}
	p.learnExtensionsLocked()
	if p.state == StateNew {
		p.setStateLocked(StateNegotiating)
	}
	if p.active && p.nominated != nil && p.pending == nil && p.current.Load() == nil {
		p.associateLocked(true, p.nominated.path)
	}
}

// Offer adds one section per Publication that the endpoint is to receive, and returns the SFU's offer of the whole
// session. It fails with ErrOfferPending or ErrClosed.
func (p *Peer) Offer(pulls []*Publication) (Negotiated, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	switch {
	case p.closing || p.state == StateClosed:
		return Negotiated{}, ErrClosed
	case n.offering:
		return Negotiated{}, ErrOfferPending
	}
	n.pulls = nil
	for _, pub := range pulls {
		s := &section{
			mid:        strconv.Itoa(n.nextMid()),
			kind:       pub.kind,
			protocol:   "UDP/TLS/RTP/SAVPF",
			extensions: n.numbers.assignExtensions(pullExtensions(pub.kind)),
			remote:     sdp.Media{Receives: true}, // until its answer says otherwise
		}
		s.codecs = n.pullCodecs(pub)
		s.subscription = newSubscription(p, pub, s)
		n.pulls = append(n.pulls, s.subscription)
		n.sections = append(n.sections, s)
	}
	n.offering = true
	if p.state == StateNew {
		p.setStateLocked(StateNegotiating)
	}
	offer := p.describeLocked(nil)
	for i := range offer.Media {
		offer.Media[i].Setup = "actpass"
	}
	offer.Bundle = offer.Live()
	n.tag = offer.Tag()
	return Negotiated{SDP: p.textLocked(offer), Subscriptions: n.pulls}, nil
}

// nextMid counts from 0, one above the highest number in use, the endpoint's own included (contract 2.2).
func (n *negotiation) nextMid() int {
	next := 0
	for _, s := range n.sections {
		if i, err := strconv.Atoi(s.mid); err == nil && i >= next {
			next = i + 1
		}
	}
	return next
}

// pullCodecs lists what is offered for a pull, the published codec first.
func (n *negotiation) pullCodecs(pub *Publication) []sdp.Codec {
	published := pub.codecName()
	list := offered(pub.kind)
	slices.SortStableFunc(list, func(a, b sdp.Codec) int {
		switch {
		case a.Is(published) && !b.Is(published):
			return -1
		case b.Is(published) && !a.Is(published):
			return 1
		}
		return 0
	})
	var out []sdp.Codec
	for _, c := range list {
		c = n.numbers.assign(c)
		if c.PT == 0 && !c.Is("PCMU") {
			continue // all 128 numbers have a meaning already
		}
		if pub.kind == KindVideo {
			c.Feedback = []string{fbREMB, fbNACK, fbPLI, fbFIR}
		} else {
			c.Feedback = []string{fbREMB}
		}
		out = append(out, c)
	}
	return out
}

// AcceptAnswer applies the endpoint's answer to the SFU's offer. It changes nothing when it fails, with
// ErrNoOfferPending, ErrSDPMismatch, ErrCodecMissing or ErrClosed; the offer still awaits its answer then.
func (p *Peer) AcceptAnswer(answer *Description) error {
	begun, err := p.acceptAnswer(answer)
	begin(begun)
	return err
}

func (p *Peer) acceptAnswer(answer *Description) ([]*Subscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	switch {
	case p.closing || p.state == StateClosed:
		return nil, ErrClosed
	case !n.offering:
		return nil, ErrNoOfferPending
	case len(answer.sdp.Media) != len(n.sections):
		return nil, fmt.Errorf("%w: %d m-lines, the offer has %d", ErrSDPMismatch, len(answer.sdp.Media), len(n.sections))
	}
	if err := n.fits(answer.sdp); err != nil {
		return nil, err
	}
	for i, s := range n.sections {
		if s.subscription == nil || !slices.Contains(n.pulls, s.subscription) {
			continue
		}
		if name := s.subscription.publication.codecName(); !has(answer.sdp.Media[i].Codecs, name) {
			return nil, fmt.Errorf("%w: %s on mid %s", ErrCodecMissing, name, s.mid)
		}
	}
	var begun []*Subscription
	for i, s := range n.sections {
		if s.answered(&answer.sdp.Media[i]) {
			begun = append(begun, s.subscription)
		}
	}
	n.offering, n.pulls = false, nil
	p.remoteLocked(answer.sdp)
	return begun, nil
}

// answered takes over what the endpoint's answer says of a section. It is true when its subscription begins to
// flow.
func (s *section) answered(m *sdp.Media) bool {
	if s.rejected {
		return false
	}
	if m.Rejected {
		s.remote, s.rejected = *m, true
		s.end()
		return false
	}
	if s.subscription == nil { // unchanged: the offer did not touch it
		return false
	}
	s.remote = *m
	s.codecs = receivable(s.kind, m.Codecs)
	s.extensions = sharedExtensions(m.Extensions, pullExtensions(s.kind))
	return s.subscription.bind(s, m.Receives)
}

// CloseMids closes what flows on the sections of these mids without an exchange of SDP (contract 1.6, force).
func (p *Peer) CloseMids(mids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.negotiation.sections {
		if slices.Contains(mids, s.mid) {
			s.stopped = true
			s.end()
		}
	}
}

// endTracks closes what flows on all sections.
func (p *Peer) endTracks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.negotiation.sections {
		s.end()
	}
}

// describeLocked needs mu. It is the SFU's side of every section; those in closed are inactive.
func (p *Peer) describeLocked(closed []string) *sdp.Description {
	d := &sdp.Description{}
	for _, s := range p.negotiation.sections {
		m := sdp.Media{
			Kind:         string(s.kind),
			Protocol:     s.protocol,
			Mid:          s.mid,
			Rejected:     s.rejected,
			Ufrag:        p.ufrag,
			Pwd:          p.pwd,
			Setup:        p.setupLocked(),
			Codecs:       s.codecs,
			Extensions:   s.extensions,
			Receives:     s.receives() && !s.stopped && !slices.Contains(closed, s.mid),
			RIDsReceived: true,
		}
		if m.Receives {
			m.RIDs = s.remote.RIDs
		}
		if sub := s.subscription; sub != nil && !s.rejected {
			m.Sends = s.remote.Receives
			m.CName, m.MSID = sub.streamID, sub.streamID+" "+sub.trackID
			m.Sources = []sdp.Source{{SSRC: sub.ssrc, RTX: sub.rtxIfAgreed(s.codecs)}}
		}
		d.Media = append(d.Media, m)
	}
	return d
}

// setupLocked needs mu: the DTLS role in answers (RFC 8842 section 5.2).
func (p *Peer) setupLocked() string {
	if p.active {
		return "active"
	}
	return "passive"
}

// textLocked needs mu.
func (p *Peer) textLocked(d *sdp.Description) string {
	p.negotiation.version++
	var candidates []string
	for _, c := range p.sfu.Candidates() {
		candidates = append(candidates, c.String())
	}
	return d.Text(sdp.Session{ID: p.sessionID, Version: p.negotiation.version, Fingerprint: p.sfu.fingerprint, Candidates: candidates})
}

func intersect(a, b []string) []string {
	var out []string
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
