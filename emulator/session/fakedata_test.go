package session

import (
	"sync"

	"github.com/callsemu/callsemu/sfu"
)

// fakeData is the data half of a fakePeer. Fields are guarded by the fakePeer's mu.
type fakeData struct {
	section, agreed bool
	ids             int
	again           int   // the next id to give away, 0 for a new one
	fail            error // what the next allocation returns
	longest         int   // of the newest publication
}

// nextID counts up, or is the one that the test says is free again.
func (d *fakeData) nextID() int {
	if id := d.again; id != 0 {
		d.again = 0
		return id
	}
	return d.ids
}

func (p *fakePeer) HasData() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.data.section
}

func (p *fakePeer) DataAgreed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.data.agreed
}

func (p *fakePeer) InbandID() int { return 0 }

func (p *fakePeer) PublishData(policy sfu.Policy, longest int) (dataPublication, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.data.fail; err != nil {
		return nil, err
	}
	p.data.ids++
	p.data.longest = longest
	return &fakeDataPub{fakeLeg: newFakeLeg(p.data.nextID(), policy)}, nil
}

func (p *fakePeer) SubscribeData(source dataPublication, policy sfu.Policy, options sfu.SubscribeData) (dataSubscription, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.data.fail; err != nil {
		return nil, err
	}
	p.data.ids++
	pub := source.(*fakeDataPub)
	sub := &fakeDataSub{fakeLeg: newFakeLeg(p.data.nextID(), policy), pub: pub, acked: make(chan struct{}), gated: options.WaitForAck}
	if !options.WaitForAck {
		close(sub.acked)
	}
	if options.CanReply {
		sub.SetReply(true)
	}
	return sub, nil
}

// fakeLeg is one channel on one endpoint.
type fakeLeg struct {
	id     int
	policy sfu.Policy
	done   chan struct{}

	mu    sync.Mutex
	state sfu.ChannelState
}

func newFakeLeg(id int, policy sfu.Policy) *fakeLeg {
	return &fakeLeg{id: id, policy: policy, done: make(chan struct{}), state: sfu.ChannelActive}
}

func (l *fakeLeg) ID() int { return l.id }

func (l *fakeLeg) State() sfu.ChannelState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *fakeLeg) set(s sfu.ChannelState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == sfu.ChannelInactive && l.state != s {
		close(l.done)
	}
	l.state = s
}

func (l *fakeLeg) Close() { l.set(sfu.ChannelInactive) }

type fakeDataPub struct {
	*fakeLeg
	holder *fakeDataSub
}

func (p *fakeDataPub) Done() <-chan struct{} { return p.done }

func (p *fakeDataPub) Info() sfu.DataPublicationInfo {
	return sfu.DataPublicationInfo{LegInfo: sfu.LegInfo{ID: uint16(p.id)}, Policy: p.policy, Messages: 7, Unheard: 1}
}

type fakeDataSub struct {
	*fakeLeg
	pub   *fakeDataPub
	acked chan struct{}
	gated bool
}

func (s *fakeDataSub) Acked() <-chan struct{} { return s.acked }

// ack is the subscriber's first message.
func (s *fakeDataSub) ack() {
	s.gated = false
	close(s.acked)
}

func (s *fakeDataSub) CanReply() bool { return s.pub.holder == s }

func (s *fakeDataSub) SetReply(may bool) {
	switch {
	case may:
		s.pub.holder = s
	case s.pub.holder == s:
		s.pub.holder = nil
	}
}

func (s *fakeDataSub) Info() sfu.DataSubscriptionInfo {
	return sfu.DataSubscriptionInfo{LegInfo: sfu.LegInfo{ID: uint16(s.id), Queued: 3}, Policy: s.policy, Gated: s.gated, CanReply: s.CanReply()}
}
