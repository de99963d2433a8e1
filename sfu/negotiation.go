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
	Rejected bool // port 0, and not for the sake of bundle-only; or a form of data section that is not supported

	Unsupported bool // audio or video of which the SFU forwards no codec
}

// ParseDescription reads an endpoint's SDP; it fails with ErrSDPSyntax, ErrSDPLineEnd or ErrSDPNoUfrag. An SDP without a
// fingerprint that can be checked is as bad as none: it could never connect.
func ParseDescription(text string) (*Description, error) {
	d, err := sdp.Parse(text)
	if err != nil {
		return nil, err
	}
	for i := range d.Media {
		if m := &d.Media[i]; !m.Rejected && !checkable(m.Fingerprint) {
			return nil, fmt.Errorf("%w: mid %q has no fingerprint with sha-256, sha-384 or sha-512", ErrSDPSyntax, m.Mid)
		}
	}
	return &Description{d}, nil
}

// Media lists the m-lines in their order.
func (d *Description) Media() []Media {
	out := make([]Media, len(d.sdp.Media))
	for i := range d.sdp.Media {
		m := &d.sdp.Media[i]
		unusable := m.Rejected || Kind(m.Kind) == KindData && !sctpProtocol(m.Protocol)
		out[i] = Media{Mid: m.Mid, Kind: Kind(m.Kind), Sends: m.Sends, Receives: m.Receives, Rejected: unusable}
		if kind := out[i].Kind; kind == KindAudio || kind == KindVideo {
			out[i].Unsupported = !slices.ContainsFunc(m.Codecs, func(c sdp.Codec) bool { return supported(kind, c) })
		}
	}
	return out
}

// Pull is one track that the endpoint is to receive.
type Pull struct {
	Publication *Publication
	Selection   Selection
	Mid         string // AnswerPlan only: the endpoint's section
}

// Push is one track that the endpoint is to send on a section of the SFU's offer.
type Push struct {
	Kind          Kind
	Bidirectional bool // the section sends as well, from whatever PullInto names
}

// AnswerPlan says what an endpoint's offer is meant to change.
type AnswerPlan struct {
	Publish       []string // mids whose incoming media becomes a Publication
	Bidirectional []string // mids that the SFU sends on as well, from whatever PullInto names
	Pulls         []Pull
	Close         []string // mids to stop in both directions
}

// OfferPlan says what an offer of the SFU brings: one section for each.
type OfferPlan struct {
	Pulls  []Pull
	Pushes []Push
	Data   bool // a section for data channels, with server-events opened in band on it (contract 1.9)
}

// Negotiated is what came of an Answer or Offer.
type Negotiated struct {
	SDP           string
	Publications  map[string]*Publication // Answer: those newly made, by mid
	Subscriptions []*Subscription         // one per pull, in order
	Pushes        []*Publication          // Offer: one per push, in order
}

// negotiation is the offer/answer state of a Peer (RFC 8829), guarded by Peer.mu.
type negotiation struct {
	sections []*section
	numbers  numbers
	data     *section // the one for data channels, nil for none
	tag      string   // the mid that carries the BUNDLE transport
	version  uint64
	offering bool              // an offer of the SFU awaits its answer
	pulls    []*Subscription   // those that the offer brought
	codecs   map[Kind][]string // what the endpoint's first answer accepted: nothing else is offered later (contract 3.2)
}

func newNegotiation() negotiation {
	return negotiation{numbers: newNumbers(), version: uint64(time.Now().Unix()), codecs: map[Kind][]string{}}
}

// section is one m-line for the life of a session.
type section struct {
	mid      string
	kind     Kind
	protocol string
	rejected bool // port 0: only a new section with another mid may take its place
	stopped  bool // closed by force: the endpoint does not know, and nothing flows (contract 1.6)
	agreed   bool // data only: both sides have it
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

// endLocked needs mu. It closes what flows on a section.
func (p *Peer) endLocked(s *section) {
	if pub := s.publication.Swap(nil); pub != nil {
		pub.close()
	}
	p.dropStreamsLocked(func(st *stream) bool { return st.section == s })
	if s.subscription != nil {
		s.subscription.close()
		s.subscription = nil
	}
}

// live finds the section of a mid that carries or can carry media; nil for none.
func (n *negotiation) live(mid string) *section {
	for _, s := range n.sections {
		if s.mid == mid && !s.rejected && !s.stopped {
			return s
		}
	}
	return nil
}

// OfferPending reports whether an offer of the SFU awaits its answer.
func (p *Peer) OfferPending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.negotiation.offering
}

// Answer applies an endpoint's offer and returns the answer. It changes nothing when it fails, with ErrOfferPending,
// ErrSDPMismatch, ErrCodecMissing (a pull into a section that does not take the published codec), ErrNoSection,
// ErrNoEndpoint or ErrClosed. A mid of plan.Publish on which the endpoint does not send a known codec gets no Publication.
func (p *Peer) Answer(offer *Description, plan AnswerPlan) (Negotiated, error) {
	out, err := p.answer(offer, plan)
	if err == nil {
		p.stepSubscriptions(time.Now())
	}
	return out, err
}

// negotiableLocked is why no exchange of descriptions can begin now: ErrClosed, ErrNoEndpoint or ErrOfferPending; nil if one can.
func (p *Peer) negotiableLocked() error {
	switch {
	case p.closing || p.state == StateClosed:
		return ErrClosed
	case p.alone:
		return ErrNoEndpoint
	case p.negotiation.offering:
		return ErrOfferPending
	}
	return nil
}

func (p *Peer) answer(offer *Description, plan AnswerPlan) (Negotiated, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	if err := p.negotiableLocked(); err != nil {
		return Negotiated{}, err
	}
	if err := n.fits(offer.sdp); err != nil {
		return Negotiated{}, err
	}
	if err := pullable(offer.sdp, plan.Pulls); err != nil {
		return Negotiated{}, err
	}
	n.numbers.learn(offer.sdp)
	p.roleLocked(offer.sdp)
	out := Negotiated{Publications: map[string]*Publication{}, Subscriptions: make([]*Subscription, len(plan.Pulls))}
	for i := range offer.sdp.Media {
		m := &offer.sdp.Media[i]
		s := n.section(i, m)
		p.offeredLocked(s, m, plan, &out)
	}
	p.remoteLocked(offer.sdp, true)
	if tag := offer.sdp.Tag(); n.tag != "" && tag != n.tag && p.current.Load() != nil {
		p.restartUntil = time.Now().Add(restartGrace)
	}
	answer := p.describeLocked(plan.Close)
	answer.Bundle = intersect(offer.sdp.Bundle, answer.Live())
	n.tag = answer.Tag()
	out.SDP = p.textLocked(answer)
	p.countVideosLocked()
	return out, nil
}

// pullable checks that every pull has a section that receives it.
func pullable(offer *sdp.Description, pulls []Pull) error {
	for _, pull := range pulls {
		i := slices.IndexFunc(offer.Media, func(m sdp.Media) bool { return m.Mid == pull.Mid })
		switch {
		case i < 0 || offer.Media[i].Rejected || !offer.Media[i].Receives:
			return fmt.Errorf("%w: mid %q does not receive", ErrNoSection, pull.Mid)
		case Kind(offer.Media[i].Kind) != pull.Publication.kind:
			return fmt.Errorf("%w: %s on mid %q", ErrKindMismatch, pull.Publication.kind, pull.Mid)
		case !has(offer.Media[i].Codecs, pull.Publication.Codec()):
			return fmt.Errorf("%w: %s on mid %s", ErrCodecMissing, pull.Publication.Codec(), pull.Mid)
		}
	}
	return nil
}

// offeredLocked needs mu. It takes over one section of the endpoint's offer, and what the plan wants of it.
func (p *Peer) offeredLocked(s *section, m *sdp.Media, plan AnswerPlan, out *Negotiated) {
	if slices.Contains(plan.Close, m.Mid) {
		p.endLocked(s)
		s.stopped = false // both sides know now: the mid may carry a new track
	}
	for i, pull := range plan.Pulls {
		if pull.Mid == m.Mid {
			if s.subscription != nil {
				s.subscription.close()
			}
			s.subscription = newSubscription(p, s, pull.Publication, pull.Selection)
			out.Subscriptions[i] = s.subscription
		}
	}
	if s.subscription == nil && m.Receives && slices.Contains(plan.Bidirectional, m.Mid) {
		s.subscription = newSubscription(p, s, nil, Selection{})
	}
	p.sectionOfferedLocked(s, m)
	if slices.Contains(plan.Publish, m.Mid) && s.receives() {
		out.Publications[m.Mid] = s.publish(p)
	}
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

// sectionOfferedLocked needs mu. It takes over what the endpoint's offer says of a section.
func (p *Peer) sectionOfferedLocked(s *section, m *sdp.Media) {
	s.remote = *m
	if s.kind == KindData {
		p.dataOfferedLocked(s, m)
		return
	}
	if m.Rejected || s.kind != KindAudio && s.kind != KindVideo {
		p.rejectLocked(s)
		return
	}
	s.rejected = false
	before := s.codecs
	if m.Sends {
		s.codecs = accepted(s.kind, m.Codecs)
		s.extensions = sharedExtensions(m.Extensions, pushExtensions(s.kind))
	} else {
		s.codecs = receivable(s.kind, m.Codecs)
		s.extensions = sharedExtensions(m.Extensions, pullExtensions(s.kind))
	}
	if len(s.codecs) == 0 {
		p.rejectLocked(s)
		return
	}
	if pub := s.publication.Load(); pub != nil && m.Sends && !sameFormats(before, s.codecs) {
		p.dropStreamsLocked(func(st *stream) bool { return st.section == s })
		pub.learn(s.codecs)
		pub.rebind()
	}
	if s.subscription != nil {
		s.subscription.bind(s, m.Receives)
	}
}

// sameFormats reports whether two lists give the same payload types the same codecs.
func sameFormats(a, b []sdp.Codec) bool {
	return slices.EqualFunc(a, b, func(x, y sdp.Codec) bool { return x.PT == y.PT && x.RTX == y.RTX && x.Is(y.Name) })
}

// receives reports whether the endpoint sends media that the SFU understands.
func (s *section) receives() bool { return !s.rejected && s.remote.Sends }

// Offer adds one section per pull and push and one for data, and returns the SFU's offer of the whole session. It fails with
// ErrOfferPending, ErrDataExists, ErrNoEndpoint or ErrClosed.
func (p *Peer) Offer(plan OfferPlan) (Negotiated, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	if err := p.negotiableLocked(); err != nil {
		return Negotiated{}, err
	}
	if plan.Data && n.data != nil {
		return Negotiated{}, ErrDataExists
	}
	var out Negotiated
	for _, pull := range plan.Pulls {
		kind := pull.Publication.kind
		s := n.add(kind, pullExtensions(kind), sdp.Media{Receives: true})
		s.codecs = n.offerable(kind, pull.Publication.Codec(), pullFeedback(kind))
		s.subscription = newSubscription(p, s, pull.Publication, pull.Selection)
		out.Subscriptions = append(out.Subscriptions, s.subscription)
	}
	for _, push := range plan.Pushes {
		s := n.add(push.Kind, pushExtensions(push.Kind), sdp.Media{Sends: true, Receives: push.Bidirectional})
		s.codecs = n.offerable(push.Kind, "", pushFeedback(push.Kind))
		out.Pushes = append(out.Pushes, s.publish(p))
		if push.Bidirectional {
			s.subscription = newSubscription(p, s, nil, Selection{})
		}
	}
	if plan.Data {
		p.offerDataLocked()
	}
	n.pulls = out.Subscriptions
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
	out.SDP = p.textLocked(offer)
	return out, nil
}

// add makes a section of the SFU's own. remote is what the endpoint is expected to do until its answer says otherwise.
func (n *negotiation) add(kind Kind, extensions []sdp.Extension, remote sdp.Media) *section {
	s := &section{
		mid:        strconv.Itoa(n.nextMid()),
		kind:       kind,
		protocol:   "UDP/TLS/RTP/SAVPF",
		extensions: n.numbers.assignExtensions(extensions),
		remote:     remote,
	}
	n.sections = append(n.sections, s)
	return s
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

// offerable lists what is offered on a section, the published codec first. Once the endpoint has answered for a kind, only
// what it accepted then is offered (contract 3.2).
func (n *negotiation) offerable(kind Kind, published string, feedback []string) []sdp.Codec {
	list := offered(kind)
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
		if set := n.codecs[kind]; set != nil && !slices.Contains(set, c.Name) {
			continue
		}
		c = n.numbers.assign(c)
		if c.PT == 0 && !c.Is("PCMU") {
			continue // all 128 numbers have a meaning already
		}
		c.Feedback = feedback
		out = append(out, c)
	}
	return out
}

// AcceptAnswer applies the endpoint's answer to the SFU's offer. It changes nothing when it fails, with
// ErrNoOfferPending, ErrSDPMismatch, ErrCodecMissing, ErrNoEndpoint or ErrClosed; the offer still awaits its answer then.
func (p *Peer) AcceptAnswer(answer *Description) error {
	err := p.acceptAnswer(answer)
	if err == nil {
		p.stepSubscriptions(time.Now())
	}
	return err
}

func (p *Peer) acceptAnswer(answer *Description) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := &p.negotiation
	switch {
	case p.closing || p.state == StateClosed:
		return ErrClosed
	case p.alone:
		return ErrNoEndpoint
	case !n.offering:
		return ErrNoOfferPending
	case len(answer.sdp.Media) != len(n.sections):
		return fmt.Errorf("%w: %d m-lines, the offer has %d", ErrSDPMismatch, len(answer.sdp.Media), len(n.sections))
	}
	if err := n.fits(answer.sdp); err != nil {
		return err
	}
	for i, s := range n.sections {
		if s.subscription == nil || !slices.Contains(n.pulls, s.subscription) {
			continue
		}
		if name := s.subscription.source.Load().Codec(); !has(answer.sdp.Media[i].Codecs, name) {
			return fmt.Errorf("%w: %s on mid %s", ErrCodecMissing, name, s.mid)
		}
	}
	p.roleLocked(answer.sdp)
	for i, s := range n.sections {
		p.sectionAnsweredLocked(s, &answer.sdp.Media[i])
	}
	n.offering, n.pulls = false, nil
	p.remoteLocked(answer.sdp, false)
	p.countVideosLocked()
	return nil
}

// sectionAnsweredLocked needs mu. It takes over what the endpoint's answer says of a section.
func (p *Peer) sectionAnsweredLocked(s *section, m *sdp.Media) {
	n := &p.negotiation
	if s.rejected {
		return
	}
	if m.Rejected {
		s.remote = *m
		p.rejectLocked(s)
		return
	}
	if s.kind == KindData {
		p.dataAnsweredLocked(s, m)
		return
	}
	pub := s.publication.Load()
	if s.subscription == nil && pub == nil { // unchanged: the offer did not touch it
		return
	}
	s.remote = *m
	if pub != nil {
		s.codecs = known(s.kind, m.Codecs, pushFeedback(s.kind))
		s.extensions = sharedExtensions(m.Extensions, pushExtensions(s.kind))
		if len(s.codecs) > 0 {
			pub.learn(s.codecs)
		}
	} else {
		s.codecs = known(s.kind, m.Codecs, pullFeedback(s.kind))
		s.extensions = sharedExtensions(m.Extensions, pullExtensions(s.kind))
	}
	if _, fixed := n.codecs[s.kind]; !fixed && m.Receives {
		n.codecs[s.kind] = names(s.kind, m.Codecs)
	}
	if s.subscription != nil {
		s.subscription.bind(s, m.Receives)
	}
}

// Publish makes a Publication of what the endpoint sends on a section that has been negotiated without a name. It fails
// with ErrNoSection.
func (p *Peer) Publish(mid string) (*Publication, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.negotiation.live(mid)
	if s == nil || !s.receives() {
		return nil, fmt.Errorf("%w: mid %q does not send", ErrNoSection, mid)
	}
	if pub := s.publication.Load(); pub != nil {
		return pub, nil
	}
	return s.publish(p), nil
}

// PullInto makes pub the source of a section that the SFU sends on already, without an exchange of SDP: another source for
// a pull, or one for a bidirectional section. What the endpoint receives goes on as one stream. It fails with ErrNoSection,
// ErrKindMismatch or ErrCodecMissing.
func (p *Peer) PullInto(mid string, pub *Publication, want Selection) (*Subscription, error) {
	sub, err := p.pullInto(mid, pub, want)
	if err == nil {
		sub.step(time.Now())
	}
	return sub, err
}

func (p *Peer) pullInto(mid string, pub *Publication, want Selection) (*Subscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.negotiation.live(mid)
	switch {
	case s == nil || s.subscription == nil:
		return nil, fmt.Errorf("%w: nothing is sent on mid %q", ErrNoSection, mid)
	case s.kind != pub.kind:
		return nil, fmt.Errorf("%w: %s on mid %q", ErrKindMismatch, pub.kind, mid)
	}
	if agreed := s.subscription.agreed.Load(); agreed != nil && !agreed.accepts(pub) {
		return nil, fmt.Errorf("%w: %s on mid %s", ErrCodecMissing, pub.Codec(), mid)
	}
	s.subscription.setSource(pub, want)
	p.countVideosLocked()
	return s.subscription, nil
}

// Select changes which layer a pull wants. It fails with ErrNoSection.
func (p *Peer) Select(mid string, want Selection) error {
	p.mu.Lock()
	var sub *Subscription // the section may lose it at any time
	if s := p.negotiation.live(mid); s != nil {
		sub = s.subscription
	}
	p.mu.Unlock()
	if sub == nil {
		return fmt.Errorf("%w: nothing is sent on mid %q", ErrNoSection, mid)
	}
	sub.want(want)
	sub.step(time.Now())
	return nil
}

// CloseMids closes what flows on the sections of these mids without an exchange of SDP (contract 1.6, force).
func (p *Peer) CloseMids(mids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.negotiation.sections {
		if slices.Contains(mids, s.mid) {
			s.stopped = true
			p.endLocked(s)
		}
	}
	p.countVideosLocked()
}

// endTracks closes what flows on all sections.
func (p *Peer) endTracks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.negotiation.sections {
		p.endLocked(s)
	}
}

// countVideosLocked needs mu. Bandwidth is shared among that many.
func (p *Peer) countVideosLocked() {
	count := int64(0)
	for _, s := range p.negotiation.sections {
		if s.kind == KindVideo && s.subscription != nil && s.subscription.source.Load() != nil {
			count++
		}
	}
	p.videos.Store(count)
}
