package sfu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/callsemu/callsemu/sfu"
	"github.com/callsemu/callsemu/sfu/sfutest"
)

// TestPublisherMovesToASecondConnection: Chromium closes mid 0 of what it publishes, and with it the transport (clients of
// contract 1.6). What it still publishes flows on under another SSRC, and its subscribers see one continuous stream.
func TestPublisherMovesToASecondConnection(t *testing.T) {
	s := start(t, sfu.Config{})
	ctx := testContext(t)
	microphone := sfutest.Track{Codec: sfutest.Opus}
	old, p, _, pubs := publish(t, s, sfutest.Config{}, microphone, camera)
	_, _, subs := subscribe(t, s, sfutest.Config{}, pubs...)
	flows(t, subs...)

	next := endpoint(t, sfutest.Config{Identity: old.Identity()})
	moved := camera
	moved.Mid = "1"
	sender, err := next.Publish(moved)
	check(t, err)
	offer, err := next.Offer(ctx)
	check(t, err)
	rejected := "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=inactive\r\n"
	offer = strings.Replace(offer, "m=video", rejected+"m=video", 1)
	answer, err := p.Answer(description(t, offer), sfu.AnswerPlan{Close: []string{"0"}})
	check(t, err)
	check(t, old.Close())
	reach(t, p, sfu.StateLost)
	head, tail, _ := strings.Cut(answer.SDP, "m=audio 0") // pion knows nothing of the section that it did not offer itself
	check(t, next.SetAnswer(head+tail[strings.Index(tail, "m=video"):]))
	check(t, next.WaitConnected(ctx))

	_, err = subs[1].Wait(ctx, func(st sfutest.SubscriberStats) bool { return slices.Contains(st.Streams, sender.Stream()) })
	check(t, err)
	got, err := subs[1].WaitMore(ctx, 20)
	check(t, err)
	if len(got.SSRCs) != 1 || got.Missing != 0 || got.Corrupt != 0 || got.SequenceSteps > 1 {
		t.Errorf("the subscriber saw a break: %+v", got)
	}
	reach(t, p, sfu.StateConnected)
	wait(t, pubs[0].Done())
	for _, c := range []<-chan struct{}{p.Done(), pubs[1].Done()} {
		select {
		case <-c:
			t.Error("the session, or its other track, has ended")
		default:
		}
	}
}

// TestCloseNotifyWithoutAMovedTagIsTheEnd: only an offer that moves the BUNDLE tag lets a Peer outlive its connection.
func TestCloseNotifyWithoutAMovedTagIsTheEnd(t *testing.T) {
	s := start(t, sfu.Config{})
	ctx := testContext(t)
	e, p, _, _ := publish(t, s, sfutest.Config{}, camera, camera)
	check(t, e.Stop("1"))
	offer, err := e.Offer(ctx)
	check(t, err)
	answer, err := p.Answer(description(t, offer), sfu.AnswerPlan{Close: []string{"1"}})
	check(t, err)
	check(t, e.SetAnswer(answer.SDP))
	check(t, e.Close())
	wait(t, p.Done())
}
