package conformance

import (
	"context"
	"slices"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

func repairCases() []Case {
	return []Case{
		{
			ID: "repair/nack-rtx", Sentence: "A subscriber's NACK is answered by the SFU over RTX and not passed on.",
			Section: "3.4, 3.1", Mark: Doc, Run: repairNACK(sfutest.Config{AcceptReplays: true}, true),
		},
		{
			ID: "repair/nack-plain", Sentence: "Without RTX a NACK is answered on the track's own SSRC.",
			Section: "3.4", Mark: Inferred, Run: repairNACK(sfutest.Config{AcceptReplays: true, WithoutRTX: true}, false),
		},
		{
			ID: "repair/uplink", Sentence: "The SFU asks the publisher for packets lost on the way to it, and the subscriber gets them.",
			Section: "3.4", Mark: Inferred, Run: repairUplink(sfutest.Config{}),
		},
		{
			ID: "repair/uplink-plain", Sentence: "Uplink loss is repaired without RTX as well.",
			Section: "3.4", Mark: Inferred, Run: repairUplink(sfutest.Config{WithoutRTX: true}),
		},
		{
			ID: "repair/one-asks", Sentence: "A repair for one subscriber does not reach the others.",
			Section: "3.4", Mark: Inferred, Run: repairOneAsks,
		},
	}
}

func repairNACK(cfg sfutest.Config, rtx bool) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		pub, publishers := t.publish(ctx, sfutest.Config{}, cam())
		_, subs := t.subscribe(ctx, cfg, remote(pub.ID, "cam"))
		got := t.flows(ctx, "cam", subs[0], 30)
		asked := []uint16{got.LastSequence - 3, got.LastSequence - 4, got.LastSequence - 9}
		t.Must(subs[0].SendNACK(asked...))
		after, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.Duplicates >= 3 })
		t.Must(err)
		if repaired := after.Repaired; rtx && repaired != 3 || !rtx && repaired != 0 {
			t.Errorf("%d of the repairs came over RTX", repaired)
		}
		for _, number := range publishers[0].Stats().Asked {
			if here := number + got.Offset; slices.Contains(asked, here) || slices.Contains(asked, number) { // in its numbers, or as it stands
				t.Errorf("the publisher was asked for packet %d, which had arrived", number)
			}
		}
		if after.Corrupt+after.SequenceSteps+after.TimestampSteps != 0 || after.Duplicates != 3 {
			t.Errorf("the repairs are not the packets that were asked for: %+v", after)
		}
	}
}

func repairUplink(cfg sfutest.Config) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		pub, publishers := t.publish(ctx, cfg, cam())
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "cam"))
		t.flows(ctx, "cam", subs[0], 30)
		publishers[0].Withhold(2)
		told, err := publishers[0].Wait(ctx, func(s sfutest.PublisherStats) bool { return s.NACKs >= 2 && s.Retransmitted >= 2 })
		t.Must(err)
		got, err := subs[0].Wait(ctx, func(s sfutest.SubscriberStats) bool {
			return s.LastStamp.Packet > told.Packets+told.Withheld && t.mayMiss(s) && s.Late > 0
		})
		if err != nil {
			t.Fatalf("what was lost did not come late: %v: %+v", err, got)
		}
		t.checkWhole("cam", got)
	}
}

func repairOneAsks(ctx context.Context, t *T) {
	pub, _ := t.publish(ctx, sfutest.Config{}, cam())
	_, asking := t.subscribe(ctx, sfutest.Config{AcceptReplays: true}, remote(pub.ID, "cam"))
	_, other := t.subscribe(ctx, sfutest.Config{AcceptReplays: true}, remote(pub.ID, "cam"))
	got := t.flows(ctx, "the asking subscriber", asking[0], 20)
	t.flows(ctx, "the other subscriber", other[0], 20)
	t.Must(asking[0].SendNACK(got.LastSequence - 1))
	_, err := asking[0].Wait(ctx, func(s sfutest.SubscriberStats) bool { return s.Duplicates == 1 })
	t.Must(err)
	if after := t.flows(ctx, "the other subscriber", other[0], 20); after.Duplicates != 0 {
		t.Errorf("the other subscriber got %d packets again", after.Duplicates)
	}
}
