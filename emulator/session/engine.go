package session

import "github.com/callsemu/callsemu/sfu"

// What the rules need of package sfu. The seam lets the state table, the waits and expiry be tested without media; the
// only other implementation is in the tests.

type engine interface {
	NewPeer() (peer, error)
	Parse(sdp string) (description, error)
}

type peer interface {
	State() (sfu.State, <-chan struct{})
	Done() <-chan struct{}
	Close() error
	OfferPending() bool
	Answer(offer description, plan sfu.AnswerPlan) (answered, error)
	Offer(pulls []publication) (offered, error)
	AcceptAnswer(answer description) error
	CloseMids(mids ...string)
}

type description interface {
	Media() []sfu.Media
}

type publication interface {
	Ready() <-chan struct{}
	Done() <-chan struct{}
	Packets() uint64
}

type answered struct {
	sdp          string
	publications map[string]publication // by mid
}

type offered struct {
	sdp  string
	mids []string // one per pull, in order
}

var (
	_ publication = (*sfu.Publication)(nil)
	_ description = (*sfu.Description)(nil)
	_ peer        = sfuPeer{}
	_ engine      = sfuEngine{}
)

type sfuEngine struct{ sfu *sfu.SFU }

func (e sfuEngine) NewPeer() (peer, error) {
	p, err := e.sfu.NewPeer()
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

func (p sfuPeer) Answer(offer description, plan sfu.AnswerPlan) (answered, error) {
	n, err := p.Peer.Answer(offer.(*sfu.Description), plan)
	if err != nil {
		return answered{}, err
	}
	a := answered{sdp: n.SDP, publications: make(map[string]publication, len(n.Publications))}
	for mid, pub := range n.Publications {
		a.publications[mid] = pub
	}
	return a, nil
}

func (p sfuPeer) Offer(pulls []publication) (offered, error) {
	var plan sfu.OfferPlan
	for _, pull := range pulls {
		plan.Pulls = append(plan.Pulls, sfu.Pull{Publication: pull.(*sfu.Publication)})
	}
	n, err := p.Peer.Offer(plan)
	if err != nil {
		return offered{}, err
	}
	o := offered{sdp: n.SDP, mids: make([]string, 0, len(n.Subscriptions))}
	for _, sub := range n.Subscriptions {
		o.mids = append(o.mids, sub.Mid())
	}
	return o, nil
}

func (p sfuPeer) AcceptAnswer(answer description) error {
	return p.Peer.AcceptAnswer(answer.(*sfu.Description))
}
