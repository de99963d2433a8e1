package conformance

import (
	"context"
	"strings"

	"github.com/callsemu/callsemu/sfu/sfutest"
)

// codecCases makes one case per codec of contract 3.2.
func codecCases() []Case {
	var list []Case
	for _, codec := range sfutest.AllCodecs() {
		list = append(list, Case{
			ID:       "codec/" + strings.ToLower(string(codec)),
			Sentence: "A track of " + string(codec) + " is forwarded as it is.",
			Section:  "3.2", Mark: Doc, Run: codecForwarded(codec),
		})
	}
	for _, codec := range []sfutest.Codec{sfutest.VP9, sfutest.AV1} {
		list = append(list, Case{
			ID:       "codec/svc-" + strings.ToLower(string(codec)),
			Sentence: "An SVC stream of " + string(codec) + " passes through whole, for who joins late and over a change of source too.",
			Section:  "3.2, 3.3", Mark: Inferred, Run: codecSVC(codec),
		})
	}
	return append(list, Case{
		ID: "codec/one-each", Sentence: "One subscriber pulls tracks of different video codecs.",
		Section: "3.2", Mark: Inferred, Run: codecOneEach,
	}, Case{
		ID: "codec/both-ways", Sentence: "A codec that a session pulled can be pushed there under the client's own payload type.",
		Section: "3.2", Mark: Inferred, Run: codecBothWays,
	})
}

func codecForwarded(codec sfutest.Codec) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		pub, publishers := t.publish(ctx, sfutest.Config{}, named{"track", sfutest.Track{Codec: codec}})
		_, subs := t.subscribe(ctx, sfutest.Config{}, remote(pub.ID, "track"))
		got := t.pictures(ctx, subs[0], func(s sfutest.SubscriberStats) bool {
			return s.Packets >= 30 && (s.KeyFrames > 0 || publishers[0].Kind().String() == "audio")
		})
		t.checkWhole(string(codec), got)
		if got.Codec != codec || got.Streams[0] != publishers[0].Stream() {
			t.Errorf("%s arrives as %+v", codec, got)
		}
	}
}

func codecSVC(codec sfutest.Codec) func(ctx context.Context, t *T) {
	return func(ctx context.Context, t *T) {
		layered := named{"track", sfutest.Track{Codec: codec, Spatial: 3}}
		a, fromA := t.publish(ctx, sfutest.Config{}, layered)
		b, fromB := t.publish(ctx, sfutest.Config{}, layered)
		for range 2 {
			sub, subs := t.subscribe(ctx, sfutest.Config{}, remote(a.ID, "track"))
			got := t.pictures(ctx, subs[0], func(s sfutest.SubscriberStats) bool { return s.Packets >= 90 && s.KeyFrames > 0 })
			t.checkWhole("from the first", got)
			if got.Streams[0] != fromA[0].Stream() {
				t.Errorf("another track comes")
			}
			sub.update(ctx, remote(b.ID, "track").into("0"))
			_, err := subs[0].WaitStream(ctx, fromB[0].Stream())
			t.Must(err)
			got, err = subs[0].WaitMore(ctx, 90)
			t.Must(err)
			t.checkSeamless("from the second", got)
		}
	}
}

func codecOneEach(ctx context.Context, t *T) {
	codecs := []sfutest.Codec{sfutest.VP8, sfutest.H264, sfutest.VP9, sfutest.AV1}
	var items []trackItem
	for _, codec := range codecs {
		pub, _ := t.publish(ctx, sfutest.Config{}, named{"track", sfutest.Track{Codec: codec}})
		items = append(items, remote(pub.ID, "track"))
	}
	_, subs := t.subscribe(ctx, sfutest.Config{}, items...)
	for i, s := range subs {
		if got := t.flows(ctx, string(codecs[i]), s, 10); got.Codec != codecs[i] {
			t.Errorf("mid %s carries %s, want %s", s.Mid(), got.Codec, codecs[i])
		}
	}
}

func codecBothWays(ctx context.Context, t *T) {
	h264 := named{"track", sfutest.Track{Codec: sfutest.H264}}
	source, _ := t.publish(ctx, sfutest.Config{}, h264)
	both, subs := t.subscribe(ctx, sfutest.Config{}, remote(source.ID, "track"))
	t.flows(ctx, "pulled", subs[0], 5)
	both.push(ctx, h264)
	_, others := t.subscribe(ctx, sfutest.Config{}, remote(both.ID, "track"))
	t.flows(ctx, "pushed", others[0], 10)
	t.flows(ctx, "pulled still", subs[0], 10)
}
