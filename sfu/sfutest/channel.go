package sfutest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pion/webrtc/v4"
)

// maxMessages bounds what a Channel keeps of its messages: the newest.
const maxMessages = 8192

// ChannelOptions are those of createDataChannel. With an ID the channel is negotiated (negotiated: true), without one it is
// opened in band.
type ChannelOptions struct {
	Label          string
	ID             *uint16
	Unordered      bool
	MaxRetransmits *uint16
	MaxLifetime    *uint16 // ms
}

// Message is one message as it arrived.
type Message struct {
	Data []byte
	Text bool
}

// ChannelStats is what a Channel has seen.
type ChannelStats struct {
	ID       uint16 // once it is open
	Opened   bool
	Closed   bool
	Count    uint64    // messages received
	Bytes    uint64    // of these
	Messages []Message // the newest, in order of arrival
}

// Channel is a data channel of a Peer.
type Channel struct {
	peer *Peer               // fixed after construction
	dc   *webrtc.DataChannel // fixed after construction
	bell bell

	mu    sync.Mutex
	stats ChannelStats
	watch func(Message)
}

// OpenChannel makes a data channel. The first one of a peer makes its next offer ask for a section for data.
func (p *Peer) OpenChannel(o ChannelOptions) (*Channel, error) {
	ordered, negotiated := !o.Unordered, o.ID != nil
	dc, err := p.pc.CreateDataChannel(o.Label, &webrtc.DataChannelInit{
		Ordered: &ordered, MaxRetransmits: o.MaxRetransmits, MaxPacketLifeTime: o.MaxLifetime, Negotiated: &negotiated, ID: o.ID,
	})
	if err != nil {
		return nil, fmt.Errorf("sfutest: open channel %q: %w", o.Label, err)
	}
	return p.watchChannel(dc), nil
}

// Incoming is the channel with that label that the far end has opened in band. It waits for it.
func (p *Peer) Incoming(ctx context.Context, label string) (*Channel, error) {
	found, err := await(ctx, &p.bell, p.done, p.incomingChannels, func(all []*Channel) bool {
		return slices.ContainsFunc(all, func(c *Channel) bool { return c.dc.Label() == label })
	})
	if err != nil {
		return nil, fmt.Errorf("sfutest: wait for channel %q: %w", label, err)
	}
	return found[slices.IndexFunc(found, func(c *Channel) bool { return c.dc.Label() == label })], nil
}

func (p *Peer) incomingChannels() []*Channel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.incoming)
}

// arrived is pion's OnDataChannel.
func (p *Peer) arrived(dc *webrtc.DataChannel) {
	c := p.watchChannel(dc)
	p.mu.Lock()
	p.incoming = append(p.incoming, c)
	p.mu.Unlock()
	p.bell.ring()
}

func (p *Peer) watchChannel(dc *webrtc.DataChannel) *Channel {
	c := &Channel{peer: p, dc: dc}
	dc.OnOpen(func() {
		c.change(func(s *ChannelStats) {
			s.Opened = true
			if id := dc.ID(); id != nil {
				s.ID = *id
			}
		})
	})
	dc.OnClose(func() { c.change(func(s *ChannelStats) { s.Closed = true }) })
	dc.OnMessage(func(m webrtc.DataChannelMessage) { c.received(Message{Data: m.Data, Text: m.IsString}) })
	return c
}

func (c *Channel) change(f func(*ChannelStats)) {
	c.mu.Lock()
	f(&c.stats)
	c.mu.Unlock()
	c.bell.ring()
}

func (c *Channel) received(m Message) {
	c.mu.Lock()
	watch := c.watch
	c.mu.Unlock()
	if watch != nil {
		watch(m)
	}
	c.change(func(s *ChannelStats) {
		s.Count++
		s.Bytes += uint64(len(m.Data))
		if len(s.Messages) == maxMessages {
			s.Messages = slices.Delete(s.Messages, 0, maxMessages/2)
		}
		s.Messages = append(s.Messages, m)
	})
}

// Watch has f called with every message from now on, on pion's goroutine, before Stats shows it.
func (c *Channel) Watch(f func(Message)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = f
}

// Label is the channel's name on this side.
func (c *Channel) Label() string { return c.dc.Label() }

// SendText sends one text message. The channel must be open.
func (c *Channel) SendText(text string) error {
	if err := c.dc.SendText(text); err != nil {
		return fmt.Errorf("sfutest: send on channel %q: %w", c.Label(), err)
	}
	return nil
}

// Send sends one binary message. The channel must be open.
func (c *Channel) Send(data []byte) error {
	if err := c.dc.Send(data); err != nil {
		return fmt.Errorf("sfutest: send on channel %q: %w", c.Label(), err)
	}
	return nil
}

// Buffered is how many bytes wait to be sent.
func (c *Channel) Buffered() uint64 { return c.dc.BufferedAmount() }

// Stats is what the channel has seen.
func (c *Channel) Stats() ChannelStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Messages = slices.Clone(s.Messages)
	return s
}

// Wait returns the first Stats with which done is content.
func (c *Channel) Wait(ctx context.Context, done func(ChannelStats) bool) (ChannelStats, error) {
	s, err := await(ctx, &c.bell, c.peer.done, c.Stats, done)
	if err != nil {
		return s, fmt.Errorf("sfutest: wait on channel %q: %w", c.Label(), err)
	}
	return s, nil
}

// WaitOpen returns when the channel is open.
func (c *Channel) WaitOpen(ctx context.Context) error {
	_, err := c.Wait(ctx, func(s ChannelStats) bool { return s.Opened })
	return err
}

// Close closes the channel, which resets its stream.
func (c *Channel) Close() error {
	if err := c.dc.Close(); err != nil {
		return fmt.Errorf("sfutest: close channel %q: %w", c.Label(), err)
	}
	return nil
}
