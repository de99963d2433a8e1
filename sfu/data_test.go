package sfu_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

const longestMessage = 65536

// dataEndpoint is an endpoint whose session has data channels.
type dataEndpoint struct {
	*sfutest.Peer
	peer *sfu.Peer
	ctx  context.Context
}

// connectData connects an endpoint that answers the SFU's offer of data channels.
func connectData(t *testing.T, s *sfu.SFU) dataEndpoint {
	t.Helper()
	e := dataEndpoint{endpoint(t, sfutest.Config{}), newPeer(t, s), testContext(t)}
	offer, err := e.peer.Offer(sfu.OfferPlan{Data: true})
	check(t, err)
	answer, err := e.Answer(e.ctx, offer.SDP)
	check(t, err)
	check(t, e.peer.AcceptAnswer(description(t, answer)))
	check(t, e.WaitConnected(e.ctx))
	return e
}

// offerData connects an endpoint that offers data channels itself.
func offerData(t *testing.T, s *sfu.SFU, label string) (dataEndpoint, *sfutest.Channel) {
	t.Helper()
	e := dataEndpoint{endpoint(t, sfutest.Config{}), newPeer(t, s), testContext(t)}
	inband, err := e.OpenChannel(sfutest.ChannelOptions{Label: label})
	check(t, err)
	offer, err := e.Offer(e.ctx)
	check(t, err)
	got, err := e.peer.Answer(description(t, offer), sfu.AnswerPlan{})
	check(t, err)
	check(t, e.SetAnswer(got.SDP))
	check(t, e.WaitConnected(e.ctx))
	return e, inband
}

func newPeer(t *testing.T, s *sfu.SFU) *sfu.Peer {
	t.Helper()
	p, err := s.NewPeer()
	check(t, err)
	return p
}

// publish allocates a publication and opens the endpoint's channel of it.
func (e dataEndpoint) publish(t *testing.T, policy sfu.Policy) (*sfu.DataPublication, *sfutest.Channel) {
	t.Helper()
	pub, err := e.peer.PublishData(policy, longestMessage)
	check(t, err)
	return pub, e.open(t, pub.ID(), policy)
}

func (e dataEndpoint) subscribe(t *testing.T, pub *sfu.DataPublication, options sfu.SubscribeData) (*sfu.DataSubscription, *sfutest.Channel) {
	t.Helper()
	sub, err := e.peer.SubscribeData(pub, pub.Info().Policy, options)
	check(t, err)
	return sub, e.open(t, sub.ID(), pub.Info().Policy)
}

func (e dataEndpoint) open(t *testing.T, id int, policy sfu.Policy) *sfutest.Channel {
	t.Helper()
	number := uint16(id)
	channel, err := e.OpenChannel(sfutest.ChannelOptions{Label: "app", ID: &number, Unordered: policy.Unordered, MaxRetransmits: policy.MaxRetransmits})
	check(t, err)
	check(t, channel.WaitOpen(e.ctx))
	return channel
}

// texts waits for that many messages and returns them all.
func texts(ctx context.Context, t *testing.T, channel *sfutest.Channel, count int) []string {
	t.Helper()
	got, err := channel.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(s.Messages) >= count })
	check(t, err)
	var all []string
	for _, m := range got.Messages {
		all = append(all, string(m.Data))
	}
	return all
}

func until(ctx context.Context, t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}

func TestOfferOfDataIsTheRecordedSection(t *testing.T) {
	p := newPeer(t, start(t, sfu.Config{}))
	offer, err := p.Offer(sfu.OfferPlan{Data: true})
	check(t, err)
	for _, want := range []string{"m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:0", "a=setup:actpass", "a=sctp-port:5000",
		"a=group:BUNDLE 0", "a=candidate:", "a=max-message-size:262144"} {
		if !strings.Contains(offer.SDP, want) {
			t.Errorf("the offer lacks %q:\n%s", want, offer.SDP)
		}
	}
	if !p.HasData() || p.DataAgreed() {
		t.Errorf("has data %v, agreed %v before the answer", p.HasData(), p.DataAgreed())
	}
	if _, err := p.Offer(sfu.OfferPlan{Data: true}); !errors.Is(err, sfu.ErrOfferPending) {
		t.Errorf("second offer: %v", err)
	}
}

func TestServerEventsIsOpenedInBandOnZeroAndSwallowed(t *testing.T) {
	e := connectData(t, start(t, sfu.Config{}))
	channel, err := e.Incoming(e.ctx, "server-events")
	check(t, err)
	check(t, channel.WaitOpen(e.ctx))
	if id := channel.Stats().ID; id != 0 {
		t.Errorf("server-events has id %d, want 0", id)
	}
	check(t, channel.SendText("hello?"))
	_, published := e.publish(t, sfu.Policy{})
	check(t, published.SendText("still here"))
	if s := channel.Stats(); s.Closed || s.Count != 0 {
		t.Errorf("server-events after a message: %+v", s)
	}
	if _, err := e.peer.Offer(sfu.OfferPlan{Data: true}); !errors.Is(err, sfu.ErrDataExists) {
		t.Errorf("a second section: %v", err)
	}
}

func TestInbandChannelOfTheEndpointStaysOpen(t *testing.T) {
	e, inband := offerData(t, start(t, sfu.Config{}), "server-events")
	check(t, inband.WaitOpen(e.ctx))
	if id := inband.Stats().ID; id != 0 {
		t.Fatalf("a dtls client's first channel has id %d", id)
	}
	check(t, inband.SendText("nobody listens"))
	pub, channel := e.publish(t, sfu.Policy{})
	if pub.ID() != 1 {
		t.Errorf("first id is %d, want 1", pub.ID())
	}
	check(t, channel.SendText("x"))
	until(e.ctx, t, "the message arrives", func() bool { return pub.Info().Messages == 1 })
	if inband.Stats().Closed {
		t.Error("the in-band channel was closed")
	}
}

func TestFanOutKeepsOrderTypeAndEmptyMessages(t *testing.T) {
	s := start(t, sfu.Config{})
	from, a, b := connectData(t, s), connectData(t, s), connectData(t, s)
	pub, sender := from.publish(t, sfu.Policy{})
	_, atA := a.subscribe(t, pub, sfu.SubscribeData{})
	_, atB := b.subscribe(t, pub, sfu.SubscribeData{})
	for i := range 100 {
		check(t, sender.SendText(fmt.Sprint(i)))
	}
	check(t, sender.SendText(""))
	check(t, sender.Send(nil))
	check(t, sender.Send(bytes.Repeat([]byte{7}, longestMessage)))
	check(t, sender.Send(bytes.Repeat([]byte{8}, longestMessage+1))) // lost (contract 4.1)
	check(t, sender.SendText("end"))
	for _, channel := range []*sfutest.Channel{atA, atB} {
		got, err := channel.Wait(from.ctx, func(s sfutest.ChannelStats) bool { return len(s.Messages) == 104 })
		check(t, err)
		for i, m := range got.Messages[:100] {
			if string(m.Data) != fmt.Sprint(i) || !m.Text {
				t.Fatalf("message %d is %q, text %v", i, m.Data, m.Text)
			}
		}
		if m := got.Messages[100]; len(m.Data) != 0 || !m.Text {
			t.Errorf("the empty text came as %q, text %v", m.Data, m.Text)
		}
		if m := got.Messages[101]; len(m.Data) != 0 || m.Text {
			t.Errorf("the empty binary message came as %q, text %v", m.Data, m.Text)
		}
		if m := got.Messages[102]; len(m.Data) != longestMessage || m.Data[0] != 7 {
			t.Errorf("the longest message came with %d bytes", len(m.Data))
		}
		if m := got.Messages[103]; string(m.Data) != "end" {
			t.Errorf("after the message that is too long comes %q", m.Data[:1])
		}
	}
	if info := pub.Info(); info.TooLong != 1 || info.Receivers != 2 || info.Messages != 104 {
		t.Errorf("info %+v", info)
	}
}

func TestOnlyTheHolderReplies(t *testing.T) {
	s := start(t, sfu.Config{})
	from, a, b := connectData(t, s), connectData(t, s), connectData(t, s)
	pub, publisher := from.publish(t, sfu.Policy{})
	subA, atA := a.subscribe(t, pub, sfu.SubscribeData{CanReply: true})
	subB, atB := b.subscribe(t, pub, sfu.SubscribeData{})
	check(t, atB.SendText("b before"))
	until(from.ctx, t, "b's message is dropped", func() bool { return pub.Info().Unheard == 1 })
	check(t, atA.SendText("a"))
	texts(from.ctx, t, publisher, 1)
	subB.SetReply(true)
	if subA.CanReply() || !subB.CanReply() {
		t.Error("a new grant does not replace the old one")
	}
	check(t, atA.SendText("a after"))
	until(from.ctx, t, "a's message is dropped", func() bool { return pub.Info().Unheard == 2 })
	check(t, atB.SendText("b"))
	if got := texts(from.ctx, t, publisher, 2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the publisher heard %q", got)
	}
	subA.SetReply(false) // it holds nothing: b keeps it
	if !subB.CanReply() {
		t.Error("a revocation took the grant from another")
	}
	subB.Close()
	subB.SetReply(true)
	if subB.CanReply() {
		t.Error("a closed subscription holds the grant")
	}
}

func TestGateOpensWithTheFirstMessage(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	pub, publisher := from.publish(t, sfu.Policy{})
	sub, channel := to.subscribe(t, pub, sfu.SubscribeData{WaitForAck: true, CanReply: true})
	for i := range 20 {
		check(t, publisher.SendText(fmt.Sprint(i)))
	}
	until(from.ctx, t, "all are kept or missed", func() bool { return pub.Info().Messages == 20 })
	if info := sub.Info(); !info.Gated || info.Kept != 16 || info.Missed != 4 || info.Sent != 0 {
		t.Errorf("before the acknowledgement %+v", info)
	}
	check(t, channel.SendText("ack"))
	wait(t, sub.Acked())
	check(t, publisher.SendText("live"))
	got := texts(from.ctx, t, channel, 17)
	if got[0] != "4" || got[15] != "19" || got[16] != "live" {
		t.Errorf("delivered %q", got)
	}
	check(t, channel.SendText("reply"))
	if got := texts(from.ctx, t, publisher, 1); !slices.Equal(got, []string{"reply"}) {
		t.Errorf("the publisher heard %q, want the reply without the acknowledgement", got)
	}
}

func TestClosedChannelIsResetAndItsIDComesBack(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	pub, publisher := from.publish(t, sfu.Policy{})
	sub, channel := to.subscribe(t, pub, sfu.SubscribeData{CanReply: true})
	second, _ := to.subscribe(t, pub, sfu.SubscribeData{})
	if sub.ID() != 1 || second.ID() != 2 {
		t.Fatalf("ids %d, %d", sub.ID(), second.ID())
	}
	until(to.ctx, t, "it is active", func() bool { return sub.State() == sfu.ChannelActive })
	sub.Close()
	_, err := channel.Wait(to.ctx, func(s sfutest.ChannelStats) bool { return s.Closed })
	check(t, err)
	if wait(t, sub.Done()); sub.State() != sfu.ChannelInactive || pub.Info().Receivers != 1 {
		t.Errorf("after the close %v, %d receivers", sub.State(), pub.Info().Receivers)
	}
	var again *sfu.DataSubscription
	until(to.ctx, t, "id 1 comes back", func() bool {
		again, err = to.peer.SubscribeData(pub, sfu.Policy{}, sfu.SubscribeData{})
		check(t, err)
		if again.ID() != 1 {
			again.Close()
		}
		return again.ID() == 1
	})
	reopened := to.open(t, 1, sfu.Policy{})
	check(t, publisher.SendText("over the same id"))
	if got := texts(to.ctx, t, reopened, 1); got[0] != "over the same id" {
		t.Errorf("received %q", got)
	}
}

func TestEndpointThatClosesItsChannelEndsIt(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	pub, publisher := from.publish(t, sfu.Policy{})
	sub, channel := to.subscribe(t, pub, sfu.SubscribeData{})
	until(to.ctx, t, "both are active", func() bool { return sub.State() == sfu.ChannelActive && pub.State() == sfu.ChannelActive })
	check(t, channel.Close())
	wait(t, sub.Done())
	check(t, publisher.Close())
	wait(t, pub.Done())
	if sub.State() != sfu.ChannelInactive || pub.State() != sfu.ChannelInactive {
		t.Errorf("states %v, %v", sub.State(), pub.State())
	}
	next, err := from.peer.PublishData(sfu.Policy{}, longestMessage)
	check(t, err)
	if next.ID() != 2 {
		t.Errorf("id %d was given before the old one was closed", next.ID())
	}
	pub.Close()
	until(from.ctx, t, "the id is free", func() bool {
		next, err = from.peer.PublishData(sfu.Policy{}, longestMessage)
		check(t, err)
		return next.ID() == 1
	})
}

// A channel that is closed before SCTP is up on the SFU's side may be open on the endpoint's already.
func TestChannelClosedBeforeTheTransportIsUpClosesLater(t *testing.T) {
	s := start(t, sfu.Config{})
	e := dataEndpoint{endpoint(t, sfutest.Config{}), newPeer(t, s), testContext(t)}
	offer, err := e.peer.Offer(sfu.OfferPlan{Data: true})
	check(t, err)
	answer, err := e.Answer(e.ctx, offer.SDP)
	check(t, err)
	e.Vanish()
	check(t, e.peer.AcceptAnswer(description(t, answer)))
	pub, err := e.peer.PublishData(sfu.Policy{}, longestMessage)
	check(t, err)
	id := uint16(pub.ID())
	channel, err := e.OpenChannel(sfutest.ChannelOptions{Label: "app", ID: &id})
	check(t, err)
	pub.Close()
	e.Return()
	_, err = channel.Wait(e.ctx, func(s sfutest.ChannelStats) bool { return s.Opened && s.Closed })
	check(t, err)
}

func TestPublisherThatLeavesSilencesItsSubscribers(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	pub, _ := from.publish(t, sfu.Policy{})
	sub, channel := to.subscribe(t, pub, sfu.SubscribeData{})
	check(t, from.Close())
	wait(t, pub.Done())
	if sub.State() != sfu.ChannelInactive || channel.Stats().Closed {
		t.Errorf("state %v, channel closed %v", sub.State(), channel.Stats().Closed)
	}
	until(to.ctx, t, "nothing can be published any more", func() bool {
		_, err := from.peer.PublishData(sfu.Policy{}, 1)
		return errors.Is(err, sfu.ErrClosed)
	})
}

func TestChannelsAllocatedBeforeTheTransportIsUpWork(t *testing.T) {
	s := start(t, sfu.Config{})
	from := connectData(t, s)
	pub, publisher := from.publish(t, sfu.Policy{})

	to := dataEndpoint{endpoint(t, sfutest.Config{}), newPeer(t, s), testContext(t)}
	if _, err := to.peer.SubscribeData(pub, sfu.Policy{}, sfu.SubscribeData{}); !errors.Is(err, sfu.ErrNoData) {
		t.Errorf("without a section: %v", err)
	}
	offer, err := to.peer.Offer(sfu.OfferPlan{Data: true})
	check(t, err)
	answer, err := to.Answer(to.ctx, offer.SDP)
	check(t, err)
	to.Vanish()
	check(t, to.peer.AcceptAnswer(description(t, answer)))
	sub, err := to.peer.SubscribeData(pub, sfu.Policy{}, sfu.SubscribeData{})
	check(t, err)
	if sub.State() != sfu.ChannelInitializing {
		t.Errorf("state %v before the transport", sub.State())
	}
	check(t, publisher.SendText("early"))
	until(from.ctx, t, "it is queued", func() bool { return sub.Info().Queued == 1 })
	to.Return()
	check(t, to.WaitConnected(to.ctx))
	until(to.ctx, t, "it is sent", func() bool { return sub.State() == sfu.ChannelActive && sub.Info().Sent == 1 })
}

func TestMediaAndDataShareOneTransportInEitherOrder(t *testing.T) {
	s := start(t, sfu.Config{})
	_, _, senders, pubs := publish(t, s, sfutest.Config{}, sfutest.Track{Codec: sfutest.VP8})
	for name, dataFirst := range map[string]bool{"data first": true, "media first": false} {
		t.Run(name, func(t *testing.T) {
			e := dataEndpoint{endpoint(t, sfutest.Config{}), newPeer(t, s), testContext(t)}
			exchange := func(plan sfu.OfferPlan) {
				offer, err := e.peer.Offer(plan)
				check(t, err)
				answer, err := e.Answer(e.ctx, offer.SDP)
				check(t, err)
				check(t, e.peer.AcceptAnswer(description(t, answer)))
			}
			plans := []sfu.OfferPlan{{Data: true}, {Pulls: []sfu.Pull{{Publication: pubs[0]}}}}
			video := "1"
			if !dataFirst {
				slices.Reverse(plans)
				video = "0"
			}
			for _, plan := range plans {
				exchange(plan)
				check(t, e.WaitConnected(e.ctx))
			}
			pub, channel := e.publish(t, sfu.Policy{})
			check(t, channel.SendText("both"))
			until(e.ctx, t, "the message arrives", func() bool { return pub.Info().Messages == 1 })
			_, err := e.Subscriber(video).Wait(e.ctx, func(s sfutest.SubscriberStats) bool { return s.KeyFrames > 0 && s.Packets > 10 })
			check(t, err)
		})
	}
	if senders[0].Stats().Packets == 0 {
		t.Error("the publisher sent nothing")
	}
}

func TestUnreliableChannelArrivesUnordered(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	zero := uint16(0)
	pub, publisher := from.publish(t, sfu.Policy{Unordered: true, MaxRetransmits: &zero})
	_, channel := to.subscribe(t, pub, sfu.SubscribeData{})
	for i := range 50 {
		check(t, publisher.SendText(fmt.Sprint(i)))
	}
	if got := texts(to.ctx, t, channel, 50); len(got) != 50 {
		t.Errorf("%d messages without loss on the way", len(got))
	}
}

func TestSubscriberThatReadsNothingIsBoundedAndDelaysNobody(t *testing.T) {
	s := start(t, sfu.Config{})
	from, good, bad := connectData(t, s), connectData(t, s), connectData(t, s)
	zero := uint16(0)
	reliable, sender := from.publish(t, sfu.Policy{})
	lossy, lossySender := from.publish(t, sfu.Policy{Unordered: true, MaxRetransmits: &zero})
	stuck, _ := bad.subscribe(t, reliable, sfu.SubscribeData{CanReply: true})
	dropping, _ := bad.subscribe(t, lossy, sfu.SubscribeData{})
	_, channel := good.subscribe(t, reliable, sfu.SubscribeData{})
	bad.Vanish()

	const size, count = 32 << 10, 200 // 6.5 MB, above the 4.25 MB that may wait
	payload := bytes.Repeat([]byte{1}, size)
	for range count {
		check(t, sender.Send(payload))
		check(t, lossySender.Send(payload[:1024]))
		until(from.ctx, t, "the sender has room", func() bool { return sender.Buffered() < 1<<20 })
	}
	got, err := channel.Wait(good.ctx, func(s sfutest.ChannelStats) bool { return s.Count == count })
	check(t, err)
	if got.Bytes != size*count {
		t.Errorf("%d bytes arrived", got.Bytes)
	}
	wait(t, stuck.Done())
	if stuck.CanReply() || reliable.Info().Receivers != 1 {
		t.Errorf("the closed subscription still counts: %+v", reliable.Info())
	}
	until(from.ctx, t, "everything unreliable has come", func() bool { return lossy.Info().Messages == count })
	if info := dropping.Info(); info.State != sfu.ChannelActive || info.Buffered > 64<<10+256<<10+1024 {
		t.Errorf("the unreliable leg: %+v", info)
	}
}

func TestUnreliableQueueDropsTheOldest(t *testing.T) {
	s := start(t, sfu.Config{})
	from, to := connectData(t, s), connectData(t, s)
	zero := uint16(0)
	pub, publisher := from.publish(t, sfu.Policy{Unordered: true, MaxRetransmits: &zero})
	sub, _ := to.subscribe(t, pub, sfu.SubscribeData{})
	to.Vanish()
	payload := bytes.Repeat([]byte{1}, 1000)
	for range 500 {
		check(t, publisher.Send(payload))
	}
	until(from.ctx, t, "all have come", func() bool { return pub.Info().Messages == 500 })
	if info := sub.Info(); info.Dropped == 0 || info.Queued != 246 || info.Buffered > 64<<10+256<<10+1000 {
		t.Errorf("the leg: %+v", info)
	}
}

// TestChannelsOutliveTheTransport: an endpoint that closes the section of its transport begins a new DTLS connection, and a
// stack that begins SCTP anew over it finds its channels as they were allocated.
func TestChannelsOutliveTheTransport(t *testing.T) {
	s := start(t, sfu.Config{})
	to := connectData(t, s)
	old, inband := offerData(t, s, "server-events")
	check(t, inband.WaitOpen(old.ctx))
	pub, before := old.publish(t, sfu.Policy{})
	sub, received := to.subscribe(t, pub, sfu.SubscribeData{})
	check(t, before.SendText("over the first connection"))
	texts(to.ctx, t, received, 1)

	old.Vanish()
	next := endpoint(t, sfutest.Config{Identity: old.Identity()})
	again, err := next.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	check(t, err)
	id := uint16(pub.ID())
	after, err := next.OpenChannel(sfutest.ChannelOptions{Label: "app", ID: &id})
	check(t, err)
	offer, err := next.Offer(old.ctx)
	check(t, err)
	answer, err := old.peer.Answer(description(t, offer), sfu.AnswerPlan{})
	check(t, err)
	check(t, next.SetAnswer(answer.SDP))
	check(t, next.WaitConnected(old.ctx))
	check(t, again.WaitOpen(old.ctx))
	check(t, after.WaitOpen(old.ctx))
	check(t, after.SendText("over the second"))
	if got := texts(to.ctx, t, received, 2); got[1] != "over the second" {
		t.Errorf("received %q", got)
	}
	if pub.State() != sfu.ChannelActive || sub.State() != sfu.ChannelActive {
		t.Errorf("states %v, %v", pub.State(), sub.State())
	}
}
