package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func (c *client) postChannels(ctx context.Context, items ...channelRow) *exchange {
	return c.t.do(ctx, call{Method: http.MethodPost, Path: c.path("/datachannels/new"), Body: channelsBody{items}})
}

func (c *client) putChannels(ctx context.Context, what string, items ...channelRow) *exchange {
	return c.put(ctx, "/datachannels/"+what, channelsBody{items})
}

func serverEvents() *channelItem {
	return &channelItem{Location: "remote", DataChannelName: "server-events"}
}

func (c *client) establish(ctx context.Context, body establishBody) *exchange {
	return c.t.do(ctx, call{Method: http.MethodPost, Path: c.path("/datachannels/establish"), Body: body})
}

// establishOffered has the SFU offer the transport, and answers; it does not wait for the connection.
func (c *client) establishOffered(ctx context.Context) {
	x := c.establish(ctx, establishBody{DataChannel: serverEvents()}).want(http.StatusOK).wantRenegotiation(true)
	c.answer(ctx, x)
}

// dataClient is a new session with a transport for data channels that is up.
func (t *T) dataClient(ctx context.Context) *client {
	c := t.client(ctx, sfutest.Config{})
	c.establishOffered(ctx)
	c.connected(ctx)
	return c
}

// allocate makes one channel, which must succeed, and opens the client's end of it.
func (c *client) allocate(ctx context.Context, item channelRow) *sfutest.Channel {
	x := c.postChannels(ctx, item).want(http.StatusOK)
	got := x.channel(0)
	if got.ErrorCode != "" || got.ID == nil {
		c.t.Fatalf("%s: %s", x, short(x.Raw))
	}
	return c.open(ctx, *got.ID, item)
}

// open makes the client's end of an allocated channel.
func (c *client) open(ctx context.Context, id int, item channelRow) *sfutest.Channel {
	number := uint16(id)
	options := sfutest.ChannelOptions{Label: item.DataChannelName, ID: &number, Unordered: item.Ordered != nil && !*item.Ordered}
	if item.MaxRetransmits != nil {
		limit := uint16(*item.MaxRetransmits)
		options.MaxRetransmits = &limit
	}
	channel, err := c.Peer.OpenChannel(options)
	c.t.Must(err)
	c.t.Must(channel.WaitOpen(ctx))
	return channel
}

// closing is the item that closes a channel by its id.
func closing(channel *sfutest.Channel) []channelRow { return channelIDs(int(channel.Stats().ID)) }

// hears ends the case unless exactly these texts have come, in order.
func (t *T) hears(ctx context.Context, what string, channel *sfutest.Channel, want ...string) {
	got, err := channel.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(s.Messages) >= len(want) })
	var texts []string
	for _, m := range got.Messages {
		texts = append(texts, string(m.Data))
	}
	if err != nil || !slices.Equal(texts, want) {
		t.Fatalf("%s heard %q, want %q (%v)", what, texts, want, err)
	}
}

// probe is what linked sends.
const probe = "probe"

// linked sends probes until one arrives: from then on the way from one channel to the other is open at both ends. Messages
// that were sent before are there or lost.
func (t *T) linked(ctx context.Context, what string, from, to *sfutest.Channel) {
	before := to.Stats().Count
	sent := 0
	t.eventually(ctx, what+" is not linked", func() bool {
		sent++
		t.Must(from.SendText(probe))
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		_, err := to.Wait(short, func(s sfutest.ChannelStats) bool { return s.Count > before })
		return err == nil
	})
	t.Logf("%s: linked after %d probes", what, sent)
}

// others are the messages of a channel but for probes.
func others(s sfutest.ChannelStats) []sfutest.Message {
	var list []sfutest.Message
	for _, m := range s.Messages {
		if string(m.Data) != probe {
			list = append(list, m)
		}
	}
	return list
}

// unheard checks that nothing arrives at the publisher for a while, in which what is on its way would have.
func (t *T) unheard(ctx context.Context, channel *sfutest.Channel) {
	before := channel.Stats().Count
	short, cancel := context.WithTimeout(ctx, t.listens())
	defer cancel()
	if got, err := channel.Wait(short, func(s sfutest.ChannelStats) bool { return s.Count > before }); err == nil {
		t.Errorf("the publisher heard %q", got.Messages[len(got.Messages)-1].Data)
	}
}

// heardNothing checks that nothing has arrived at a channel, nor does for a while, in which what is on its way would have.
func (t *T) heardNothing(ctx context.Context, what string, channel *sfutest.Channel) {
	short, cancel := context.WithTimeout(ctx, t.listens())
	defer cancel()
	if got, err := channel.Wait(short, func(s sfutest.ChannelStats) bool { return s.Count > 0 }); err == nil {
		t.Errorf("%s heard %q", what, got.Messages[0].Data)
	}
}

// closes ends the case unless the client's channel closes.
func (t *T) closes(ctx context.Context, what string, channel *sfutest.Channel) {
	if _, err := channel.Wait(ctx, func(s sfutest.ChannelStats) bool { return s.Closed }); err != nil {
		t.Fatalf("%s: the client's channel stays open: %v", what, err)
	}
}

// listed is how channelsOf lists a channel: with the id that the call gave which opened it.
func listed(channel *sfutest.Channel, what string) string {
	return listedAs(int(channel.Stats().ID), what)
}

func listedAs(id int, what string) string { return fmt.Sprintf("%d %s", id, what) }

// channelsOf lists GET as "id location name status". Which ids a session gives is the service's own (contract 4.2), 0 and 65535 apart.
func (c *client) channelsOf(ctx context.Context) []string {
	x := c.state(ctx).want(http.StatusOK)
	var list []string
	for i := range x.Body.DataChannels {
		row := x.channel(i)
		if row.ID == nil || *row.ID < 1 || *row.ID > 65534 {
			c.t.Fatalf("%s: no id from 1 to 65534: %s", x, short(x.Raw))
		}
		list = append(list, fmt.Sprintf("%d %s %s %s", *row.ID, row.Location, row.DataChannelName, row.Status))
	}
	return list
}

// showsChannels waits until GET lists these.
func (c *client) showsChannels(ctx context.Context, want ...string) {
	var got []string
	c.t.eventually(ctx, fmt.Sprintf("GET never listed %q", want), func() bool {
		got = c.channelsOf(ctx)
		return slices.Equal(got, want)
	})
}

// pair is a publisher and a subscriber of the channel "chat", linked.
func (t *T) pair(ctx context.Context) (pub, sub *client, publisher, subscriber *sfutest.Channel) {
	pub, sub = t.dataClient(ctx), t.dataClient(ctx)
	publisher = pub.allocate(ctx, localChannel("chat"))
	subscriber = sub.allocate(ctx, remoteChannel(pub.ID, "chat"))
	return pub, sub, publisher, subscriber
}
