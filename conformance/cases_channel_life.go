package conformance

import (
	"context"
	"net/http"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func channelLifeCases() []Case {
	return []Case{
		{
			ID: "channel-life/publication-closed", Sentence: "A closed publication is inactive for its subscribers, whose channels fall silent, and its name is free.",
			Section: "4.3, 1.12", Mark: Inferred, Operations: []string{"closeDataChannels"}, Run: publicationClosed,
			Codes: []string{"not_found_track_error channel"},
		},
		{
			ID: "channel-life/publisher-gone", Sentence: "When the publisher's session ends, subscriptions are inactive and the name is not found.",
			Section: "4.3, 2.3", Mark: Inferred, Operations: []string{"newDataChannels"}, Run: publisherGone,
			Codes: []string{"not_found_track_error channel"},
		},
		{
			ID: "channel-life/never-reaped", Sentence: "A publication outlives its client's end: it must be closed by id before the name can be published again.",
			Section: "4.3, 2.3", Mark: Recorded, Operations: []string{"newDataChannels", "closeDataChannels"}, Run: neverReaped,
			Codes: []string{"repeated_local_track_error channel"},
		},
		{
			ID: "channel-life/no-media-rule", Sentence: "A silent data channel is not collected, nor is its session.",
			Section: "2.3", Mark: Doc, Operations: []string{"newDataChannels"}, Slow: 65 * time.Second, Run: noMediaRule,
		},
		{
			ID: "channel-life/subscriber-gone", Sentence: "A subscriber that leaves does not disturb the others, and gives up the right to reply.",
			Section: "4.3, 4.5", Mark: Inferred, Operations: []string{"newDataChannels"}, Run: subscriberGone,
		},
	}
}

func publicationClosed(ctx context.Context, t *T) {
	pub, sub, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "chat", publisher, subscriber)
	pub.putChannels(ctx, "close", closing(publisher)...).want(http.StatusOK)
	t.closes(ctx, "the publication", publisher)
	pub.showsChannels(ctx, listed(publisher, "local chat inactive"))
	sub.showsChannels(ctx, listed(subscriber, "remote chat inactive"))
	t.dataClient(ctx).postChannels(ctx, remoteChannel(pub.ID, "chat")).want(http.StatusOK).
		wantChannelError(0, "not_found_track_error channel")
	if subscriber.Stats().Closed {
		t.Errorf("the subscriber's channel was closed")
	}
	publisher = pub.allocate(ctx, localChannel("chat"))
	t.linked(ctx, "chat, published and subscribed anew", publisher, sub.allocate(ctx, remoteChannel(pub.ID, "chat")))
}

func publisherGone(ctx context.Context, t *T) {
	pub, sub, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "chat", publisher, subscriber)
	t.Must(pub.Peer.Close())
	sub.showsChannels(ctx, listed(subscriber, "remote chat inactive"))
	other := t.dataClient(ctx)
	t.eventually(ctx, "the name is still found", func() bool {
		row := other.postChannels(ctx, remoteChannel(pub.ID, "chat")).want(http.StatusOK).channel(0)
		return row.ErrorCode == "not_found_track_error"
	})
	other.postChannels(ctx, remoteChannel(pub.ID, "chat")).want(http.StatusOK).wantChannelError(0, "not_found_track_error channel")
}

func neverReaped(ctx context.Context, t *T) {
	pub, _, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "chat", publisher, subscriber)
	t.Must(publisher.Close())
	pub.showsChannels(ctx, listed(publisher, "local chat inactive"))
	pub.postChannels(ctx, localChannel("chat")).want(http.StatusOK).wantChannelError(0, "repeated_local_track_error channel")
	pub.putChannels(ctx, "close", closing(publisher)...).want(http.StatusOK)
	pub.allocate(ctx, localChannel("chat"))
}

func noMediaRule(ctx context.Context, t *T) {
	pub, sub, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "before", publisher, subscriber)
	t.pass(ctx, 31*time.Second)
	t.pass(ctx, 31*time.Second)
	pub.showsChannels(ctx, listed(publisher, "local chat active"))
	sub.showsChannels(ctx, listed(subscriber, "remote chat active"))
	t.linked(ctx, "after", publisher, subscriber)
}

func subscriberGone(ctx context.Context, t *T) {
	pub, a, publisher, atA := t.pair(ctx)
	b := t.dataClient(ctx)
	atB := b.allocate(ctx, remoteChannel(pub.ID, "chat"))
	a.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	t.linked(ctx, "a", publisher, atA)
	t.Must(a.Peer.Close())
	t.linked(ctx, "b", publisher, atB)
	b.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	t.Must(atB.SendText("mine now"))
	t.eventually(ctx, "the publisher hears nothing", func() bool {
		messages := publisher.Stats().Messages
		return len(messages) > 0 && string(messages[len(messages)-1].Data) == "mine now"
	})
	pub.showsChannels(ctx, listed(publisher, "local chat active"))
}

func channelFlowCases() []Case {
	return []Case{
		{
			ID: "flow/3-messages-only", Sentence: "Messages only: establish, publish, subscribe, acknowledge, reply, close.",
			Section: "11 flow 3", Mark: Doc, Run: flowMessages,
			Operations: []string{"establishDataChannels", "renegotiate", "newDataChannels", "closeDataChannels"},
		},
		{
			ID: "flow/4-receive-and-control", Sentence: "A viewer pulls media, establishes on the same session and replies on a control channel.",
			Section: "2.2, 2.4, 11 flow 4", Mark: Doc, Run: flowViewer,
			Operations: []string{"newTracks", "establishDataChannels", "newDataChannels"},
		},
		{
			ID: "flow/5-legacy-data", Sentence: "A session made with a data-only offer allocates channels without establish.",
			Section: "11 flow 5, 1.9", Mark: Seen, Run: flowLegacyData, Operations: []string{"newSession", "newDataChannels"},
		},
		{
			ID: "flow/11-radio", Sentence: "Media and data in one first offer, with server-events negotiated on id 0: both flow.",
			Section: "11 flow 11, 4.1", Mark: Seen, Run: flowRadio, Operations: []string{"newTracks", "newDataChannels"},
		},
		{
			ID: "flow/media-after-data", Sentence: "A session that began with data publishes and pulls media, and the channels go on.",
			Section: "2.4", Mark: Doc, Run: flowMediaAfterData, Operations: []string{"establishDataChannels", "newTracks", "newDataChannels"},
		},
	}
}

func flowMessages(ctx context.Context, t *T) {
	pub, sub := t.client(ctx, sfutest.Config{}), t.client(ctx, sfutest.Config{})
	for _, c := range []*client{pub, sub} {
		c.establishOffered(ctx)
		events, err := c.Peer.Incoming(ctx, "server-events")
		t.Must(err)
		t.Must(events.WaitOpen(ctx))
	}
	publisher := pub.allocate(ctx, localChannel("chat"))
	subscriber := sub.allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	t.Must(subscriber.SendText("ack"))
	t.linked(ctx, "chat", publisher, subscriber)
	t.Must(subscriber.SendText("no reply"))
	t.unheard(ctx, publisher)
	sub.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	t.Must(subscriber.SendText("reply"))
	t.hears(ctx, "the publisher", publisher, "reply")
	for i, channel := range []*sfutest.Channel{publisher, subscriber} {
		row := []*client{pub, sub}[i].putChannels(ctx, "close", closing(channel)...).want(http.StatusOK).channel(0)
		if row.ErrorCode != "" || *row.ID != int(channel.Stats().ID) {
			t.Errorf("close answered %+v", row)
		}
	}
	t.closes(ctx, "the publication", publisher)
	t.closes(ctx, "the subscription", subscriber)
}

func flowViewer(ctx context.Context, t *T) {
	game, _ := t.publish(ctx, sfutest.Config{}, cam())
	host := t.dataClient(ctx)
	hostEnd := host.allocate(ctx, localChannel("control"))
	viewer := t.client(ctx, sfutest.Config{})
	subs := viewer.pull(ctx, remote(game.ID, "cam"))
	viewer.establishOffered(ctx)
	viewerEnd := viewer.allocate(ctx, remoteChannel(host.ID, "control").replying(true)) // right after renegotiate
	t.Must(viewerEnd.SendText("jump"))
	t.hears(ctx, "the host", hostEnd, "jump")
	t.flows(ctx, "cam", subs[0], 5)
}

func flowLegacyData(ctx context.Context, t *T) {
	peer := t.peer(sfutest.Config{Gather: true})
	inband, err := peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	t.Must(err)
	offer, err := peer.Offer(ctx)
	t.Must(err)
	x := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", Body: newSessionBody{offerOf(offer)}}).want(http.StatusCreated)
	t.Must(peer.SetAnswer(x.sdp("answer")))
	c := &client{t: t, ID: x.Body.SessionID, Peer: peer}
	c.connected(ctx)
	t.linkedWithItself(ctx, c)
	t.Must(inband.SendText("on open")) // the native sample does, and exits if it fails
}

func flowRadio(ctx context.Context, t *T) {
	radio := t.client(ctx, sfutest.Config{})
	zero := uint16(0)
	events, err := radio.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events", ID: &zero})
	t.Must(err)
	radio.push(ctx, mic())
	radio.connected(ctx)
	t.Must(events.WaitOpen(ctx))
	publisher := radio.allocate(ctx, localChannel("telemetry"))
	if publisher.Stats().ID == 0 {
		t.Errorf("the first channel has the id of server-events")
	}
	listener, subs := t.subscribe(ctx, sfutest.Config{}, remote(radio.ID, "mic"))
	listener.establishOffered(ctx)
	subscriber := listener.allocate(ctx, remoteChannel(radio.ID, "telemetry").gated())
	t.Must(subscriber.SendText("ack"))
	t.linked(ctx, "telemetry", publisher, subscriber)
	t.flows(ctx, "mic", subs[0], 5)
	t.Must(events.SendText("swallowed"))
	if events.Stats().Closed {
		t.Errorf("server-events was closed")
	}
}

func flowMediaAfterData(ctx context.Context, t *T) {
	other, _ := t.publish(ctx, sfutest.Config{}, cam())
	pub, sub, publisher, subscriber := t.pair(ctx)
	pub.push(ctx, mic())
	subs := sub.pull(ctx, remote(pub.ID, "mic"), remote(other.ID, "cam"))
	t.flows(ctx, "mic", subs[0], 5)
	t.flows(ctx, "cam", subs[1], 5)
	t.linked(ctx, "chat", publisher, subscriber)
}
