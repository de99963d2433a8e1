package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// openChannelCases are the questions about data channels.
func openChannelCases() []Case {
	return []Case{
		question(33, "establish", "How is establish answered when repeated, and with another channel name?", openEstablish),
		question(34, "server-events", "Does a message ever come on server-events?", openServerEvents),
		question(35, "ids", "Which ids are given, when are they given again, and does a close reach the client's channel?", openChannelIDs),
		question(36, "messages", "Which sizes of messages arrive, and do empty ones?", openMessageSizes),
		question(37, "early", "How many messages from before the acknowledgement does a subscriber get?", openEarly),
		question(38, "errors", "Which errors do channels have, and what does the close of a publication do to its subscribers?", openChannelErrors),
		question(39, "policy", "How are a policy other than the publication's, and both limits at once, answered?", openPolicy),
	}
}

func openEstablish(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	c.seePost(ctx, "another name", "/datachannels/establish", establishBody{DataChannel: &channelItem{Location: "remote", DataChannelName: "chat"}})
	c.seePost(ctx, "a local one", "/datachannels/establish", establishBody{DataChannel: &channelItem{Location: "local", DataChannelName: "server-events"}})
	fresh := t.client(ctx, sfutest.Config{})
	x := fresh.seePost(ctx, "the first call", "/datachannels/establish", establishBody{DataChannel: serverEvents()})
	if d := x.Body.DataChannel; d != nil {
		t.observe("location in the answer", "%s", orElse(d.Location, "none"))
		if d.ID != nil {
			t.observe("id in the answer", "%d", *d.ID)
		}
	}
	fresh.seePost(ctx, "a second call before the answer", "/datachannels/establish", establishBody{DataChannel: serverEvents()})
	fresh.tryAnswer(ctx, "the first call", x)
	fresh.connected(ctx)
	fresh.seePost(ctx, "a second call when connected", "/datachannels/establish", establishBody{DataChannel: serverEvents()})
}

func openServerEvents(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, mic())
	c := t.dataClient(ctx)
	events, err := c.Peer.Incoming(ctx, "server-events")
	t.Must(err)
	t.Must(events.WaitOpen(ctx))
	c.pull(ctx, remote(pub.ID, "mic"))
	t.Must(pub.Peer.Close())
	t.observe("a message within 8 s, in which a publisher leaves", "%s", yesNo(t.happens(ctx, 8*time.Second, func() bool { return events.Stats().Count > 0 })))
}

// allocated calls datachannels/new for one item and gives its id; 0 for none.
func (c *client) allocated(ctx context.Context, name string, item channelRow) int {
	x := c.seePost(ctx, name, "/datachannels/new", channelsBody{[]channelRow{item}})
	if len(x.Body.DataChannels) != 1 || x.channel(0).ID == nil || x.channel(0).ErrorCode != "" {
		return 0
	}
	return *x.channel(0).ID
}

func openChannelIDs(ctx context.Context, t *T) {
	c := t.dataClient(ctx)
	var ids []int
	for n := range 5 {
		ids = append(ids, c.allocated(ctx, fmt.Sprintf("channel %d", n+1), localChannel(fmt.Sprintf("c%d", n+1))))
	}
	if slices.Contains(ids, 0) {
		return
	}
	channel := c.open(ctx, ids[1], localChannel("c2"))
	c.seePut(ctx, "close of the second and fourth", "/datachannels/close", channelsBody{channelIDs(ids[1], ids[3])})
	t.observe("the client's channel closes", "%s", yesNo(t.happens(ctx, 4*time.Second, func() bool { return channel.Stats().Closed })))
	c.seePut(ctx, "close again", "/datachannels/close", channelsBody{channelIDs(ids[1])})
	c.allocated(ctx, "a channel after the close", localChannel("c6"))
	sub := t.dataClient(ctx)
	sub.allocated(ctx, "the first subscription of another session", remoteChannel(c.ID, "c1"))
}

func openMessageSizes(ctx context.Context, t *T) {
	_, _, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "chat", publisher, subscriber)
	for _, size := range []int{0, 1, 16 << 10, 65535, 65536, 65537, 128 << 10, 256 << 10} {
		arrives := func(text bool) string {
			before := len(others(subscriber.Stats()))
			var err error
			if text {
				err = publisher.SendText(strings.Repeat("x", size))
			} else {
				err = publisher.Send(make([]byte, size))
			}
			if err != nil {
				return "cannot be sent"
			}
			if !t.happens(ctx, 2*time.Second, func() bool { return len(others(subscriber.Stats())) > before }) {
				return "does not arrive"
			}
			got := others(subscriber.Stats())
			last := got[len(got)-1]
			if last.Text != text || len(last.Data) != size {
				return fmt.Sprintf("arrives as %d bytes, text: %t", len(last.Data), last.Text)
			}
			return "arrives as it is"
		}
		t.observe(fmt.Sprintf("a binary message of %d bytes", size), "%s", arrives(false))
		t.observe(fmt.Sprintf("a text of %d bytes", size), "%s", arrives(true))
	}
}

// openEarly sends before the acknowledgement. What arrives before it is counted as well.
func openEarly(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	publisher := pub.allocate(ctx, localChannel("chat"))
	subscriber := sub.allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	for n := range 200 {
		t.Must(publisher.SendText(fmt.Sprint(n)))
	}
	early := t.happens(ctx, time.Second, func() bool { return subscriber.Stats().Count > 0 })
	t.observe("something arrives before the acknowledgement", "%s", yesNo(early))
	t.Must(subscriber.SendText("ack"))
	t.linked(ctx, "chat", publisher, subscriber)
	kept := others(subscriber.Stats())
	class := "none"
	switch n := len(kept); {
	case n == 200:
		class = "all of 200"
	case n > 16:
		class = "more than 16"
	case n > 0:
		class = "1 to 16"
	}
	t.observe("messages from before it", "%s", class)
}

func openChannelErrors(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	publisher := pub.allocate(ctx, localChannel("chat"))
	subscriber := sub.allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "chat", publisher, subscriber)
	pub.allocated(ctx, "a live name again", localChannel("chat"))
	sub.allocated(ctx, "a subscription again", remoteChannel(pub.ID, "chat"))
	sub.allocated(ctx, "an unknown name", remoteChannel(pub.ID, "nothing"))
	sub.allocated(ctx, "an unknown session", remoteChannel(nobody, "chat"))
	sub.seePut(ctx, "update of an unknown subscription", "/datachannels/update", channelsBody{[]channelRow{remoteChannel(pub.ID, "nothing").replying(true)}})
	sub.seePut(ctx, "close of an unknown id", "/datachannels/close", channelsBody{channelIDs(999)})
	fresh := t.client(ctx, sfutest.Config{})
	fresh.allocated(ctx, "without a transport", localChannel("chat"))
	pub.seePut(ctx, "close of the publication", "/datachannels/close", channelsBody{channelIDs(int(publisher.Stats().ID))})
	t.observe("the subscriber's channel closes", "%s", yesNo(t.happens(ctx, 4*time.Second, func() bool { return subscriber.Stats().Closed })))
	sub.seeState(ctx, "GET of the subscriber")
}

func openPolicy(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	publisher := pub.allocate(ctx, localChannel("chat"))
	unordered, zero, much := false, 0, 100
	other := remoteChannel(pub.ID, "chat")
	other.Ordered, other.MaxRetransmits = &unordered, &zero
	if id := sub.allocated(ctx, "a policy other than the publication's", other); id != 0 {
		subscriber := sub.open(ctx, id, other)
		arrives := t.happens(ctx, 5*time.Second, func() bool {
			t.Must(publisher.SendText(probe))
			return subscriber.Stats().Count > 0
		})
		t.observe("messages arrive", "%s", yesNo(arrives))
	}
	bothLimits := localChannel("both")
	bothLimits.MaxRetransmits, bothLimits.MaxPacketLifeTime = &zero, &much
	pub.allocated(ctx, "both limits", bothLimits)
	negative := -1
	below := localChannel("negative")
	below.MaxRetransmits = &negative
	pub.allocated(ctx, "a limit below zero", below)
}
