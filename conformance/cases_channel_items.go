package conformance

import (
	"context"
	"net/http"
	"time"
)

func channelItemCases() []Case {
	return []Case{
		{
			ID: "channel-items/new", Sentence: "Items succeed and fail one by one inside a 200, in order; location and name are echoed, the policy is not.",
			Section: "0.3, 1.10, 4.3", Mark: Recorded, Operations: []string{"newDataChannels"}, Run: channelItemsNew,
			Codes: []string{"not_found_track_error channel", "repeated_local_track_error channel"},
		},
		{
			ID: "channel-items/repeated", Sentence: "A live name cannot be published again, nor a live subscription made twice; after a close it can.",
			Section: "4.3", Mark: Doc, Operations: []string{"newDataChannels", "closeDataChannels"}, Run: channelItemsRepeated,
			Codes: []string{"repeated_local_track_error channel"},
		},
		{
			ID: "channel-items/update", Sentence: "update echoes what holds for canReply with the subscriber's own id; an unknown subscription is an item error.",
			Section: "1.11, 2.2, 4.5", Mark: Doc, Operations: []string{"updateDataChannels"}, Run: channelItemsUpdate,
			Codes: []string{"not_found_track_error channel"},
		},
		{
			ID: "channel-items/close", Sentence: "close names every id; an absent or closed one is an item error.",
			Section: "1.12", Mark: Doc, Operations: []string{"closeDataChannels"}, Run: channelItemsClose,
			Codes: []string{"close_track_error"},
		},
		{
			ID: "channel-items/ignored", Sentence: "waitForAck and canReply are ignored on local channels, unknown fields everywhere.",
			Section: "1.10, 0.3", Mark: Doc, Operations: []string{"newDataChannels"}, Run: channelItemsIgnored,
		},
	}
}

func channelItemsNew(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	limit := 0
	with := localChannel("chat")
	with.MaxRetransmits = &limit
	x := pub.postChannels(ctx, with, localChannel("chat"), localChannel("input")).want(http.StatusOK)
	x.wantChannelFields(0, "location", "dataChannelName", "id")
	x.wantChannelError(1, "repeated_local_track_error channel").wantChannelFields(1, "location", "dataChannelName", "errorCode", "errorDescription")
	x.wantChannelFields(2, "location", "dataChannelName", "id")

	y := sub.postChannels(ctx, remoteChannel(pub.ID, "none"), remoteChannel(pub.ID, "chat").replying(true), remoteChannel(pub.ID, "input"),
		remoteChannel(pub.ID, "chat")).want(http.StatusOK)
	t.between(y, 0, 3*time.Second)
	y.wantChannelError(0, "not_found_track_error channel").
		wantChannelFields(0, "location", "dataChannelName", "sessionId", "errorCode", "errorDescription")
	y.wantChannelFields(1, "location", "dataChannelName", "sessionId", "id", "canReply")
	y.wantChannelFields(2, "location", "dataChannelName", "sessionId", "id")
	y.wantChannelError(3, "repeated_local_track_error channel")
	for i, name := range []string{"none", "chat", "input", "chat"} {
		if row := y.channel(i); row.Location != "remote" || row.DataChannelName != name || row.SessionID != pub.ID {
			t.Errorf("item %d is %+v", i, row)
		}
	}
	if row := y.channel(1); row.CanReply == nil || !*row.CanReply {
		t.Errorf("canReply is echoed as %+v", row)
	}
}

func channelItemsRepeated(ctx context.Context, t *T) {
	pub, sub, publisher, subscriber := t.pair(ctx)
	pub.postChannels(ctx, localChannel("chat")).want(http.StatusOK).wantChannelError(0, "repeated_local_track_error channel")
	sub.postChannels(ctx, remoteChannel(pub.ID, "chat")).want(http.StatusOK).wantChannelError(0, "repeated_local_track_error channel")
	t.linked(ctx, "chat", publisher, subscriber)
	sub.putChannels(ctx, "close", closing(subscriber)...).want(http.StatusOK)
	t.closes(ctx, "the subscription", subscriber)
	again := sub.allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "chat, subscribed anew", publisher, again)
	pub.putChannels(ctx, "close", closing(publisher)...).want(http.StatusOK)
	t.closes(ctx, "the publication", publisher)
	pub.allocate(ctx, localChannel("chat"))
}

func channelItemsUpdate(ctx context.Context, t *T) {
	pub, sub, _, subscriber := t.pair(ctx)
	for _, may := range []bool{true, false} {
		x := sub.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(may)).want(http.StatusOK)
		x.wantChannelFields(0, "location", "sessionId", "dataChannelName", "id", "canReply")
		if row := x.channel(0); *row.ID != int(subscriber.Stats().ID) || row.SessionID != pub.ID || *row.CanReply != may || row.Location != "remote" {
			t.Errorf("%s: %s", x, short(x.Raw))
		}
	}
	x := sub.putChannels(ctx, "update", remoteChannel(pub.ID, "none").replying(true), remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	x.wantChannelError(0, "not_found_track_error channel")
	if row := x.channel(1); row.ErrorCode != "" {
		t.Errorf("the good item beside a failed one is %+v", row)
	}
}

func channelItemsClose(ctx context.Context, t *T) {
	pub, sub, publisher, subscriber := t.pair(ctx)
	const nothing = 999
	x := sub.putChannels(ctx, "close", append(closing(subscriber), channelIDs(nothing)...)...).want(http.StatusOK)
	x.wantChannelFields(0, "id", "location", "sessionId", "dataChannelName")
	x.wantChannelError(1, "close_track_error").wantChannelFields(1, "id", "errorCode", "errorDescription")
	if row := x.channel(1); row.ID == nil || *row.ID != nothing {
		t.Errorf("the failed item is %+v", row)
	}
	t.closes(ctx, "the subscription", subscriber)
	sub.putChannels(ctx, "close", closing(subscriber)...).want(http.StatusOK).wantChannelError(0, "close_track_error")
	y := pub.putChannels(ctx, "close", closing(publisher)...).want(http.StatusOK)
	y.wantChannelFields(0, "id", "location", "dataChannelName")
	t.closes(ctx, "the publication", publisher)
	pub.showsChannels(ctx, listed(publisher, "local chat inactive"))
	sub.showsChannels(ctx, listed(subscriber, "remote chat inactive"))
}

func channelItemsIgnored(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	x := t.do(ctx, call{Method: http.MethodPost, Path: pub.path("/datachannels/new"),
		Body: `{"dataChannels":[{"location":"local","dataChannelName":"chat","waitForAck":true,"canReply":true,"ordered":null,"color":"red"}],"extra":1}`})
	x.want(http.StatusOK).wantChannelFields(0, "location", "dataChannelName", "id")
	publisher := pub.open(ctx, *x.channel(0).ID, localChannel("chat"))
	t.linked(ctx, "chat", publisher, sub.allocate(ctx, remoteChannel(pub.ID, "chat")))
}
