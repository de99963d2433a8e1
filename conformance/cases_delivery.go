package conformance

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func deliveryCases() []Case {
	return []Case{
		{
			ID: "delivery/fan-out", Sentence: "Every subscriber gets every message, in order, with its type; empty ones too.",
			Section: "4.3", Mark: Doc, Operations: []string{"newDataChannels"}, Run: deliverFanOut,
		},
		{
			ID: "delivery/sizes", Sentence: "Messages up to about 64 KiB arrive; a longer one is lost and those after it are not.",
			Section: "4.1, 6", Mark: Recorded, Operations: []string{"newDataChannels"}, Run: deliverSizes,
		},
		{
			ID: "delivery/one-way", Sentence: "A subscriber's messages reach nobody.",
			Section: "4.3", Mark: Doc, Operations: []string{"newDataChannels"}, Run: deliverOneWay,
		},
		{
			ID: "delivery/no-replay", Sentence: "What was sent before a subscription is lost.",
			Section: "4.3", Mark: Doc, Operations: []string{"newDataChannels"}, Run: deliverNoReplay,
		},
		{
			ID: "delivery/unreliable", Sentence: "Unordered and limited channels deliver; a subscriber's policy may differ from the publisher's.",
			Section: "4.3, 1.10", Mark: Inferred, Operations: []string{"newDataChannels"}, Run: deliverUnreliable,
		},
		{
			ID: "delivery/ack", Sentence: "With waitForAck nothing comes before the subscriber's first message, which reaches nobody.",
			Section: "4.4", Mark: Doc, Operations: []string{"newDataChannels"}, Run: deliverAck,
		},
		{
			ID: "delivery/ack-late", Sentence: "Without a first message within 30 s the channel is torn down, and a new subscription is needed.",
			Section: "4.4, 6", Mark: Doc, Operations: []string{"newDataChannels"}, Slow: 35 * time.Second, Run: deliverAckLate,
		},
		{
			ID: "delivery/reply", Sentence: "One subscriber may reply; a new grant replaces the old one without a word, and a revocation ends it.",
			Section: "4.5, 6", Mark: Doc, Operations: []string{"newDataChannels", "updateDataChannels"}, Run: deliverReply,
		},
		{
			ID: "delivery/ack-and-reply", Sentence: "With waitForAck and canReply the first message opens the gate and the next reaches the publisher.",
			Section: "4.5", Mark: Doc, Operations: []string{"newDataChannels"}, Run: deliverAckAndReply,
		},
		{
			ID: "delivery/apps", Sentence: "A data channel is not visible to other apps.",
			Section: "0.3", Mark: Doc, Needs: []Need{OpenApps}, Codes: []string{"not_found_track_error channel"}, Run: deliverApps,
		},
	}
}

func deliverFanOut(ctx context.Context, t *T) {
	pub, a, publisher, atA := t.pair(ctx)
	b := t.dataClient(ctx)
	atB := b.allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "a", publisher, atA)
	t.linked(ctx, "b", publisher, atB)
	for i := range 100 {
		t.Must(publisher.SendText(fmt.Sprint(i)))
	}
	t.Must(publisher.Send([]byte{0, 255}))
	t.Must(publisher.SendText(""))
	t.Must(publisher.Send(nil))
	for _, channel := range []*sfutest.Channel{atA, atB} {
		got, err := channel.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(others(s)) >= 103 })
		t.Must(err)
		list := others(got)
		for i := range 100 {
			if string(list[i].Data) != fmt.Sprint(i) || !list[i].Text {
				t.Fatalf("message %d is %q, text %t", i, list[i].Data, list[i].Text)
			}
		}
		if m := list[100]; m.Text || !bytes.Equal(m.Data, []byte{0, 255}) {
			t.Errorf("the binary message is %v, text %t", m.Data, m.Text)
		}
		if m := list[101]; !m.Text || len(m.Data) != 0 {
			t.Errorf("the empty text is %q, text %t", m.Data, m.Text)
		}
		if m := list[102]; m.Text || len(m.Data) != 0 {
			t.Errorf("the empty binary message is %q, text %t", m.Data, m.Text)
		}
	}
	a.showsChannels(ctx, listed(atA, "remote chat active"))
}

func deliverSizes(ctx context.Context, t *T) {
	_, _, publisher, subscriber := t.pair(ctx)
	t.linked(ctx, "chat", publisher, subscriber)
	sizes := []int{1, 1200, 16384, 60000}
	if t.target.Emulator { // how many bytes exactly a service takes is an open question
		sizes = append(sizes, 65535, 65536)
	}
	for _, size := range sizes {
		t.Must(publisher.Send(bytes.Repeat([]byte{byte(size)}, size)))
	}
	if t.target.Emulator {
		t.Must(publisher.Send(make([]byte, 65537)))
	}
	t.Must(publisher.SendText("end"))
	got, err := subscriber.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(others(s)) > len(sizes) })
	t.Must(err)
	var arrived []int
	for _, m := range others(got) {
		arrived = append(arrived, len(m.Data))
	}
	if want := append(sizes, len("end")); !slices.Equal(arrived, want) {
		t.Errorf("sizes that arrived: %v, want %v", arrived, want)
	}
}

func deliverOneWay(ctx context.Context, t *T) {
	pub, _, publisher, atA := t.pair(ctx)
	atB := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "a", publisher, atA)
	t.linked(ctx, "b", publisher, atB)
	t.Must(atA.SendText("to nobody"))
	t.Must(atA.SendText("again"))
	t.unheard(ctx, publisher)
	t.Must(publisher.SendText("after"))
	got, err := atB.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(others(s)) > 0 })
	t.Must(err)
	if list := others(got); len(list) != 1 || string(list[0].Data) != "after" {
		t.Errorf("the other subscriber heard %v", list)
	}
	if n := publisher.Stats().Count; n != 0 {
		t.Errorf("the publisher heard %d messages", n)
	}
}

func deliverNoReplay(ctx context.Context, t *T) {
	pub, _, publisher, early := t.pair(ctx)
	t.linked(ctx, "early", publisher, early)
	t.Must(publisher.SendText("before"))
	_, err := early.Wait(ctx, func(s sfutest.ChannelStats) bool { return len(others(s)) > 0 })
	t.Must(err)
	late := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "late", publisher, late)
	for _, m := range late.Stats().Messages {
		if string(m.Data) == "before" {
			t.Errorf("a message from before the subscription was replayed")
		}
	}
}

func deliverUnreliable(ctx context.Context, t *T) {
	no, zero, ms := false, 0, 500
	for name, item := range inOrder(map[string]channelRow{
		"unordered":           {Ordered: &no},
		"maxRetransmits 0":    {Ordered: &no, MaxRetransmits: &zero},
		"maxPacketLifeTime":   {MaxPacketLifeTime: &ms},
		"maxPacketLifeTime 0": {Ordered: &no, MaxPacketLifeTime: &zero},
	}) {
		pub, sub := t.dataClient(ctx), t.dataClient(ctx)
		item.Location, item.DataChannelName = "local", "chat"
		publisher := pub.allocate(ctx, item)
		mirror := item
		mirror.Location, mirror.SessionID = "remote", pub.ID
		t.linked(ctx, name, publisher, sub.allocate(ctx, mirror))
		other := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat")) // reliable and ordered: outside the contract, accepted
		t.linked(ctx, name+", mismatched", publisher, other)
	}
}

func deliverAck(ctx context.Context, t *T) {
	pub, _, publisher, open := t.pair(ctx)
	gated := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	t.linked(ctx, "the other subscriber", publisher, open)
	t.heardNothing(ctx, "the subscriber that has not acknowledged", gated)
	t.Must(gated.SendText("ack"))
	t.linked(ctx, "the gated subscriber", publisher, gated)
	t.heardNothing(ctx, "the publisher, of the acknowledgement,", publisher)
}

func deliverAckLate(ctx context.Context, t *T) {
	pub, _, publisher, open := t.pair(ctx)
	silent := t.dataClient(ctx)
	gated := silent.allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	acked := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	t.Must(acked.SendText("ack"))
	t.linked(ctx, "the acknowledged subscriber", publisher, acked)
	tardy := t.dataClient(ctx).allocate(ctx, remoteChannel(pub.ID, "chat").gated())
	t.pass(ctx, 20*time.Second) // within the 30 s, and not within the 15 s of older documents
	t.Must(tardy.SendText("ack"))
	t.linked(ctx, "the subscriber that took its time", publisher, tardy)
	t.pass(ctx, 11*time.Second)
	t.closes(ctx, "the silent subscription", gated)
	silent.showsChannels(ctx, listed(gated, "remote chat inactive"))
	t.linked(ctx, "the acknowledged subscriber, afterwards", publisher, acked)
	t.linked(ctx, "the open subscriber, afterwards", publisher, open)
	again := silent.allocate(ctx, remoteChannel(pub.ID, "chat"))
	t.linked(ctx, "the new subscription", publisher, again)
}

func deliverReply(ctx context.Context, t *T) {
	pub, a, publisher, atA := t.pair(ctx)
	b := t.dataClient(ctx)
	atB := b.allocate(ctx, remoteChannel(pub.ID, "chat").replying(true))
	t.linked(ctx, "a", publisher, atA)
	t.linked(ctx, "b", publisher, atB)
	t.Must(atA.SendText("a, without"))
	t.unheard(ctx, publisher)
	t.Must(atB.SendText("b, with"))
	t.hears(ctx, "the publisher", publisher, "b, with")
	a.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	t.Must(atB.SendText("b, replaced"))
	t.unheard(ctx, publisher)
	t.Must(atA.SendText("a, with"))
	t.hears(ctx, "the publisher", publisher, "b, with", "a, with")
	a.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(false)).want(http.StatusOK)
	t.Must(atA.SendText("a, revoked"))
	t.unheard(ctx, publisher)
	b.putChannels(ctx, "update", remoteChannel(pub.ID, "chat").replying(true)).want(http.StatusOK)
	t.Must(atB.SendText("b, again"))
	t.hears(ctx, "the publisher", publisher, "b, with", "a, with", "b, again")
	if closed := atA.Stats().Closed || atB.Stats().Closed; closed {
		t.Errorf("a grant closed a channel")
	}
}

func deliverAckAndReply(ctx context.Context, t *T) {
	pub, sub := t.dataClient(ctx), t.dataClient(ctx)
	publisher := pub.allocate(ctx, localChannel("chat"))
	subscriber := sub.allocate(ctx, remoteChannel(pub.ID, "chat").gated().replying(true))
	t.Must(subscriber.SendText("ack"))
	t.Must(subscriber.SendText("reply"))
	t.hears(ctx, "the publisher", publisher, "reply")
	t.linked(ctx, "chat", publisher, subscriber)
}

func deliverApps(ctx context.Context, t *T) {
	pub := t.dataClient(ctx)
	pub.allocate(ctx, localChannel("chat"))
	other := t.do(ctx, call{Method: http.MethodPost, Path: "/sessions/new", App: "another-app"}).want(http.StatusCreated).Body.SessionID
	peer := t.peer(sfutest.Config{})
	x := t.do(ctx, call{Method: http.MethodPost, App: "another-app", Path: "/sessions/" + other + "/datachannels/establish",
		Body: establishBody{DataChannel: serverEvents()}}).want(http.StatusOK)
	answer, err := peer.Answer(ctx, x.sdp("offer"))
	t.Must(err)
	t.do(ctx, call{Method: http.MethodPut, App: "another-app", Path: "/sessions/" + other + "/renegotiate",
		Body: renegotiateBody{answerOf(answer)}}).want(http.StatusOK)
	t.Must(peer.WaitConnected(ctx))
	t.do(ctx, call{Method: http.MethodPost, App: "another-app", Path: "/sessions/" + other + "/datachannels/new",
		Body: channelsBody{[]channelRow{remoteChannel(pub.ID, "chat")}}}).want(http.StatusOK).
		wantChannelError(0, "not_found_track_error channel")
}
