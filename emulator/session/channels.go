package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/callsemu/callsemu/emulator/wire"
	"github.com/callsemu/callsemu/sfu"
)

// channel is one data channel of a session. It stays listed after its end, as tracks do (contract 1.7).
type channel struct {
	// fixed after construction
	remote     bool
	name       string
	publisher  string // session id of the publisher, remote only
	id         int    // on this session's transport
	since      time.Time
	waitForAck bool

	pub dataPublication  // own for local, the publisher's for remote
	sub dataSubscription // remote only

	// guarded by Session.mu
	closed bool // by datachannels/close, or because its acknowledgement did not come
}

// listedChannel is a channel with what was known of it when the list was made.
type listedChannel struct {
	*channel
	closed bool
}

// status is what GET says of a channel (contract 1.7).
func (c listedChannel) status() string {
	switch {
	case c.closed:
		return wire.StatusInactive
	case c.remote:
		return c.sub.State().String()
	}
	return c.pub.State().String()
}

// live reports whether the channel is in the way of another one of its name. A publication is, whatever has become of the
// client's end, until it is closed by id; a subscription only while something can come of it (contract 4.3).
func (c listedChannel) live() bool {
	return !c.closed && (!c.remote || c.sub.State() != sfu.ChannelInactive)
}

// establish gives the session a transport for data channels: by an offer of the SFU, or by the client's (contract 1.9). Needs
// the turn.
func (s *Session) establish(ctx context.Context, in *wire.EstablishRequest, _ Fault) (*wire.EstablishResponse, error) {
	offer, bad := description(nil), error(nil)
	if in.SessionDescription != nil {
		offer, bad = s.parse(opEstablish, in.SessionDescription)
	}
	if err := s.admit(ctx, opEstablish, bad); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	if p := s.currentPeer(); p != nil && p.HasData() {
		return nil, wire.Refuse(wire.BodyUndecodable, "session %s has a transport for data channels already, from this call or from an "+
			"offer with m=application; go on with datachannels/new", s.id).Under("DCH-1")
	}
	out := &wire.EstablishResponse{DataChannel: wire.EstablishedChannel{DataChannelName: wire.ServerEvents}}
	if offer == nil {
		return out, s.offerData(out)
	}
	return out, s.answerData(offer, out)
}

func (s *Session) offerData(out *wire.EstablishResponse) error {
	err := s.negotiate(opEstablish.String(), func(p peer) error {
		made, err := p.Offer(offerPlan{Data: true})
		out.SessionDescription = &wire.SessionDescription{Type: wire.TypeOffer, SDP: made.sdp}
		return err
	})
	out.RequiresImmediateRenegotiation = true
	return err
}

func (s *Session) answerData(offer description, out *wire.EstablishResponse) error {
	hasData := slices.ContainsFunc(offer.Media(), func(m sfu.Media) bool { return m.Kind == sfu.KindData && !m.Rejected })
	if !hasData {
		return wire.Refuse(wire.BodyUndecodable, "the offer for session %s has no section m=application; create the data channel "+
			"server-events before the offer, or send no sessionDescription and answer the SFU's offer", s.id).Under("DCH-1")
	}
	answer, err := s.answer(opEstablish.String(), offer, answerPlan{})
	if err != nil {
		return err
	}
	out.DataChannel.ID = s.currentPeer().InbandID()
	out.SessionDescription = &wire.SessionDescription{Type: wire.TypeAnswer, SDP: answer.sdp}
	return nil
}

// dataPeer is the Peer on which channels can be allocated. Whether it is connected is the state table's matter; without a
// section for data there is nothing to wait for (contract 2.2).
func (s *Session) dataPeer(op operation) (peer, error) {
	if p := s.currentPeer(); p != nil && p.DataAgreed() {
		return p, nil
	}
	return nil, wire.Refuse(wire.SessionNotReady, "%s on session %s refused: no transport for data channels has been negotiated; call "+
		"datachannels/establish and answer its offer first", op, s.id).Under("SES-3")
}

// newChannels publishes data channels, or subscribes to those of other sessions (contract 1.10). Needs the turn.
func (s *Session) newChannels(ctx context.Context, in *wire.NewChannelsRequest, f Fault) (*wire.ChannelsResponse, error) {
	if err := s.admit(ctx, opNewChannels, nil); err != nil {
		return nil, err
	}
	p, err := s.dataPeer(opNewChannels)
	if err != nil {
		return nil, err
	}
	out := &wire.ChannelsResponse{DataChannels: make([]wire.ChannelResult, 0, len(in.DataChannels))}
	fail := f.failures(len(in.DataChannels))
	taken := s.takenChannels()
	for i, item := range in.DataChannels {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		result := wire.ChannelResult{Location: wire.LocationLocal, DataChannelName: item.DataChannelName}
		if item.Remote() {
			result.Location, result.SessionID = wire.LocationRemote, item.SessionID
		}
		if fail[i] == nil {
			var made *channel
			if made, fail[i] = s.allocate(p, i, item, taken); made != nil {
				result.ID = &made.id
				if item.Remote() {
					result.CanReply = item.CanReply
				}
			}
		}
		if fail[i] != nil {
			result = result.Fail(fail[i])
		}
		out.DataChannels = append(out.DataChannels, result)
	}
	out.Failures = s.failures(fail)
	s.reg.nudge()
	return out, nil
}

// channelKey is what a session can have once at a time: a name that it publishes, where publisher is empty, or a subscription.
type channelKey struct{ publisher, name string }

// takenChannels are the channels that are in the way of another one, with their ids.
func (s *Session) takenChannels() map[channelKey]int {
	taken := map[channelKey]int{}
	for _, c := range s.listChannels() {
		if c.live() {
			taken[channelKey{c.publisher, c.name}] = c.id
		}
	}
	return taken
}

// allocate makes one data channel and enters it in taken, or says why not.
func (s *Session) allocate(p peer, i int, item wire.ChannelObject, taken map[channelKey]int) (*channel, *wire.Error) {
	key := channelKey{name: item.DataChannelName}
	if item.Remote() {
		key.publisher = item.SessionID
	}
	if id, repeated := taken[key]; repeated {
		return nil, wire.Refuse(wire.ChannelRepeated, "dataChannels[%d]: session %s has %q open as id %d; close that id first, or use it",
			i, s.id, key.name, id)
	}
	made := &channel{remote: item.Remote(), name: item.DataChannelName, since: s.reg.clock.Now()}
	var err error
	if made.remote {
		made.publisher, made.waitForAck = item.SessionID, item.WaitForAck
		if made.pub = s.reg.findChannel(s.app, item.SessionID, item.DataChannelName); made.pub == nil || closed(made.pub.Done()) {
			return nil, refuseNoChannel(i, item)
		}
		canReply := item.CanReply != nil && *item.CanReply
		made.sub, err = p.SubscribeData(made.pub, policyOf(item), sfu.SubscribeData{WaitForAck: item.WaitForAck, CanReply: canReply})
	} else {
		made.pub, err = p.PublishData(policyOf(item), s.reg.Rules().MaxMessage)
	}
	switch {
	case errors.Is(err, sfu.ErrNoChannelIDs):
		return nil, wire.Refuse(wire.Internal, "dataChannels[%d]: session %s has no free id left; close channels that are not in use", i, s.id).Under("DCH-5")
	case err != nil:
		return nil, wire.Refuse(wire.Internal, "dataChannels[%d]: %v: the data transport of session %s is ending; create a new session",
			i, err, s.id).Under("DCH-6")
	case made.remote:
		made.id = made.sub.ID()
	default:
		made.id = made.pub.ID()
	}
	s.enter(made)
	taken[key] = made.id
	return made, nil
}

// enter adds a channel. Whatever had its id before is over: the transport has ended it, and has given the id away.
func (s *Session) enter(made *channel) {
	s.mu.Lock()
	var over []*channel
	for _, c := range s.channels {
		if c.id == made.id && !c.closed {
			c.closed = true
			over = append(over, c)
		}
	}
	s.channels = append(s.channels, made)
	s.mu.Unlock()
	for _, c := range over {
		if !c.remote {
			s.reg.unpublishChannel(s, c.name)
		}
	}
	if !made.remote {
		s.reg.publishChannel(s, made.name, made.pub)
	}
}

func refuseNoChannel(i int, item wire.ChannelObject) *wire.Error {
	return wire.Refuse(wire.TrackNotFound, "dataChannels[%d]: session %q publishes no data channel %q: never published, closed, or its "+
		"session is gone; publish it first and check the names", i, item.SessionID, item.DataChannelName).Under("DCH-2")
}

// policyOf translates the delivery policy of an item; each side's own counts for its leg (contract 4.3).
func policyOf(item wire.ChannelObject) sfu.Policy {
	policy := sfu.Policy{Unordered: item.Ordered != nil && !*item.Ordered}
	if item.MaxRetransmits != nil {
		limit := uint16(*item.MaxRetransmits)
		policy.MaxRetransmits = &limit
	}
	if item.MaxPacketLifeTime != nil {
		limit := time.Duration(*item.MaxPacketLifeTime) * time.Millisecond
		policy.MaxLifetime = &limit
	}
	return policy
}

// updateChannels grants or revokes the right to reply (contract 1.11, 4.5). An item without canReply changes nothing. Needs
// the turn.
func (s *Session) updateChannels(ctx context.Context, in *wire.UpdateChannelsRequest, f Fault) (*wire.ChannelsResponse, error) {
	if err := s.admit(ctx, opUpdateChannels, nil); err != nil {
		return nil, err
	}
	if _, err := s.dataPeer(opUpdateChannels); err != nil {
		return nil, err
	}
	out := &wire.ChannelsResponse{DataChannels: make([]wire.ChannelResult, 0, len(in.DataChannels))}
	fail := f.failures(len(in.DataChannels))
	for i, item := range in.DataChannels {
		result := wire.ChannelResult{Location: wire.LocationRemote, SessionID: item.SessionID, DataChannelName: item.DataChannelName}
		c := s.subscriptionTo(item.SessionID, item.DataChannelName)
		switch {
		case fail[i] != nil:
		case c == nil:
			fail[i] = wire.Refuse(wire.TrackNotFound, "dataChannels[%d]: session %s has no open subscription to %q of session %q; subscribe by "+
				"datachannels/new first", i, s.id, item.DataChannelName, item.SessionID).Under("DCH-7")
		default:
			if item.CanReply != nil {
				c.sub.SetReply(*item.CanReply)
			}
			may := c.sub.CanReply()
			result.ID, result.CanReply = &c.id, &may
		}
		if fail[i] != nil {
			result = result.Fail(fail[i])
		}
		out.DataChannels = append(out.DataChannels, result)
	}
	out.Failures = s.failures(fail)
	return out, nil
}

// subscriptionTo finds the session's open subscription to a channel, nil for none.
func (s *Session) subscriptionTo(publisher, name string) *channel {
	for _, c := range s.listChannels() {
		if c.remote && c.live() && c.publisher == publisher && c.name == name {
			return c.channel
		}
	}
	return nil
}

// closeChannels closes data channels by id, and the client's ends with them (contract 1.12). Needs the turn.
func (s *Session) closeChannels(ctx context.Context, in *wire.CloseChannelsRequest, f Fault) (*wire.ChannelsResponse, error) {
	if err := s.admit(ctx, opCloseChannels, nil); err != nil {
		return nil, err
	}
	if _, err := s.dataPeer(opCloseChannels); err != nil {
		return nil, err
	}
	out := &wire.ChannelsResponse{DataChannels: make([]wire.ChannelResult, 0, len(in.DataChannels))}
	fail := f.failures(len(in.DataChannels))
	for i, item := range in.DataChannels {
		result := wire.ChannelResult{ID: &item.ID}
		c := s.openChannel(item.ID)
		switch {
		case fail[i] != nil:
		case c == nil:
			fail[i] = wire.Refuse(wire.TrackNotOpen, "dataChannels[%d]: session %s has no open data channel with id %d; ids are per session, "+
				"use those that this session was given", i, s.id, item.ID).Under("DCH-4")
		default:
			result.Location, result.DataChannelName = wire.LocationLocal, c.name
			if c.remote {
				result.Location, result.SessionID = wire.LocationRemote, c.publisher
			}
			s.closeChannel(c)
		}
		if fail[i] != nil {
			result = result.Fail(fail[i])
		}
		out.DataChannels = append(out.DataChannels, result)
	}
	out.Failures = s.failures(fail)
	return out, nil
}

// openChannel finds the channel that an id stands for at present, nil for none.
func (s *Session) openChannel(id int) *channel {
	for _, c := range s.listChannels() {
		if c.id == id && !c.closed {
			return c.channel
		}
	}
	return nil
}

// closeChannel ends a channel: its name is free, and the client's end closes.
func (s *Session) closeChannel(c *channel) {
	s.mu.Lock()
	c.closed = true
	s.mu.Unlock()
	if c.remote {
		c.sub.Close()
		return
	}
	s.reg.unpublishChannel(s, c.name)
	c.pub.Close()
}

// listChannels is every data channel that the session ever had, oldest first.
func (s *Session) listChannels() []listedChannel {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]listedChannel, 0, len(s.channels))
	for _, c := range s.channels {
		list = append(list, listedChannel{c, c.closed})
	}
	return list
}

// channelStates are the entries of GET.
func (s *Session) channelStates() []wire.DataChannelState {
	states := []wire.DataChannelState{}
	for _, c := range s.listChannels() {
		entry := wire.DataChannelState{Location: wire.LocationLocal, DataChannelName: c.name, ID: c.id, Status: c.status()}
		if c.remote {
			entry.Location, entry.SessionID = wire.LocationRemote, c.publisher
		}
		states = append(states, entry)
	}
	return states
}

// ackDeadlines are the subscriptions whose acknowledgement is awaited (contract 4.4).
func (s *Session) ackDeadlines(wait time.Duration) []deadline {
	var list []deadline
	for _, c := range s.listChannels() {
		if c.remote && c.waitForAck && c.live() && !closed(c.sub.Acked()) {
			list = append(list, deadline{rule: ruleAckWait, due: c.since.Add(wait), channel: c.channel})
		}
	}
	return list
}
