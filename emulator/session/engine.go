package session

import (
	"time"

	"github.com/callsemu/callsemu/sfu"
)

// What the rules need of package sfu. The seam lets the state table, the waits and expiry be tested without media; the
// only other implementation is in the tests.

type engine interface {
	NewPeer(sessionID string) (peer, error)
	NewFullPeer(sessionID string) (peer, error)
	NewSource() (ingestSource, error)
	Parse(sdp string) (description, error)
}

type peer interface {
	State() (sfu.State, <-chan struct{})
	Done() <-chan struct{}
	Close() error
	LastSeen() time.Time
	Ask()
	Info() sfu.PeerInfo
	FixEstimate(bitrate uint64)
	OfferPending() bool
	Answer(offer description, plan answerPlan) (answered, error)
	Offer(plan offerPlan) (offered, error)
	AcceptAnswer(answer description) error
	Publish(mid string) (publication, error)
	PullInto(mid string, source publication, want sfu.Selection) (subscription, error)
	Select(mid string, want sfu.Selection) error
	CloseMids(mids ...string)
	HasData() bool
	DataAgreed() bool
	InbandID() int
	PublishData(policy sfu.Policy, longest int) (dataPublication, error)
	SubscribeData(source dataPublication, policy sfu.Policy, options sfu.SubscribeData) (dataSubscription, error)
}

type description interface {
	Media() []sfu.Media
}

type publication interface {
	Mid() string
	Kind() sfu.Kind
	RIDs() []string
	Done() <-chan struct{}
	Heard() <-chan struct{}
	LastPacket() time.Time
	Silence() (end func())
	Info() sfu.PublicationInfo
}

type subscription interface {
	Mid() string
	Forwarding() bool
	Info() sfu.SubscriptionInfo
}

type dataPublication interface {
	ID() int
	State() sfu.ChannelState
	Done() <-chan struct{}
	Close()
	Info() sfu.DataPublicationInfo
}

type dataSubscription interface {
	ID() int
	State() sfu.ChannelState
	Acked() <-chan struct{}
	CanReply() bool
	SetReply(may bool)
	Close()
	Info() sfu.DataSubscriptionInfo
}

// wantedPull is sfu.Pull over the interface.
type wantedPull struct {
	source publication
	want   sfu.Selection
	mid    string // the client's section, where it made the offer
}

// answerPlan is sfu.AnswerPlan over the interface.
type answerPlan struct {
	Publish, Bidirectional, Close []string
	Pulls                         []wantedPull
}

// offerPlan is sfu.OfferPlan over the interface.
type offerPlan struct {
	Pulls  []wantedPull
	Pushes []sfu.Push
	Data   bool
}

type answered struct {
	sdp          string
	publications map[string]publication // newly made ones, by mid
	pulls        []subscription         // one per pull, in order
}

type offered struct {
	sdp    string
	pulls  []subscription // one per pull, in order
	pushes []publication  // one per push, in order
}

var (
	_ publication  = (*sfu.Publication)(nil)
	_ subscription = (*sfu.Subscription)(nil)
	_ description  = (*sfu.Description)(nil)
	_ peer         = sfuPeer{}
	_ engine       = sfuEngine{}

	_ dataPublication  = (*sfu.DataPublication)(nil)
	_ dataSubscription = (*sfu.DataSubscription)(nil)
)

type sfuEngine struct{ sfu *sfu.SFU }

func (e sfuEngine) NewPeer(sessionID string) (peer, error) {
	return asPeer(e.sfu.NewPeer("session", sessionID))
}

func (e sfuEngine) NewFullPeer(sessionID string) (peer, error) {
	return asPeer(e.sfu.NewFullPeer("session", sessionID))
}

func (e sfuEngine) NewSource() (ingestSource, error) {
	source, err := e.sfu.NewSource()
	if err != nil {
		return ingestSource{}, err
	}
	return ingestSource{peer: sfuPeer{source.Peer()}, track: source.Publication(), source: source}, nil
}

// concrete is what package sfu knows a track as; nil in tests without media.
func concrete(p publication) *sfu.Publication {
	c, _ := p.(*sfu.Publication)
	return c
}

func asPeer(p *sfu.Peer, err error) (peer, error) {
	if err != nil {
		return nil, err
	}
	return sfuPeer{p}, nil
}

func (sfuEngine) Parse(sdp string) (description, error) {
	d, err := sfu.ParseDescription(sdp)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// sfuPeer hands out and takes the concrete types of package sfu behind the interfaces above.
type sfuPeer struct{ *sfu.Peer }

func (p sfuPeer) Answer(offer description, plan answerPlan) (answered, error) {
	n, err := p.Peer.Answer(offer.(*sfu.Description), sfu.AnswerPlan{
		Publish: plan.Publish, Bidirectional: plan.Bidirectional, Close: plan.Close, Pulls: concretePulls(plan.Pulls),
	})
	if err != nil {
		return answered{}, err
	}
	a := answered{sdp: n.SDP, publications: make(map[string]publication, len(n.Publications)), pulls: abstractPulls(n.Subscriptions)}
	for mid, pub := range n.Publications {
		a.publications[mid] = pub
	}
	return a, nil
}

func (p sfuPeer) Offer(plan offerPlan) (offered, error) {
	n, err := p.Peer.Offer(sfu.OfferPlan{Pulls: concretePulls(plan.Pulls), Pushes: plan.Pushes, Data: plan.Data})
	if err != nil {
		return offered{}, err
	}
	o := offered{sdp: n.SDP, pulls: abstractPulls(n.Subscriptions)}
	for _, pub := range n.Pushes {
		o.pushes = append(o.pushes, pub)
	}
	return o, nil
}

func (p sfuPeer) AcceptAnswer(answer description) error {
	return p.Peer.AcceptAnswer(answer.(*sfu.Description))
}

func (p sfuPeer) Publish(mid string) (publication, error) {
	pub, err := p.Peer.Publish(mid)
	if err != nil {
		return nil, err
	}
	return pub, nil
}

func (p sfuPeer) PullInto(mid string, source publication, want sfu.Selection) (subscription, error) {
	sub, err := p.Peer.PullInto(mid, source.(*sfu.Publication), want)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func (p sfuPeer) PublishData(policy sfu.Policy, longest int) (dataPublication, error) {
	pub, err := p.Peer.PublishData(policy, longest)
	if err != nil {
		return nil, err
	}
	return pub, nil
}

func (p sfuPeer) SubscribeData(source dataPublication, policy sfu.Policy, options sfu.SubscribeData) (dataSubscription, error) {
	sub, err := p.Peer.SubscribeData(source.(*sfu.DataPublication), policy, options)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func concretePulls(pulls []wantedPull) []sfu.Pull {
	list := make([]sfu.Pull, 0, len(pulls))
	for _, pull := range pulls {
		list = append(list, sfu.Pull{Publication: pull.source.(*sfu.Publication), Selection: pull.want, Mid: pull.mid})
	}
	return list
}

func abstractPulls(subs []*sfu.Subscription) []subscription {
	list := make([]subscription, 0, len(subs))
	for _, sub := range subs {
		list = append(list, sub)
	}
	return list
}
