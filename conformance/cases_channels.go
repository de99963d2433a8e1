package conformance

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func channelCases() []Case {
	return []Case{
		{
			ID: "channels/too-early", Sentence: "Without a transport for data, the calls on channels are 425 at once.",
			Section: "2.2", Mark: Inferred, Codes: []string{"session_error/425"}, Run: channelsTooEarly,
			Operations: []string{"newDataChannels", "updateDataChannels", "closeDataChannels"},
		},
		{
			ID: "channels/wait", Sentence: "Channels can be allocated right after renegotiate: the call waits for the transport.",
			Section: "1.10, 11 flow 4", Mark: Doc, Operations: []string{"newDataChannels"}, Run: channelsWait,
		},
		{
			ID: "channels/ids", Sentence: "Ids count from 1 per session, local and remote together, and come back after a close.",
			Section: "2.2, 4.2, 6", Mark: Inferred, EmulatorOnly: true, Operations: []string{"newDataChannels", "closeDataChannels"}, Run: channelIDCase,
		},
		{
			ID: "channels/initializing", Sentence: "While the transport is not up, GET shows a channel as initializing, afterwards as active.",
			Section: "1.7", Mark: Doc, Operations: []string{"getSession"}, Run: channelsInitializing,
		},
		{
			ID: "channels/values", Sentence: "Missing names, sessions and lists, unknown locations, mixed ones and impossible policies are refused.",
			Section: "1.0, 1.10, 1.11, 1.12", Mark: Inferred, Run: channelValues, Codes: []string{
				"invalid_params/406 no channels", "invalid_params/406 channel name", "invalid_params/406 channel session id",
				"invalid_params/406 channel location", "invalid_params/406 channels mixed", "invalid_params/406 channel policy", "decoding_error/400",
			},
		},
		{
			ID: "channels/unknown-session", Sentence: "The calls on channels of a session that is not there are 410.",
			Section: "2.2", Mark: Inferred, EmulatorOnly: true, Codes: []string{"session_error/410"}, Run: channelsGone,
			Operations: []string{"establishDataChannels", "newDataChannels", "updateDataChannels", "closeDataChannels"},
		},
		{
			ID: "channels/pending-offer", Sentence: "While an offer of the SFU is open, channels are allocated, updated and closed all the same.",
			Section: "2.2", Mark: Inferred, Run: channelsPending,
			Operations: []string{"newDataChannels", "updateDataChannels", "closeDataChannels"},
		},
	}
}

func channelsTooEarly(ctx context.Context, t *T) {
	connected, _ := t.publish(ctx, sfutest.Config{}, mic())
	for name, c := range inOrder(map[string]*client{"fresh": t.client(ctx, sfutest.Config{}), "media only": connected}) {
		shows := t.stopwatch()
		c.postChannels(ctx, localChannel("chat")).wantError("session_error/425")
		c.putChannels(ctx, "update", remoteChannel(connected.ID, "chat").replying(true)).wantError("session_error/425")
		c.putChannels(ctx, "close", channelIDs(1)...).wantError("session_error/425")
		if took := shows(); took > 4*time.Second {
			t.Errorf("%s: the refusals took %s", name, took)
		}
	}
}

func channelsWait(ctx context.Context, t *T) {
	c := t.client(ctx, sfutest.Config{})
	c.establishOffered(ctx)
	x := c.postChannels(ctx, localChannel("chat")).want(http.StatusOK)
	x.wantChannelFields(0, "location", "dataChannelName", "id")
	t.Must(c.Peer.WaitConnected(ctx))
}

func channelIDCase(ctx context.Context, t *T) {
	a, b := t.dataClient(ctx), t.dataClient(ctx)
	x := a.postChannels(ctx, localChannel("one"), localChannel("two")).want(http.StatusOK)
	y := b.postChannels(ctx, localChannel("here")).want(http.StatusOK)
	z := a.postChannels(ctx, remoteChannel(b.ID, "here"), remoteChannel(b.ID, "nothing"), remoteChannel(a.ID, "one")).want(http.StatusOK)
	got := []int{}
	for _, row := range slices.Concat(x.Body.DataChannels, y.Body.DataChannels, z.Body.DataChannels) {
		id := -1
		if row.ID != nil {
			id = *row.ID
		}
		got = append(got, id)
	}
	if want := []int{1, 2, 1, 3, -1, 4}; !slices.Equal(got, want) {
		t.Errorf("ids are %v, want %v", got, want)
	}
	channel := a.open(ctx, 2, localChannel("two"))
	a.putChannels(ctx, "close", channelIDs(2)...).want(http.StatusOK)
	t.closes(ctx, "two", channel)
	t.eventually(ctx, "id 2 does not come back", func() bool {
		x := a.postChannels(ctx, localChannel("again")).want(http.StatusOK)
		row := x.channel(0)
		if row.ID == nil {
			t.Fatalf("%s: no id: %s", x, short(x.Raw))
		}
		if *row.ID == 2 {
			return true
		}
		a.putChannels(ctx, "close", channelIDs(*row.ID)...).want(http.StatusOK)
		return false
	})
}

func channelsInitializing(ctx context.Context, t *T) {
	pub, _, publisher, _ := t.pair(ctx)
	pub.showsChannels(ctx, listed(publisher, "local chat active"))
	c, _ := t.publish(ctx, sfutest.Config{}, mic())
	inband, err := c.Peer.OpenChannel(sfutest.ChannelOptions{Label: "server-events"})
	t.Must(err)
	x := c.establish(ctx, establishBody{DataChannel: serverEvents(), SessionDescription: offerOf(c.offer(ctx))}).want(http.StatusOK)
	row := c.postChannels(ctx, remoteChannel(pub.ID, "chat")).want(http.StatusOK).channel(0)
	if row.ID == nil {
		t.Fatalf("no id: %+v", row)
	}
	c.showsChannels(ctx, listedAs(*row.ID, "remote chat initializing"))
	t.Must(c.Peer.SetAnswer(x.sdp("answer")))
	t.Must(inband.WaitOpen(ctx))
	c.showsChannels(ctx, listedAs(*row.ID, "remote chat active"))
}

func channelValues(ctx context.Context, t *T) {
	c := t.dataClient(ctx)
	refused := func(method, what, body, why, row string) *exchange {
		return t.do(ctx, call{Method: method, Path: c.path("/datachannels/" + what), Body: body, Malformed: why}).wantError(row)
	}
	for _, r := range []struct{ method, what, body, why, row string }{
		{http.MethodPost, "new", `{"dataChannels":[]}`, "no items", "invalid_params/406 no channels"},
		{http.MethodPost, "new", `{}`, "no list", "invalid_params/406 no channels"},
		{http.MethodPut, "update", `{"dataChannels":[]}`, "no items", "invalid_params/406 no channels"},
		{http.MethodPut, "close", `{"dataChannels":[]}`, "no items", "invalid_params/406 no channels"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":""}]}`, "empty name", "invalid_params/406 channel name"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"remote","dataChannelName":"a"}]}`, "no session", "invalid_params/406 channel session id"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"here","dataChannelName":"a"}]}`, "location", "invalid_params/406 channel location"},
		{http.MethodPut, "update", `{"dataChannels":[{"location":"local","dataChannelName":"a","canReply":true}]}`, "local", "invalid_params/406 channel location"},
		{http.MethodPut, "update", `{"dataChannels":[{"location":"remote","dataChannelName":"a","canReply":true}]}`, "no session", "invalid_params/406 channel session id"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a","maxRetransmits":0,"maxPacketLifeTime":0}]}`, "both limits", "invalid_params/406 channel policy"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a","maxRetransmits":-1}]}`, "negative", "invalid_params/406 channel policy"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a","maxPacketLifeTime":65536}]}`, "too long", "invalid_params/406 channel policy"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local"}]}`, "missing name", "decoding_error/400"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","datachannelname":"a"}]}`, "misspelt name", "decoding_error/400"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a","ordered":"no"}]}`, "type", "decoding_error/400"},
		{http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a","maxRetransmits":1.5}]}`, "fraction", "decoding_error/400"},
		{http.MethodPost, "new", `{"dataChannels":{"dataChannelName":"a"}}`, "no array", "decoding_error/400"},
		{http.MethodPut, "close", `{"dataChannels":[{}]}`, "no id", "decoding_error/400"},
		{http.MethodPut, "close", `{"dataChannels":[{"id":"1"}]}`, "id as text", "decoding_error/400"},
	} {
		refused(r.method, r.what, r.body, r.why, r.row)
	}
	mixed := refused(http.MethodPost, "new", `{"dataChannels":[{"location":"local","dataChannelName":"a"},{"location":"remote","sessionId":"x","dataChannelName":"b"}]}`,
		"mixed", "invalid_params/406 channels mixed")
	if text := mixed.Body.ErrorDescription; !strings.HasPrefix(text, "Pushing and Pulling") || !strings.HasSuffix(text, "unsupported") {
		t.Errorf("the text for mixed locations is %q", text)
	}
	c.showsChannels(ctx)
}

func channelsGone(ctx context.Context, t *T) {
	c := &client{t: t, ID: strings.Repeat("0", 32)}
	c.establish(ctx, establishBody{DataChannel: serverEvents()}).wantError("session_error/410")
	c.postChannels(ctx, localChannel("chat")).wantError("session_error/410")
	c.putChannels(ctx, "update", remoteChannel("x", "chat").replying(true)).wantError("session_error/410")
	c.putChannels(ctx, "close", channelIDs(1)...).wantError("session_error/410")
}

func channelsPending(ctx context.Context, t *T) {
	media, _ := t.publish(ctx, sfutest.Config{}, mic())
	pub, sub, publisher, _ := t.pair(ctx)
	x := sub.requestPull(ctx, remote(media.ID, "mic")).want(http.StatusOK)
	sub.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	second := sub.postChannels(ctx, localChannel("back")).want(http.StatusOK).channel(0)
	sub.putChannels(ctx, "close", channelIDs(*second.ID)...).want(http.StatusOK)
	sub.answer(ctx, x)
	t.flows(ctx, "mic", sub.Peer.Subscriber("1"), 5)
	t.Must(publisher.SendText("x"))
}
