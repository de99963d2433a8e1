package sfu

import (
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// What is kept for a subscriber whose acknowledgement is awaited: the newest messages, up to both bounds (contract 4.4).
	maxKept      = 16
	maxKeptBytes = 64 << 10
)

// DataPublication is a data channel on which an endpoint publishes. What it sends goes to every DataSubscription, on the
// goroutine that read it; none of them can hold up another.
type DataPublication struct {
	// Fixed after PublishData.
	leg     *leg
	longest int
	done    chan struct{}

	subs   atomic.Pointer[[]*DataSubscription] // copy on write
	holder atomic.Pointer[DataSubscription]    // whose messages reach the endpoint, nil for nobody's

	messages, bytes atomic.Uint64
	tooLong         atomic.Uint64 // messages over the limit
	unheard         atomic.Uint64 // messages of subscribers that may not reply

	mu     sync.Mutex // writers of subs
	closed bool
}

func newDataPublication(longest int) *DataPublication {
	pub := &DataPublication{longest: longest, done: make(chan struct{})}
	pub.subs.Store(&[]*DataSubscription{})
	return pub
}

// ID is the channel's id on the publisher's transport.
func (pub *DataPublication) ID() int { return int(pub.leg.id) }

// State is what GET shows of the channel.
func (pub *DataPublication) State() ChannelState { return pub.leg.state() }

// Done is closed when the endpoint can publish on it no more.
func (pub *DataPublication) Done() <-chan struct{} { return pub.done }

// Close ends the publication, and closes the endpoint's channel. Subscribers hear nothing of it: their channels fall silent
// (contract 4.3, inferred).
func (pub *DataPublication) Close() { pub.leg.close() }

// received takes a message of the publisher.
func (pub *DataPublication) received(m message) {
	if len(m.data) > pub.longest {
		if pub.tooLong.Add(1) == 1 {
			pub.leg.data.peer.log.Warn("a message is too long and was lost, and others will be: the service loses them too; send less at a time",
				"id", pub.ID(), "bytes", len(m.data), "limit", pub.longest)
		}
		return
	}
	pub.messages.Add(1)
	pub.bytes.Add(uint64(len(m.data)))
	for _, sub := range *pub.subs.Load() {
		sub.deliver(m)
	}
}

// reply takes a message of a subscriber. Only the holder's reach the publisher (contract 4.5).
func (pub *DataPublication) reply(from *DataSubscription, m message) {
	switch {
	case pub.holder.Load() != from:
		pub.unheard.Add(1)
	case len(m.data) > pub.longest:
		pub.tooLong.Add(1)
	case !pub.leg.send(m):
		// A gap in a reliable channel would go unnoticed, so the right to reply ends instead.
		if pub.holder.CompareAndSwap(from, nil) {
			pub.leg.data.peer.log.Warn("a subscriber may reply no more: the publisher does not keep up with its messages; grant canReply again "+
				"by datachannels/update", "id", pub.ID(), "unread", reliableQueue)
		}
	}
}

// legEnded: the channel was closed, by whomever, or its transport has ended.
func (pub *DataPublication) legEnded() {
	pub.mu.Lock()
	pub.closed = true
	pub.mu.Unlock()
	pub.holder.Store(nil)
	close(pub.done)
}

func (pub *DataPublication) add(sub *DataSubscription) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	if pub.closed {
		return
	}
	list := append(slices.Clone(*pub.subs.Load()), sub)
	pub.subs.Store(&list)
}

func (pub *DataPublication) remove(sub *DataSubscription) {
	pub.mu.Lock()
	defer pub.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*pub.subs.Load()), func(s *DataSubscription) bool { return s == sub })
	pub.subs.Store(&list)
	pub.holder.CompareAndSwap(sub, nil)
}

// SubscribeData are the choices of a subscriber.
type SubscribeData struct {
	WaitForAck bool // nothing is delivered before the subscriber's first message, which is consumed (contract 4.4)
	CanReply   bool // its messages reach the publisher (contract 4.5)
}

// DataSubscription is a data channel on which an endpoint receives what another one publishes.
type DataSubscription struct {
	// Fixed after SubscribeData.
	leg   *leg
	pub   *DataPublication
	acked chan struct{}
	done  chan struct{}

	mu        sync.Mutex // of Lock order: before leg.mu
	gated     bool
	kept      []message // newest last
	keptBytes int
	missed    uint64 // messages that fell out of kept
}

func newDataSubscription(pub *DataPublication, options SubscribeData) *DataSubscription {
	sub := &DataSubscription{pub: pub, acked: make(chan struct{}), done: make(chan struct{}), gated: options.WaitForAck}
	if !sub.gated {
		close(sub.acked)
	}
	return sub
}

// ID is the channel's id on the subscriber's transport.
func (sub *DataSubscription) ID() int { return int(sub.leg.id) }

// State is what GET shows of the channel; without its publication it is inactive.
func (sub *DataSubscription) State() ChannelState {
	select {
	case <-sub.pub.done:
		return ChannelInactive
	default:
		return sub.leg.state()
	}
}

// Acked is closed once messages are delivered: at once without WaitForAck.
func (sub *DataSubscription) Acked() <-chan struct{} { return sub.acked }

// Done is closed when the endpoint can receive on it no more; a publication that ends does not close it.
func (sub *DataSubscription) Done() <-chan struct{} { return sub.done }

// CanReply reports whether the subscriber is the one whose messages reach the publisher.
func (sub *DataSubscription) CanReply() bool { return sub.pub.holder.Load() == sub }

// SetReply makes the subscriber the one whose messages reach the publisher, in place of any other, or ends that.
func (sub *DataSubscription) SetReply(may bool) {
	if !may {
		sub.pub.holder.CompareAndSwap(sub, nil)
		return
	}
	sub.pub.mu.Lock() // against legEnded and remove, which must have the last word
	defer sub.pub.mu.Unlock()
	if !sub.pub.closed && slices.Contains(*sub.pub.subs.Load(), sub) {
		sub.pub.holder.Store(sub)
	}
}

// Close ends the subscription, and closes the endpoint's channel.
func (sub *DataSubscription) Close() { sub.leg.close() }

// deliver takes a message of the publication.
func (sub *DataSubscription) deliver(m message) {
	if !sub.pass(m) {
		sub.overflow()
	}
}

// pass sends or keeps a message; false where the subscriber has left too much unread.
func (sub *DataSubscription) pass(m message) bool {
	sub.mu.Lock() // it keeps the order across the opening of the gate
	defer sub.mu.Unlock()
	if !sub.gated {
		return sub.leg.send(m)
	}
	sub.kept = append(sub.kept, m)
	sub.keptBytes += len(m.data)
	for len(sub.kept) > maxKept || sub.keptBytes > maxKeptBytes {
		sub.keptBytes -= len(sub.kept[0].data)
		sub.kept = sub.kept[1:]
		sub.missed++
	}
	return true
}

// received takes a message of the subscriber. The first one opens the gate and goes nowhere.
func (sub *DataSubscription) received(m message) {
	if !sub.open() {
		sub.pub.reply(sub, m)
	}
}

// open opens the gate; false when it was open already.
func (sub *DataSubscription) open() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if !sub.gated {
		return false
	}
	sub.gated = false
	for _, m := range sub.kept {
		sub.leg.send(m) // far below the bound of an empty queue
	}
	sub.kept, sub.keptBytes = nil, 0
	close(sub.acked)
	return true
}

func (sub *DataSubscription) legEnded() {
	sub.pub.remove(sub)
	close(sub.done)
}

// overflow: the endpoint has left too much unread.
func (sub *DataSubscription) overflow() {
	if sub.leg.over() {
		return
	}
	sub.leg.data.peer.log.Warn("data channel closed: its subscriber does not keep up with a reliable publication; subscribe again, "+
		"send less, or publish with maxRetransmits or maxPacketLifeTime", "id", sub.ID(), "unread", reliableQueue)
	sub.Close()
}

// DataPublicationInfo is a snapshot of a published data channel.
type DataPublicationInfo struct {
	LegInfo
	Policy    Policy
	Messages  uint64 // of the publisher
	Bytes     uint64
	TooLong   uint64 // messages over the limit, dropped
	Unheard   uint64 // messages of subscribers that may not reply, dropped
	Receivers int
}

// DataSubscriptionInfo is a snapshot of a subscription.
type DataSubscriptionInfo struct {
	LegInfo
	Policy   Policy
	Gated    bool // the acknowledgement is awaited
	Kept     int  // messages that wait for it
	Missed   uint64
	CanReply bool
}

// Info is a snapshot of the channel.
func (pub *DataPublication) Info() DataPublicationInfo {
	return DataPublicationInfo{
		LegInfo: pub.leg.info(), Policy: pub.leg.policy, Messages: pub.messages.Load(), Bytes: pub.bytes.Load(),
		TooLong: pub.tooLong.Load(), Unheard: pub.unheard.Load(), Receivers: len(*pub.subs.Load()),
	}
}

// Info is a snapshot of the channel.
func (sub *DataSubscription) Info() DataSubscriptionInfo {
	info := DataSubscriptionInfo{LegInfo: sub.leg.info(), Policy: sub.leg.policy, CanReply: sub.CanReply()}
	info.State = sub.State()
	sub.mu.Lock()
	defer sub.mu.Unlock()
	info.Gated, info.Kept, info.Missed = sub.gated, len(sub.kept), sub.missed
	return info
}
